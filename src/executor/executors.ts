import type { ExecutorClient, ExecutorProtocol, ExecutorTarget } from "../api/executor.ts";
import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import { createExchanger } from "./exchange.ts";
import { createHttpExecutorClient } from "./http-client.ts";
import { startXxlAdminServer, type XxlAdminServer, type XxlAdminServerOptions } from "./xxl/admin-server.ts";
import { CallbackBoard } from "./xxl/board.ts";
import { createXxlExecutorClient } from "./xxl/client.ts";
import { Registrations } from "./xxl/registrations.ts";

export interface ExecutorsOptions extends Pick<XxlAdminServerOptions, "tokens" | "logger"> {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether this process leads, and every task that the status holds as given out has been taken up. */
  readonly knowsAll: () => boolean;
}

/** All who speak with executors, by protocol, with what they share. */
export interface Executors {
  readonly clients: Readonly<Record<ExecutorProtocol, ExecutorClient>>;
  /** The name under which an executor of XXL-JOB is called. */
  readonly xxlNameOf: (target: ExecutorTarget) => string;
  /** Where executors of XXL-JOB report; without it they are not heard, and given nothing. Rejects when the address cannot be had. */
  serveXxlAdmin(address: Pick<XxlAdminServerOptions, "host" | "port">): Promise<XxlAdminServer>;
  /** Breaks off what is under way. */
  close(): Promise<void>;
}

const unheard =
  "executors of XXL-JOB can neither register nor report here, since the operator was started without --xxl-admin-address (docs/xxl-job.md)";

/** Builds them; nothing is connected or listens before the first call. */
export function createExecutors({ clock, logger, knowsAll, tokens }: ExecutorsOptions): Executors {
  const exchanger = createExchanger({ clock });
  const board = new CallbackBoard({ clock, knowsAll });
  const registrations = new Registrations(clock);
  const xxl = createXxlExecutorClient({ exchanger, board, registrations, clock });
  let isHeard = false;
  return {
    clients: {
      HTTP: createHttpExecutorClient({ exchanger, clock }),
      XxlJob: { ...xxl, hindrance: () => (isHeard ? undefined : unheard) },
    },
    xxlNameOf: (target) => registrations.nameOf(target),
    async serveXxlAdmin(address) {
      const server = await startXxlAdminServer({ ...address, board, registrations, tokens, logger });
      isHeard = true;
      return server;
    },
    close: () => exchanger.close(),
  };
}
