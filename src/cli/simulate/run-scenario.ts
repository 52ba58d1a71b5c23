import type { Pod } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { configMaps, elasticJobs, jobRequests, tenantQueues } from "../../api/resource.ts";
import type { Workload } from "../../api/workload.gen.ts";
import { Stage } from "../../simulator/harness/stage.ts";
import { annotatedScript, type PodScript } from "../../simulator/world/pod-script.ts";
import { UsageError } from "../command-context.ts";
import { arrivalObjects, arrivalRecord } from "./arrival-objects.ts";
import { arrivalsOf, itemDurationMs, type Span } from "./arrivals.ts";
import { Recorder } from "./recorder.ts";
import type { Recording } from "./recording.ts";
import type { Scenario } from "./scenario.ts";

/** Before the beginning the operator comes to lead, and queues are taken up. */
const setUpMs = 30_000;
/** Each costs some 20 ms, so this is half an hour. */
const mostArrivals = 100_000;
/** No other operator is there to take over, so the lease need not be renewed every 2 s: that would be most of the work of a quiet week. */
const leaseTimings = { durationMs: 7_200_000, renewDeadlineMs: 5_400_000, retryMs: 1_200_000 };

interface Submission {
  readonly at: number;
  readonly workload: Workload;
  readonly number: number;
}

/**
 * Plays a scenario on virtual time: the operator as it is, an API server, a scheduler and nodes in this process. Takes some 20 ms for an arrival of four
 * items. A function of its arguments. Throws UsageError for more than 100,000 arrivals.
 */
export async function runScenario(scenario: Scenario, span: Span, seed: number): Promise<Recording> {
  const submissions = submissionsOf(scenario, span, seed);
  const playedBy = new Map<string, Workload>();
  const recorder = new Recorder({ now: () => stage.clock.now(), onEnd: (job) => void clear(job) });
  const stage: Stage = await openStage();
  for (const object of scenario.configMaps) await stage.create(configMaps, object);
  for (const queue of scenario.queues) await stage.create(tenantQueues, queue as KubeObject);
  for (const job of scenario.jobs) await stage.create(elasticJobs, job as KubeObject);
  await stage.advance(span.from - stage.clock.now());
  let failure: { readonly error: unknown } | undefined;
  for (const submission of submissions)
    stage.clock.after(submission.at - stage.clock.now(), () => {
      submit(submission).catch((error: unknown) => {
        failure ??= { error };
      });
    });
  await stage.advance(span.to - stage.clock.now());
  const recording = recorder.recording(span);
  await stage.close();
  if (failure !== undefined) throw failure.error;
  return recording;

  function openStage(): Promise<Stage> {
    return Stage.open({
      from: span.from - setUpMs,
      nodes: scenario.nodes,
      namespaces: scenario.namespaces,
      seed,
      behaviour,
      leaseTimings,
      onReclaim: (record) => recorder.tell(record),
      onCommit: (commit) => recorder.see(commit),
    });
  }

  async function submit({ at, workload, number }: Submission): Promise<void> {
    const { job, request } = arrivalObjects(workload, number);
    const name = `${job.metadata.namespace}/${job.metadata.name}`;
    playedBy.set(name, workload);
    recorder.arrive(name, arrivalRecord(workload, at));
    await stage.client.create(elasticJobs, job as KubeObject);
    await stage.client.create(jobRequests, request as KubeObject);
  }

  /** What has ended is taken away, as a time to live would do, so that a long simulation is not slower than a short one. */
  async function clear(job: string): Promise<void> {
    const [namespace = "", name = ""] = job.split("/");
    // The status that tells of the end is just being written.
    await stage.clock.sleep(1000);
    await stage.client.delete(elasticJobs, { namespace, name }).catch(() => undefined);
  }

  function behaviour(pod: Pod): PodScript {
    const { namespace = "", labels: own = {} } = pod.metadata;
    const job = `${namespace}/${own[labels.job] ?? ""}`;
    const workload = playedBy.get(job);
    if (workload === undefined) return annotatedScript(pod);
    const ms = itemDurationMs(workload, seed, job, own[labels.item] ?? "");
    const termMs = (workload.spec.graceSeconds ?? 30) * 1000;
    return { runMs: [ms, ms], termMs: [termMs, termMs] };
  }
}

function submissionsOf({ workloads }: Scenario, span: Span, seed: number): readonly Submission[] {
  const submissions = workloads.flatMap((workload) =>
    arrivalsOf(workload, span, seed, mostArrivals).map((at, index) => ({ at, workload, number: index + 1 })),
  );
  if (submissions.length > mostArrivals)
    throw new UsageError(
      `these workloads bring ${submissions.length} arrivals, and at most ${mostArrivals} are simulated; simulate a shorter time (--for)`,
    );
  return submissions.sort((left, right) => left.at - right.at);
}
