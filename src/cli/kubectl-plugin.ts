// Entry of `kubectl nuptse`. It starts on every completion and in every script, so nothing heavy is imported here at the top.
import { createSystemClock } from "../base/clock.ts";
import { nodeVersionProblem } from "./node-version.ts";
import { createPluginProgram } from "./plugin-program.ts";
import { packageVersion } from "./package-version.ts";
import { createProcessOutput } from "./process-output.ts";
import { runProgram } from "./run-program.ts";

const output = createProcessOutput();
const problem = nodeVersionProblem(process.version);
if (problem !== undefined) {
  output.note(`error: ${problem}`);
  process.exit(1);
}
const context = { clock: createSystemClock({ background: true }), output, version: packageVersion };
process.exitCode = await runProgram(createPluginProgram(context), process.argv.slice(2), output);
