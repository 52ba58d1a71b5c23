import type { ServerResponse } from "node:http";
import type { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { CallbackBoard } from "../../../../src/executor/xxl/board.ts";
import { createXxlExecutorClient, type XxlExecutorClient } from "../../../../src/executor/xxl/client.ts";
import { Registrations } from "../../../../src/executor/xxl/registrations.ts";
import type { Exchanger } from "../../../../src/executor/exchange.ts";
import { answerJson, type HttpDouble, type ReceivedRequest, startHttpDouble } from "../../../support/http-double.ts";

/** What an executor answers to a call: a code and more of the envelope, or what the function does with the response. */
export type Reply =
  | { readonly code: number; readonly msg?: string; readonly content?: unknown; readonly data?: unknown }
  | ((response: ServerResponse) => void);

/** Replies by call ("run", "idleBeat", ...): of several in a row the last one stays. */
export type Replies = Readonly<Record<string, readonly Reply[]>>;

/** An executor of XXL-JOB by script, on loopback; a call without a script is unknown to it, as in the original. */
export interface XxlDouble {
  readonly url: string;
  /** Names of the calls in order. */
  calls(): readonly string[];
  /** Bodies of the calls of a name. */
  bodies(name: string): readonly Record<string, unknown>[];
  readonly received: readonly ReceivedRequest[];
  close(): Promise<void>;
}

export const idle: Reply = { code: 200 };
export const busy: Reply = { code: 500, msg: "job thread is running or has trigger queue." };
export const noLog: Reply = {
  code: 200,
  content: { fromLineNum: 1, toLineNum: 0, logContent: "readLog fail, logFile not exists", isEnd: true },
};
export const someLog: Reply = { code: 200, content: { fromLineNum: 2 ** 31 - 1, toLineNum: 3, logContent: "", isEnd: false } };

export async function startXxlDouble(replies: Replies): Promise<XxlDouble> {
  const left = new Map(Object.entries(replies).map(([name, list]) => [name, [...list]]));
  const server: HttpDouble = await startHttpDouble(({ url }, response) => {
    const list = left.get(url.slice(1));
    const reply = list !== undefined && list.length > 1 ? list.shift() : list?.[0];
    if (typeof reply === "function") reply(response);
    else
      answerJson(response, 200, reply ?? { code: 500, msg: `invalid request, uri-mapping(${url}) not found.` }, {
        "content-type": "text/html;charset=UTF-8",
      });
  });
  return {
    url: server.url,
    received: server.received,
    calls: () => server.received.map(({ url }) => url.slice(1)),
    bodies: (name) => server.received.filter(({ url }) => url === `/${name}`).map(({ body }) => JSON.parse(body)),
    close: () => server.close(),
  };
}

export interface XxlParts {
  readonly board: CallbackBoard;
  readonly registrations: Registrations;
  readonly client: XxlExecutorClient;
}

/** The parts of one operator. */
export function makeXxlParts(clock: VirtualClock, exchanger: Exchanger, knowsAll = () => true): XxlParts {
  const board = new CallbackBoard({ clock, knowsAll });
  const registrations = new Registrations(clock);
  return { board, registrations, client: createXxlExecutorClient({ exchanger, board, registrations, clock }) };
}
