/**
 * What a change of a CRD's schema does to objects that were stored before it. The API server never looks at them again by itself: it fills in defaults and
 * drops unknown fields when they are read, and judges them when they are next written. From Kubernetes 1.33 on, our oldest, it then forgives a value
 * that is not changed by the write (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/, "Validation
 * ratcheting"). An object as a whole is changed by every write, and rules with `oldSelf` are never forgiven. test/integration/stored-objects.test.ts asks a
 * real API server, which forgives more than that page says.
 */
import type { JsonSchema } from "../../src/api/core.ts";

/** What becomes of a stored object that the change hits. Where a schema cannot tell whether there are such objects, it is taken that there are. */
export type Effect =
  /** A value is dropped, or cannot be reached any more. */
  | "Lost"
  /** It is read as something else than before. */
  | "Reinterpreted"
  /** Every later write is refused, also of its status, until somebody mends it. */
  | "Stuck"
  /** It stays valid until somebody changes the value itself, who then must mend it. */
  | "Ratcheted";

export interface SchemaChange {
  /** Such as `spec.after[].job`; "" is the object itself. */
  readonly path: string;
  readonly effect: Effect;
  /** What has changed, in one line. */
  readonly what: string;
}

/** Whatever of `newer` is not as good for stored objects as `older`; empty = every one of them stays as it is. Descriptions do not count. */
export function schemaChanges(older: JsonSchema, newer: JsonSchema, path = ""): readonly SchemaChange[] {
  const judged = (what: string): SchemaChange => ({ path, effect: path === "" ? "Stuck" : "Ratcheted", what });
  if (!takesType(older, newer)) return [judged(`the type was ${typeOf(older)} and is ${typeOf(newer)}`)];
  return [
    ...[...bounds(older, newer), ...choices(older, newer), ...shapes(older, newer)].map(judged),
    ...newRules(older, newer).map((rule): SchemaChange => {
      const what = `the rule is new: ${rule}`;
      return /\boldSelf\b/.test(rule) ? { path, effect: "Stuck", what } : judged(what);
    }),
    ...fieldChanges(older, newer, path),
    ...(older.items === undefined || newer.items === undefined ? [] : schemaChanges(older.items, newer.items, `${path}[]`)),
  ];
}

const keepsUnknown = (schema: JsonSchema) => schema["x-kubernetes-preserve-unknown-fields"] === true;
const isIntOrString = (schema: JsonSchema) => schema["x-kubernetes-int-or-string"] === true;
const typeOf = (schema: JsonSchema) => (isIntOrString(schema) ? "integer or string" : (schema.type ?? "anything"));
const shown = (value: unknown) => (value === undefined ? "none" : JSON.stringify(value));
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function takesType(older: JsonSchema, newer: JsonSchema): boolean {
  const [was, is] = [typeOf(older), typeOf(newer)];
  if (was === is || is === "anything") return true;
  if (was === "integer") return is === "number" || is === "integer or string";
  return was === "string" && is === "integer or string";
}

const lowerBounds = ["minimum", "minLength", "minItems", "minProperties"];
const upperBounds = ["maximum", "maxLength", "maxItems", "maxProperties"];

function bounds(older: JsonSchema, newer: JsonSchema): readonly string[] {
  const tighter = (keyword: string, sign: 1 | -1): boolean => {
    const [was, is] = [older[keyword], newer[keyword]] as readonly (number | undefined)[];
    return is !== undefined && (was === undefined || sign * is > sign * was);
  };
  const exclusive = ["exclusiveMinimum", "exclusiveMaximum"].filter((keyword) => newer[keyword] === true && older[keyword] !== true);
  return [
    ...lowerBounds.filter((keyword) => tighter(keyword, 1)),
    ...upperBounds.filter((keyword) => tighter(keyword, -1)),
    ...exclusive,
  ].map((keyword) => `${keyword} was ${shown(older[keyword])} and is ${shown(newer[keyword])}`);
}

/** Two patterns or formats that differ are not compared: the newer one may refuse what the older one took. */
function choices(older: JsonSchema, newer: JsonSchema): readonly string[] {
  const changed = ["pattern", "format", "multipleOf"].filter(
    (keyword) => newer[keyword] !== undefined && !same(older[keyword], newer[keyword]),
  );
  const what = changed.map((keyword) => `${keyword} was ${shown(older[keyword])} and is ${shown(newer[keyword])}`);
  if (older.nullable === true && newer.nullable !== true) what.push("null was a value");
  if (newer.enum === undefined) return what;
  if (older.enum === undefined) return [...what, `only ${shown(newer.enum)} are values`];
  const gone = older.enum.filter((value) => !newer.enum?.some((other) => same(value, other)));
  return gone.length === 0
    ? what
    : [...what, `${gone.map(shown).join(", ")} ${gone.length === 1 ? "is no value" : "are no values"} any more`];
}

function shapes(older: JsonSchema, newer: JsonSchema): readonly string[] {
  const what: string[] = [];
  // A default is filled in before anything is judged.
  for (const name of newer.required ?? [])
    if (!older.required?.includes(name) && newer.properties?.[name]?.default === undefined) what.push(`${name} is required`);
  for (const keyword of ["allOf", "anyOf", "oneOf", "not"])
    if (newer[keyword] !== undefined && !same(older[keyword], newer[keyword])) what.push(`${keyword} is another`);
  const [wasList, isList] = [listOf(older), listOf(newer)];
  if (isList !== "atomic" && isList !== wasList) what.push(`the list was ${wasList} and is ${isList}`);
  return what;
}

function listOf(schema: JsonSchema): string {
  const keys = schema["x-kubernetes-list-map-keys"] as readonly string[] | undefined;
  const type = schema["x-kubernetes-list-type"] ?? "atomic";
  return keys === undefined ? String(type) : `${type} by ${keys.join(", ")}`;
}

interface Rule {
  readonly rule: string;
}

const rulesOf = (schema: JsonSchema) => (schema["x-kubernetes-validations"] ?? []) as readonly Rule[];

/** Rules with other words count as new ones, but for those that hold for whatever has none of the new fields. */
function newRules(older: JsonSchema, newer: JsonSchema): readonly string[] {
  const before = new Set(rulesOf(older).map(({ rule }) => rule));
  return rulesOf(newer).flatMap(({ rule }) => (before.has(rule) || holdsWithoutNewFields(rule, older) ? [] : [rule]));
}

/** Whether one of the alternatives `a || b || c` is `!has(self.field)` with a field that no stored object has. */
function holdsWithoutNewFields(rule: string, older: JsonSchema): boolean {
  return alternatives(rule).some((alternative) => {
    const path = /^!has\(self\.([\w.]+)\)$/.exec(alternative.trim())?.[1];
    return path !== undefined && !mayHave(older, path.split("."));
  });
}

/** Split at each `||` outside of brackets and quotes; whole where a condition `a ? b : c` makes that wrong. */
function alternatives(rule: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (const { 0: token, index } of rule.matchAll(/'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[([{]|[)\]}]|\|\||\?(?!\.)/g)) {
    if (/^[([{]$/.test(token)) depth += 1;
    else if (/^[)\]}]$/.test(token)) depth -= 1;
    else if (token === "?" && depth === 0) return [rule];
    else if (token === "||" && depth === 0) {
      parts.push(rule.slice(from, index));
      from = index + 2;
    }
  }
  return [...parts, rule.slice(from)];
}

function mayHave(schema: JsonSchema, [name = "", ...rest]: readonly string[]): boolean {
  const field = fieldOf(schema, name);
  return field !== undefined && (rest.length === 0 || mayHave(field, rest));
}

/** What a schema says of the field; undefined = it is dropped. */
function fieldOf(schema: JsonSchema, name: string): JsonSchema | undefined {
  const named = schema.properties?.[name];
  if (named !== undefined) return named;
  const { additionalProperties: others } = schema;
  if (typeof others === "object") return others;
  return others === true || keepsUnknown(schema) ? anything : undefined;
}

const anything: JsonSchema = { "x-kubernetes-preserve-unknown-fields": true };

function fieldChanges(older: JsonSchema, newer: JsonSchema, path: string): readonly SchemaChange[] {
  const changes: SchemaChange[] = [];
  if (fieldOf(older, "") !== undefined) {
    const [was, is] = [fieldOf(older, ""), fieldOf(newer, "")];
    if (is === undefined) changes.push({ path, effect: "Lost", what: "fields that are not named are dropped" });
    else if (was !== undefined) changes.push(...anyFieldChanges(was, is, `${path}{}`));
  }
  for (const name of new Set([...Object.keys(older.properties ?? {}), ...Object.keys(newer.properties ?? {})])) {
    const below = path === "" ? name : `${path}.${name}`;
    const [was, is] = [fieldOf(older, name), fieldOf(newer, name)];
    if (was === undefined) continue;
    if (is === undefined) {
      changes.push({ path: below, effect: "Lost", what: "the field is gone" });
      continue;
    }
    if (!same(was.default, is.default))
      changes.push({ path: below, effect: "Reinterpreted", what: `the default was ${shown(was.default)} and is ${shown(is.default)}` });
    changes.push(...anyFieldChanges(was, is, below));
  }
  return changes;
}

function anyFieldChanges(was: JsonSchema, is: JsonSchema, path: string): readonly SchemaChange[] {
  if (was !== anything) return is === anything ? [] : schemaChanges(was, is, path);
  return is === anything ? [] : [{ path, effect: "Ratcheted", what: "it was not looked at and has a schema" }];
}
