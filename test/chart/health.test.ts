import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { load } from "js-yaml";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { skipUnless } from "../support/skip.ts";
import { root } from "./support/chart.ts";

const run = promisify(execFile);
const { data } = load(readFileSync(join(root, "charts/nuptse/gitops/argocd/argocd-cm.yaml"), "utf8")) as {
  readonly data: Record<string, string>;
};
const recorded = load(readFileSync(join(import.meta.dirname, "testdata/recorded-objects.yaml"), "utf8")) as readonly Recorded[];

/** An object as an API server gave it, and what Argo CD is to show. */
interface Recorded {
  readonly name: string;
  readonly want: { readonly status: string; readonly message: string };
  readonly object: { readonly kind: string };
}

/** A value as an expression of Lua. */
function lua(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (typeof value === "string") return `"${[...Buffer.from(value)].map((byte) => `\\${String(byte).padStart(3, "0")}`).join("")}"`;
  if (typeof value !== "object") return String(value);
  const entries = Array.isArray(value) ? value.map(lua) : Object.entries(value).map(([key, entry]) => `[${lua(key)}] = ${lua(entry)}`);
  return `{ ${entries.join(", ")} }`;
}

describe("health checks for Argo CD", function () {
  this.timeout(60_000);
  // HAProxy brings an interpreter of Lua, and no other is needed here.
  const haproxy = skipUnless(() => ensureHaproxy("3.0"));
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "nuptse-health-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs the check of the object's kind in a function of its own, as Argo CD does, with nothing but `obj` to look at. */
  async function health(object: Recorded["object"]): Promise<{ readonly status: string; readonly message: string }> {
    const script = data[`resource.customizations.health.nuptse.dev_${object.kind}`];
    assert.ok(script !== undefined, object.kind);
    const program = [
      `local obj = ${lua(object)}`,
      // what gopher-lua offers to such a script
      `local check = load(${lua(script)}, "health", "t", { obj = obj, ipairs = ipairs, pairs = pairs, string = string, table = table, tostring = tostring })`,
      `local answer = check()`,
      `io.stderr:write("ANSWER " .. answer.status .. "\\t" .. (answer.message or "") .. "\\n")`,
    ];
    writeFileSync(join(folder, "check.lua"), program.join("\n"));
    writeFileSync(join(folder, "haproxy.cfg"), `global\n  lua-load ${join(folder, "check.lua")}\n`);
    const { stderr } = await run(haproxy(), ["-c", "-f", join(folder, "haproxy.cfg")]).catch(
      (error: { stdout: string; stderr: string }) => error,
    );
    const [, status = "", message = ""] = /^ANSWER (\w+)\t(.*)$/m.exec(stderr) ?? [];
    assert.notEqual(status, "", stderr);
    return { status, message };
  }

  for (const { name, want, object } of recorded) it(name, async () => assert.deepEqual(await health(object), want));

  it("there is one for each kind, and each is tried in all that it can say", () => {
    const kinds = Object.keys(data).map((key) => key.replace("resource.customizations.health.nuptse.dev_", ""));
    assert.deepEqual(kinds.sort(), ["ElasticJob", "JobRequest", "RunnerApp", "TenantQueue"]);
    for (const kind of kinds) {
      const said = recorded.filter(({ object }) => object.kind === kind).map(({ want }) => want.status);
      const able = [...(data[`resource.customizations.health.nuptse.dev_${kind}`] ?? "").matchAll(/status = "(\w+)"/g)].map(
        ([, word = ""]) => word,
      );
      assert.deepEqual([...new Set(said)].sort(), [...new Set(able)].sort(), kind);
    }
  });
});
