import { spawn } from "node:child_process";
import { once } from "node:events";
import { program } from "../../support/program.ts";

/** `nuptse uninstall` as a process of its own. */
export interface UninstallProcess {
  /** The lines that it has printed so far. */
  readonly said: readonly string[];
  /** Resolves with its exit code, and what it complained of. */
  readonly end: Promise<{ readonly code: number | null; readonly complaints: string }>;
}

/** Starts it; it ends by itself, after its time at the latest. */
export function startUninstall(kubeconfig: string, ...args: readonly string[]): UninstallProcess {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, "uninstall", "--kubeconfig", kubeconfig, ...args],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, KUBECONFIG: "" } },
  );
  let text = "";
  let complaints = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    complaints += chunk;
  });
  return {
    get said() {
      return text.split("\n").slice(0, -1);
    },
    end: once(child, "close").then(([code]) => ({ code: code as number | null, complaints })),
  };
}
