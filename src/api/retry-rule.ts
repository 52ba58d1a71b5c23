/** Classes of ends that rules match on. */
export type RetryReason = "OOMKilled" | "Evicted" | "NodeLost" | "ImagePull" | "StartTimeout";

/** One entry of retry.rules, as in a Job's podFailurePolicy: exactly one of the three matches, and what follows. */
export interface RetryRule<Action extends string = string> {
  /** Exit codes other than 0 of the pod's containers: one that is (In) or is not (NotIn) listed. */
  readonly onExitCodes?: { readonly operator: "In" | "NotIn"; readonly values: readonly number[] };
  /** Conditions of the pod, any of them; an absent status is "True". */
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string }[];
  readonly onReasons?: readonly RetryReason[];
  readonly action: Action;
}

/** What rules read of an end. */
export interface RetryFacts {
  /** Exit codes other than 0 of all containers that have ended; absent = none. */
  readonly failedCodes?: readonly number[];
  /** The pod's conditions, as "DisruptionTarget=True"; absent = none. */
  readonly conditions?: readonly string[];
  readonly reason?: RetryReason;
}

/** The rule that decides, and its place in retry.rules. */
export interface MatchedRule<Action extends string> {
  readonly action: Action;
  readonly index: number;
}

/** The first rule that matches; undefined = none does. */
export function firstMatch<Action extends string>(rules: readonly RetryRule<Action>[], facts: RetryFacts): MatchedRule<Action> | undefined {
  const index = rules.findIndex((rule) => matches(rule, facts));
  const rule = rules[index];
  return rule === undefined ? undefined : { action: rule.action, index };
}

function matches({ onExitCodes, onPodConditions, onReasons }: RetryRule, { failedCodes, conditions, reason }: RetryFacts): boolean {
  if (onExitCodes !== undefined) {
    const { operator, values } = onExitCodes;
    return (failedCodes ?? []).some((code) => values.includes(code) === (operator === "In"));
  }
  if (onPodConditions !== undefined)
    return onPodConditions.some(({ type, status = "True" }) => conditions?.includes(`${type}=${status}`) ?? false);
  return reason !== undefined && (onReasons?.includes(reason) ?? false);
}
