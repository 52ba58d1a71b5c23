import { Environment } from "@marcbachmann/cel-js";
import { type Fields, isFields, sameJson } from "../json.ts";
import type { FieldError } from "../status.ts";
import { addKubernetesFunctions } from "./cel-functions.ts";
import { correlatedItems } from "./schema-validation.ts";
import { SchemaError, type Structural, type ValidationRule } from "./structural.ts";

/**
 * The rules of `x-kubernetes-validations`: compiled against the types of their schema when the CRD is made, so that what cannot be
 * evaluated here refuses the CRD and is never taken for true; evaluated on every write.
 */
export interface RuleSet {
  /** Errors of an object; `old` is the stored one on an update. Warnings are rules that were broken before and are forgiven. */
  validate(value: Fields, old: Fields | undefined): { readonly errors: readonly FieldError[]; readonly warnings: readonly string[] };
}

type Program = (context: Fields) => unknown;

interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program: Program;
  readonly message?: Program;
  readonly usesOldSelf: boolean;
  readonly fieldPath: string;
}

/** Compiles all rules of a schema. Throws SchemaError with the path of the rule that is wrong, or that this server does not understand. */
export function compileRules(root: Structural, path = "spec.validation.openAPIV3Schema"): RuleSet {
  const types = new CelTypes();
  const compiled = new Map<Structural, readonly CompiledRule[]>();
  const collect = (schema: Structural, at: string, isRoot: boolean): void => {
    if (!schema.hasRules) return;
    if (schema.rules.length > 0) compiled.set(schema, compileNode(types, schema, at, isRoot));
    for (const [name, child] of schema.properties) collect(child, `${at}.properties[${name}]`, false);
    if (schema.additional !== undefined) collect(schema.additional, `${at}.additionalProperties`, false);
    if (schema.items !== undefined) collect(schema.items, `${at}.items`, false);
  };
  // all types are entered before an environment is made of them
  types.nameOf(root, true);
  collect(root, path, true);
  return { validate: (value, old) => evaluateAll(types, compiled, root, value, old) };
}

function compileNode(types: CelTypes, schema: Structural, path: string, isRoot: boolean): readonly CompiledRule[] {
  const self = types.nameOf(schema, isRoot);
  const plain = types.environment().clone().registerVariable("self", self).registerVariable("oldSelf", self);
  const optional = types.environment().clone().registerVariable("self", self).registerVariable("oldSelf", `optional<${self}>`);
  return schema.rules.map((rule, at) => {
    const where = `${path}.x-kubernetes-validations[${at}]`;
    const environment = rule.optionalOldSelf === true ? optional : plain;
    const program = compile(environment, rule.rule, "bool", `${where}.rule`);
    const message =
      rule.messageExpression === undefined
        ? undefined
        : compile(environment, rule.messageExpression, "string", `${where}.messageExpression`);
    return {
      rule,
      program,
      ...(message === undefined ? {} : { message }),
      usesOldSelf: /\boldSelf\b/.test(rule.rule),
      fieldPath: fieldPathOf(schema, rule, where),
    };
  });
}

function compile(environment: Environment, expression: string, wanted: string, path: string): Program {
  const refuse = (why: string): never => {
    throw new SchemaError(path, `Invalid value: ${JSON.stringify(expression)}: compilation failed: ${why}`);
  };
  try {
    // has() of a field that the schema does not have must not compile either; the library looks only at its root
    const declared = environment.check(expression.replaceAll(/\bhas\(/g, "declared_("));
    if (!declared.valid) return refuse(declared.error?.message.split("\n")[0] ?? "invalid");
    const checked = environment.check(expression);
    if (!checked.valid) return refuse(checked.error?.message.split("\n")[0] ?? "invalid");
    const type = String(checked.type);
    if (type !== wanted && type !== "dyn") return refuse(`must evaluate to a ${wanted}`);
    return environment.parse(expression) as unknown as Program;
  } catch (error) {
    if (error instanceof SchemaError) throw error;
    return refuse((error as Error).message.split("\n")[0] ?? "invalid");
  }
}

/** `fieldPath` as a path below the field of the rule; its fields must exist. */
function fieldPathOf(schema: Structural, rule: ValidationRule, where: string): string {
  if (rule.fieldPath === undefined || rule.fieldPath === "") return "";
  const names = rule.fieldPath.replace(/^\./, "").split(".");
  let current: Structural | undefined = schema;
  for (const name of names) {
    const next: Structural | undefined = current?.properties.get(name) ?? current?.additional;
    if (next === undefined) {
      throw new SchemaError(
        `${where}.fieldPath`,
        `Invalid value: ${JSON.stringify(rule.fieldPath)}: fieldPath must be a valid path: does not refer to a valid field`,
      );
    }
    current = next;
  }
  return names.join(".");
}

/** The types of a schema as CEL sees them, with classes whose instances read their fields only when asked. */
class CelTypes {
  readonly #environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxListElements: 100_000 },
  });
  readonly #names = new Map<Structural, string>();
  readonly #classes = new Map<Structural, new (value: Fields) => object>();
  #complete = false;

  /** The environment with all types. To be asked after all of them were named. */
  environment(): Environment {
    if (!this.#complete) {
      addKubernetesFunctions(this.#environment);
      this.#complete = true;
    }
    return this.#environment;
  }

  /** The CEL type of a schema's values; object types are registered on the way. */
  nameOf(schema: Structural, isRoot = false): string {
    const known = this.#names.get(schema);
    if (known !== undefined) return known;
    const name = this.#newName(schema, isRoot);
    this.#names.set(schema, name);
    return name;
  }

  #newName(schema: Structural, isRoot: boolean): string {
    if (schema.intOrString) return "dyn";
    switch (schema.type) {
      case "string":
        return schema.keywords.format === "date-time" || schema.keywords.format === "date" ? "google.protobuf.Timestamp" : "string";
      case "integer":
        return "int";
      case "number":
        return "double";
      case "boolean":
        return "bool";
      case "array":
        return `list<${schema.items === undefined ? "dyn" : this.nameOf(schema.items)}>`;
      case "object":
        if (schema.additional !== undefined) return `map<string, ${this.nameOf(schema.additional)}>`;
        return this.#registerObject(schema, isRoot);
      default:
        return "dyn";
    }
  }

  #registerObject(schema: Structural, isRoot: boolean): string {
    const name = `Object${this.#classes.size}`;
    const fields: Record<string, string> = {};
    const getters: PropertyDescriptorMap = {};
    const add = (field: string, type: string, convert: (value: unknown) => unknown): void => {
      const escaped = escapeName(field);
      fields[escaped] = type;
      getters[escaped] = { get: lazily(field, convert), enumerable: true };
    };
    class CelObject {
      readonly raw: Fields;
      readonly converted = new Map<string, unknown>();

      constructor(raw: Fields) {
        this.raw = raw;
      }
    }
    this.#classes.set(schema, CelObject);
    for (const [field, child] of schema.properties) {
      if (isRoot && field === "metadata") continue;
      add(field, this.nameOf(child), (value) => this.valueOf(child, value));
    }
    if (isRoot || schema.embedded) {
      if (!schema.properties.has("apiVersion")) add("apiVersion", "string", (value) => value);
      if (!schema.properties.has("kind")) add("kind", "string", (value) => value);
      add("metadata", this.#metadataName(), (value) => new ObjectMetadata(isFields(value) ? value : {}));
    }
    Object.defineProperties(CelObject.prototype, getters);
    this.#environment.registerType(name, { ctor: CelObject, fields } as never);
    this.#environment.registerOperator(`${name} == ${name}`, (left: CelObject, right: CelObject) => sameJson(left.raw, right.raw));
    return name;
  }

  #metadataRegistered = false;

  #metadataName(): string {
    if (!this.#metadataRegistered) {
      this.#metadataRegistered = true;
      this.#environment.registerType("ObjectMetadata", {
        ctor: ObjectMetadata,
        fields: { name: "string", generateName: "string" },
      } as never);
    }
    return "ObjectMetadata";
  }

  /** A JSON value as CEL is to see it. */
  valueOf(schema: Structural, value: unknown): unknown {
    if (value === null || value === undefined) return value;
    if (schema.intOrString) return typeof value === "number" ? BigInt(value) : value;
    switch (schema.type) {
      case "string":
        return this.nameOf(schema) === "string" ? value : new Date(String(value));
      case "integer":
        return typeof value === "number" ? BigInt(value) : value;
      case "array": {
        const { items } = schema;
        return Array.isArray(value) && items !== undefined ? value.map((item) => this.valueOf(items, item)) : value;
      }
      case "object": {
        if (!isFields(value)) return value;
        const { additional } = schema;
        if (additional !== undefined) return new Map(Object.entries(value).map(([key, item]) => [key, this.valueOf(additional, item)]));
        const type = this.#classes.get(schema);
        return type === undefined ? value : new type(value);
      }
      default:
        return value;
    }
  }
}

/** Of metadata, rules may see only the names. */
class ObjectMetadata {
  readonly name: unknown;
  readonly generateName: unknown;

  constructor(metadata: Fields) {
    this.name = metadata.name;
    this.generateName = metadata.generateName;
  }
}

function lazily(
  field: string,
  convert: (value: unknown) => unknown,
): (this: { readonly raw: Fields; readonly converted: Map<string, unknown> }) => unknown {
  return function get() {
    if (this.converted.has(field)) return this.converted.get(field);
    const value = this.raw[field] === undefined ? undefined : convert(this.raw[field]);
    this.converted.set(field, value);
    return value;
  };
}

const reserved = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "),
);

/** Field names that are no CEL identifiers are escaped as Kubernetes escapes them. */
function escapeName(name: string): string {
  if (reserved.has(name)) return `__${name}__`;
  return name.replaceAll("__", "__underscores__").replaceAll("-", "__dash__").replaceAll(".", "__dot__").replaceAll("/", "__slash__");
}

function evaluateAll(
  types: CelTypes,
  compiled: ReadonlyMap<Structural, readonly CompiledRule[]>,
  root: Structural,
  value: Fields,
  old: Fields | undefined,
): { readonly errors: readonly FieldError[]; readonly warnings: readonly string[] } {
  const errors: FieldError[] = [];
  const warnings: string[] = [];
  const walk = (schema: Structural, item: unknown, before: unknown, path: string): void => {
    if (!schema.hasRules || item === null || item === undefined) return;
    const rules = compiled.get(schema);
    if (rules !== undefined) {
      const self = types.valueOf(schema, item);
      const oldSelf = before === undefined ? undefined : types.valueOf(schema, before);
      const forgiven = before !== undefined && sameJson(item, before);
      for (const rule of rules) {
        const error = evaluate(rule, self, oldSelf, item, path);
        if (error === undefined) continue;
        if (forgiven && !rule.usesOldSelf) warnings.push(`${error.field}: ${error.detail}`);
        else errors.push(error);
      }
    }
    if (Array.isArray(item)) {
      const { items } = schema;
      if (items === undefined || !items.hasRules) return;
      const counterpart = correlatedItems(schema, before);
      for (const [at, one] of item.entries()) walk(items, one, counterpart(one), `${path}[${at}]`);
    } else if (isFields(item)) {
      for (const name in item) {
        const property = schema.properties.get(name);
        const child = property ?? schema.additional;
        if (!child?.hasRules) continue;
        const below = property === undefined ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
        walk(child, item[name], isFields(before) ? before[name] : undefined, below);
      }
    }
  };
  walk(root, value, old, "");
  return { errors, warnings };
}

function evaluate(compiled: CompiledRule, self: unknown, oldSelf: unknown, raw: unknown, path: string): FieldError | undefined {
  const { rule } = compiled;
  if (compiled.usesOldSelf && oldSelf === undefined && rule.optionalOldSelf !== true) return undefined;
  const context: Record<string, unknown> = { self };
  if (rule.optionalOldSelf === true) context.oldSelf = optionalOf(oldSelf);
  else if (oldSelf !== undefined) context.oldSelf = oldSelf;
  try {
    if (compiled.program(context) === true) return undefined;
  } catch (error) {
    const why = (error as Error).message.split("\n")[0] ?? "";
    return fieldError("FieldValueInvalid", path, raw, `${why.charAt(0).toLowerCase()}${why.slice(1)} evaluating rule: ${ruleText(rule)}`);
  }
  const field = compiled.fieldPath === "" ? path : path === "" ? compiled.fieldPath : `${path}.${compiled.fieldPath}`;
  return fieldError(rule.reason ?? "FieldValueInvalid", field, raw, messageOf(compiled, context));
}

let optionals: { of(value: unknown): unknown; none(): unknown } | undefined;

/** The library's optional values are made by CEL itself: it exports no constructor. */
function optionalOf(value: unknown): unknown {
  optionals ??= makeOptionals();
  return value === undefined ? optionals.none() : optionals.of(value);
}

function makeOptionals(): { of(value: unknown): unknown; none(): unknown } {
  const environment = new Environment({ enableOptionalTypes: true }).registerVariable("value", "dyn");
  const of = environment.parse("optional.of(value)") as unknown as Program;
  const none = environment.parse("optional.none()") as unknown as Program;
  return { of: (value) => of({ value }), none: () => none({}) };
}

const ruleText = (rule: ValidationRule): string => (rule.message ?? rule.rule).trim();

function messageOf(compiled: CompiledRule, context: Fields): string {
  if (compiled.message !== undefined) {
    try {
      const message = compiled.message(context);
      if (typeof message === "string" && message.trim() !== "" && !message.includes("\n")) return message.trim();
    } catch {
      // a message that cannot be made gives way to the fixed one, as on the real server
    }
  }
  return compiled.rule.message !== undefined && compiled.rule.message !== ""
    ? compiled.rule.message.trim()
    : `failed rule: ${compiled.rule.rule.trim()}`;
}

function fieldError(reason: string, field: string, raw: unknown, message: string): FieldError {
  // objects and lists are not shown
  const shown = typeof raw === "object" ? "" : `: ${typeof raw === "string" ? JSON.stringify(raw) : String(raw)}`;
  // a rule at the root has no field
  const at = field === "" ? "<nil>" : field;
  switch (reason) {
    case "FieldValueForbidden":
      return { field: at, reason, detail: `Forbidden: ${message}` };
    case "FieldValueRequired":
      return { field: at, reason, detail: `Required value: ${message}` };
    case "FieldValueDuplicate":
      return { field: at, reason, detail: `Duplicate value${shown}` };
    default:
      return { field: at, reason: "FieldValueInvalid", detail: `Invalid value${shown}: ${message}` };
  }
}
