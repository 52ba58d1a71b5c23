import assert from "node:assert/strict";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { pods, runnerApps } from "../../src/api/resource.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import type { Commit } from "../../src/simulator/apiserver/api-server.ts";
import type { Stage } from "../../src/simulator/harness/stage.ts";
import { annotatedScript, type PodScript } from "../../src/simulator/world/pod-script.ts";
import {
  app,
  capacity,
  conditions,
  crashing,
  images,
  living,
  namespace,
  open,
  readyPods,
  status,
  template,
  web,
} from "./support/fleets.ts";

const gate = "nuptse.dev/in-service";
const drain = { connectionDrainSeconds: 10 };
const inPlace = { inPlace: "IfPossible", evacuation: drain };

const uids = async (stage: Stage) =>
  (await living(stage))
    .filter(isInstance)
    .map(({ metadata }) => metadata.uid)
    .sort();
const isInstance = ({ metadata }: KubeObject) => metadata.labels?.["nuptse.dev/app"] !== undefined;
const isPrefetch = ({ metadata }: KubeObject) => metadata.labels?.["nuptse.dev/prefetch"] !== undefined;
const prefetches = async (stage: Stage) => (await living(stage)).filter(isPrefetch);
const conditionOf = (pod: Pod, type: string) => pod.status?.conditions?.find((one) => one.type === type)?.status;
const restarts = async (stage: Stage) =>
  (await living(stage)).filter(isInstance).map((pod) => pod.status?.containerStatuses?.[0]?.restartCount);

/** The pods that pull images are played as by a runtime that finds no such command; those of `missing` find no image. */
const withPulls =
  (...missing: readonly string[]) =>
  (pod: Pod): PodScript => {
    if (!isPrefetch(pod)) return annotatedScript(pod);
    if (missing.includes(pod.spec.containers[0]?.image ?? "")) return { pullFailures: "forever" };
    return { startMs: [3000, 3000], startError: 'exec: "/nuptse.dev/prefetch": no such file or directory' };
  };

/** What happened to pods, in order, as lines. */
class Diary {
  readonly lines: { readonly at: number; readonly pod: string; readonly what: string; readonly node: string }[] = [];
  now: () => number = () => 0;

  readonly note = ({ type, resource, object, previous }: Commit) => {
    if (resource.plural !== "pods") return;
    const [pod, before] = [object as unknown as Pod, previous as unknown as Pod | undefined];
    const say = (what: string) => {
      const node = pod.spec.nodeName ?? "";
      this.lines.push({ at: this.now(), pod: pod.metadata.name, what, node });
    };
    if (type === "DELETED") return;
    if (isPrefetch(pod)) {
      if (pod.status?.phase === "Failed" && before?.status?.phase !== "Failed") say("pulled");
      return;
    }
    if (type === "ADDED") say("made");
    if (pod.metadata.deletionTimestamp !== undefined && before?.metadata.deletionTimestamp === undefined) say("deleted");
    if (conditionOf(pod, gate) === "False" && before !== undefined && conditionOf(before, gate) !== "False") say("out");
    if (conditionOf(pod, gate) === "True" && before !== undefined && conditionOf(before, gate) !== "True") say("in");
    if (before !== undefined && pod.spec.containers[0]?.image !== before.spec.containers[0]?.image) say("changed");
  };

  of(pod: string): readonly string[] {
    return this.lines.filter((line) => line.pod === pod).map(({ what }) => what);
  }

  /** Seconds from one thing to the next that follows it, of each pod to which both happened. */
  between(first: string, then: string): readonly number[] {
    return this.lines.flatMap(({ pod, what, at }, index) => {
      const next = what === first ? this.lines.slice(index).find((line) => line.pod === pod && line.what === then) : undefined;
      return next === undefined ? [] : [(next.at - at) / 1000];
    });
  }
}

async function observedStage(...missing: readonly string[]): Promise<{ readonly stage: Stage; readonly diary: Diary }> {
  const diary = new Diary();
  const stage = await open({ behaviour: withPulls(...missing), onCommit: diary.note });
  diary.now = () => stage.clock.now();
  return { stage, diary };
}

/** The fewest that were ready at the end of any second. */
async function fewestReady(stage: Stage, seconds: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let second = 0; second < seconds; second++) {
    await stage.advance(1000);
    least = Math.min(least, (await readyPods(stage)).length);
  }
  return least;
}

describe("simulation of fleets: out of service before anything is done to an instance", function () {
  this.timeout(120_000);

  it("an instance serves as soon as its containers do, and writes nothing more", async () => {
    const { stage, diary } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    assert.equal((await readyPods(stage)).length, 4);
    assert.deepEqual(await conditions(stage), ["Ready=True: Serving", "Available=True: EnoughAvailable", "Reconciling=False: Serving"]);
    const before = diary.lines.length;
    await stage.advance(3_600_000);
    assert.equal(diary.lines.length, before);
  });

  it("scaled in, it is out of service for the drain time and then deleted", async () => {
    const { stage, diary } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { replicas: 2 });
    await stage.advance(60_000);
    assert.equal((await living(stage)).length, 2);
    const drained = diary.between("out", "deleted");
    assert.equal(drained.length, 2);
    assert.ok(
      drained.every((seconds) => seconds >= 10 && seconds <= 12),
      String(drained),
    );
  });

  it("scaled out again meanwhile, the same instances come back", async () => {
    const { stage } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { replicas: 2 });
    await stage.advance(5000);
    assert.equal((await readyPods(stage)).length, 2);
    await stage.patchSpec(runnerApps, web, { replicas: 4 });
    await stage.advance(5000);
    assert.equal((await readyPods(stage)).length, 4);
    await stage.advance(60_000);
    assert.deepEqual(await uids(stage), before);
  });

  it("what does not serve is not drained", async () => {
    const { stage, diary } = await observedStage();
    const slow = { ...template("web:1", { startMs: [3_600_000, 3_600_000] }) };
    await stage.create(runnerApps, app({ ...inPlace, template: slow }));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { replicas: 0 });
    await stage.advance(2000);
    assert.equal(diary.lines.filter(({ what }) => what === "deleted").length, 4);
  });

  it("restarted, suspended or moved away from a node, it is drained first, and never are too many out", async () => {
    const { stage, diary } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { restartedAt: new Date(stage.clock.now()).toISOString().replace(/\.\d+/, "") });
    assert.ok((await fewestReady(stage, 200)) >= 3);
    assert.equal(diary.between("out", "deleted").length, 4);
    await stage.during(() => stage.world.cordonNode("n1", true));
    assert.equal(await fewestReady(stage, 200), 4);
    assert.ok((await living(stage)).every(({ spec }) => spec.nodeName !== "n1"));
    await stage.patchSpec(runnerApps, web, { suspend: true });
    await stage.advance(60_000);
    assert.deepEqual(await living(stage), []);
    assert.ok(diary.between("out", "deleted").every((seconds) => seconds >= 10));
    assert.equal(diary.lines.filter(({ what }) => what === "out").length, diary.lines.filter(({ what }) => what === "deleted").length);
  });

  it("a node that is given back during the drain: the move is finished, and none is missing", async () => {
    const { stage } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    await stage.during(() => stage.world.cordonNode("n1", true));
    for (let second = 0; second < 60; second++) {
      await stage.advance(1000);
      if ((await status(stage))?.evacuations?.some(({ phase }) => phase === "Draining")) break;
    }
    await stage.during(() => stage.world.cordonNode("n1", false));
    assert.ok((await fewestReady(stage, 120)) >= 4);
    assert.equal((await living(stage)).length, 4);
    assert.equal((await status(stage))?.evacuations, undefined);
  });
});

describe("simulation of fleets: changes in place", function () {
  this.timeout(120_000);

  it("an image: pulled first, then one instance after the other is drained, changed and back in service, in the same pod", async () => {
    const { stage, diary } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    assert.equal(await fewestReady(stage, 120), 3);
    assert.deepEqual(await images(stage), { "web:2": 4 });
    assert.deepEqual(await uids(stage), before);
    assert.deepEqual(await restarts(stage), [1, 1, 1, 1]);
    assert.ok(diary.between("out", "changed").every((seconds) => seconds >= 10));
    for (const { at, node } of diary.lines.filter(({ what }) => what === "changed"))
      assert.ok(
        diary.lines.some((line) => line.what === "pulled" && line.node === node && line.at <= at),
        `${node}: changed before its image was there`,
      );
    const seen = await status(stage);
    assert.equal(seen?.stableRevision, seen?.updateRevision);
    assert.deepEqual([seen?.updatedReplicas, seen?.recoveries, seen?.canary], [4, undefined, undefined]);
    assert.deepEqual(await prefetches(stage), []);
    const revisions = (await living(stage)).map(({ metadata }) => metadata.labels?.["nuptse.dev/revision"]);
    assert.deepEqual([...new Set(revisions)], [seen?.updateRevision]);
  });

  it("labels and annotations: at once, without a restart, and what is gone from the template goes", async () => {
    const { stage, diary } = await observedStage();
    const labelled = (labels: object) => ({ ...template("web:1"), metadata: { ...template("web:1").metadata, labels } });
    await stage.create(runnerApps, app({ ...inPlace, template: labelled({ team: "red", old: "x" }) }));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { template: labelled({ team: "blue", old: null }) });
    await stage.advance(20_000);
    assert.deepEqual(await uids(stage), before);
    for (const { metadata } of await living(stage))
      assert.deepEqual([metadata.labels?.["team"], metadata.labels?.["old"]], ["blue", undefined]);
    assert.deepEqual(await restarts(stage), [0, 0, 0, 0]);
    assert.deepEqual(
      diary.lines.filter(({ what }) => what === "out"),
      [],
    );
  });

  const sized = (cpu: string, image = "web:1") => {
    const made = template(image);
    return { ...made, spec: { containers: made.spec.containers.map((one) => ({ ...one, resources: { requests: { cpu } } })) } };
  };
  const cpus = async (stage: Stage) =>
    (await living(stage)).filter(isInstance).map(({ status: told }) => told?.containerStatuses?.[0]?.resources?.requests?.["cpu"]);

  it("resources: the node gives them without a restart, however they are written", async () => {
    const { stage } = await observedStage();
    await stage.create(runnerApps, app({ ...inPlace, template: sized("1") }));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { template: sized("1.5") });
    await stage.advance(20_000);
    assert.deepEqual(await uids(stage), before);
    assert.deepEqual(await cpus(stage), Array(4).fill("1500m"));
    assert.deepEqual(await restarts(stage), [0, 0, 0, 0]);
    const version = (await living(stage)).map(({ metadata }) => metadata.resourceVersion);
    await stage.advance(3_600_000);
    assert.deepEqual(
      (await living(stage)).map(({ metadata }) => metadata.resourceVersion),
      version,
    );
  });

  it("resources that a node has not: the instance is made anew where they are", async () => {
    const stage = await open({ nodes: [{ name: "n1", capacity: capacity("3") }], behaviour: withPulls() });
    await stage.create(runnerApps, app({ ...inPlace, template: sized("500m") }));
    await stage.advance(20_000);
    await stage.addNode({ name: "n2", capacity: capacity("20") });
    await stage.patchSpec(runnerApps, web, { template: sized("4") });
    assert.ok((await fewestReady(stage, 300)) >= 3);
    assert.deepEqual(await cpus(stage), Array(4).fill("4"));
    assert.ok((await living(stage)).every(({ spec }) => spec.nodeName === "n2"));
    assert.ok((await conditions(stage))?.includes("Ready=True: Serving"), String(await conditions(stage)));
  });

  it("resources that others hold: they are waited for as long as a start may take, and then the instance is made anew", async () => {
    const strategy = { rollingUpdate: { maxUnavailable: 1 } };
    const stage = await open({ nodes: [{ name: "n1", capacity: capacity("4") }], behaviour: withPulls() });
    await stage.create(runnerApps, app({ ...inPlace, strategy, replicas: 2, startTimeoutSeconds: 60, template: sized("1") }));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { template: sized("3") });
    await stage.advance(40_000);
    assert.deepEqual(await uids(stage), before);
    assert.deepEqual((await cpus(stage)).sort(), ["1", "3"]);
    await stage.addNode({ name: "n2", capacity: capacity("20") });
    assert.ok((await fewestReady(stage, 120)) >= 1);
    assert.deepEqual(await cpus(stage), ["3", "3"]);
    assert.equal((await uids(stage)).filter((uid) => before.includes(uid)).length, 1);
  });

  it("an image that cannot be pulled: nothing is taken out of service, and another change goes on", async () => {
    const { stage, diary } = await observedStage("web:2");
    await stage.create(runnerApps, app({ ...inPlace, progressDeadlineSeconds: 120 }));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    assert.equal(await fewestReady(stage, 900), 4);
    assert.ok((await conditions(stage))?.includes("Stalled=True: ProgressDeadlineExceeded"), String(await conditions(stage)));
    assert.deepEqual(
      diary.lines.filter(({ what }) => what === "out"),
      [],
    );
    await stage.patchSpec(runnerApps, web, { template: template("web:3") });
    await stage.advance(120_000);
    assert.deepEqual(await images(stage), { "web:3": 4 });
    assert.deepEqual(await uids(stage), before);
    assert.deepEqual(await prefetches(stage), []);
  });

  it("a node without room for the pod that pulls: its instances are made anew elsewhere", async () => {
    const full = { ...capacity("10"), pods: "4" };
    const stage = await open({ nodes: [{ name: "n1", capacity: full }], behaviour: withPulls() });
    await stage.create(runnerApps, app({ ...inPlace, startTimeoutSeconds: 60 }));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.addNode({ name: "n2", capacity: capacity("10") });
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.advance(55_000);
    assert.deepEqual(await uids(stage), before);
    assert.ok((await fewestReady(stage, 240)) >= 3);
    assert.deepEqual(await images(stage), { "web:2": 4 });
    assert.deepEqual(await prefetches(stage), []);
  });

  it("taken back during a drain, the instance comes back unchanged", async () => {
    const { stage, diary } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    for (let second = 0; second < 60 && diary.lines.every(({ what }) => what !== "out"); second++) await stage.advance(1000);
    await stage.patchSpec(runnerApps, web, { template: template("web:1") });
    await stage.advance(5000);
    assert.equal((await readyPods(stage)).length, 4);
    await stage.advance(60_000);
    assert.deepEqual(
      diary.lines.filter(({ what }) => what === "changed"),
      [],
    );
    assert.deepEqual(await restarts(stage), [0, 0, 0, 0]);
  });

  it("what fails with the change stops it by itself, and the way back keeps all others", async () => {
    const { stage } = await observedStage();
    await stage.create(runnerApps, app({ ...inPlace, canary: { replicas: "50%" }, retry: { sameNode: 2 } }));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { template: template("web:2", crashing) });
    assert.equal(await fewestReady(stage, 300), 3);
    assert.equal((await status(stage))?.canary?.phase, "AutoPaused");
    await stage.patchSpec(runnerApps, web, { template: template("web:1") });
    await stage.advance(180_000);
    assert.deepEqual(await images(stage), { "web:1": 4 });
    assert.equal((await uids(stage)).filter((uid) => before.includes(uid)).length, 3);
    assert.ok((await conditions(stage))?.includes("Ready=True: Serving"), String(await conditions(stage)));
  });

  it("a canary is held at its share, and its instances keep their pods", async () => {
    const { stage } = await observedStage();
    await stage.create(runnerApps, app({ ...inPlace, canary: { replicas: "25%" } }));
    await stage.advance(20_000);
    const before = await uids(stage);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.advance(120_000);
    assert.deepEqual(await images(stage), { "web:1": 3, "web:2": 1 });
    assert.deepEqual(await prefetches(stage), []);
    await stage.patchSpec(runnerApps, web, { canary: { replicas: "100%" } });
    await stage.advance(120_000);
    assert.deepEqual(await images(stage), { "web:2": 4 });
    assert.deepEqual(await uids(stage), before);
  });

  it("pods without the gate, and changes of more than that, are made anew", async () => {
    const { stage } = await observedStage();
    await stage.create(runnerApps, app());
    await stage.advance(20_000);
    const ungated = await uids(stage);
    await stage.patchSpec(runnerApps, web, inPlace);
    await stage.advance(60_000);
    assert.deepEqual(await uids(stage), ungated);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.advance(120_000);
    const gated = await uids(stage);
    assert.deepEqual(
      gated.filter((uid) => ungated.includes(uid)),
      [],
    );
    const made = template("web:3");
    const other = { ...made, spec: { containers: made.spec.containers.map((one) => ({ ...one, args: ["--fast"] })) } };
    await stage.patchSpec(runnerApps, web, { template: other });
    await stage.advance(180_000);
    assert.deepEqual(await images(stage), { "web:3": 4 });
    assert.deepEqual(
      (await uids(stage)).filter((uid) => gated.includes(uid)),
      [],
    );
  });

  it("an operator that is killed at any moment of it leaves nothing half done", async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { stage, diary } = await observedStage();
      await stage.create(runnerApps, app({ ...inPlace, template: sized("1") }));
      await stage.advance(20_000);
      const before = await uids(stage);
      await stage.patchSpec(runnerApps, web, { template: sized("2", "web:2") });
      const random = createSeededRandom(seed);
      for (let kill = 0; kill < 3; kill++) {
        await stage.advance(Math.floor(random.next() * 15_000));
        stage.killOperator();
        stage.startOperator();
      }
      assert.ok((await fewestReady(stage, 240)) >= 3, `seed ${seed}`);
      assert.deepEqual(await images(stage), { "web:2": 4 }, `seed ${seed}`);
      assert.deepEqual(await cpus(stage), Array(4).fill("2"), `seed ${seed}`);
      assert.deepEqual(await uids(stage), before, `seed ${seed}`);
      assert.deepEqual(await restarts(stage), [1, 1, 1, 1], `seed ${seed}`);
      assert.equal((await readyPods(stage)).length, 4, `seed ${seed}`);
      assert.deepEqual(
        diary.lines.filter(({ what }) => what === "deleted"),
        [],
        `seed ${seed}`,
      );
      await stage.close();
    }
  });

  it("another version of the operator, or the same started anew, changes nothing", async () => {
    const { stage } = await observedStage();
    await stage.create(runnerApps, app(inPlace));
    await stage.advance(20_000);
    await stage.patchSpec(runnerApps, web, { template: template("web:2") });
    await stage.advance(120_000);
    const versions = async () => (await stage.list<Pod & KubeObject>(pods, { namespace })).map(({ metadata }) => metadata.resourceVersion);
    const before = await versions();
    stage.killOperator();
    stage.startOperator();
    await stage.advance(120_000);
    assert.deepEqual(await versions(), before);
  });
});
