import { execFile } from "node:child_process";

export interface CheckResult {
  readonly ok: boolean;
  readonly log: string;
}

/** The program on this machine: asked for its version, and whether it takes a file. */
export interface HaproxyProgram {
  /** "3.0.11". Throws where it cannot be run. */
  version(): Promise<string>;
  /** `haproxy -c`: parses the file. It does not try whether ports can be had, nor whether file descriptors suffice. */
  check(file: string): Promise<CheckResult>;
}

const oldest = { major: 3, minor: 0 };
const checkWithinMs = 60_000;

export function createHaproxyProgram(path: string): HaproxyProgram {
  const run = (args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> =>
    new Promise((resolve, reject) => {
      execFile(path, args, { timeout: checkWithinMs, maxBuffer: 16 * 2 ** 20 }, (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`;
        if (error === null) resolve({ code: 0, output });
        else if (typeof error.code === "number") resolve({ code: error.code, output });
        else reject(new Error(`${path} cannot be run: ${error.message.split("\n", 1)[0] ?? ""}`, { cause: error }));
      });
    });
  return {
    async version() {
      const { output } = await run(["-v"]);
      const version = /^HAProxy version (\d+\.\d+\.\d+)/m.exec(output)?.[1];
      if (version === undefined) throw new Error(`${path} does not say which version of HAProxy it is`);
      return version;
    },
    async check(file) {
      const { code, output } = await run(["-c", "-f", file]);
      return { ok: code === 0, log: output.trim() };
    },
  };
}

/** One line that says why this version cannot be used; undefined = it can. */
export function versionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return undefined;
  return `HAProxy ${version} is too old: ${oldest.major}.${oldest.minor} or newer is needed, since older ones tell no verdict of a reload and may crash when servers are deleted`;
}
