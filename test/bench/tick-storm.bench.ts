/**
 * Many one-item ElasticJobs that fire in the same second, against a plain loader that posts byte-identical pods, and against CronJobs.
 *
 * Each round takes fresh namespaces; the order of operator and loader alternates. Whichever is not measured does not run. Times are from
 * the fire time to the answer of the last create, by the audit log. CronJobs use the same API server, whose kube-controller-manager is
 * started for them alone; the one with default limits has a control plane of its own.
 *
 * Not measured: scheduling and starting pods (nothing binds them), more than one API server, etcd with fsync, a network between.
 */
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster } from "./support/cluster.ts";
import { largest, median, rounded } from "./support/figures.ts";
import { tell } from "./support/progress.ts";
import { type OperatorStorm, type Storm, stormOfCronJobs, stormOfElasticJobs, stormOfLoader, tellStorm } from "./support/storm.ts";

const raisedLimits = [
  "--kube-api-qps=2000",
  "--kube-api-burst=4000",
  "--concurrent-cron-job-syncs=50",
  "--concurrent-job-syncs=50",
] as const;

const longestTries = 3;

const bench: Bench = async (words) => {
  const choice = readArguments(words, { jobs: 2000, rounds: 5, "default-jobs": 300, lead: 0, profile: "" });
  const ours: (OperatorStorm & { readonly namespace: string })[] = [];
  const loader: Storm[] = [];
  let raised: Storm | undefined;
  const cluster = await BenchCluster.start({ components: { controllerManager: { args: raisedLimits } } });
  try {
    await cluster.plane.kill("kube-controller-manager");
    let lead = choice.lead || choice.jobs * 0.02 + 20;
    for (let round = 1; round <= choice.rounds; round++) {
      const operatorTurn = async () => {
        for (let attempt = 1; ; attempt++) {
          const namespace = `storm-e-${round}-${attempt}`;
          const storm = await stormOfElasticJobs(cluster, namespace, choice.jobs, lead, choice.profile);
          if (storm !== undefined) {
            tellStorm(`round ${round}, operator`, storm);
            ours.push({ ...storm, namespace });
            lead = choice.lead || storm.armSeconds * 1.5 + 10;
            return;
          }
          lead *= 2;
          tell(`round ${round}: the jobs were armed too late; once more with ${lead.toFixed(0)} s`);
          if (attempt === longestTries) throw new Error("the operator does not arm the jobs in time");
        }
      };
      const loaderTurn = async () => {
        const from = ours.at(-1);
        if (from === undefined) throw new Error("the first round begins with the operator");
        const storm = await stormOfLoader(cluster, `storm-l-${round}-1`, from.namespace, from);
        tellStorm(`round ${round}, loader`, storm);
        loader.push(storm);
      };
      for (const turn of round % 2 === 1 ? [operatorTurn, loaderTurn] : [loaderTurn, operatorTurn]) await turn();
    }
    await cluster.plane.launch("kube-controller-manager");
    raised = await stormOfCronJobs(cluster, "storm-cron", choice.jobs, choice.jobs * 0.02 + 20);
    tellStorm("CronJobs, raised limits", raised);
  } finally {
    await cluster.stop();
  }
  const fallback = await defaultLimits(choice["default-jobs"]);
  const ratios = ours.map((storm, index) => storm.seconds / (loader[index]?.seconds ?? Number.NaN));
  const seconds = median(ours.map((storm) => storm.seconds));
  const perJob = (storm: Storm, jobs: number) => (storm.etcdWrites / jobs).toFixed(2);
  return {
    name: "tick-storm",
    figures: {
      ratioToLoader: rounded(median(ratios)),
      operatorSeconds: rounded(seconds),
      loaderSeconds: rounded(median(loader.map((storm) => storm.seconds))),
      createsBeforeFireTime: ours.reduce((sum, storm) => sum + storm.early, 0),
      statusSecondsAfterLastCreate: rounded(
        largest(ours.map((storm) => (Number.isNaN(storm.statusSeconds) ? Number.POSITIVE_INFINITY : storm.statusSeconds))),
      ),
      cronJobRaisedSeconds: rounded(raised.seconds),
      timesFasterThanRaisedCronJob: rounded(raised.seconds / seconds),
      cronJobDefaultPodsPerSecond: rounded(choice["default-jobs"] / fallback.seconds),
    },
    targets: {
      ratioToLoader: { max: 1.25 },
      createsBeforeFireTime: { max: 0 },
      statusSecondsAfterLastCreate: { max: 10 },
      timesFasterThanRaisedCronJob: { min: 4 },
    },
    table: {
      columns: ["load", "jobs", "seconds", "pods/s", "ratio", "status after, s", "etcd writes a job"],
      rows: [
        ...ours.flatMap((storm, index) => [
          stormRow(
            `operator, round ${index + 1}`,
            choice.jobs,
            storm,
            (ratios[index] ?? Number.NaN).toFixed(2),
            storm.statusSeconds.toFixed(1),
          ),
          stormRow(`plain loader, round ${index + 1}`, choice.jobs, loader[index] as Storm, "", ""),
        ]),
        stormRow(`CronJobs, kube-controller-manager ${raisedLimits.join(" ")}`, choice.jobs, raised, "", ""),
        stormRow("CronJobs, kube-controller-manager with default limits", choice["default-jobs"], fallback, "", ""),
      ],
    },
  };

  function stormRow(label: string, jobs: number, storm: Storm, ratio: string, status: string): readonly string[] {
    return [label, String(jobs), storm.seconds.toFixed(2), (jobs / storm.seconds).toFixed(0), ratio, status, perJob(storm, jobs)];
  }
};

async function defaultLimits(jobs: number): Promise<Storm> {
  const cluster = await BenchCluster.start({ components: { controllerManager: true } });
  try {
    tell("CronJobs with default limits");
    const storm = await stormOfCronJobs(cluster, "storm-cron", jobs, jobs * 0.02 + 20);
    tellStorm("CronJobs, default limits", storm);
    return storm;
  } finally {
    await cluster.stop();
  }
}

export default bench;
