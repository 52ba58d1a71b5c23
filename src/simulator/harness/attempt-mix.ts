import type { ElasticJobSpec } from "../../api/elastic-job.gen.ts";
import { type Random, randomInteger } from "../../base/random.ts";

type AttemptSpec = Required<Pick<ElasticJobSpec, "retry" | "failover">> & Pick<ElasticJobSpec, "completion" | "nodeRules">;
type RetryRules = NonNullable<NonNullable<ElasticJobSpec["retry"]>["rules"]>;

const pick = <T>(random: Random, values: readonly T[]): T => values[randomInteger(random, values.length)] as T;

/**
 * What of a simulated job decides about its attempts: how many there are, what rules say of their ends, when a failure is a new one, what a
 * run bears, nodes that are given up or avoided.
 * @param forEver some item fails in every attempt: to ignore that, or to call each failure a new one, would go on for a hundred of them
 */
export function attemptMix(random: Random, forEver: boolean): AttemptSpec {
  const rules = retryRules(random, forEver);
  const retries = { sameNode: randomInteger(random, 3), otherNodes: randomInteger(random, 3) };
  const resetAfterSeconds = random.next() < 0.15 ? pick(random, [5, 30]) : undefined;
  return {
    retry: {
      ...retries,
      backoff: { initialSeconds: 1, maxSeconds: 20 },
      ...(rules.length > 0 && { rules }),
      ...(resetAfterSeconds !== undefined && !forEver && { resetAfterSeconds }),
    },
    failover: { limit: pick(random, [0, 1, 3, 3]), ...(random.next() < 0.3 && { unreachableSeconds: pick(random, [90, 150]) }) },
    ...(random.next() < 0.6 && {
      completion: { maxFailedItems: pick<number | string>(random, [0, 1, "34%"]), failFast: random.next() < 0.5 },
    }),
    ...(random.next() < 0.2 && {
      nodeRules: [{ node: pick(random, ["n1", "n2"]), effect: pick(random, ["Exclude" as const, "Avoid" as const, "Prefer" as const]) }],
    }),
  };
}

function retryRules(random: Random, forEver: boolean): RetryRules {
  const rules: RetryRules[number][] = [];
  if (random.next() < 0.35) {
    const onExitCodes = pick(random, [
      { operator: "In" as const, values: [3] },
      { operator: "NotIn" as const, values: [99] },
    ]);
    rules.push({ onExitCodes, action: pick(random, ["Count", "FailItem", "FailRun", forEver ? "Count" : "Ignore"]) });
  }
  if (random.next() < 0.2) rules.push({ onReasons: ["OOMKilled"], action: pick(random, ["Ignore", "FailItem"]) });
  if (random.next() < 0.2) rules.push({ onReasons: ["NodeLost", "Evicted"], action: pick(random, ["Ignore", "Count"]) });
  return rules;
}
