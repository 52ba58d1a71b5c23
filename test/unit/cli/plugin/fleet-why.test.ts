import assert from "node:assert/strict";
import type { Pod } from "../../../../src/api/core.ts";
import type { RunnerApp, RunnerAppStatus } from "../../../../src/api/runner-app.gen.ts";
import { appOf, clusterOf, instanceOf } from "./fleet-double.ts";
import { kubectlNuptse } from "./plugin-double.ts";

const serving = [instanceOf(0), instanceOf(1), instanceOf(2)];
const condition = (reason: string, message: string, type = "Ready") => ({
  type,
  status: type === "Ready" ? ("False" as const) : ("True" as const),
  reason,
  message,
  lastTransitionTime: "2026-11-21T12:20:00Z",
});
const series = (differs: object = {}) => ({
  instance: "2",
  revision: "web-1111111111",
  pod: "uid-2",
  sameNodeUsed: 3,
  otherNodesUsed: 1,
  nodes: ["n1"],
  ...differs,
});
const move = (kind: string, granted: boolean) => ({
  kind,
  pod: "uid-2",
  node: "n1",
  decidedAt: "2026-11-21T12:29:00.000Z",
  notBefore: "2026-11-21T12:31:00.000Z",
  granted,
});
const evacuation = (phase: string, cause = "Cordoned") => ({
  instance: "0",
  pod: "uid-0",
  node: "n1",
  cause,
  phase,
  since: "2026-11-21T12:10:00.000Z",
  phaseSince: "2026-11-21T12:10:00.000Z",
});
const failed = instanceOf(2, { ready: false, containers: { main: { waiting: "CrashLoopBackOff", exit: 1, restarts: 4 } } });

interface Case {
  readonly name: string;
  readonly app?: RunnerApp;
  readonly pods?: readonly Pod[];
  readonly nodes?: readonly object[];
  readonly want: readonly string[];
  readonly state: string;
}

const withStatus = (status: object, spec: object = {}) => appOf({ spec, status: status as RunnerAppStatus });

describe("cli/plugin why of fleets", () => {
  const cases: readonly Case[] = [
    { name: "nothing is wrong", want: ["Serving: nothing is wrong"], state: "Serving" },
    {
      name: "a fleet that is suspended",
      app: withStatus({ desiredReplicas: 0 }, { suspend: true }),
      pods: [],
      want: ["Suspended: spec.suspend is true, so it has no instances -> kubectl nuptse resume ra/web"],
      state: "Stopped",
    },
    {
      name: "an operator that is silent",
      app: { ...appOf(), metadata: { ...appOf().metadata, generation: 2 } },
      want: [
        "OperatorSilent: the operator has not seen the newest change of the app yet -> is it running? kubectl get lease -A shows who holds nuptse-operator, and when it was renewed",
      ],
      state: "Degraded",
    },
    {
      name: "a queue that gives no more",
      app: withStatus({
        desiredReplicas: 3,
        admitted: { replicas: 2, surge: 0 },
        conditions: [condition("QueuePending", "waits for its share")],
      }),
      pods: serving.slice(0, 2),
      want: ["Queue: waits for its share -> it goes on by itself when its turn comes; who has what it lacks: kubectl nuptse queue"],
      state: "Missing",
    },
    {
      name: "a fleet that gave back what it was lent",
      app: withStatus({ desiredReplicas: 2, admitted: { replicas: 2 }, conditions: [condition("Reclaimed", "", "Reduced")] }),
      pods: serving.slice(0, 2),
      want: [
        "Reduced: its queue asked for what it had lent: 2 of 3 instances are left -> it grows again when there is room; spec.queue.minCount is what it keeps in any case",
      ],
      state: "Missing",
    },
    {
      name: "a program that fails, and the next try on another node",
      app: withStatus({ recoveries: [series({ move: move("OtherNode", true) })] }),
      pods: [...serving.slice(0, 2), failed],
      want: [
        "CrashLoop: instance 2: its program ended: exit 1 -> kubectl nuptse logs ra/web -i 2 --previous",
        "Retrying: instance 2: is tried again on another node at 2026-11-21T12:31:00Z (failed on n1)",
      ],
      state: "Missing",
    },
    {
      name: "the brake on replacements",
      app: withStatus({ recoveries: [series({ move: move("SameNode", false) })] }),
      pods: [...serving.slice(0, 2), failed],
      want: [
        "CrashLoop: instance 2: its program ended: exit 1 -> kubectl nuptse logs ra/web -i 2 --previous",
        "StormBrake: instance 2: is to be tried on the same node (failed on n1), and waits since too many instances were replaced lately -> spec.retry.storm lets 5 through in 600 s",
      ],
      state: "Missing",
    },
    {
      name: "retries that are used up, of two at once",
      app: withStatus({
        recoveries: [1, 2].map((number) =>
          series({ instance: String(number), pod: `uid-${number}`, exhaustedAt: "2026-11-21T12:25:00.000Z" }),
        ),
      }),
      pods: [instanceOf(0), instanceOf(1, { ready: false, containers: { main: { waiting: "CrashLoopBackOff", exit: 1 } } }), failed],
      want: [
        "RetriesExhausted: instances 1-2: all retries are used up; they begin anew at 2026-11-21T12:35:00Z -> correct spec.template, or try again at once: kubectl nuptse restart web",
        "CrashLoop: instances 1-2: its program ended: exit 1 -> kubectl nuptse logs ra/web -i 1 --previous",
      ],
      state: "Missing",
    },
    {
      name: "nodes that are left out, where none is found",
      app: withStatus({
        nodeRules: [{ node: "n1", effect: "Exclude", failures: 3, expiresAt: "2026-11-21T13:00:00Z", reason: "Exit" }],
      }),
      pods: [...serving.slice(0, 2), instanceOf(2, { node: null, ready: false, unscheduled: "Unschedulable", phase: "Pending" })],
      want: [
        "NoNode: instance 2: no node takes the pod:  -> make room, or the requests smaller; kubectl nuptse node shows what is where",
        "NodeExcluded: nodes are left out since instances failed there: n1 until 2026-11-21T13:00:00Z (3 failures) -> look at the node; spec.nodeExclusion of web says how many failures exclude one, and for how long",
      ],
      state: "Missing",
    },
    {
      name: "an instance that moves",
      app: withStatus({ evacuations: [evacuation("Waiting")] }),
      want: ["Moving: instance 0: leaves node n1, which is being taken (Cordoned): its replacement does not serve yet"],
      state: "Degraded",
    },
    {
      name: "one that cannot leave",
      app: withStatus({ evacuations: [evacuation("Stalled", "Annotated")] }),
      want: [
        "MoveStalled: instance 0: cannot leave node n1, which is being taken (Annotated): no replacement serves -> make room elsewhere, or give the node back (kubectl uncordon, kubectl nuptse evacuate --cancel)",
      ],
      state: "Degraded",
    },
    {
      name: "a node of which nothing is heard",
      nodes: [
        {
          metadata: { name: "n1" },
          status: { conditions: [{ type: "Ready", status: "Unknown", lastTransitionTime: "2026-11-21T12:20:00Z" }] },
        },
      ],
      want: [
        "NodeLost: instances 0-2: nothing is heard of its node n1 -> it is replaced as far as spec.retry.storm lets it; kubectl describe node n1",
      ],
      state: "Degraded",
    },
    {
      name: "a pod that does not end",
      pods: [...serving, instanceOf(3, { deleting: true })],
      want: [
        "Ending: instance 3: its pod was to end on n1 and is still there -> is n1 there, and do finalizers keep the pod? kubectl describe pod web-11111-3",
      ],
      state: "Degraded",
    },
    {
      name: "a restart under way",
      app: withStatus({}, { restartedAt: "2026-11-21T12:29:00Z" }),
      want: ["Restarting: instances are being restarted: 3 still to go"],
      state: "Degraded",
    },
  ];
  for (const tc of cases)
    it(tc.name, async () => {
      const objects = clusterOf(tc.app ?? appOf(), tc.pods ?? serving, { nodes: (tc.nodes ?? []) as never });
      const { results, notes } = await kubectlNuptse(["why", "ra/web", "-o", "json"], { objects });
      assert.deepEqual(
        notes.filter((note) => !note.startsWith("the operator cannot be asked")),
        [],
      );
      const explanation = JSON.parse(results.join("\n")) as {
        readonly state: string;
        readonly causes: readonly { readonly cause: string; readonly text: string; readonly advice?: string }[];
      };
      const told = explanation.causes.map(({ cause, text, advice }) => `${cause}: ${text}${advice === undefined ? "" : ` -> ${advice}`}`);
      assert.deepEqual([explanation.state, told], [tc.state, tc.want]);
    });

  it("of the pod of an instance it tells what is about that one alone", async () => {
    const objects = clusterOf(withStatus({ evacuations: [evacuation("Stalled")] }), [...serving.slice(0, 2), failed]);
    const { results } = await kubectlNuptse(["why", "pod/web-11111-2"], { objects });
    assert.deepEqual(results.slice(0, 2), [
      "Instance 2 of RunnerApp web in tenant, pod web-11111-2 on n1, does not serve.",
      "- CrashLoop: its program ended: exit 1",
    ]);
    assert.ok(!results.join("\n").includes("MoveStalled"));
  });
});
