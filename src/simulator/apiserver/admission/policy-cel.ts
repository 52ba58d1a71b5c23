import { Environment } from "@marcbachmann/cel-js";
import { addKubernetesFunctions } from "../crd/cel-functions.ts";
import { type Fields, isFields } from "../json.ts";
import { addAuthorizer, type CelAuthorizer } from "./cel-authorizer.ts";
import { equalOptionals, JsonPatchOperation, PartialObject } from "./cel-values.ts";
import { withoutMessageLiterals } from "./message-literals.ts";

/** What expressions of policies see. Objects are in the form of CEL (see toCel). */
export interface PolicyVariables {
  readonly object: unknown;
  readonly oldObject: unknown;
  readonly request: unknown;
  readonly namespaceObject: unknown;
  readonly params?: unknown;
  readonly authorizer: CelAuthorizer;
}

/** An expression that was compiled. Throws an Error when it cannot be evaluated with these values. */
export type Program = (variables: PolicyVariables & { readonly variables: unknown }) => unknown;

/** An expression that cannot be compiled. */
export class CompileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CompileError";
  }
}

let base: { readonly plain: Environment; readonly patching: Environment } | undefined;

/** Made at first use: most servers have no policies. */
function environments(): { readonly plain: Environment; readonly patching: Environment } {
  if (base !== undefined) return base;
  const plain = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false, limits: { maxListElements: 100_000 } });
  addKubernetesFunctions(plain);
  addAuthorizer(plain);
  // the library compares no optional values; `!=` comes with it
  plain.registerOperator("optional<dyn> == optional<dyn>", equalOptionals as never);
  for (const name of ["object", "oldObject", "request", "namespaceObject", "params", "variables"]) plain.registerVariable(name, "dyn");
  plain.registerVariable("authorizer", "Authorizer");
  const patching = plain.clone();
  patching.registerType("JSONPatch", { ctor: JsonPatchOperation, fields: {} } as never);
  patching.registerType("Object", { ctor: PartialObject, fields: {} } as never);
  patching.registerFunction("JSONPatch_(map): JSONPatch", ((fields: unknown) => new JsonPatchOperation(fields)) as never);
  patching.registerFunction("Object_(string, map): Object", ((path: string, fields: unknown) => new PartialObject(path, fields)) as never);
  patching.registerFunction("jsonpatch_escapeKey_(string): string", ((key: string) =>
    key.replaceAll("~", "~0").replaceAll("/", "~1")) as never);
  base = { plain, patching };
  return base;
}

/** What an expression must come to. */
export type Wanted = "bool" | "string" | "string or null" | "list<JSONPatch>" | "Object" | "any";

const accepted: Readonly<Record<Wanted, (type: string) => boolean>> = {
  bool: (type) => type === "bool" || type === "dyn",
  string: (type) => type === "string" || type === "dyn",
  "string or null": (type) => ["string", "null", "dyn"].includes(type),
  "list<JSONPatch>": (type) => ["list<JSONPatch>", "list<dyn>", "dyn"].includes(type),
  Object: (type) => type === "Object" || type === "dyn",
  any: () => true,
};

/** Compiles an expression of a policy. Throws CompileError. */
export function compileExpression(expression: string, wanted: Wanted): Program {
  const { plain, patching } = environments();
  const environment = wanted === "bool" || wanted.startsWith("string") ? plain : patching;
  const text = withoutMessageLiterals(expression).replaceAll(/\bjsonpatch\.escapeKey\(/g, "jsonpatch_escapeKey_(");
  try {
    const checked = environment.check(text);
    if (!checked.valid) throw new CompileError(firstLine(checked.error?.message ?? "invalid"));
    const type = String(checked.type);
    if (!accepted[wanted](type)) throw new CompileError(`must evaluate to ${wanted} but got ${type}`);
    return environment.parse(text) as unknown as Program;
  } catch (error) {
    if (error instanceof CompileError) throw error;
    throw new CompileError(firstLine((error as Error).message));
  }
}

const firstLine = (message: string): string => message.split("\n")[0] ?? "";

/** What went wrong in an evaluation, in the words of the real server where the library has the same case. */
export function evaluationMessage(expression: string, error: unknown): string {
  const message = firstLine(error instanceof Error ? error.message : String(error));
  return `expression '${expression}' resulted in error: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
}

/** The variables of a policy: each is computed when it is first read, and kept. */
export function composedVariables(declared: readonly Fields[], programs: readonly Program[], values: PolicyVariables): Fields {
  const result: Record<string, unknown> = {};
  const known = new Map<string, { readonly value: unknown } | { readonly error: unknown }>();
  declared.forEach((variable, at) => {
    const name = String(variable.name);
    Object.defineProperty(result, name, {
      enumerable: true,
      get() {
        let found = known.get(name);
        if (found === undefined) {
          try {
            found = { value: (programs[at] as Program)({ ...values, variables: result }) };
          } catch (error) {
            const why = evaluationMessage(String(variable.expression), error);
            found = { error: new Error(`composited variable ${JSON.stringify(name)} fails to evaluate: ${why}`) };
          }
          known.set(name, found);
        }
        if ("error" in found) throw found.error;
        return found.value;
      },
    });
  });
  return result;
}

/** The list of objects at a field. */
export const listAt = (fields: Fields, name: string): readonly Fields[] => {
  const found = fields[name];
  return Array.isArray(found) ? found.filter(isFields) : [];
};
