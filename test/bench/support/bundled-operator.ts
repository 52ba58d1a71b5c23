import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleCommands } from "../../../hack/bundle/bundle-command.ts";

const root = join(import.meta.dirname, "../../..");
let bundled: Promise<string> | undefined;

/** The program `nuptse` as users get it: bundled, made once for a process and removed at its end. */
export function bundledOperator(): Promise<string> {
  bundled ??= bundle();
  return bundled;
}

async function bundle(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "nuptse-bench-bundle-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  await bundleCommands(root, folder);
  // the package has it beside dist; the playground installs what is in it
  symlinkSync(join(root, "crds"), join(folder, "crds"));
  return join(folder, "nuptse.js");
}
