import assert from "node:assert/strict";
import type { Action } from "../../../../src/api/action.ts";
import { annotations, labels } from "../../../../src/api/names.ts";
import type { RunnerAppSpec, RunnerAppStatus } from "../../../../src/api/runner-app.gen.ts";
import type { DrainView } from "../../../../src/runnerapp/rules/drain.ts";
import { type InstancePod, instancePod } from "../../../../src/runnerapp/rules/instance.ts";
import type { NodeFacts, NodeState } from "../../../../src/runnerapp/rules/observed.ts";
import { planRunnerApp } from "../../../../src/runnerapp/rules/plan.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { appRevision, observedApp } from "../../../support/builders/runner-app.ts";
import { runnerPod, type RunnerPodFacts } from "../../../support/builders/runner-pod.ts";

/** An instance of web as the cache has it: its number is also its UID. */
function instance(number: string, revision: string, facts: RunnerPodFacts = {}): InstancePod {
  const pod = runnerPod({ uid: number, name: `web-${number}`, ...facts });
  const owner = { apiVersion: "nuptse.dev/v1alpha1", kind: "RunnerApp", name: "web", uid: "app-uid", controller: true };
  return instancePod({
    ...pod,
    metadata: {
      ...pod.metadata,
      resourceVersion: `${number}0`,
      labels: { [labels.app]: "web", [labels.revision]: revision },
      annotations: { [annotations.instance]: number },
      ownerReferences: [owner],
    },
  });
}

interface Scene {
  readonly spec?: Partial<RunnerAppSpec>;
  readonly status?: RunnerAppStatus;
  readonly pods: readonly InstancePod[];
  readonly nodes?: readonly Partial<NodeState>[];
  readonly drain?: DrainView;
  readonly podsAgeMs?: number;
}

/** What is done to pods, such as "create 3" or "delete web-1 of version 10", on what that relies, and the change of status. */
function acts({ spec = {}, status = {}, pods, nodes = [], drain, podsAgeMs }: Scene) {
  const all = nodes.map((node) => ({ name: "n1", labels: {}, isReady: true, hasMemoryPressure: false, ...node }));
  const facts: NodeFacts = { get: (name) => all.find((node) => node.name === name), all: () => all };
  const revisions = [appRevision("web-r1", "web:1", 1), appRevision("web-r2", "web:2", 2)];
  const now = at("12:10:00");
  const plan = planRunnerApp(
    observedApp(
      { spec, status },
      {
        pods,
        revisions,
        nodes: facts,
        now,
        serverNow: now,
        ...(drain !== undefined && { drain }),
        ...(podsAgeMs !== undefined && { podsAgeMs }),
      },
    ),
  );
  const words = plan.actions.flatMap((action: Action): string | readonly string[] => {
    if (!("resource" in action) || action.resource.kind !== "Pod") return [];
    if (action.tag === "create") return `create ${action.object.metadata.annotations?.[annotations.instance]}`;
    if (action.tag === "delete") return `delete ${action.ref.name} of version ${action.resourceVersion ?? "any"}`;
    return action.tag;
  });
  const events = plan.actions.flatMap((action) => (action.tag === "event" ? action.reason : []));
  const premises = plan.actions.flatMap((action) => ("provided" in action ? (action.provided ?? []) : []));
  const relies = premises.map(({ ref, resourceVersion }) => `${ref.name} of version ${resourceVersion}`);
  return { words: words.sort(), relies, events, wakeAt: plan.wakeAt, told: (plan.status?.status ?? {}) as RunnerAppStatus };
}

const one = { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } };

describe("the plan of a fleet", () => {
  it("an instance that lives is deleted only as it was seen, one that has ended whatever became of it", () => {
    const { words } = acts({
      spec: { suspend: true },
      status: { updateRevision: "web-r1" },
      pods: [
        instance("1", "web-r1"),
        instance("2", "web-r1", { ready: false }),
        instance("3", "web-r1", { phase: "Failed", ready: false }),
      ],
    });
    assert.deepEqual(words, ["delete web-1 of version 10", "delete web-2 of version 20", "delete web-3 of version any"]);
  });

  describe("an instance that serves goes since another one does", () => {
    const newest = { ...instance("3", "web-r2"), readySince: at("12:05:00") };
    const pods = [instance("1", "web-r1"), instance("2", "web-r1"), newest];
    const relied = (podsAgeMs?: number) => {
      const status = { updateRevision: "web-r2", stableRevision: "web-r1" };
      const { words, relies } = acts({ spec: { replicas: 2, ...one }, status, pods, ...(podsAgeMs !== undefined && { podsAgeMs }) });
      assert.deepEqual(words, ["delete web-2 of version 20"]);
      return relies;
    };
    it("which is looked at past the cache where nobody knows how old that is", () => assert.deepEqual(relied(), ["web-3 of version 30"]));
    it("or where it is old", () => assert.deepEqual(relied(5001), ["web-3 of version 30"]));
    it("a cache that has proved to be fresh is enough", () => assert.deepEqual(relied(5000), []));
  });

  it("no more than a hundred go with one plan, and the rest with the next, which comes at once", () => {
    const removed = (count: number) => {
      const pods = Array.from({ length: 50 + count }, (_, number) => instance(String(number), "web-r1"));
      const { words, wakeAt = Number.NaN } = acts({ spec: { replicas: 50 }, status: { updateRevision: "web-r1" }, pods });
      return [words.length, wakeAt <= at("12:10:00")];
    };
    assert.deepEqual(
      [removed(100), removed(101)],
      [
        [100, false],
        [100, true],
      ],
    );
  });

  it("an instance of which the newer pod serves is not replaced for the older one's failures", () => {
    const failing = instance("1", "web-r1", { ready: false, containers: { main: { waiting: "CrashLoopBackOff", exit: 1, restarts: 9 } } });
    const serving = { ...instance("2", "web-r1"), instance: "1", createdAt: failing.createdAt + 1000 };
    const recoveries = (pods: readonly InstancePod[]) =>
      acts({ spec: { replicas: 2 }, status: { updateRevision: "web-r1" }, pods }).told.recoveries?.map(({ pod }) => pod);
    assert.deepEqual([recoveries([failing, serving]), recoveries([failing])], [undefined, ["1"]]);
  });

  it("what drains takes its place until it is deleted, also where it is to be restarted now", () => {
    const spec = { replicas: 2, restartedAt: "2026-11-21T12:09:59Z", strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } };
    const draining = (seconds: number): InstancePod => ({
      ...instance("2", "web-r1", { ready: false }),
      gate: { isOpen: false, closedAt: at("12:10:00") - seconds * 1000, containersReady: true },
    });
    const words = (seconds: number) =>
      acts({ spec, status: { updateRevision: "web-r1" }, pods: [instance("1", "web-r1"), draining(seconds)] }).words;
    assert.deepEqual(words(5), ["create 0"]);
    assert.deepEqual(words(30), ["create 0", "create 2", "delete web-2 of version 20"]);
  });

  describe("a roll-out and a move share one surge", () => {
    const rolling = { updateRevision: "web-r2", stableRevision: "web-r1" };
    const spec = { replicas: 2, ...one };

    it("without a move the roll-out has it", () => {
      const { words } = acts({ spec, status: rolling, pods: [instance("1", "web-r1"), instance("2", "web-r1")], nodes: [{}] });
      assert.deepEqual(words, ["create 0"]);
    });

    it("a move that is let through takes it at once", () => {
      const pods = [instance("1", "web-r1"), instance("2", "web-r1", { node: "n2" })];
      const { words, told } = acts({ spec, status: rolling, pods, nodes: [{ taken: "Cordoned" }, { name: "n2" }] });
      assert.deepEqual([words, told.evacuations?.map(({ pod, granted }) => `${pod} ${granted}`)], [[], ["1 true"]]);
    });
  });

  it("paused, no instance that serves is taken for one of the change that is missing", () => {
    const canary = { revision: "web-r2", phase: "Paused" as const, target: 2, failed: 0 };
    const { words } = acts({
      spec: { replicas: 3, paused: true, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } },
      status: { updateRevision: "web-r2", stableRevision: "web-r1", canary },
      pods: [instance("1", "web-r1"), instance("2", "web-r1"), instance("3", "web-r2")],
    });
    assert.deepEqual(words, []);
  });

  describe("paused on the way back to what was stable", () => {
    const back = { updateRevision: "web-r1", stableRevision: "web-r1" };
    const pods = [instance("1", "web-r1"), instance("2", "web-r2"), instance("3", "web-r2")];
    const spec = { replicas: 3, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } };

    it("nothing is taken back, and status says so", () => {
      const { words, told } = acts({ spec: { ...spec, paused: true }, status: back, pods });
      assert.deepEqual([words, told.canary?.phase, told.canary?.target], [[], "Paused", 1]);
    });

    it("what is missing is of the stable revision", () => {
      const { words } = acts({ spec: { ...spec, paused: true }, status: back, pods: pods.slice(0, 2) });
      assert.deepEqual(words, ["create 0"]);
    });

    it("of a fleet that shrinks so many are taken back as are of its share, and no more when that is recorded", () => {
      const six = [1, 2, 3, 4, 5, 6].map((number) => instance(String(number), number <= 3 ? "web-r1" : "web-r2"));
      const status = { ...back, desiredReplicas: 6 };
      const shrinking = { ...spec, replicas: 4, paused: true };
      const { words, told } = acts({ spec: shrinking, status, pods: six });
      assert.deepEqual([words.length, told.canary?.target, told.desiredReplicas], [2, 2, 4]);
      const { words: later } = acts({
        spec: shrinking,
        status: { ...back, desiredReplicas: 4, canary: { revision: "web-r1", phase: "Paused", target: 2, failed: 0 } },
        pods: six.filter(({ metadata }) => !["web-3", "web-6"].includes(metadata.name)),
      });
      assert.deepEqual(later, []);
    });

    it("resumed it goes back", () => {
      const { words } = acts({ spec, status: back, pods });
      assert.deepEqual(words, ["create 0", "delete web-3 of version 30"]);
    });
  });

  describe("gateways that do not have an instance up", () => {
    const spec = { replicas: 1, services: [{ name: "api", port: 80 }] };
    const pods = [instance("1", "web-r1")];
    const says = (state: "Up" | "Down", since: string): DrainView => ({
      gateways: 1,
      heardSince: at("09:00:00"),
      answersOn: () => [{ state, sessions: 0, since: at(since) }],
    });
    const told = (drain: DrainView, status: RunnerAppStatus = {}) => {
      const { events, wakeAt, told } = acts({ spec, status: { updateRevision: "web-r1", ...status }, pods, drain });
      const condition = told.conditions?.find(({ type }) => type === "GatewayLagging");
      return { condition: condition && `${condition.status} ${condition.reason}`, events, wakeAt, told };
    };

    it("are waited for before anything is said", () => {
      const { condition, events, wakeAt } = told(says("Down", "12:09:55"));
      assert.deepEqual([condition, events, wakeAt], [undefined, [], at("12:10:05")]);
    });

    it("after 10 s it is a condition, and told once", () => {
      const first = told(says("Down", "12:09:50"));
      assert.deepEqual([first.condition, first.events], ["True NotUpAtGateways", ["GatewayLagging"]]);
      const again = told(says("Down", "12:09:50"), first.told);
      assert.deepEqual([again.condition, again.events], [undefined, []]);
      const beside = told(says("Down", "12:09:50"), { ...first.told, replicas: 7 });
      assert.deepEqual([beside.told.replicas, beside.events], [1, []], "nor when something else of the status changes");
    });

    it("and ends when they have it", () => {
      const lagging = told(says("Down", "12:09:50")).told;
      assert.equal(told(says("Up", "12:09:59"), lagging).condition, "False Serving");
    });
  });
});
