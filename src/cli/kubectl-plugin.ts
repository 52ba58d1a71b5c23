// Entry of `kubectl nuptse`. It starts on every completion and in every script, so nothing heavy is imported here at the top.
import { basename } from "node:path";
import { createSystemClock } from "../base/clock.ts";
import { nodeVersionProblem } from "./node-version.ts";
import { completeCommandName } from "./plugin/completion.ts";
import { runPlugin } from "./plugin/run-plugin.ts";
import { createStyle } from "./plugin/style.ts";
import { createTerminal, showsColours } from "./plugin/terminal.ts";
import { createPluginProgram } from "./plugin-program.ts";
import { packageVersion } from "./package-version.ts";
import { createProcessOutput } from "./process-output.ts";

const output = createProcessOutput();
const problem = nodeVersionProblem(process.version);
if (problem !== undefined) {
  output.note(`error: ${problem}`);
  process.exit(1);
}
const enough = new AbortController();
process.once("SIGINT", () => {
  enough.abort();
  process.once("SIGINT", () => process.exit(130));
});
// Nobody reads any more: there is nothing left to do.
process.stdout.once("error", () => process.exit(0));

const clock = createSystemClock();
const { stdout, env } = process;
const terminal = createTerminal(stdout, env);
const program = createPluginProgram({
  clock,
  output,
  version: packageVersion,
  environment: env,
  style: createStyle(showsColours(stdout, env)),
  ...(terminal !== undefined && { terminal }),
  signal: enough.signal,
  async openCluster(flags) {
    const [{ openCluster }, { randomInt }] = await Promise.all([import("./plugin/open-cluster.ts"), import("node:crypto")]);
    return openCluster(flags, { clock, random: { next: () => randomInt(2 ** 32) / 2 ** 32 }, version: packageVersion });
  },
  async handOver(program, args) {
    const { runInPlace } = await import("./plugin/run-in-place.ts");
    return runInPlace(program, args);
  },
  async readInput() {
    const { text } = await import("node:stream/consumers");
    return text(process.stdin);
  },
});
// kubectl looks for completions under a name of their own, which is a link to this file.
const asked = basename(process.argv[1] ?? "").startsWith("kubectl_complete-") ? [completeCommandName] : [];
const code = await runPlugin(program, [...asked, ...process.argv.slice(2)], output, enough.signal);
// Timers of what was started, such as an API server for checks, have nothing left to do.
process.exit(code);
