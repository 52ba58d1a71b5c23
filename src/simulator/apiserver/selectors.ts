import { type Fields, isFields, type StoredObject } from "./json.ts";
import { badRequest } from "./status.ts";

/** One demand on the labels. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: "in" | "notin" | "exists" | "absent";
  readonly values: ReadonlySet<string>;
}

export interface FieldRequirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

export interface Selector {
  readonly labels: readonly LabelRequirement[];
  readonly fields: readonly FieldRequirement[];
}

const keyGrammar = /^([a-z0-9A-Z]([-a-z0-9A-Z.]*[a-z0-9A-Z])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const valueGrammar = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

const compiled = new Map<string, readonly LabelRequirement[]>();

/** Parses a label selector. Throws ApiFailure 400. */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  let requirements = compiled.get(text);
  if (requirements === undefined) {
    requirements = splitRequirements(text).map(parseRequirement);
    // a simulation makes selectors with run ids: the memory of them is bounded
    if (compiled.size > 1_000) compiled.clear();
    compiled.set(text, requirements);
  }
  return requirements;
}

function splitRequirements(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === "(") depth++;
    else if (letter === ")") depth--;
    else if (letter === "," && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  const trimmed = parts.map((part) => part.trim());
  if (trimmed.length === 1 && trimmed[0] === "") return [];
  return trimmed;
}

function parseRequirement(text: string): LabelRequirement {
  const refuse = (why: string): never => {
    throw badRequest(`unable to parse requirement: ${why}`);
  };
  const check = (key: string, values: readonly string[]): void => {
    if (!keyGrammar.test(key))
      refuse(`<nil>: Invalid value: ${JSON.stringify(key)}: name part must consist of alphanumeric characters, '-', '_' or '.'`);
    for (const value of values) {
      if (value.length > 63 || !valueGrammar.test(value)) {
        refuse(
          `values[0][${key}]: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'`,
        );
      }
    }
  };
  const sets = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (sets !== null) {
    const [, key = "", operator, list = ""] = sets;
    const values = list.split(",").map((value) => value.trim());
    check(key, values);
    return { key, operator: operator as "in" | "notin", values: new Set(values) };
  }
  const equality = /^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$/.exec(text);
  if (equality !== null) {
    const [, key = "", operator, value = ""] = equality;
    check(key, [value]);
    return { key, operator: operator === "!=" ? "notin" : "in", values: new Set([value]) };
  }
  const bare = /^(!?)\s*(\S+)$/.exec(text);
  if (bare === null) return refuse(`found '${text}', expected: a requirement`);
  const [, not, key = ""] = bare;
  check(key, []);
  return { key, operator: not === "!" ? "absent" : "exists", values: new Set() };
}

const operators: Readonly<Record<string, LabelRequirement["operator"]>> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "absent",
};

/** What a LabelSelector object demands. An absent one selects nothing: undefined. An empty one selects all: no demands. */
export function requirementsOf(selector: unknown): readonly LabelRequirement[] | undefined {
  if (!isFields(selector)) return undefined;
  const labels: Fields = isFields(selector.matchLabels) ? selector.matchLabels : {};
  const equal = Object.entries(labels).map(([key, value]): LabelRequirement => ({ key, operator: "in", values: new Set([String(value)]) }));
  const expressions = Array.isArray(selector.matchExpressions) ? selector.matchExpressions.filter(isFields) : [];
  const more = expressions.map(({ key, operator, values }): LabelRequirement => {
    const known = operators[String(operator)];
    // nothing matches a demand that nobody understands
    if (known === undefined) return { key: String(key), operator: "in", values: new Set() };
    return { key: String(key), operator: known, values: new Set(Array.isArray(values) ? values.map(String) : []) };
  });
  return [...equal, ...more];
}

/** Parses a field selector: comma-separated `field=value`, `field==value`, `field!=value`. Throws ApiFailure 400. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  if (text.trim() === "") return [];
  return text.split(",").map((part) => {
    const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(part);
    if (match === null) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`);
    const [, field = "", operator, value = ""] = match;
    return { field, equal: operator !== "!=", value: value.replaceAll("\\,", ",").replaceAll("\\=", "=").replaceAll("\\\\", "\\") };
  });
}

export function matchesLabels(labels: Readonly<Record<string, string>> | undefined, requirements: readonly LabelRequirement[]): boolean {
  for (const { key, operator, values } of requirements) {
    const value = labels?.[key];
    switch (operator) {
      case "in":
        if (value === undefined || !values.has(value)) return false;
        break;
      case "notin":
        if (value !== undefined && values.has(value)) return false;
        break;
      case "exists":
        if (value === undefined) return false;
        break;
      case "absent":
        if (value !== undefined) return false;
        break;
    }
  }
  return true;
}

/** How the fields that a kind can be selected by are read. */
export type FieldReaders = ReadonlyMap<string, (object: StoredObject) => string>;

export function matchesFields(object: StoredObject, requirements: readonly FieldRequirement[], readers: FieldReaders): boolean {
  for (const { field, equal, value } of requirements) {
    const found = readers.get(field)?.(object) ?? "";
    if ((found === value) !== equal) return false;
  }
  return true;
}

/** Whether an object matches both halves of a selector. */
export function matches(object: StoredObject, selector: Selector, readers: FieldReaders): boolean {
  return matchesLabels(object.metadata.labels, selector.labels) && matchesFields(object, selector.fields, readers);
}
