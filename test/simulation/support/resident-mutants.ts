import type { DispatchAction } from "../../../src/api/action.ts";
import type { ElasticJobRun } from "../../../src/api/elastic-job.gen.ts";
import type { AttemptPod } from "../../../src/elasticjob/rules/attempt.ts";
import type { ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import { type ElasticJobPlan, planElasticJob } from "../../../src/elasticjob/rules/plan.ts";
import { simulateResidents } from "../../../src/simulator/harness/residents/resident-simulation.ts";
import type { SimulationResult } from "../../../src/simulator/harness/simulation.ts";

/** A rule of dispatch broken on purpose, as a person might break it; some invariant must catch it. */
export interface ResidentMutant {
  readonly name: string;
  readonly plan: (observed: ObservedJob) => ElasticJobPlan;
  /** Quick to be caught: part of the short run. */
  readonly quick?: true;
}

const withPods = (change: (pod: AttemptPod, observed: ObservedJob) => AttemptPod) => (observed: ObservedJob) =>
  planElasticJob({ ...observed, pods: observed.pods.map((pod) => change(pod, observed)) });

const lost = (pod: AttemptPod, at: number): AttemptPod => ({
  ...pod,
  end: { terminated: false, success: false, finishedAt: at, message: "", reason: "InstanceGone" },
});

const instanceOf = ({ executor }: AttemptPod, { fleets }: ObservedJob) => {
  const fleet = fleets?.get(executor?.runner ?? "")?.fleet;
  return typeof fleet === "object" ? fleet.instances.find(({ id }) => id === executor?.record.instance) : undefined;
};

export const residentMutants: readonly ResidentMutant[] = [
  {
    name: "an item moves as soon as its instance is not ready",
    quick: true,
    plan: withPods((pod, observed) =>
      pod.executor !== undefined && pod.end === undefined && instanceOf(pod, observed)?.isReady === false ? lost(pod, pod.createdAt) : pod,
    ),
  },
  {
    name: "an item moves as soon as its machine is listed no more",
    quick: true,
    plan: withPods((pod, observed) =>
      pod.executor?.runner === "machines" && pod.end === undefined && instanceOf(pod, observed) === undefined
        ? lost(pod, pod.createdAt)
        : pod,
    ),
  },
  {
    name: "an item moves when its time is over, whatever its executor says",
    quick: true,
    plan: withPods((pod, { now }) =>
      pod.executor !== undefined && pod.end === undefined && pod.createdAt + 5_000 <= now ? lost(pod, pod.createdAt) : pod,
    ),
  },
  {
    name: "an attempt that is silent for a moment is given up",
    quick: true,
    plan: withPods((pod) =>
      pod.executor?.state?.silentSince !== undefined && pod.end === undefined ? lost(pod, pod.executor.state.silentSince) : pod,
    ),
  },
  {
    name: "executors hear of an attempt before it stands in status",
    quick: true,
    plan: (observed) => {
      const plan = planElasticJob(observed);
      const active = (plan.status?.status["active"] ?? []) as readonly ElasticJobRun[];
      const ahead = active.flatMap(({ run, dispatches = [] }) =>
        dispatches.flatMap((entry): DispatchAction[] => {
          const fleet = observed.fleets?.get("workers")?.fleet;
          const instance = typeof fleet === "object" ? fleet.instances.find(({ id }) => id === entry.instance) : undefined;
          const item = Number.parseInt(entry.items ?? "0", 10);
          const { namespace, name, uid } = observed.job.metadata;
          const id = `${uid}/${run}/${item}/${entry.attempt}`;
          if (instance?.address === undefined || Number.isNaN(item)) return [];
          return [
            {
              tag: "dispatch",
              job: { namespace: namespace as string, name },
              jobUid: uid as string,
              key: `${run}/${item}/${entry.attempt}`,
              target: { protocol: "HTTP", app: "default/workers", instance: instance.id, baseUrl: `http://${instance.address}:8080` },
              task: {
                id,
                job: { namespace: namespace as string, name, uid: uid as string },
                run,
                fireTime: observed.now,
                item,
                total: 1,
                handler: "work",
                parameter: "",
                itemParameter: "",
                attempt: entry.attempt ?? 1,
                deadline: undefined,
                traceparent: undefined,
              },
              round: 1,
              remembersUntil: observed.now + 840_000,
              repeats: false,
              asksFirst: false,
              givenUpAt: observed.now + 600_000,
            },
          ];
        }),
      );
      return { ...plan, actions: [...plan.actions, ...ahead] };
    },
  },
  {
    name: "a run that status names is handed over to whoever has room",
    quick: true,
    plan: (observed) => {
      const plan = planElasticJob(observed);
      const fleet = observed.fleets?.get("workers")?.fleet;
      const ready = typeof fleet === "object" ? fleet.instances.filter(({ isReady }) => isReady) : [];
      const other = (instance: string) => ready.find(({ id }) => id !== instance);
      return {
        ...plan,
        actions: plan.actions.map((action) => {
          const isRecorded = observed.job.status?.active?.some(({ run }) => action.tag === "dispatch" && run === action.task.run);
          if (action.tag !== "dispatch" || isRecorded === true || action.isUncertain === true) return action;
          const elsewhere = other(action.target.instance)?.id;
          return elsewhere === undefined ? action : { ...action, target: { ...action.target, instance: elsewhere } };
        }),
      };
    },
  },
  {
    name: "places that others have are given once more",
    quick: true,
    plan: (observed) => {
      const fleets = new Map([...(observed.fleets ?? [])].map(([name, seen]) => [name, { ...seen, roomOn: () => 100, room: 100 }]));
      return planElasticJob({ ...observed, ...(observed.fleets !== undefined && { fleets }) });
    },
  },
];

/** Plays one seed with a rule broken. */
export function playResidentMutant(name: string, seed: number): Promise<SimulationResult> {
  const mutant = residentMutants.find((each) => each.name === name);
  if (mutant === undefined) throw new RangeError(`no mutant "${name}"`);
  return simulateResidents({ seed, plan: mutant.plan, untilProblem: true });
}
