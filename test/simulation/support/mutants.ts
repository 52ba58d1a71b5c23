import type { Action, DeleteAction } from "../../../src/api/action.ts";
import { labels, reduceItem } from "../../../src/api/names.ts";
import { configMaps, elasticJobs, pods } from "../../../src/api/resource.ts";
import { formatSeconds } from "../../../src/base/time.ts";
import type { AttemptPod } from "../../../src/elasticjob/rules/attempt.ts";
import type { ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import { type ElasticJobPlan, planElasticJob } from "../../../src/elasticjob/rules/plan.ts";
import { type ReadSpec, readSpec } from "../../../src/elasticjob/rules/read-spec.ts";
import type { Upstream } from "../../../src/elasticjob/rules/upstream.ts";
import type { Transport } from "../../../src/kube/transport.ts";
import { elasticJob, template } from "../../../src/simulator/harness/job-mix.ts";
import { faultClasses } from "../../../src/simulator/world/faults.ts";
import type { SimulationOptions } from "../../../src/simulator/harness/simulation.ts";

/** A rule broken on purpose, as a person might break it; some invariant must catch it. */
export interface Mutant {
  readonly name: string;
  /** Fresh for each seed: some remember things. */
  readonly options: () => Omit<SimulationOptions, "seed">;
  /** Quick to be caught: part of the short run. */
  readonly quick?: true;
}

/** The rules made from something else than what was observed. */
const seeing = (change: (observed: ObservedJob) => ObservedJob) => () => ({
  plan: (observed: ObservedJob) => planElasticJob(change(observed)),
});
/** The rules' plan, changed. */
const doing = (change: (plan: ElasticJobPlan, observed: ObservedJob) => ElasticJobPlan) => () => ({
  plan: (observed: ObservedJob) => change(planElasticJob(observed), observed),
});

const withActions = (plan: ElasticJobPlan, actions: readonly Action[]): ElasticJobPlan => ({
  ...plan,
  actions: [...plan.actions, ...actions],
});
const deletion = (pod: AttemptPod): DeleteAction => ({
  tag: "delete",
  resource: pods,
  ref: { namespace: pod.metadata.namespace as string, name: pod.metadata.name },
  uid: pod.metadata.uid as string,
});
const statusOf = (plan: ElasticJobPlan) => (plan.status?.status ?? {}) as Record<string, unknown>;

const armedOf = ({ armed }: ReadSpec): Pick<ObservedJob, "armed"> => (armed === undefined ? {} : { armed });

/** Takes pods for gone that the rules would wait for. */
const takenForGone = (isGone: (pod: AttemptPod, observed: ObservedJob) => boolean) =>
  seeing((observed) => {
    const gone = observed.pods.filter((pod) => pod.end === undefined && isGone(pod, observed));
    return {
      ...observed,
      pods: observed.pods.filter((pod) => !gone.includes(pod)),
      vanished: [...observed.vanished, ...gone.map((pod) => ({ pod, at: observed.now }))],
    };
  });

const busy = { rounds: 3 };

const firing = { crons: ["0 */1 * * * ?"], endAt: "2026-11-21T12:35:00Z" };
/** Half of the upper job's runs take too long. */
const dag = {
  jobs: [
    elasticJob("upper", {
      schedule: firing,
      template: template({ runMs: [500, 20_000] }),
      itemTimeoutSeconds: 10,
    }),
    elasticJob("lower", { after: [{ job: "upper" }], dependencyTimeoutSeconds: 900, template: template({ runMs: [500, 5_000] }) }),
  ].map((manifest) => ({ manifest, edits: [] })),
};

/** The rules with another picture of the jobs that a job is after. */
const seeingUpstreams = (change: (upstream: Upstream, observed: ObservedJob) => Upstream) =>
  seeing((observed) => {
    const { dependencies } = observed;
    if (dependencies === undefined) return observed;
    const upstreams = new Map([...dependencies.upstreams].map(([name, upstream]) => [name, change(upstream, observed)]));
    return { ...observed, dependencies: { ...dependencies, upstreams } };
  })();

export const mutants: readonly Mutant[] = [
  {
    name: "pods are deleted before their outcome stands in status",
    quick: true,
    options: doing((plan, observed) =>
      withActions(plan, observed.pods.filter((pod) => pod.end !== undefined && pod.deletion === undefined).map(deletion)),
    ),
  },
  {
    name: "a run that is to end loses its pods in the plan that records it",
    options: doing((plan, observed) => {
      const before = new Set(observed.job.status?.active?.filter((run) => run.ending !== undefined).map((run) => run.run));
      const active = (statusOf(plan)["active"] ?? []) as readonly { readonly run: string; readonly ending?: object }[];
      const ending = new Set(active.filter((run) => run.ending !== undefined && !before.has(run.run)).map((run) => run.run));
      return withActions(plan, observed.pods.filter((pod) => ending.has(pod.run) && pod.end === undefined).map(deletion));
    }),
  },
  {
    name: "lastHandledFireTime is written ahead of the run",
    quick: true,
    options: doing((plan, observed) => {
      const newest = plan.fired.at(-1);
      if (newest === undefined) return plan;
      const status = { ...statusOf(plan), lastHandledFireTime: formatSeconds(newest.fireTime) };
      return { ...plan, status: { resource: elasticJobs, object: observed.job, status } };
    }),
  },
  { name: "jitter is left out", options: seeing((observed) => ({ ...observed, jitterMs: 0 })) },
  {
    name: "calendars are left out",
    options: seeing((observed) =>
      observed.calendars.kind === "usable" ? { ...observed, ...armedOf(readSpec(observed.job, observed.problems)) } : observed,
    ),
  },
  {
    name: "a calendar that is edited counts for the past",
    options: seeing((observed) => ({ ...observed, scheduleText: readSpec(observed.job, observed.problems).scheduleText })),
  },
  {
    name: "what waits in the lane begins although a run is at work",
    options: seeing((observed) =>
      observed.spec.concurrencyPolicy === "Enqueue" ? { ...observed, spec: { ...observed.spec, concurrencyPolicy: "Allow" } } : observed,
    ),
  },
  {
    name: "nobody is told that a run is late",
    options: seeing((observed) => ({ ...observed, spec: { ...observed.spec, deadlineMs: Number.POSITIVE_INFINITY } })),
  },
  {
    name: "an unreachable node is taken for lost",
    options: takenForGone((pod, observed) => pod.node !== undefined && observed.nodes.known(pod.node) && !observed.nodes.usable(pod.node)),
  },
  { name: "a deletionTimestamp is taken for an end", quick: true, options: takenForGone((pod) => pod.deletion !== undefined) },
  {
    name: "a program that ends well while it is being deleted has succeeded",
    options: seeing((observed) => ({ ...observed, endedUndeleted: new Set(observed.pods.map((pod) => pod.metadata.uid as string)) })),
  },
  {
    name: "a fire time without pods is fired again",
    options: seeing((observed) => {
      const { lastHandledFireTime: _, history: __, ...status } = observed.job.status ?? {};
      return observed.pods.length > 0 || (status.active ?? []).length > 0 ? observed : { ...observed, job: { ...observed.job, status } };
    }),
  },
  {
    name: "a retry may use the node on which the attempt before it failed",
    options: doing((plan) => ({
      ...plan,
      actions: plan.actions.map((action) => {
        if (action.tag !== "create" || action.object.kind !== "Pod") return action;
        const { spec } = action.object as unknown as { readonly spec: object };
        return { ...action, object: { ...action.object, spec: { ...spec, affinity: undefined } } as typeof action.object };
      }),
    })),
  },
  {
    name: "what the misfire rules decided is not handled by that",
    options: doing((plan) => {
      const { active, lastHandledFireTime: _, ...rest } = statusOf(plan);
      const kept = (active as readonly { readonly reason?: string }[] | null | undefined)?.some((run) => run.reason === "Misfire");
      return plan.status === undefined || kept !== true ? plan : { ...plan, status: { ...plan.status, status: { ...rest, active } } };
    }),
  },
  {
    name: "status is written without the version it was planned from",
    options: () => ({
      ...busy,
      wrapTransport: (inner: Transport): Transport => ({
        request(request) {
          if (request.method !== "PATCH" || !request.path.endsWith("/status")) return inner.request(request);
          return inner.request({ ...request, body: { ...(request.body as object), metadata: {} } });
        },
        stream: (request, signal) => inner.stream(request, signal),
      }),
    }),
  },
  {
    name: "finished pods go at once: the lock has no life",
    options: () => ({
      rounds: 15,
      without: faultClasses.filter((name) => !["delayedWrite", "crashAfterWrite", "paused", "nodeReturned"].includes(name)),
      ...seeing((observed) => ({
        ...observed,
        spec: { ...observed.spec, podRetention: { succeeded: 0, failed: 0, minMs: 0 } },
      }))(),
    }),
  },
  {
    name: "a new leader plans before its cache of pods is filled",
    options: seeing((observed) => (observed.now - observed.termStart < 5_000 ? { ...observed, pods: [] } : observed)),
  },
  {
    name: "fire times that overlap a run are fired although they are to be skipped",
    options: seeing((observed) => ({
      ...observed,
      spec: { ...observed.spec, misfire: { ...observed.spec.misfire, onOverlap: "FireAll" } },
    })),
  },
  {
    name: "fire times that nobody led at are fired although they are to be skipped",
    options: seeing((observed) => ({ ...observed, termStart: Number.NEGATIVE_INFINITY })),
  },
  {
    name: "Replace does not wait for the pods of the run before",
    options: seeing((observed) => {
      const active = observed.job.status?.active?.filter((run) => run.ending?.reason !== "Replaced");
      return active === undefined ? observed : { ...observed, job: { ...observed.job, status: { ...observed.job.status, active } } };
    }),
  },
  {
    name: "Forbid allows",
    quick: true,
    options: seeing((observed) => ({
      ...observed,
      spec: {
        ...observed.spec,
        concurrencyPolicy: observed.spec.concurrencyPolicy === "Forbid" ? "Allow" : observed.spec.concurrencyPolicy,
      },
    })),
  },
  {
    name: "parallelism is not heeded",
    options: seeing((observed) => ({ ...observed, spec: { ...observed.spec, parallelism: Number.POSITIVE_INFINITY } })),
  },
  {
    name: "a run ends with its items, and is not reduced",
    options: seeing((observed) => ({
      ...observed,
      pods: observed.pods.map(({ history: { reduce: _, ...history }, ...pod }) => ({ ...pod, history })),
      revisions: observed.revisions.map((revision) => ({ ...revision, data: { ...(revision.data as object), reduce: undefined } })),
    })),
  },
  {
    name: "a reduce is not given the result of the last item",
    options: doing((plan) => ({
      ...plan,
      actions: plan.actions.map((action) => {
        if (action.tag !== "create" || action.object.kind !== "ConfigMap") return action;
        const { data } = action.object as unknown as { readonly data: Readonly<Record<string, string>> };
        const text = data["results.jsonl"]?.replace(/[^\n]*\n$/, "");
        return { ...action, object: { ...action.object, data: { "results.jsonl": text } } as typeof action.object };
      }),
    })),
  },
  {
    name: "results are thrown away as soon as the reduce has them",
    options: doing((plan, observed) =>
      withActions(
        plan,
        observed.resultsFiles
          .filter((file) => observed.pods.some((pod) => pod.run === file.run && pod.item === reduceItem))
          .map((file) => ({
            tag: "delete",
            resource: configMaps,
            ref: { namespace: file.metadata.namespace as string, name: file.metadata.name },
            uid: file.metadata.uid as string,
          })),
      ),
    ),
  },
  {
    name: "failover has no limit",
    options: seeing((observed) => ({
      ...observed,
      spec: { ...observed.spec, retry: { ...observed.spec.retry, failoverLimit: Number.POSITIVE_INFINITY } },
    })),
  },
  {
    name: "finished pods are collected by the job's UID alone",
    options: doing((plan, observed) => ({
      ...plan,
      actions: plan.actions.map((action) =>
        action.tag === "deleteCollection" ? { ...action, labelSelector: `${labels.jobUid}=${observed.job.metadata.uid}` } : action,
      ),
    })),
  },
  {
    name: "the leader trusts its own clock",
    options: () => ({ ...busy, ...seeing((observed) => ({ ...observed, serverNow: observed.now }))() }),
  },
  {
    name: "a quota's refusal costs an attempt",
    options: seeing((observed) => {
      const refused = new Set(observed.memory.refusals.keys());
      const pods = observed.pods.map((pod) => (refused.has(pod.run) ? { ...pod, attempt: pod.attempt + 1 } : pod));
      return { ...observed, pods };
    }),
  },
  {
    name: "status is written although nothing moved",
    options: () => {
      let minute = 0;
      return doing((plan, observed) => {
        const now = Math.floor(observed.now / 60_000);
        if (plan.status !== undefined || now === minute)
          return { ...plan, wakeAt: Math.min(plan.wakeAt ?? Number.POSITIVE_INFINITY, observed.now + 60_000) };
        minute = now;
        const summary = { progress: String(now) };
        return { ...plan, status: { resource: elasticJobs, object: observed.job, status: { summary } }, wakeAt: observed.now + 60_000 };
      })();
    },
  },
  {
    name: "a pod that is stopped is deleted whatever has become of it",
    options: () => ({
      ...busy,
      ...doing((plan) => ({
        ...plan,
        actions: plan.actions.map((action) => {
          if (action.tag !== "delete") return action;
          const { resourceVersion: _, ...blind } = action;
          return blind;
        }),
      }))(),
    }),
  },
  {
    name: "an end is never recorded",
    options: doing((plan, observed) => {
      const ended = plan.reasons.some((reason) => reason.includes(" ended: "));
      if (!ended) return plan;
      const { status: _, ...rest } = plan;
      return { ...rest, wakeAt: observed.now + 600_000 };
    }),
  },
  {
    name: "retry.rules are not heeded",
    quick: true,
    options: seeing((observed) => ({ ...observed, spec: { ...observed.spec, retry: { ...observed.spec.retry, rules: [] } } })),
  },
  {
    name: "a failure that is ignored counts",
    options: seeing((observed) => {
      const rules = observed.spec.retry.rules.map((rule) => (rule.action === "Ignore" ? { ...rule, action: "Count" as const } : rule));
      return { ...observed, spec: { ...observed.spec, retry: { ...observed.spec.retry, rules } } };
    }),
  },
  {
    name: "resetAfterSeconds is not heeded",
    options: seeing((observed) => ({
      ...observed,
      spec: { ...observed.spec, retry: { ...observed.spec.retry, resetAfterMs: Number.POSITIVE_INFINITY } },
    })),
  },
  {
    name: "completion allows one more failed item than it says",
    options: seeing((observed) => {
      const { completion } = observed.spec;
      const maxFailedItems = typeof completion.maxFailedItems === "number" ? completion.maxFailedItems + 1 : "100%";
      return { ...observed, spec: { ...observed.spec, completion: { ...completion, maxFailedItems } } };
    }),
  },
  {
    name: "completion.failFast waits for the other items",
    options: seeing((observed) => ({
      ...observed,
      spec: { ...observed.spec, completion: { ...observed.spec.completion, failFast: false } },
    })),
  },
  {
    name: "an unreachable node is given up as soon as it is one",
    options: seeing((observed) => ({
      ...observed,
      spec: { ...observed.spec, unreachableMs: observed.spec.unreachableMs === Number.POSITIVE_INFINITY ? observed.spec.unreachableMs : 0 },
    })),
  },
  {
    name: "a pod is given up with its node before its deletion was asked for",
    options: seeing((observed) => ({
      ...observed,
      pods: observed.pods.map((pod) => {
        const stops = observed.job.status?.active?.find((run) => run.run === pod.run)?.stops ?? [];
        const meant = stops.some((stop) => stop.item === pod.item && stop.attempt === pod.attempt && stop.reason === "Unreachable");
        return meant ? { ...pod, deletion: pod.deletion ?? { at: observed.now, graceMs: 0 } } : pod;
      }),
    })),
  },
  {
    name: "nodeRules exclude nothing",
    options: seeing((observed) => ({ ...observed, spec: { ...observed.spec, nodeRules: [] } })),
  },
  {
    name: "a run of a job begins whatever became of the run that it is after",
    quick: true,
    options: () => ({ ...dag, ...seeingUpstreams((upstream) => ({ ...upstream, listed: new Map() })) }),
  },
  {
    name: "a run of a job does not wait for the end of the run that it is after",
    options: () => ({ ...dag, ...seeingUpstreams((upstream, observed) => ({ ...upstream, active: new Set(), handled: observed.now })) }),
  },
  {
    name: "a job without a schedule takes lastHandledFireTime from the job that it is after",
    options: () => ({
      ...dag,
      ...seeing((observed) => {
        const upstream = observed.dependencies?.derived ? [...observed.dependencies.upstreams.values()][0] : undefined;
        const { status } = observed.job;
        if (upstream === undefined || status === undefined || !Number.isFinite(upstream.handled)) return observed;
        return { ...observed, job: { ...observed.job, status: { ...status, lastHandledFireTime: formatSeconds(upstream.handled) } } };
      })(),
    }),
  },
];
