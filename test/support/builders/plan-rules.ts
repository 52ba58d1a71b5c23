import assert from "node:assert/strict";
import type { TaskAction } from "../../../src/api/action.ts";
import type { ElasticJobRun, ElasticJobStatus } from "../../../src/api/elastic-job.gen.ts";
import { itemLabel, reduceItem } from "../../../src/api/names.ts";
import { IntervalSet } from "../../../src/base/interval-set.ts";
import type { AttemptPod } from "../../../src/elasticjob/rules/attempt.ts";
import type { ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import type { ElasticJobPlan } from "../../../src/elasticjob/rules/plan.ts";
import { recordsOf } from "../../../src/elasticjob/rules/resident/dispatch-record.ts";

/** What holds for every plan, whatever happened before it. */
export function checkPlan(observed: ObservedJob, plan: ElasticJobPlan, goneNodes: ReadonlyMap<string, number>): void {
  const status = observed.job.status ?? {};
  const byName = new Map(observed.pods.map((pod) => [pod.metadata.name, pod]));
  for (const action of plan.actions) {
    if (action.tag === "dispatch" || action.tag === "recall") {
      const { run, item, attempt } = action.task;
      const records = recordsOf(status.active?.find((entry) => entry.run === run) ?? { run });
      const isRecorded = records.some(
        (record) => record.item === item && record.attempt === attempt && record.instance === action.target.instance,
      );
      assert.ok(
        isRecorded || isNamedAhead(status, action),
        `${action.tag} of ${action.key} at ${action.target.instance} without a record in the observed status`,
      );
      if (!isRecorded) checkStaysNamed(action.task.run, plan);
    }
    if (action.tag === "delete" && action.resource.plural === "pods") {
      const pod = byName.get(action.ref.name) as AttemptPod;
      const run = status.active?.find((entry) => entry.run === pod.run);
      const stopped = run?.stops?.some((stop) => (stop.item ?? reduceItem) === pod.item && stop.attempt === pod.attempt) ?? false;
      assert.ok(
        run === undefined || run.ending !== undefined || stopped || recordedEnd(run, pod.item),
        `pod ${action.ref.name} is deleted without a reason in the observed status`,
      );
    }
    if (action.tag === "deleteCollection") {
      assert.match(
        action.labelSelector,
        /^nuptse\.dev\/job-uid=[^,]+,nuptse\.dev\/run( in \(|=)/,
        "a collection names its job and its runs",
      );
      for (const pod of observed.pods) {
        if (pod.end !== undefined || !selects(action.labelSelector, labelsOf(pod))) continue;
        assert.fail(`deletecollection ${action.labelSelector} would delete ${pod.metadata.name}, which is at work`);
      }
    }
    if (action.tag === "create" && action.resource.plural === "pods") {
      const labels = action.object.metadata.labels ?? {};
      const rival = observed.pods.find(
        (pod) =>
          pod.run === labels["nuptse.dev/run"] &&
          itemLabel(pod.item) === labels["nuptse.dev/item"] &&
          pod.metadata.name !== action.object.metadata.name &&
          pod.end === undefined &&
          !(pod.node !== undefined && goneNodes.has(pod.node)) &&
          !isGivenUp(observed, pod),
      );
      assert.equal(rival, undefined, `${action.object.metadata.name} would work beside ${rival?.metadata.name}`);
    }
  }
  const before = status.lastHandledFireTime;
  const after = plan.status?.status["lastHandledFireTime"] as string | undefined;
  const ahead =
    before !== undefined &&
    observed.maxClockSkewMs > 0 &&
    Date.parse(before) > (observed.serverNow ?? Number.POSITIVE_INFINITY) + observed.maxClockSkewMs;
  if (before !== undefined && after !== undefined && !ahead)
    assert.ok(after >= before, `lastHandledFireTime falls from ${before} to ${after}`);
  if (plan.status !== undefined) assert.equal(plan.status.object, observed.job, "a status is written on the version that was observed");
}

const recordedEnd = (run: ElasticJobRun, item: number): boolean =>
  IntervalSet.parse(run.succeeded).has(item) || IntervalSet.parse(run.failed).has(item);

/** Its deletion was asked for, and its node has been unreachable for failover.unreachableSeconds. */
function isGivenUp({ spec, nodes, now }: ObservedJob, pod: AttemptPod): boolean {
  const since = pod.node === undefined ? undefined : nodes.unreachableSince(pod.node);
  return pod.deletion !== undefined && since !== undefined && since + spec.unreachableMs <= now;
}

const labelsOf = (pod: AttemptPod): Record<string, string> => ({
  "nuptse.dev/job-uid": pod.jobUid,
  "nuptse.dev/run": pod.run,
  "nuptse.dev/chunk": pod.item === reduceItem ? "reduce" : String(Math.floor(pod.item / 500)),
});

/** Label selectors as plans write them: `a=b` and `a in (b,c)`, joined by commas. */
export function selects(selector: string, labels: Readonly<Record<string, string>>): boolean {
  const terms = selector.match(/[^,()]+ in \([^)]*\)|[^,]+/g) ?? [];
  return terms.every((term) => {
    const within = /^(.+) in \((.*)\)$/.exec(term);
    if (within !== null) return (within[2] as string).split(",").includes(labels[within[1] as string] ?? "");
    const [key, value] = term.split("=");
    return labels[key as string] === value;
  });
}

/** The stored status says which run is the next, and who has its one item: the first attempt of it needs no record besides. */
function isNamedAhead({ nextFireTime, assignments }: ElasticJobStatus, { task, target }: TaskAction): boolean {
  const [instance, ...others] = assignments?.instances ?? [];
  const isNext = nextFireTime?.replaceAll(/[-:]/g, "").toLowerCase() === task.run && task.item === 0 && task.attempt === 1;
  return isNext && others.length === 0 && instance?.items === "0" && instance.id === target.instance;
}

/** Whatever is written beside it leaves it named, or gives it an entry. */
function checkStaysNamed(run: string, { status }: ElasticJobPlan): void {
  const written = status?.status ?? {};
  const entries = [...((written["active"] ?? []) as ElasticJobRun[]), ...((written["history"] ?? []) as ElasticJobRun[])];
  if (entries.some((entry) => entry.run === run)) return;
  for (const field of ["nextFireTime", "assignments"])
    assert.ok(!(field in written), `${run} is named by status alone, and the plan writes ${field}`);
}
