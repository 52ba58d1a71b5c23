/** metav1.LabelSelector: all of it must hold; an empty one holds for everything. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values?: readonly string[];
  }[];
}

export type Labels = Readonly<Record<string, string>>;

/** Whether the labels are selected. NotIn holds for a label that is not there, as in Kubernetes. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === "Exists") return value !== undefined;
    if (operator === "DoesNotExist") return value === undefined;
    const listed = value !== undefined && values.includes(value);
    return operator === "In" ? listed : !listed;
  });
}

/** Each demand of a selector on a line of its own: `team=a`, `zone in (x,y)`, `!spare`. In order, so that equal selectors are equal. */
export function demandsOf(selector: LabelSelector): readonly string[] {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    if (operator === "In" && values.length === 1) return `${key}=${values[0]}`;
    return `${key} ${operator === "In" ? "in" : "notin"} (${values.toSorted().join(",")})`;
  });
  return [...new Set([...labels, ...expressions])].sort();
}

/** A selector for people; "all" when it demands nothing. */
export function selectorText(selector: LabelSelector): string {
  return demandsOf(selector).join(", ") || "all";
}

/** Whether whatever `narrow` selects is surely selected by `wide` too: each demand of `wide` is one of `narrow`. */
export function surelyWithin(narrow: LabelSelector, wide: LabelSelector): boolean {
  const demands = new Set(demandsOf(narrow));
  return demandsOf(wide).every((demand) => demands.has(demand));
}
