import type { ElasticJob } from "../api/elastic-job.gen.ts";
import type { JobRequest } from "../api/job-request.gen.ts";
import type { SpecProblem } from "../api/problem.ts";
import { backfillIntoFuture, backfillWithoutSchedule, runItems, runOptionsProblem, suspendedUntilPast } from "../api/request-problems.ts";
import { IntervalSet } from "../base/interval-set.ts";
import { parseTime } from "../base/time.ts";
import { elasticJobProblems } from "./elastic-job.ts";

/**
 * What is wrong with a request that is created now, as far as the CRD's schema cannot say it and its job tells; empty when it is right. What
 * depends on runs is left to the rules that handle it, since runs come and go.
 * @param now milliseconds since the epoch
 * @param job the ElasticJob that it names; undefined = not there yet, which is waited for
 */
export function jobRequestProblems({ spec }: JobRequest, now: number, job: ElasticJob | undefined): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  if ((parseTime(spec.suspend?.until) ?? Number.POSITIVE_INFINITY) <= now) problems.push(suspendedUntilPast);
  if ((parseTime(spec.backfill?.to) ?? now) > now) problems.push(backfillIntoFuture(now));
  // A job that is wrong itself may be put right while the request waits.
  if (job === undefined || elasticJobProblems(job.spec).length > 0) return problems;
  return [...problems, ...problemsWithJob(spec, job)];
}

function problemsWithJob({ run, backfill }: JobRequest["spec"], { spec }: ElasticJob): readonly SpecProblem[] {
  if (backfill !== undefined && spec.schedule === undefined) return [backfillWithoutSchedule];
  if (run === undefined) return [];
  const options = runOptionsProblem(spec.options ?? [], run.options ?? {});
  const total = spec.sharding?.total ?? 1;
  const items = runItems({ total, disabledItems: IntervalSet.parse(spec.sharding?.disabledItems, total - 1) }, run.items);
  return [...(options === undefined ? [] : [options]), ...(items instanceof IntervalSet ? [] : [items])];
}
