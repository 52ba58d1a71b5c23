import { connect } from "node:net";
import type { Clock } from "../base/clock.ts";

/** HAProxy could not be asked, or did not answer in time. */
export class HaproxyUnreachable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HaproxyUnreachable";
  }
}

export interface Exchange<Result> {
  readonly path: string;
  readonly send: string;
  /** Nothing more will be sent: HAProxy closes when it has answered. */
  readonly isAll?: boolean;
  /** Told each piece; a result other than undefined ends the exchange. */
  readonly take: (text: string) => Result | undefined;
  /** Called when HAProxy closed the connection; throws where that is too early. */
  readonly atEnd: () => Result;
  readonly clock: Clock;
  readonly withinMs: number;
}

/** One connection to a unix socket: sends a text and collects what comes. Throws HaproxyUnreachable. */
export function exchange<Result>({ path, send, isAll = false, take, atEnd, clock, withinMs }: Exchange<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.setEncoding("utf8");
    const end = (settle: () => void) => {
      timer.cancel();
      socket.destroy();
      settle();
    };
    const fail = (message: string, cause?: unknown) => end(() => reject(new HaproxyUnreachable(message, { cause })));
    const guarded = (work: () => Result | undefined) => {
      try {
        const result = work();
        if (result !== undefined) end(() => resolve(result));
      } catch (error) {
        end(() => reject(error));
      }
    };
    const timer = clock.after(withinMs, () => fail(`${path}: no answer within ${withinMs} ms`));
    socket.on("connect", () => (isAll ? socket.end(send) : socket.write(send)));
    socket.on("data", (text: string) => guarded(() => take(text)));
    socket.on("end", () => guarded(atEnd));
    socket.on("error", (error) => fail(`${path}: ${error.message}`, error));
  });
}
