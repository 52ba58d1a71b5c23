import { setTimeout as sleep } from "node:timers/promises";
import type { BenchCluster } from "./cluster.ts";
import { elasticJob, fullSecondAfter, podTemplate, yearlyAtSecond } from "./manifests.ts";
import { jobsPath } from "./population.ts";
import { sideBySide } from "./side-by-side.ts";
import { costOfNamespaces, namesOf, type WriteCost } from "./write-load.ts";

/** Runs with an option that may cost requests of its own; the objects of one namespace are one sample. */
export interface OptionLoad {
  readonly key: string;
  readonly label: string;
  /** By the name of the job, its spec besides the template. */
  jobs(fireTime: number): Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** ConfigMaps that they refer to, by name. */
  readonly configMaps?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** How long a pod works. Absent = 1 s. */
  readonly runMs?: number;
  /** A JobRequest that is made at the fire time. */
  readonly request?: Readonly<Record<string, unknown>>;
  /** How many runs succeed in all. */
  readonly runs: number;
  /** What a sample may cost at the median, as docs/elasticjob.md and docs/jobrequest.md say. */
  readonly budget: number;
}

const once = (fireTime: number) => ({ schedule: { crons: [yearlyAtSecond(fireTime)] } });

/** What the docs say that options cost, besides the 3 requests of each run of one short item. */
export const optionLoads: readonly OptionLoad[] = [
  {
    key: "free",
    label: "options that cost nothing: jitter, calendar, options, parametersFrom, rules, completion, limits",
    configMaps: { holidays: { dates: "2020-01-01" }, parameters: { list: "first\n" } },
    jobs: (fireTime) => ({
      job: {
        schedule: { ...once(fireTime).schedule, jitterSeconds: 2, calendars: [{ name: "holidays", effect: "Exclude" }] },
        sharding: { total: 1, parametersFrom: { configMap: "parameters", key: "list" } },
        options: [{ name: "day", type: "Date", default: "-1d" }],
        retry: { otherNodes: 1, rules: [{ onExitCodes: { operator: "In", values: [65] }, action: "FailItem" }] },
        nodeRules: [{ node: "nowhere", effect: "Exclude" }],
        completion: { maxFailedItems: 0 },
        deadlineSeconds: 600,
        runTimeoutSeconds: 600,
        itemTimeoutSeconds: 600,
        safeToEvict: false,
        appendShardingContext: true,
      },
    }),
    runs: 1,
    budget: 3,
  },
  {
    key: "reduce",
    label: "2 items and their reduce",
    jobs: (fireTime) => ({ job: { ...once(fireTime), sharding: { total: 2 }, reduce: { template: podTemplate({ runMs: 1000 }) } } }),
    runs: 1,
    // It takes some three seconds, so a status in between may be due.
    budget: 8,
  },
  {
    key: "after",
    label: "a run, and one after it without a schedule",
    jobs: (fireTime) => ({ first: once(fireTime), second: { after: [{ job: "first" }] } }),
    runs: 2,
    budget: 6,
  },
  {
    key: "afterWaiting",
    label: "a run, and one with a schedule that waits for it",
    jobs: (fireTime) => ({ first: once(fireTime), second: { ...once(fireTime), after: [{ job: "first" }] } }),
    runs: 2,
    budget: 7,
  },
  {
    key: "enqueued",
    label: "a run, and one that waits its turn",
    runMs: 3000,
    jobs: (fireTime) => ({
      job: { schedule: { crons: [fireTime, fireTime + 1000].map(yearlyAtSecond) }, concurrencyPolicy: "Enqueue" },
    }),
    runs: 2,
    // Each takes more than three seconds, so a status in between may be due for both.
    budget: 9,
  },
  {
    key: "late",
    label: "a run beyond its deadlineSeconds: a status and an event",
    runMs: 3000,
    jobs: (fireTime) => ({ job: { ...once(fireTime), deadlineSeconds: 1 } }),
    runs: 1,
    budget: 5,
  },
  {
    key: "requested",
    label: "a run that a JobRequest asks for",
    jobs: () => ({ job: {} }),
    request: { jobName: "job", ttlSecondsAfterFinished: 1, run: {} },
    runs: 1,
    budget: 8,
  },
  {
    key: "observed",
    label: "a fire time in a namespace that is only observed",
    annotations: { "nuptse.dev/observe": "true" },
    jobs: (fireTime) => ({ job: once(fireTime) }),
    runs: 0,
    budget: 1,
  },
];

/** What a load with an option costs, in so many namespaces at once. */
export async function costOfOption(cluster: BenchCluster, load: OptionLoad, samples: number): Promise<WriteCost> {
  const namespaces = namesOf(`option-${load.key.toLowerCase()}`, samples);
  await cluster.createAll(
    "/api/v1/namespaces",
    namespaces.map((name) => ({ metadata: { name, ...(load.annotations !== undefined && { annotations: load.annotations }) } })),
  );
  const first = fullSecondAfter(15_000 + samples * 200);
  const jobs = Object.entries(load.jobs(first));
  await sideBySide(namespaces, 32, async (namespace) => {
    for (const [name, data] of Object.entries(load.configMaps ?? {}))
      await cluster.send("POST", `/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name }, data });
    const template = podTemplate({ runMs: load.runMs ?? 1000 });
    for (const [name, spec] of jobs)
      await cluster.send(
        "POST",
        jobsPath(namespace),
        elasticJob(namespace, name, { podRetention: { succeeded: 0, failed: 0 }, template, ...spec }),
      );
  });
  if (load.runs > 0) await cluster.armed("", samples * jobs.length);
  if (Date.now() > first - 1000) throw new Error("the jobs were armed too late; is the machine very busy?");
  const asked = load.request === undefined ? undefined : ask(cluster, namespaces, load.request, first);
  const requestsLeft = () => (asked === undefined ? 0 : cluster.count("/apis/nuptse.dev/v1alpha1/jobrequests"));
  const cost = await costOfNamespaces(cluster, namespaces, first, first + 1000, async () => {
    return (await cluster.count("/api/v1/pods")) === 0 && (await requestsLeft()) === 0;
  });
  await asked;
  const all = await cluster.list("/apis/nuptse.dev/v1alpha1/elasticjobs");
  const ended = all.flatMap((job) => (job.status?.["history"] ?? []) as readonly { readonly phase?: string }[]);
  const succeeded = ended.filter(({ phase }) => phase === "Succeeded");
  if (succeeded.length !== load.runs * samples)
    throw new Error(`${load.key}: ${succeeded.length} runs succeeded: ${JSON.stringify(all[0])}`);
  await sideBySide(namespaces, 32, (name) => cluster.deleteAll(jobsPath(name)));
  return cost;
}

async function ask(
  cluster: BenchCluster,
  namespaces: readonly string[],
  spec: Readonly<Record<string, unknown>>,
  at: number,
): Promise<void> {
  await sleep(at - Date.now());
  await sideBySide(namespaces, 32, (namespace) =>
    cluster.send("POST", `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/jobrequests`, {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "JobRequest",
      metadata: { name: "ask" },
      spec,
    }),
  );
}
