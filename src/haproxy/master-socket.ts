import type { Clock } from "../base/clock.ts";
import { type MasterProcesses, parseProcesses, parseReload, type ReloadVerdict } from "./rules/replies.ts";
import { exchange } from "./unix-exchange.ts";

/** The socket of HAProxy's master process. */
export interface MasterSocket {
  /** Starts a worker with the file as it is now; resolves when it serves, or when it is clear that it does not. */
  reload(): Promise<ReloadVerdict>;
  processes(): Promise<MasterProcesses>;
  /** A question to one worker, old ones included. */
  askWorker(pid: number, question: string): Promise<string>;
}

const withinMs = 10_000;
/** With tens of thousands of servers on a busy machine a worker takes seconds to start. */
const reloadWithinMs = 60_000;

export function createMasterSocket({ path, clock }: { readonly path: string; readonly clock: Clock }): MasterSocket {
  const ask = (line: string, patienceMs = withinMs): Promise<string> => {
    let text = "";
    return exchange({
      path,
      send: `${line}\n`,
      isAll: true,
      take: (piece) => {
        text += piece;
        return undefined;
      },
      atEnd: () => text,
      clock,
      withinMs: patienceMs,
    });
  };
  return {
    reload: async () => parseReload(await ask("reload", reloadWithinMs)),
    processes: async () => parseProcesses(await ask("show proc")),
    askWorker: async (pid, question) => (await ask(`@!${pid} ${question}`)).replace(/\n+$/, ""),
  };
}
