import type { Clock } from "../base/clock.ts";
import { batches, type Command } from "./rules/diff.ts";
import { commandError, ReplyCollector } from "./rules/replies.ts";
import { exchange, HaproxyUnreachable } from "./unix-exchange.ts";

/** The runtime API of the worker that runs now. */
export interface RuntimeSocket {
  /** Answers to questions, one each. */
  ask(questions: readonly string[]): Promise<readonly string[]>;
  /** Sends commands in batches; each that was refused is returned with what HAProxy said. Those after it are sent all the same. */
  send(commands: readonly Command[]): Promise<readonly RefusedCommand[]>;
}

export interface RefusedCommand {
  readonly command: Command;
  readonly error: string;
}

/** Lines are pipelined: HAProxy reads the next one when it has answered. Interactive mode is what shows where an answer ends. */
const preamble = ["prompt", "set severity-output number"];
const withinMs = 10_000;

/** @param path of a stats socket of level admin */
export function createRuntimeSocket({ path, clock }: { readonly path: string; readonly clock: Clock }): RuntimeSocket {
  async function converse(lines: readonly string[]): Promise<readonly string[]> {
    const collector = new ReplyCollector(preamble.length + lines.length);
    const replies = await exchange({
      path,
      send: [...preamble, ...lines].map((line) => `${line}\n`).join(""),
      take: (text) => collector.add(text),
      atEnd: () => {
        throw new HaproxyUnreachable(`${path}: closed before all was answered`);
      },
      clock,
      withinMs,
    });
    return replies.slice(preamble.length);
  }

  return {
    ask: converse,
    async send(commands) {
      const refused: RefusedCommand[] = [];
      for (const batch of batches(commands)) {
        const replies = await converse(batch.map(({ text }) => text));
        for (const [index, command] of batch.entries()) {
          const error = commandError(replies[index] ?? "");
          if (error !== undefined) refused.push({ command, error });
        }
      }
      return refused;
    },
  };
}
