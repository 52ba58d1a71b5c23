import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";

/** How one run of kubectl ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A kubectl that goes on until it is stopped. */
export interface Running {
  /** Resolves with the next whole line of its standard output; rejects when it ends before there is one. */
  line(): Promise<string>;
  /** Resolves when it has ended by itself. */
  ended(): Promise<Outcome>;
  stop(): Promise<void>;
}

/** A real kubectl with a home of its own, so that no cache and no configuration of the machine plays a part. */
export interface Kubectl {
  /** Runs it to its end, whatever the exit code. */
  run(args: readonly string[], input?: string): Promise<Outcome>;
  /** Runs it to its end and returns its standard output. Throws when it fails, with what it said. */
  ok(args: readonly string[], input?: string): Promise<string>;
  /** Runs it to its end and returns its standard error. Throws when it does not fail. */
  fails(args: readonly string[], input?: string): Promise<string>;
  start(args: readonly string[]): Running;
  /** Writes a file into its home and returns the path. */
  file(name: string, content: string): Promise<string>;
  /** Makes a link in its home. What is linked below `bin` is found in PATH, and so are plugins. */
  link(target: string, name: string): Promise<void>;
  /** Stops what still runs and removes the home. */
  close(): Promise<void>;
}

/** Longer than any command takes; a hanging one then fails by itself and says so. */
const REQUEST_TIMEOUT = "--request-timeout=30s";

/**
 * Prepares a kubectl that talks to the server of `kubeconfig` (YAML), in the given namespace unless a command names another. Plugins are
 * given their arguments alone: kubectl takes no flags before the name of one.
 */
export async function createKubectl(binary: string, kubeconfig: string, namespace = "default"): Promise<Kubectl> {
  const home = await mkdtemp(join(tmpdir(), "nuptse-kubectl-"));
  const file = async (name: string, content: string) => {
    const path = join(home, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content, { mode: 0o700 });
    return path;
  };
  const config = await file("config", kubeconfig);
  const environment = {
    PATH: `${join(home, "bin")}:${process.env["PATH"]}`,
    HOME: home,
    KUBECONFIG: config,
    KUBECACHEDIR: join(home, "cache"),
    KUBE_EDITOR: join(home, "editor"),
  };
  const inNamespace = `--namespace=${namespace}`;
  const children = new Set<ChildProcess>();

  const launch = (args: readonly string[]) => {
    const child = spawn(binary, args, { env: environment, cwd: home, stdio: "pipe" });
    children.add(child);
    child.stdin.on("error", () => undefined);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    const ended = once(child, "close").then(([code]): Outcome => {
      children.delete(child);
      return { code: (code as number | null) ?? -1, stdout, stderr };
    });
    return { child, ended, output: () => stdout, said: () => stderr };
  };
  const run = (args: readonly string[], input = "") => {
    const { child, ended } = launch(ofPlugin(args) ? args : [REQUEST_TIMEOUT, inNamespace, ...args]);
    child.stdin.end(input);
    return ended;
  };

  return {
    run,
    file,
    async link(target, name) {
      const path = join(home, name);
      await mkdir(dirname(path), { recursive: true });
      await symlink(target, path);
    },
    async ok(args, input) {
      const { code, stdout, stderr } = await run(args, input);
      if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
      return stdout;
    },
    async fails(args, input) {
      const { code, stdout, stderr } = await run(args, input);
      if (code === 0) throw new Error(`kubectl ${args.join(" ")} did not fail: ${stdout}`);
      return stderr;
    },
    start(args) {
      const { child, ended, output, said } = launch(ofPlugin(args) ? args : [inNamespace, ...args]);
      child.stdin.end();
      let taken = 0;
      return {
        ended: () => ended,
        async line() {
          for (;;) {
            const end = output().indexOf("\n", taken);
            if (end >= 0) {
              const line = output().slice(taken, end);
              taken = end + 1;
              return line;
            }
            if (child.exitCode !== null) throw new Error(`kubectl ${args.join(" ")} ended early: ${said()}`);
            await Promise.race([once(child.stdout, "data"), ended]);
          }
        },
        async stop() {
          child.kill("SIGKILL");
          await ended;
        },
      };
    },
    async close() {
      for (const child of children) child.kill("SIGKILL");
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** `kubectl nuptse ...`, and the question for its completion. */
const ofPlugin = (args: readonly string[]): boolean => args[0] === "nuptse" || args[0] === "__complete";

/** A table with single blanks between its cells and ages replaced, so that it can be compared. */
export function tidy(table: string): readonly string[] {
  return table
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .replaceAll(/ {2,}/g, " | ")
        .replaceAll(/(?<=^|\| )\d+m?\d*s(?=$| \|)/g, "AGE")
        .trimEnd(),
    );
}

/**
 * Waits until a CRD is served. kubectl's own wait fails at once where `status.conditions` is null, as it is on the real API server for a moment
 * after a CRD was created.
 */
export function whenEstablished(kubectl: Kubectl, crd: string): Promise<unknown> {
  return eventually(`crd/${crd} to be established`, timeLimits.settled, async () => {
    await kubectl.ok(["wait", "--for=condition=Established", `crd/${crd}`]);
    return true;
  });
}
