import type { ElasticJobSpec, ElasticJobSpecRetry } from "../api/elastic-job.gen.ts";
import type { Notes } from "./conversion.ts";
import type { Fields } from "./fields.ts";
import { retryRules } from "./retry-rules.ts";

/** The largest values that the schema takes. */
export const bounds = { items: 10_000, sameNode: 20, otherNodes: 20, seconds: 31_536_000, retentionSeconds: 604_800, kept: 20 } as const;

type JobPart = Pick<ElasticJobSpec, "sharding" | "retry" | "completion" | "runTimeoutSeconds" | "podRetention" | "suspend">;

/** A JobSpec but for its template. */
export function jobPart(job: Fields, notes: Notes): JobPart {
  const { sharding, paused } = shardingOf(job, notes);
  const retry = retryOf(job, notes);
  const deadline = job.integer("activeDeadlineSeconds");
  const runTimeoutSeconds = deadline === undefined ? undefined : timeout(deadline, job.at("activeDeadlineSeconds"), notes);
  const podRetention = retentionOf(job, notes);
  otherFields(job, notes);
  return {
    ...(paused && { suspend: true }),
    ...(sharding !== undefined && { sharding }),
    ...(retry !== undefined && { retry }),
    // A Job whose indexes are retried each for itself goes on when one has failed; any other Job is given up.
    ...(job.has("backoffLimitPerIndex") && (sharding?.total ?? 1) > 1 && { completion: { failFast: false } }),
    ...(runTimeoutSeconds !== undefined && { runTimeoutSeconds }),
    ...(podRetention !== undefined && { podRetention }),
  };
}

function shardingOf(job: Fields, notes: Notes): { readonly sharding: ElasticJobSpec["sharding"]; readonly paused: boolean } {
  const completions = job.integer("completions");
  const parallelism = job.integer("parallelism") ?? 1;
  if (parallelism === 0 || completions === 0) {
    const field = parallelism === 0 ? "parallelism" : "completions";
    notes.add(job.at(field), "Such a Job starts no pod; the job is suspended.");
    return { sharding: undefined, paused: true };
  }
  if (completions === undefined && parallelism > 1) {
    notes.add(
      job.at("parallelism"),
      `Without completions a Job has succeeded when one of its pods has and all have ended; here each of the ${parallelism} items must succeed.`,
    );
  }
  const total = completions ?? parallelism;
  if (total > bounds.items) {
    notes.add(
      job.at("completions"),
      `A run has at most ${bounds.items} items, and this has ${total}. The job is suspended: split it first.`,
    );
    return { sharding: { total: bounds.items }, paused: true };
  }
  if (total === 1) return { sharding: undefined, paused: false };
  return { sharding: { total, ...(parallelism < total && { parallelism }) }, paused: false };
}

function retryOf(job: Fields, notes: Notes): ElasticJobSpecRetry | undefined {
  const attempts = attemptsOf(job, notes);
  const rules = retryRules(job, notes);
  return attempts === undefined && rules.length === 0 ? undefined : { ...attempts, ...(rules.length > 0 && { rules }) };
}

function attemptsOf(job: Fields, notes: Notes): ElasticJobSpecRetry | undefined {
  const perIndex = job.integer("backoffLimitPerIndex");
  const limit = perIndex ?? job.integer("backoffLimit") ?? 6;
  const path = job.at(perIndex === undefined ? "backoffLimit" : "backoffLimitPerIndex");
  if (
    perIndex === undefined &&
    job.has("backoffLimit") &&
    (job.integer("completions") ?? job.integer("parallelism") ?? 1) > 1 &&
    limit > 0
  ) {
    notes.add(path, `A Job counts the failures of all its pods together; here each item may fail ${limit} times.`);
  }
  if (perIndex !== undefined && job.has("backoffLimit")) {
    notes.add(job.at("backoffLimit"), "Has no equal beside backoffLimitPerIndex: each item has its own attempts.");
  }
  if (limit === 0) return undefined;
  // A Job waits 10 s, 20 s, 40 s ... up to 10 minutes; ours stops at 5 minutes by itself, which the 6th repetition would reach.
  const backoff = limit >= 6 ? { backoff: { maxSeconds: 600 } } : {};
  if (limit <= bounds.sameNode) return { sameNode: limit, ...backoff };
  const otherNodes = Math.min(bounds.otherNodes, Math.ceil((limit + 1) / (bounds.sameNode + 1)) - 1);
  const attempts = Math.min(100, (bounds.sameNode + 1) * (otherNodes + 1));
  notes.add(path, `An item has ${attempts} attempts here in place of ${limit + 1}.`);
  return { sameNode: bounds.sameNode, otherNodes, ...backoff };
}

/** A time limit within the schema's bound; a longer one is none. */
export function timeout(seconds: number, path: string, notes: Notes): number | undefined {
  if (seconds >= 1 && seconds <= bounds.seconds) return seconds;
  if (seconds > bounds.seconds) notes.add(path, "Longer than a year: left out, so there is no limit.");
  return undefined;
}

function retentionOf(job: Fields, notes: Notes): ElasticJobSpec["podRetention"] {
  const ttl = job.integer("ttlSecondsAfterFinished");
  if (ttl === undefined) return undefined;
  const minSeconds = Math.min(bounds.retentionSeconds, Math.max(90, ttl));
  if (minSeconds !== ttl) {
    notes.add(
      job.at("ttlSecondsAfterFinished"),
      `Pods stay ${minSeconds} s after the end of their run in place of ${ttl} s: 90 s to 7 days are possible.`,
    );
  }
  return { succeeded: 0, failed: 0, minSeconds };
}

/** What a Job has and an ElasticJob does without. */
function otherFields(job: Fields, notes: Notes): void {
  const say = (name: string, text: string) => notes.add(job.at(name), text);
  if (job.flag("suspend") === true) say("suspend", "Jobs that begin suspended have no equal; runs begin at once.");
  if (job.has("maxFailedIndexes")) {
    say(
      "maxFailedIndexes",
      "Has no equal: the other items go on to their end. (With completion.maxFailedItems the run would succeed in spite of them.)",
    );
  }
  if (job.has("successPolicy")) say("successPolicy", "Has no equal: a run has succeeded when all its items have.");
  if (job.text("podReplacementPolicy") === "TerminatingOrFailed") {
    say("podReplacementPolicy", "A pod that is being deleted is replaced here only when it has ended.");
  }
  if (job.has("managedBy")) say("managedBy", "Has no equal: no other controller runs an ElasticJob.");
  if (job.flag("manualSelector") === true || job.has("selector"))
    say("selector", "Has no equal, and no need: pods are found by their owner.");
}
