import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Kubectl } from "./kubectl.ts";

const run = promisify(execFile);
const chart = new URL("testdata/plain-chart", import.meta.url).pathname;

/** A real helm with a home of its own. */
export interface Helm {
  /** Runs it to its end and returns its standard output. Throws when it fails, with what it said. */
  ok(args: readonly string[]): Promise<string>;
  /** Runs it to its end and returns its standard error. Throws when it does not fail. */
  fails(args: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** Prepares a helm that talks to the server of `kubeconfig` (YAML), in the given namespace. */
export async function createHelm(binary: string, kubeconfig: string, namespace: string): Promise<Helm> {
  const home = await mkdtemp(join(tmpdir(), "nuptse-helm-"));
  const config = join(home, "config");
  await writeFile(config, kubeconfig, { mode: 0o600 });
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: config };
  const call = (args: readonly string[]) => run(binary, [`--namespace=${namespace}`, ...args], { env, cwd: home, timeout: 120_000 });
  return {
    ok: async (args) => (await call(args)).stdout,
    async fails(args) {
      try {
        await call(args);
      } catch (error) {
        return (error as { readonly stderr: string }).stderr;
      }
      throw new Error(`helm ${args.join(" ")} did not fail`);
    },
    close: () => rm(home, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** Where helm is played: any cluster whose pods run. */
export interface HelmStage {
  readonly helm: Helm;
  readonly kubectl: Kubectl;
}

/** What helm does with a chart that knows nothing of us; the same on every cluster. */
export function describeHelmTranscripts(stage: () => HelmStage): void {
  const helm = (args: string) => stage().helm.ok(args.split(" "));
  const kubectl = (args: string) => stage().kubectl.ok(args.split(" "));
  const field = (what: string, path: string) => kubectl(`get ${what} -o jsonpath={${path}}`);

  it("install --wait makes everything, the new kind first, and waits until it runs", async () => {
    const said = await helm(`install plain ${chart} --wait --timeout=90s`);
    assert.match(said, /STATUS: deployed\nREVISION: 1\n/);
    assert.match(said, /plain says hello\./);
    assert.equal(await field("deployment/plain-web", ".status.availableReplicas"), "2");
    assert.match(await field("service/plain-web", ".spec.clusterIP"), /^10\.96\./);
    assert.equal(await field("greeting/plain", ".spec.text"), "hello");
    assert.match(await helm("list"), /^plain\tplain +\t1 +\t.*\tdeployed\tplain-chart-0\.1\.0\t1 *$/m);
  });
  it("status, get and history tell of it", async () => {
    assert.match(await helm("status plain"), /STATUS: deployed/);
    assert.match(await helm("get manifest plain"), /kind: Deployment/);
    assert.equal((await helm("history plain")).trimEnd().split("\n").length, 2);
  });
  it("refuses a second one of the name", async () => {
    assert.match(await stage().helm.fails(["install", "plain", chart]), /cannot re-?use a name that is still in use/i);
  });
  it("upgrade --wait changes what differs, and rolls the pods", async () => {
    const before = await field("deployment/plain-web", ".metadata.annotations.deployment\\.kubernetes\\.io/revision");
    assert.match(await helm(`upgrade plain ${chart} --set greeting=goodbye,replicas=3 --wait --timeout=90s`), /REVISION: 2\n/);
    assert.equal(await field("greeting/plain", ".spec.text"), "goodbye");
    assert.equal(await field("deployment/plain-web", ".status.updatedReplicas"), "3");
    const after = await field("deployment/plain-web", ".metadata.annotations.deployment\\.kubernetes\\.io/revision");
    assert.deepEqual([before, after], ["1", "2"]);
  });
  it("an upgrade that the server refuses leaves the release as it was", async () => {
    assert.match(
      await stage().helm.fails(["upgrade", "plain", chart, "--set", "greeting=goodbye,replicas=3,port=0"]),
      /spec\.ports\[0\]\.port/,
    );
    assert.equal(await field("deployment/plain-web", ".spec.replicas"), "3");
  });
  it("rollback goes back", async () => {
    assert.match(await helm("rollback plain 1 --wait --timeout=90s"), /Rollback was a success/);
    assert.equal(await field("greeting/plain", ".spec.text"), "hello");
    assert.equal(await field("deployment/plain-web", ".spec.replicas"), "2");
  });
  it("uninstall takes everything but the kind", async () => {
    assert.match(await helm("uninstall plain --wait --timeout=90s"), /uninstalled/);
    assert.equal(await kubectl("get deployments,services,configmaps,greetings -l app.kubernetes.io/instance=plain -o name"), "");
    assert.match(await stage().kubectl.fails(["get", "greeting", "plain"]), /NotFound/);
    assert.match(await kubectl("get crd greetings.chart.example.test -o name"), /greetings/);
  });
}
