import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadAll } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { ElasticJob, ElasticJobRun } from "../../src/api/elastic-job.gen.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { type Playground, startPlayground } from "../../src/simulator/harness/playground.ts";
import { createKubectl, type Kubectl } from "../cli/kubectl.ts";
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
const fleets = objects.filter((object) => object.kind === "RunnerApp") as RunnerApp[];
/** One that runs only when another has failed does not run here. */
const runs = jobs.filter((job) => !job.spec.after?.some((dependency) => dependency.outcome === "Failed"));
const names = runs.map((job) => job.metadata.name);
/** As kubectl calls them. */
const kindNames: Readonly<Record<string, string>> = {
  ElasticJob: "elasticjob.nuptse.dev",
  JobRequest: "jobrequest.nuptse.dev",
  ConfigMap: "configmap",
  TenantQueue: "tenantqueue.nuptse.dev",
  RunnerApp: "runnerapp.nuptse.dev",
};
/** From the application of all manifests to their fire time. */
const aheadMs = 12_000;
/** newest-wins takes 5 s when it begins in an even third of a minute, else 30 s. */
const evenThirdMs = 40_000;

/** The end of each job's run, to come. */
type Ends = ReadonlyMap<string, PromiseWithResolvers<End>>;

function newEnds(): Ends {
  return new Map(
    names.map((name) => {
      const end = Promise.withResolvers<End>();
      end.promise.catch(() => undefined);
      return [name, end];
    }),
  );
}

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
  const real = newEnds();
  const embedded = newEnds();
  const fireTimes = new Map<string, number>();
  let playground: Playground | undefined;
  let kubectl: Kubectl | undefined;
  let sides: readonly Kubectl[] = [];

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
    const both = [
      [await cluster().kubectl(namespace), real],
      [kubectl, embedded],
    ] as const;
    sides = both.map(([side]) => side);
    await operator.leading();
    const at = secondFromNow(aheadMs);
    for (const name of names) fireTimes.set(name, name === "newest-wins" ? evenThird(at) : at);
    for (const [side, ends] of both) {
      assert.equal(
        await side.ok(["apply", "-f", folder]),
        objects.map(({ kind, metadata }) => `${kindNames[kind ?? ""]}/${metadata.name} created\n`).join(""),
      );
      // One that has its fire times from others keeps them.
      const scheduled = runs.filter(({ spec }) => spec.schedule !== undefined);
      const items = scheduled.map((job) => {
        const schedule = { ...job.spec.schedule, dialect: undefined, ...onceAt(fireTimes.get(job.metadata.name) ?? 0) };
        return { ...job, spec: { ...job.spec, schedule } };
      });
      await side.ok(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
      void followEnds(side, ends);
    }
  });
  /** Settles the ends as they come, by one kubectl a second for all of them: it is the processes of many that would slow everything down. */
  async function followEnds(side: Kubectl, ends: Ends): Promise<void> {
    const open = new Set(names);
    const deadline = Date.now() + evenThirdMs + timeLimits.settled;
    let seen = "";
    while (open.size > 0 && Date.now() < deadline) {
      await sleep(1000);
      seen = await side.ok(["get", "ej", "-o", "json"]).catch(String);
      if (!seen.startsWith("{")) continue;
      for (const job of (JSON.parse(seen) as { items: ElasticJob[] }).items) {
        const { name } = job.metadata;
        const isMeant = ({ run, request }: ElasticJobRun) => request !== undefined || run === runId(fireTimes.get(name) ?? 0);
        const entry = job.status?.history?.find(isMeant);
        if (entry !== undefined && open.delete(name)) endOf(side, job, entry).then(ends.get(name)?.resolve, ends.get(name)?.reject);
      }
    }
    for (const name of open) ends.get(name)?.reject(new Error(`the run of ${name} did not end; last seen: ${seen}`));
  }

  after("stop the playground", async function () {
    this.timeout(timeLimits.operatorEnd);
    await kubectl?.close();
    await playground?.close();
  });

  for (const { metadata, spec } of fleets) {
    it(`the fleet ${metadata.name} serves, on the real API server and on the playground`, async () => {
      for (const side of sides) {
        await side.ok(["wait", `ra/${metadata.name}`, "--for=condition=Ready", `--timeout=${timeLimits.run / 1000}s`]);
        const available = `jsonpath={.status.availableReplicas}`;
        assert.equal(await side.ok(["get", "ra", metadata.name, "-o", available]), String(spec.replicas));
      }
    });
  }

  for (const name of names) {
    it(`${name} ends alike on the real API server and on the playground`, async () => {
      const [there, here] = [await real.get(name)?.promise, await embedded.get(name)?.promise];
      assert.equal(there?.run.phase, "Succeeded", JSON.stringify(there));
      assert.deepEqual(here, there);
    });
  }
});

/** The end of a run of a job, as kubectl tells it. */
async function endOf(kubectl: Kubectl, { metadata: { name }, status }: ElasticJob, entry: ElasticJobRun): Promise<End> {
  const { run, phase, reason, kind, items, total, succeeded, failed, lost, attempts } = entry;
  assert.equal(status?.results?.run, run);
  const pods = await kubectl.ok([
    "get",
    "pods",
    `-l=nuptse.dev/job=${name},nuptse.dev/run=${run}`,
    "-o=jsonpath={range .items[*]}{.metadata.labels.nuptse\\.dev/item}/{.metadata.labels.nuptse\\.dev/attempt}: {.status.containerStatuses[0].state.terminated.exitCode}{'\\n'}{end}",
  ]);
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
