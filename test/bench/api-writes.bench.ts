/**
 * What a run costs in requests that change something, by the API server's audit log: from its fire time until its pods are deleted. The
 * same loads as CronJobs with (Indexed) Jobs on the real kube-controller-manager, in the same run. What options add. The operator at rest.
 *
 * Each run has a namespace of its own, so that every request there is its. Pods live: kubelets and a scheduler without machines are
 * another client; what they write is shown beside and is in etcd's count.
 *
 * Not measured: arming a job (a dry run, a revision, a status patch, once for each template), reads and watches, bytes, clean-up that
 * serves several runs at once, which makes ours cheaper.
 */
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { BenchCluster } from "./support/cluster.ts";
import { largest, median, rounded } from "./support/figures.ts";
import { costOfOption, type OptionLoad, optionLoads } from "./support/option-loads.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { tell } from "./support/progress.ts";
import { startWorld } from "./support/world-process.ts";
import { costOfCronJobs, costOfElasticJobs, type WriteCost, type WriteLoad, writesAtRest } from "./support/write-load.ts";

const raisedLimits = ["--kube-api-qps=2000", "--kube-api-burst=4000", "--concurrent-cron-job-syncs=50", "--concurrent-job-syncs=50"];
const smallWave = { runs: 50, seconds: 60 };

const bench: Bench = async (words) => {
  const choice = readArguments(words, {
    runs: 50,
    "cron-runs": 50,
    items: 100,
    "large-items": 10_000,
    "large-runs": 1,
    "large-cron-runs": 1,
    "idle-jobs": 1000,
    "rest-seconds": 300,
    "option-samples": 10,
    /** Keys of the options to be measured, with commas between; "" = all. */
    options: "",
    profile: "",
  });
  const { items, "large-items": largeItems } = choice;
  const loads: readonly WriteLoad[] = [
    { key: "short", label: "1 item of 1 s", items: 1, script: { runMs: 1000 }, retries: 0, wave: smallWave, budget: 3 },
    { key: "minute", label: "1 item of 60 s", items: 1, script: { runMs: 60_000 }, retries: 0, wave: smallWave, budget: 4 },
    {
      key: "failing",
      label: "1 item failing once",
      items: 1,
      script: { runMs: 1000, failFirst: true },
      retries: 1,
      wave: smallWave,
      budget: 5,
    },
    {
      key: "many",
      label: `${items} items ending over 30 s`,
      items,
      script: { runMs: [0, 28_000] },
      retries: 0,
      wave: { runs: 4, seconds: 20 },
      budget: items + 4,
    },
    {
      key: "large",
      label: `${largeItems} items ending over 2 minutes`,
      items: largeItems,
      script: { runMs: [0, 118_000] },
      retries: 0,
      wave: { runs: 1, seconds: 240 },
      budget: largeItems + 45,
    },
  ];
  const ours = new Map<WriteLoad, WriteCost>();
  const theirs = new Map<WriteLoad, WriteCost>();
  const options = new Map<OptionLoad, WriteCost>();
  const cluster = await BenchCluster.start({ components: { controllerManager: { args: raisedLimits } } });
  const { plane } = cluster;
  let rest: Awaited<ReturnType<typeof writesAtRest>>;
  const world = await startWorld(plane.kubeconfig, plane.logsFolder, 3);
  try {
    await plane.kill("kube-controller-manager");
    const operator = await OperatorProcess.start({
      kubeconfig: cluster.operatorKubeconfig,
      logsFolder: plane.logsFolder,
      profileFolder: choice.profile,
    });
    try {
      await operator.leading();
      for (const load of loads) {
        const runs = load.key === "large" ? choice["large-runs"] : choice.runs;
        if (runs > 0) ours.set(load, await costOfElasticJobs(cluster, load, runs));
        tell(`ElasticJob, ${load.label}: ${summary(ours.get(load))}`);
      }
      for (const load of choice["option-samples"] > 0 ? chosenOptions(choice.options) : []) {
        options.set(load, await costOfOption(cluster, load, choice["option-samples"]));
        tell(`${load.label}: ${summary(options.get(load))}`);
      }
      rest = await writesAtRest(cluster, choice["idle-jobs"], choice["rest-seconds"]);
      tell(`at rest: ${rest.writes} writes`);
    } finally {
      await operator.stop();
    }
    await cluster.deleteAll("/api/v1/namespaces/foreign/pods");
    await plane.launch("kube-controller-manager");
    for (const load of loads) {
      const runs = load.key === "large" ? choice["large-cron-runs"] : choice["cron-runs"];
      if (runs > 0) theirs.set(load, await costOfCronJobs(cluster, load, runs));
      tell(`CronJob, ${load.label}: ${summary(theirs.get(load))}`);
    }
  } finally {
    await world.end();
    await cluster.stop();
  }
  const measured = loads.filter((load) => ours.has(load));
  const figuresOf = (costs: ReadonlyMap<{ readonly key: string }, WriteCost>, suffix: string) =>
    Object.fromEntries([...costs].map(([load, cost]) => [`${load.key}${suffix}`, rounded(median(cost.writes))]));
  const success = [...ours].filter(([load]) => load.retries === 0);
  return {
    name: "api-writes",
    figures: {
      ...figuresOf(ours, "Writes"),
      ...figuresOf(theirs, "CronJobWrites"),
      ...figuresOf(options, "OptionWrites"),
      eventsForPlainSuccess: success.reduce((sum, [, cost]) => sum + cost.events, 0),
      writesAtRest: rest.writes,
    },
    targets: {
      ...Object.fromEntries(measured.map((load) => [`${load.key}Writes`, { max: load.budget }])),
      ...Object.fromEntries([...options.keys()].map((load) => [`${load.key}OptionWrites`, { max: load.budget }])),
      eventsForPlainSuccess: { max: 0 },
      writesAtRest: { max: 0 },
    },
    table: {
      columns: ["load", "runs", "writes, median", "most", "budget", "of which", "kubelets and scheduler", "etcd writes"],
      rows: [
        ...loads.flatMap((load) => [
          ...costRow(`ElasticJob, ${load.label}`, ours.get(load), String(load.budget)),
          ...costRow(`CronJob, ${load.label}`, theirs.get(load), ""),
        ]),
        ...[...options].flatMap(([load, cost]) => costRow(`option: ${load.label}`, cost, String(load.budget))),
        [
          `at rest for ${choice["rest-seconds"]} s with ${choice["idle-jobs"]} jobs`,
          "",
          String(rest.writes),
          "",
          "0",
          `and ${rest.leases} of the lease`,
          "",
          "",
        ],
      ],
    },
  };
};

function costRow(label: string, cost: WriteCost | undefined, budget: string): readonly (readonly string[])[] {
  if (cost === undefined) return [];
  const requests = [...cost.byRequest].map(([request, count]) => `${rounded(count, 1)} ${request}`).join(", ");
  return [
    [
      label,
      String(cost.writes.length),
      String(median(cost.writes)),
      String(largest(cost.writes)),
      budget,
      requests,
      cost.worldWrites.toFixed(1),
      cost.etcdWrites.toFixed(1),
    ],
  ];
}

function summary(cost: WriteCost | undefined): string {
  return cost === undefined ? "left out" : `${median(cost.writes)} writes, ${cost.etcdWrites.toFixed(1)} in etcd`;
}

function chosenOptions(keys: string): readonly OptionLoad[] {
  if (keys === "") return optionLoads;
  const chosen = keys.split(",").map((key) => optionLoads.find((load) => load.key === key) ?? key);
  const unknown = chosen.filter((load) => typeof load === "string");
  if (unknown.length > 0) throw new Error(`no options ${unknown.join(", ")}; there are ${optionLoads.map(({ key }) => key).join(", ")}`);
  return chosen as readonly OptionLoad[];
}

export default bench;
