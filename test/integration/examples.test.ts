import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { ElasticJob, ElasticJobRun } from "../../src/api/elastic-job.gen.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { type Playground, startPlayground } from "../../src/simulator/harness/playground.ts";
import { createKubectl, type Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { onceAt, runId, secondFromNow } from "./support/jobs.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const namespace = "examples";
const folder = join(import.meta.dirname, "../../examples");
/** All objects in the order in which kubectl applies the files of a folder. */
const objects = readdirSync(folder)
  .filter((file) => file.endsWith(".yaml"))
  .sort()
  .flatMap((file) => loadAll(readFileSync(join(folder, file), "utf8")) as KubeObject[]);
const jobs = objects.filter((object) => object.kind === "ElasticJob") as ElasticJob[];
/** One that runs only when another has failed does not run here. */
const runs = jobs.filter((job) => !job.spec.after?.some((dependency) => dependency.outcome === "Failed"));
const names = runs.map((job) => job.metadata.name);
/** As kubectl calls them. */
const kindNames: Readonly<Record<string, string>> = { ElasticJob: "elasticjob.nuptse.dev", ConfigMap: "configmap" };
/** From the application of all manifests to their fire time. */
const aheadMs = 25_000;
/** newest-wins takes 5 s when it begins in an even third of a minute, else 30 s. */
const evenThirdMs = 40_000;

/** How a manifest's run ended, without what differs from run to run. */
interface End {
  readonly run: { readonly [Field in keyof ElasticJobRun]?: ElasticJobRun[Field] | undefined };
  readonly results: readonly object[];
  readonly conditions: readonly string[];
  readonly pods: readonly string[];
}

/**
 * Every manifest of examples/ goes through the real kubectl to the real API server (with kube-controller-manager, kube-scheduler and the operator as a
 * process) and to the playground. Then each job's schedule is changed, with kubectl too, so that it fires once, at the same instant on both sides.
 */
describe("examples", function () {
  this.timeout(timeLimits.test);
  const nodes = ["node-1", "node-2", "node-3", "node-4"].map((name) => ({ name }));
  const cluster = ownTestCluster({ namespaces: [namespace], nodes: [], processNodes: nodes });
  const real = new Map<string, Promise<End>>();
  const embedded = new Map<string, Promise<End>>();
  const fireTimes = new Map<string, number>();
  let playground: Playground | undefined;
  let kubectl: Kubectl | undefined;

  before("apply all of them on both sides", async function () {
    this.timeout(timeLimits.test);
    const operator = await cluster().operator("operator-a");
    playground = await startPlayground({
      kubelet: "process",
      random: { next: () => Math.random() },
      clock: createSystemClock({ background: true }),
    });
    const binaries = await ensureBinaries(["kubectl"]);
    kubectl = await createKubectl(binaries.kubectl, readFileSync(playground.kubeconfigPath, "utf8"), namespace);
    // As a manifest: kubectl create namespace speaks protobuf, which the playground does not.
    await kubectl.ok(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }));
    const sides = [
      [await cluster().kubectl(namespace), real],
      [kubectl, embedded],
    ] as const;
    await operator.leading();
    const at = secondFromNow(aheadMs);
    for (const name of names) fireTimes.set(name, name === "newest-wins" ? evenThird(at) : at);
    for (const [side, ends] of sides) {
      assert.equal(
        await side.ok(["apply", "-f", folder]),
        objects.map(({ kind, metadata }) => `${kindNames[kind ?? ""]}/${metadata.name} created\n`).join(""),
      );
      for (const { metadata, spec } of runs) {
        const { name } = metadata;
        const schedule = onceAt(fireTimes.get(name) ?? 0);
        // One that has its fire times from others keeps them.
        if (spec.schedule !== undefined) await side.ok(["patch", "ej", name, "--type=merge", "-p", JSON.stringify({ spec: { schedule } })]);
        const end = endOf(side, name, runId(fireTimes.get(name) ?? 0));
        end.catch(() => undefined);
        ends.set(name, end);
      }
    }
  });
  after("stop the playground", async function () {
    this.timeout(timeLimits.operatorEnd);
    await kubectl?.close();
    await playground?.close();
  });

  for (const name of names) {
    it(`${name} ends alike on the real API server and on the playground`, async () => {
      const [there, here] = [await real.get(name), await embedded.get(name)];
      assert.equal(there?.run.phase, "Succeeded", JSON.stringify(there));
      assert.deepEqual(here, there);
    });
  }
});

/** Waits for the end of a run, by kubectl alone. */
async function endOf(kubectl: Kubectl, name: string, run: string): Promise<End> {
  const job = await eventually(`run ${run} of ${name} to end`, evenThirdMs + timeLimits.settled, async () => {
    const seen = JSON.parse(await kubectl.ok(["get", "ej", name, "-o", "json"])) as ElasticJob;
    return seen.status?.history?.some((entry) => entry.run === run) ? seen : undefined;
  });
  const { status } = job;
  const entry = status?.history?.find((each) => each.run === run);
  assert.equal(status?.results?.run, run);
  const pods = await kubectl.ok([
    "get",
    "pods",
    `-l=nuptse.dev/job=${name},nuptse.dev/run=${run}`,
    "-o=jsonpath={range .items[*]}{.metadata.labels.nuptse\\.dev/item}/{.metadata.labels.nuptse\\.dev/attempt}: {.status.containerStatuses[0].state.terminated.exitCode}{'\\n'}{end}",
  ]);
  const { phase, reason, kind, items, total, succeeded, failed, lost, attempts } = entry ?? {};
  return {
    run: { phase, reason, kind, items, total, succeeded, failed, lost, attempts },
    results: (status?.results?.items ?? []).map(({ item, value = "" }) => ({ item, value: timeless(value) })),
    conditions: (status?.conditions ?? []).map((condition) => `${condition.type}=${condition.status}: ${condition.reason}`).sort(),
    pods: pods.split("\n").filter(Boolean).sort(),
  };
}

/** Times of day differ between two sides. */
const timeless = (text: string): string => text.replaceAll(/\d\d:\d\d:\d\d/g, "HH:MM:SS");

function evenThird(instant: number): number {
  const into = instant % evenThirdMs;
  return into < evenThirdMs / 4 ? instant : instant - into + evenThirdMs;
}
