import type { Action } from "../../../src/api/action.ts";
import type { AdmissionAnswer } from "../../../src/api/admission.ts";
import type { KubeObject, ObjectMeta, ObjectRef } from "../../../src/api/meta.ts";
import { controllerRevisions, podDisruptionBudgets, pods, runnerApps } from "../../../src/api/resource.ts";
import type { RunnerAppSpec, RunnerAppStatus } from "../../../src/api/runner-app.gen.ts";
import type { InstancePod } from "../../../src/runnerapp/rules/instance.ts";
import type { ObservedApp } from "../../../src/runnerapp/rules/observed.ts";
import { planRunnerApp, type RunnerAppPlan } from "../../../src/runnerapp/rules/plan.ts";
import { simulateFleets } from "../../../src/simulator/harness/fleets/fleet-simulation.ts";
import type { SimulationResult } from "../../../src/simulator/harness/simulation.ts";

/** A rule of fleets broken on purpose, as a person might break it; some invariant must catch it. */
export interface FleetMutant {
  readonly name: string;
  /** Fresh for each seed: some remember things. */
  readonly plan: () => (observed: ObservedApp) => RunnerAppPlan;
  /** Quick to be caught: part of the short run. */
  readonly quick?: true;
}

/** The rules made from something else than what was observed. */
const seeing = (change: (observed: ObservedApp) => ObservedApp) => () => (observed: ObservedApp) => planRunnerApp(change(observed));
/** The rules' plan, changed. */
const doing = (change: (plan: RunnerAppPlan, observed: ObservedApp) => RunnerAppPlan) => () => (observed: ObservedApp) =>
  change(planRunnerApp(observed), observed);

const withSpec = (change: (spec: RunnerAppSpec) => Partial<RunnerAppSpec>) =>
  seeing((observed) => ({ ...observed, app: { ...observed.app, spec: { ...observed.app.spec, ...change(observed.app.spec) } } }));
const withStatus = (change: (status: RunnerAppStatus) => RunnerAppStatus) =>
  seeing((observed) => ({ ...observed, app: { ...observed.app, status: change(observed.app.status ?? {}) } }));
const withPods = (change: (pod: InstancePod, observed: ObservedApp) => InstancePod | undefined) =>
  seeing((observed) => ({ ...observed, pods: observed.pods.flatMap((pod) => change(pod, observed) ?? []) }));
const withoutActions = (isLeftOut: (action: Action, observed: ObservedApp) => boolean) =>
  doing((plan, observed) => ({ ...plan, actions: plan.actions.filter((action) => !isLeftOut(action, observed)) }));

/** What its queue says to a fleet, changed. */
const withAnswer = (change: (answer: AdmissionAnswer, observed: ObservedApp) => AdmissionAnswer) =>
  seeing((observed) => {
    const answer = observed.admission?.answer;
    return answer === undefined ? observed : { ...observed, admission: { ...observed.admission, answer: change(answer, observed) } };
  });

const isPod = (action: Action) => "resource" in action && action.resource.kind === "Pod";
const refOf = ({ namespace, name }: Pick<ObjectMeta, "namespace" | "name">): ObjectRef => ({ namespace: namespace as string, name });
const deletionOf = ({ metadata }: InstancePod): Action => ({
  tag: "delete",
  resource: pods,
  ref: refOf(metadata),
  uid: metadata.uid as string,
});
const alsoDeleting = (choose: (observed: ObservedApp) => readonly InstancePod[]) =>
  doing((plan, observed) => ({
    ...plan,
    actions: [
      ...plan.actions,
      ...choose(observed)
        .filter((pod) => !pod.isDeleting)
        .map(deletionOf),
    ],
  }));

const minuteMs = 60_000;

export const fleetMutants: readonly FleetMutant[] = [
  {
    name: "a roll-out takes as many instances as it likes",
    quick: true,
    plan: withSpec(() => ({ strategy: { rollingUpdate: { maxUnavailable: "100%", maxSurge: 0 } } })),
  },
  {
    name: "a roll-out may take one instance more than it is allowed",
    plan: withSpec(({ strategy }) => {
      const { maxUnavailable, maxSurge } = strategy?.rollingUpdate ?? {};
      return typeof maxUnavailable === "number"
        ? { strategy: { rollingUpdate: { maxUnavailable: maxUnavailable + 1, ...(maxSurge !== undefined && { maxSurge }) } } }
        : {};
    }),
  },
  {
    name: "a roll-out makes as many instances as it likes",
    plan: withSpec(() => ({ strategy: { rollingUpdate: { maxSurge: 30, maxUnavailable: 0 } } })),
  },
  { name: "a share of what may be missing is rounded up", plan: withSpec(({ replicas = 1, strategy }) => roundedUp(replicas, strategy)) },
  {
    name: "none is made where one is missing",
    plan: withoutActions((action, observed) => action.tag === "create" && isPod(action) && observed.pods.length > 0),
  },
  { name: "none is removed", quick: true, plan: withoutActions((action) => action.tag === "delete" && isPod(action)) },
  {
    name: "an instance is taken for one that has served long enough as soon as it is ready",
    plan: withPods((pod) => (pod.readySince === undefined ? pod : { ...pod, readySince: 0 })),
  },
  { name: "minReadySeconds are not heeded", plan: withSpec(() => ({ minReadySeconds: 0 })) },
  {
    name: "every instance is restarted every four minutes",
    plan: withPods((pod, { now }) => ({ ...pod, restart: pod.readySince !== undefined && pod.createdAt < now - 4 * minuteMs })),
  },
  {
    name: "an instance is restarted again though it was made for that instant",
    plan: () => {
      const again = new Set<string>();
      return withPods((pod, { app }) => {
        const { restartedAt } = app.spec;
        const key = `${app.metadata.uid} ${pod.instance} ${restartedAt}`;
        if (restartedAt === undefined || pod.restartedAt === undefined || again.has(key) || pod.readySince === undefined) return pod;
        if (again.size > 3) return pod;
        again.add(key);
        return { ...pod, restart: true };
      })();
    },
  },
  { name: "nothing is restarted", plan: withSpec(() => ({ restartedAt: undefined }) as unknown as Partial<RunnerAppSpec>) },
  {
    name: "status is written once a minute though nothing has changed",
    plan: () => {
      let wroteAt = 0;
      return (observed) => {
        const plan = planRunnerApp(observed);
        const { app, now } = observed;
        if (now - wroteAt < minuteMs) return { ...plan, wakeAt: Math.min(plan.wakeAt ?? Number.POSITIVE_INFINITY, wroteAt + minuteMs) };
        wroteAt = now;
        return { ...plan, status: { resource: runnerApps, object: app, status: { summary: { images: "none" } } } };
      };
    },
  },
  {
    name: "status is never written",
    plan: doing(({ status: _, ...plan }) => plan),
  },
  {
    name: "status counts pods that are being deleted",
    plan: doing((plan, { pods: all }) =>
      plan.status === undefined || !("replicas" in plan.status.status)
        ? plan
        : { ...plan, status: { ...plan.status, status: { ...plan.status.status, replicas: all.length + 1 } } },
    ),
  },
  {
    name: "a node that is taken is left at once",
    plan: alsoDeleting(({ pods: all, nodes }) => all.filter(({ node }) => node !== undefined && nodes.get(node)?.taken === "Cordoned")),
  },
  {
    name: "an instance leaves as soon as its replacement exists",
    plan: alsoDeleting(({ pods: all }) => {
      const replaced = new Set(all.map(({ replaces }) => replaces));
      return all.filter(({ metadata }) => replaced.has(metadata.uid));
    }),
  },
  {
    name: "the storm brake is not heeded",
    plan: withSpec(({ retry }) => ({ retry: { ...retry, storm: { moves: 100, windowSeconds: 1 } } })),
  },
  { name: "the storm brake forgets", plan: withStatus(({ recentMoves: _, ...status }) => status) },
  { name: "a canary goes to all", plan: withSpec(() => ({ canary: undefined }) as unknown as Partial<RunnerAppSpec>) },
  { name: "a pause is not heeded", plan: withSpec(() => ({ paused: false })) },
  { name: "a suspension is not heeded", plan: withSpec(() => ({ suspend: false })) },
  {
    name: "revisions are collected while instances still have them",
    plan: doing((plan, { app, revisions }) => {
      const deletes = revisions
        .filter(({ metadata }) => metadata.name !== app.status?.updateRevision)
        .map(
          ({ metadata }): Action => ({ tag: "delete", resource: controllerRevisions, ref: refOf(metadata), uid: metadata.uid as string }),
        );
      return { ...plan, actions: [...plan.actions, ...deletes] };
    }),
  },
  {
    name: "a disruption budget of the app's name is taken over, whosever it is",
    quick: true,
    plan: doing((plan, { budget, app }) =>
      budget === undefined || app.metadata.name !== "fleet-2" || budget.spec?.maxUnavailable === 0
        ? plan
        : {
            ...plan,
            actions: [
              ...plan.actions,
              {
                tag: "replace",
                resource: podDisruptionBudgets,
                object: { ...budget, spec: { ...budget.spec, maxUnavailable: 0 } } as KubeObject,
              },
            ],
          },
    ),
  },
  {
    name: "a fleet has what it wants, whatever its queue grants",
    plan: withAnswer((answer, { app }) => ({ ...answer, allowed: Math.max(answer.allowed, app.spec.replicas ?? 1) })),
  },
  {
    name: "a fleet that is asked to give back keeps all that it has",
    plan: withAnswer(({ reclaim: _, ...answer }, { pods: all }) => ({ ...answer, allowed: Math.max(answer.allowed, all.length) })),
  },
  {
    name: "a fleet gives back also what it did not agree to",
    plan: withSpec(({ queue }) => (queue === undefined ? {} : { queue: { ...queue, minCount: 0 } })),
  },
  {
    name: "what is stored about moves is not read",
    plan: withStatus(({ evacuations: _, ...status }) => status),
  },
  {
    name: "a crash loop has no end: retries are never used up",
    plan: withStatus(({ recoveries, ...status }) => ({
      ...status,
      ...(recoveries !== undefined && {
        recoveries: recoveries.map(({ exhaustedAt: _, ...row }) => ({ ...row, otherNodesUsed: 0, sameNodeUsed: 0 })),
      }),
    })),
  },
];

/** maxUnavailable as a number, rounded up where a Deployment rounds down. */
function roundedUp(replicas: number, strategy: RunnerAppSpec["strategy"]): Partial<RunnerAppSpec> {
  const { maxUnavailable = "25%", maxSurge } = strategy?.rollingUpdate ?? {};
  if (typeof maxUnavailable === "number") return {};
  const most = Math.ceil((Number.parseInt(maxUnavailable, 10) * replicas) / 100);
  return { strategy: { rollingUpdate: { maxUnavailable: most, ...(maxSurge !== undefined && { maxSurge }) } } };
}

/** Plays a seed with a broken rule, until something is noticed. */
export function playFleetMutant(name: string, seed: number): Promise<SimulationResult> {
  const mutant = fleetMutants.find((each) => each.name === name);
  if (mutant === undefined) throw new RangeError(`no mutant "${name}"`);
  return simulateFleets({ seed, plan: mutant.plan(), untilProblem: true });
}
