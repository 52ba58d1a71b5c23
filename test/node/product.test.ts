import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob, ElasticJobRun } from "../../src/api/elastic-job.gen.ts";
import { labels, queueGate } from "../../src/api/names.ts";
import { elasticJobs, nodes, pods, runnerApps } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { type Installation, installationOn } from "./support/installation.ts";
import { machineTraces } from "./support/machine-traces.ts";
import { fourItems, load, queuedDeployment, queueTree, runOf, webFleet } from "./support/manifests.ts";
import { ownStage, productNamespace, workNamespace } from "./support/stage.ts";
import { note, stepByStep } from "./support/steps.ts";

const namespace = workNamespace;
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** The steps build on each other: they are one story of an installation. */
describe("the product on a real node", function () {
  this.timeout(timeLimits.test);
  const stage = ownStage();
  stepByStep();
  let installation: Installation;

  const apply = (...objects: readonly object[]) =>
    stage().kubectl.ok(["apply", "--server-side", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  const podsOf = async (selector: string, of = namespace): Promise<readonly Pod[]> =>
    (await stage().client.list<Pod>(pods, { namespace: of, labelSelector: selector })).items;
  const job = (name: string) => stage().client.get<ElasticJob>(elasticJobs, { namespace, name });
  const ended = (name: string) =>
    eventually(`the run of ${name} to end`, timeLimits.settled, async () => {
      const { status } = await job(name);
      if (status?.history?.[0] === undefined) throw new Error(JSON.stringify(status));
      return { run: status.history[0] as ElasticJobRun, results: status.results?.items ?? [] };
    });
  const workers = async (name: string) => (await podsOf(`${labels.job}=${name}`)).filter((pod) => pod.status?.phase === "Running");
  const instances = async () => (await podsOf(`${labels.app}=web`)).filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const serving = () =>
    eventually("the fleet to serve", timeLimits.settled, async () => {
      const { status } = await stage().client.get<RunnerApp>(runnerApps, { namespace, name: "web" });
      const isReady = status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True");
      if (isReady && status?.availableReplicas === 3) return status;
      throw new Error(JSON.stringify(status));
    });

  it("the image is small", () => {
    const { bytes, bundleBytes } = stage().layers;
    note(`root file system ${megabytes(bytes)}, of which the bundle ${megabytes(bundleBytes)}`);
    assert.ok(bytes < 250e6, megabytes(bytes));
    assert.ok(bundleBytes < 3e6, megabytes(bundleBytes));
  });

  it("is installed, and its pods are Ready", async () => {
    installation = installationOn(stage());
    await installation.install();
    for (const pod of await podsOf("app.kubernetes.io/name=nuptse", productNamespace)) {
      const started = pod.status?.containerStatuses?.map(({ state }) => Date.parse(state?.running?.startedAt ?? "")) ?? [];
      const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
      assert.equal(ready?.status, "True", pod.metadata.name);
      // both in whole seconds
      note(
        `${pod.metadata.name}: Ready ${(Date.parse(ready?.lastTransitionTime ?? "") - Math.max(...started)) / 1000} s after its containers began`,
      );
    }
  });

  it("says of itself that it works", async () => {
    assert.match(await installation.test(), /2 replicas are ready, one leads/);
  });

  it("a job's four items run in containers: one exits with 1 and is retried, one's pod is deleted and it fails over", async () => {
    const shell = [
      'case "$SHARDING_ITEM-$NUPTSE_ATTEMPT" in 1-1) exit 1 ;; 2-1) sleep 300 ;; esac',
      'echo "item $SHARDING_ITEM, attempt $NUPTSE_ATTEMPT" > "$NUPTSE_RESULT_FILE"',
    ];
    await apply(fourItems("shards", shell.join("\n")), runOf("shards", "first"));
    const victim = await eventually("item 2 to be at work", timeLimits.run, async () =>
      (await workers("shards")).find((pod) => pod.metadata.labels?.[labels.item] === "2"),
    );
    await stage().kubectl.ok(["delete", "pod", victim.metadata.name, "--wait=false"]);
    const { run, results } = await ended("shards");
    assert.equal(run.phase, "Succeeded", JSON.stringify(run));
    assert.deepEqual(
      results.map(({ value }) => value?.trim()),
      ["item 0, attempt 1", "item 1, attempt 2", "item 2, attempt 2", "item 3, attempt 1"],
    );
  });

  it("a queue holds a Deployment back, and lets it go when it may have more", async () => {
    for (const queue of queueTree("100m")) await apply(queue);
    await apply(queuedDeployment("crowd"));
    const gated = async () => {
      const all = await podsOf("app=crowd");
      return all.filter((pod) => pod.spec.schedulingGates !== undefined).length;
    };
    const running = async () => (await podsOf("app=crowd")).filter((pod) => pod.status?.phase === "Running").length;
    await eventually("one of two to run", timeLimits.run, async () => (await running()) === 1 && (await gated()) === 1);
    const [held] = (await podsOf("app=crowd")).filter((pod) => pod.status?.phase === "Pending");
    assert.deepEqual(held?.spec.schedulingGates, [{ name: queueGate }]);
    for (const queue of queueTree("200m")) await apply(queue);
    await eventually("both to run", timeLimits.run, async () => (await running()) === 2);
    await stage().kubectl.ok(["delete", "deployment", "crowd"]);
  });

  it("a fleet of three is published, and rolled under load through its Service's name without a failed request", async () => {
    await apply(webFleet("blue", 0));
    await serving();
    await apply(load());
    const loader = await eventually("the load to begin", timeLimits.run, async () => {
      const pod = await stage().client.get<Pod>(pods, { namespace, name: "load" });
      const isReady = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
      return isReady ? pod : undefined;
    });
    const report = async () => (await (await fetch(`http://${loader.status?.podIP}:9000/`)).json()) as LoadReport;
    await eventually("the first answers by name", timeLimits.run, async () => ((await report()).answers["blue"] ?? 0) > 20);
    // what came before the first slices were written is nobody's roll-out
    const before = (await report()).failures.length;
    await apply(webFleet("green", 0));
    await eventually("the roll-out", timeLimits.settled, async () => {
      const all = await podsOf(`${labels.app}=web`);
      if (all.length === 3 && all.every((pod) => revisionOf(pod) === "green")) return true;
      const { status } = await stage().client.get<RunnerApp>(runnerApps, { namespace, name: "web" });
      const seen = all.map((pod) => `${pod.metadata.name} ${revisionOf(pod)} ${pod.metadata.deletionTimestamp ?? pod.status?.phase}`);
      throw new Error(`${seen.join("; ")}; status ${JSON.stringify(status)}`);
    });
    await serving();
    const after = await report();
    const answers = Object.entries(after.answers).map(([revision, count]) => `${count} ${revision}`);
    note(`answers: ${answers.join(", ")}; failed: ${after.failures.length - before}`);
    assert.ok((after.answers["green"] ?? 0) > 0);
    assert.deepEqual(after.failures.slice(before), []);
    await stage().kubectl.ok(["delete", "pod", "load", "--now"]);
  });

  it("an instance that takes too much memory is started again where it is", async () => {
    const [victim] = await instances();
    await fetch(`http://${victim?.status?.podIP}:8080/oom`).catch(() => undefined);
    const again = await eventually("its container to run again", timeLimits.run, async () => {
      const pod = await stage().client.get<Pod>(pods, { namespace, name: victim?.metadata.name ?? "" });
      const status = pod.status?.containerStatuses?.[0];
      return status?.restartCount === 1 && status.state?.running !== undefined ? status : undefined;
    });
    assert.equal(again.lastState?.terminated?.reason, "OOMKilled");
    await serving();
  });

  it("an eviction is refused while no instance may be missing, and honoured when one may", async () => {
    const [victim] = await instances();
    const name = victim?.metadata.name ?? "";
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
    const evict = () =>
      stage().cluster.plane.client.send({ method: "POST", path: `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, body: eviction });
    const refused = await evict();
    assert.equal(refused.status, 429, refused.text);
    await apply(webFleet("green", 1));
    await eventually("the eviction to be let through", timeLimits.reaction, async () => (await evict()).status === 201);
    await eventually("another in its place", timeLimits.settled, async () => {
      const names = (await instances()).map((pod) => pod.metadata.name);
      return names.length === 3 && !names.includes(name);
    });
    await serving();
  });

  it("bad input is refused with the name of its field", async () => {
    const wrong = fourItems("wrong", "exit 0");
    const spec = { ...wrong.spec, schedule: { crons: ["0 0 30 2 *"], timeZone: "Mars/Olympus" } };
    const said = await stage().kubectl.fails(["apply", "--server-side", "-f", "-"], JSON.stringify({ ...wrong, spec }));
    note(said.trim().split("\n").join(" "));
    assert.match(said, /spec\.schedule\.timeZone/);
    assert.match(said, /Mars\/Olympus/);
  });

  it("a run goes on while the pod of the leader is deleted", async () => {
    await apply(fourItems("steady", "sleep 6; echo done > $NUPTSE_RESULT_FILE"), runOf("steady", "second"));
    const atWork = await eventually("all four to be at work", timeLimits.run, async () => {
      const all = await workers("steady");
      return all.length === 4 ? all : undefined;
    });
    const [leader] = await podsOf(`${labels.leader}=true`, productNamespace);
    assert.ok(leader, "no pod is labelled as the leader");
    await stage().kubectl.ok(["delete", "pod", "-n", productNamespace, leader.metadata.name, "--wait=false"]);
    const { run } = await ended("steady");
    assert.equal(run.phase, "Succeeded", JSON.stringify(run));
    // nothing was run twice
    assert.deepEqual(names(await podsOf(`${labels.job}=steady`)), names(atWork));
  });

  it("an upgrade restarts nobody's work", async () => {
    await apply(fourItems("calm", "sleep 15; echo done > $NUPTSE_RESULT_FILE"), runOf("calm", "third"));
    const atWork = await eventually("all four to be at work", timeLimits.run, async () => {
      const all = await workers("calm");
      return all.length === 4 ? all : undefined;
    });
    const fleet = uids(await instances());
    await installation.upgrade();
    const { run } = await ended("calm");
    assert.equal(run.phase, "Succeeded", JSON.stringify(run));
    assert.deepEqual(names(await podsOf(`${labels.job}=calm`)), names(atWork));
    assert.deepEqual(uids(await instances()), fleet);
  });

  it("uninstalled, it leaves users' objects, and what waited or was published goes on", async () => {
    await apply(webFleet("green", 0), load());
    await serving();
    for (const queue of queueTree("100m")) await apply(queue);
    await apply(queuedDeployment("early"));
    const both = (name: string) =>
      eventually(`both pods of ${name} to run`, timeLimits.run, async () => {
        const all = await podsOf(`app=${name}`);
        return all.length === 2 && all.every((pod) => pod.status?.phase === "Running");
      });
    await eventually("one pod to wait", timeLimits.run, async () =>
      (await podsOf("app=early")).some((pod) => pod.spec.schedulingGates?.some(({ name }) => name === queueGate)),
    );
    await installation.uninstall();
    assert.equal((await stage().client.get<RunnerApp>(runnerApps, { namespace, name: "web" })).metadata.name, "web");
    assert.equal((await instances()).length, 3);
    // No API server gates any more, and nobody is left to let go.
    await apply(queuedDeployment("late"));
    await both("early");
    await both("late");
    const pod = await eventually("the load to be there", timeLimits.run, async () => {
      const found = await stage().client.get<Pod>(pods, { namespace, name: "load" });
      return found.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ? found : undefined;
    });
    const answers = async () => {
      const report = (await (await fetch(`http://${pod.status?.podIP}:9000/`)).json()) as LoadReport;
      return Object.values(report.answers).reduce((sum, count) => sum + count, 0);
    };
    await eventually(
      "the gateways to be gone",
      timeLimits.settled,
      async () => (await podsOf(labels.gateway, productNamespace)).length === 0,
    );
    const before = await answers();
    await eventually("answers by the Service's name without gateways", timeLimits.run, async () => (await answers()) > before + 20);
    await stage().kubectl.ok(["delete", "pod", "load", "--now"]);
  });

  it("then its node can be drained, and Deployments start on it again", async () => {
    const [node] = (await stage().client.list(nodes)).items;
    const name = node?.metadata.name ?? "";
    const how = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--skip-wait-for-delete-timeout=1", "--timeout=60s"];
    note((await stage().kubectl.ok(["drain", name, ...how])).trim().split("\n").at(-1) ?? "");
    // Nobody replaces them, and nobody keeps them from going.
    await eventually("the instances to be gone", timeLimits.run, async () => (await instances()).length === 0);
    await stage().kubectl.ok(["uncordon", name]);
    await eventually("the Deployments' pods to run again", timeLimits.settled, async () => {
      const all = [...(await podsOf("app=early")), ...(await podsOf("app=late"))].filter(
        ({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.phase === "Running",
      );
      return all.length === 4;
    });
  });

  it("ended, the node leaves no trace on its machine", async () => {
    const { cluster, tracesBefore } = stage();
    await cluster.stop();
    const traces = await machineTraces();
    assert.deepEqual(
      traces.filter((trace) => !tracesBefore.includes(trace)),
      [],
    );
  });
});

interface LoadReport {
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

const names = (all: readonly Pod[]) => all.map((pod) => pod.metadata.name).sort();
const uids = (all: readonly Pod[]) => all.map((pod) => pod.metadata.uid).sort();

function revisionOf(pod: Pod): string | undefined {
  return pod.spec.containers[0]?.env?.find(({ name }) => name === "REVISION")?.value;
}
