import { type Clock, sleepWith } from "../../../src/base/clock.ts";
import type { GatewayOptions } from "../../../src/cli/gateway.ts";
import type { OperatorOptions } from "../../../src/cli/operator.ts";
import type { PlaygroundOptions, PlaygroundUserOptions } from "../../../src/cli/playground.ts";
import type { TraceServerOptions } from "../../../src/cli/trace.ts";
import type { UninstallOptions } from "../../../src/cli/uninstall.ts";
import { createProgram } from "../../../src/cli/program.ts";
import { runProgram } from "../../../src/cli/run-program.ts";

/** What a run of the program did. */
export interface Outcome {
  readonly code: number;
  readonly results: readonly string[];
  readonly notes: readonly string[];
  readonly operator: readonly OperatorOptions[];
  readonly playground: readonly PlaygroundOptions[];
  readonly users: readonly PlaygroundUserOptions[];
  readonly trace: readonly TraceServerOptions[];
  readonly gateway: readonly GatewayOptions[];
  readonly uninstall: readonly UninstallOptions[];
}

const after: Clock["after"] = () => ({ cancel() {} });

/** Runs `nuptse <args>` with a clock that stands at an instant. */
export async function nuptse(args: readonly string[], now = "2026-11-21T16:00:00Z"): Promise<Outcome> {
  const results: string[] = [];
  const notes: string[] = [];
  const operator: OperatorOptions[] = [];
  const playground: PlaygroundOptions[] = [];
  const users: PlaygroundUserOptions[] = [];
  const trace: TraceServerOptions[] = [];
  const gateway: GatewayOptions[] = [];
  const uninstall: UninstallOptions[] = [];
  const output = { result: (line: string) => void results.push(line), note: (line: string) => void notes.push(line) };
  const clock: Clock = { now: () => Date.parse(now), monotonic: () => 0, after, sleep: sleepWith(after) };
  const program = createProgram(
    { clock, output, version: "1.2.3" },
    {
      runOperator: async (options) => void operator.push(options),
      runPlayground: async (options) => void playground.push(options),
      addPlaygroundUser: async (options) => void users.push(options),
      runTrace: async (options) => void trace.push(options),
      runGateway: async (options) => void gateway.push(options),
      runUninstall: async (options) => void uninstall.push(options),
    },
  );
  const code = await runProgram(program, args, output);
  return { code, results, notes, operator, playground, users, trace, gateway, uninstall };
}
