import type { Clock } from "../base/clock.ts";
import { type PlaygroundFault, playgroundFaults } from "../simulator/harness/playground-fault.ts";
import type { BreakPlayground } from "../simulator/harness/playground-faults.ts";
import type { Output } from "./command-context.ts";

/** Between two faults, so that people can see what became of the first. */
const restMs = 20_000;

export interface BreakOptions {
  readonly break: BreakPlayground;
  readonly output: Output;
  /** Nothing more is to be broken; the playground ends then, and with it what is broken. */
  readonly signal: AbortSignal;
}

/** Breaks one after the other, again and again, until the signal; a rest goes before each. */
export async function breakByTurns(
  faults: readonly PlaygroundFault[],
  { output, signal, ...options }: BreakOptions & { readonly clock: Clock },
) {
  for (let turn = 0; !signal.aborted; turn++) {
    await options.clock.sleep(restMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    await strike(faults[turn % faults.length] as PlaygroundFault, { ...options, output });
  }
}

/** Asks what to break: a number and Enter. Several things may be broken at once. Ends with the input, or with the signal. */
export async function breakByMenu(lines: AsyncIterable<string>, { output, signal, ...options }: BreakOptions): Promise<void> {
  const names = Object.keys(playgroundFaults) as PlaygroundFault[];
  const menu = names.map((name, index) => `  ${index + 1}  ${name.padEnd(15)} ${playgroundFaults[name]}`);
  const ask = (): void => {
    output.result(`what shall break? (1 to ${names.length}, then Enter)`);
    for (const line of menu) output.result(line);
  };
  ask();
  for await (const line of lines) {
    if (signal.aborted) return;
    const word = line.trim();
    const fault = names[Number(word) - 1] ?? names.find((name) => name === word);
    if (fault !== undefined) void strike(fault, { ...options, output });
    else if (word === "") ask();
    else output.note(`there is no ${JSON.stringify(word)} to break: write a number from 1 to ${names.length}`);
  }
}

/** What goes wrong with a fault must not end the playground. */
async function strike(fault: PlaygroundFault, { output, ...options }: Pick<BreakOptions, "break" | "output">): Promise<void> {
  try {
    await options.break(fault, output.result);
  } catch (error) {
    output.note(`${fault}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
