import type { ElasticJobSpec } from "../../../api/elastic-job.gen.ts";
import type { QueueFacts, QueuedPodFacts } from "./facts.ts";

/** lend.maxSeconds of a queue. */
export const lendSecondsOf = ({ spec }: QueueFacts): number => spec.lend?.maxSeconds ?? 3_600;

/** What a pod can last at most (decision 9), seconds: of a run as its job agreed to, of others as their deadline says. */
export function promiseOf({ object }: QueuedPodFacts, job: ElasticJobSpec | undefined): number {
  const grace = object.spec.terminationGracePeriodSeconds ?? 30;
  if (job === undefined) return (object.spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY) + grace;
  // Runs yield by Finish where nothing is said.
  const onReclaim = job.queue?.onReclaim ?? "Finish";
  if (onReclaim === "Stop") return grace;
  return onReclaim === "Finish" && job.runTimeoutSeconds !== undefined ? job.runTimeoutSeconds + grace : Number.POSITIVE_INFINITY;
}
