import { apiVersionOf, type Resource } from "../../../api/resource.ts";
import { mergeValues, typeErrors } from "../apply/typed-value.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";
import { applyJsonPatch, JsonPatchError } from "../patch/json-patch.ts";
import type { ResourceType } from "../resource-type.ts";
import { ApiFailure, failureStatus } from "../status.ts";
import { type Admission, type AdmissionAttributes, admissionRequest, withKind } from "./attributes.ts";
import { type Authorizer, CelAuthorizer } from "./cel-authorizer.ts";
import { checkPartNames, fromCel, JsonPatchOperation, toCel } from "./cel-values.ts";
import { atomicPaths } from "./atomic-paths.ts";
import { matchesResources } from "./matching.ts";
import {
  compileExpression,
  composedVariables,
  evaluationMessage,
  listAt,
  type PolicyVariables,
  type Program,
  type Wanted,
} from "./policy-cel.ts";
import { policyKinds } from "./policy-kinds.ts";
import { paramsOf } from "./policy-params.ts";

/** What policies need of the server around them. */
export interface PolicyServer {
  readonly authorizer: Authorizer;
  typeOf(group: string, version: string, plural: string): ResourceType | undefined;
  types(): readonly ResourceType[];
}

/** One evaluation: a policy that takes the write in, a binding of it that does too, and one object that the binding gives it. */
interface Invocation {
  readonly policy: StoredObject;
  readonly binding: StoredObject;
  readonly param: StoredObject | undefined;
}

/** A refusal, or what went wrong on the way to a decision. */
interface Denial {
  readonly policy: StoredObject;
  readonly binding?: StoredObject;
  readonly message: string;
  readonly reason?: string;
  /** It was no decision: the policy says what becomes of it. */
  readonly isError: boolean;
}

const [validatingPolicies, validatingBindings, mutatingPolicies, mutatingBindings] = policyKinds.map(({ resource }) => resource) as [
  Resource,
  Resource,
  Resource,
  Resource,
];

const specOf = (object: StoredObject): Fields => (isFields(object.spec) ? object.spec : {});
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const failsOnError = (policy: StoredObject): boolean => specOf(policy).failurePolicy !== "Ignore";

/**
 * ValidatingAdmissionPolicies and MutatingAdmissionPolicies (pkg/admission/plugin/policy): policies in the order of their names, their
 * bindings in the order of theirs. What only an audit log would show is evaluated, since its errors refuse, and told to nobody.
 */
export class PolicyAdmission implements Admission {
  readonly #server: PolicyServer;
  readonly #collections = new Map<Resource, ResourceType["collection"]>();
  readonly #programs = new Map<string, Program>();

  constructor(server: PolicyServer) {
    this.#server = server;
  }

  get active(): boolean {
    return this.#collection(validatingPolicies).size > 0 || this.#collection(mutatingPolicies).size > 0;
  }

  /** Throws ApiFailure where a policy fails and says that failures refuse. */
  mutate(attributes: AdmissionAttributes): Fields | undefined {
    if (attributes.object === undefined || isExempt(attributes)) return attributes.object;
    const denials: Denial[] = [];
    const invocations = this.#invocations(mutatingPolicies, mutatingBindings, attributes, denials);
    let object = attributes.object;
    let changed = false;
    const run = (invocation: Invocation): void => {
      const before = object;
      object = this.#mutated(invocation, { ...attributes, object }, denials);
      changed ||= !sameJson(before, object);
    };
    for (const invocation of invocations) run(invocation);
    // those that want it see once more what became of the object after them
    if (changed) for (const invocation of invocations) if (specOf(invocation.policy).reinvocationPolicy === "IfNeeded") run(invocation);
    const [first] = denials.filter(({ policy }) => failsOnError(policy));
    if (first === undefined) return object;
    throw refusal(
      attributes,
      mutationMessage(first),
      first.reason,
      403,
      denials.filter(({ policy }) => failsOnError(policy)).map(mutationMessage),
    );
  }

  /** Throws ApiFailure where a policy denies. */
  validate(attributes: AdmissionAttributes): readonly string[] {
    if (isExempt(attributes)) return [];
    const denials: Denial[] = [];
    const warnings: string[] = [];
    for (const invocation of this.#invocations(validatingPolicies, validatingBindings, attributes, denials)) {
      const { policy, binding } = invocation;
      const found = specOf(binding).validationActions;
      const actions: readonly unknown[] = Array.isArray(found) ? found : [];
      for (const denial of this.#violations(invocation, attributes)) {
        if (denial.isError && !failsOnError(policy)) continue;
        if (actions.includes("Deny")) denials.push(denial);
        if (!actions.includes("Warn")) continue;
        warnings.push(
          `Validation failed for ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}': ${denial.message}`,
        );
      }
    }
    const [first] = denials.filter(({ isError, policy }) => !isError || failsOnError(policy));
    if (first === undefined) return warnings;
    const where = first.binding === undefined ? "" : ` with binding '${first.binding.metadata.name}'`;
    const why = `ValidatingAdmissionPolicy '${first.policy.metadata.name}'${where} denied request: ${first.message}`;
    const reason = first.reason ?? "Invalid";
    const { plural, group } = attributes.type.resource;
    const named = group === "" ? plural : `${plural}.${group}`;
    throw refusal(attributes, `${named} "${nameOf(attributes)}" is forbidden: ${why}`, reason, codes[reason] ?? 422, [why]);
  }

  /** Asked at every write, so it is looked up once: built-in kinds never go. */
  #collection(kind: Resource): ResourceType["collection"] {
    let found = this.#collections.get(kind);
    if (found === undefined) {
      found = (this.#server.typeOf(kind.group, kind.version, kind.plural) as ResourceType).collection;
      this.#collections.set(kind, found);
    }
    return found;
  }

  #invocations(policies: Resource, bindings: Resource, attributes: AdmissionAttributes, denials: Denial[]): readonly Invocation[] {
    const namespaces = this.#server.typeOf("", "v1", "namespaces") as ResourceType;
    const result: Invocation[] = [];
    for (const policy of this.#collection(policies).all()) {
      const spec = specOf(policy);
      if (!matchesResources(spec.matchConstraints, attributes, namespaces)) continue;
      for (const binding of this.#collection(bindings).all()) {
        const { policyName, matchResources, paramRef } = specOf(binding);
        if (policyName !== policy.metadata.name || !matchesResources(matchResources, attributes, namespaces)) continue;
        try {
          for (const param of paramsOf(this.#server.types(), spec.paramKind, paramRef, attributes.namespace))
            result.push({ policy, binding, param });
        } catch (error) {
          denials.push({ policy, binding, message: `failed to configure binding: ${messageOf(error)}`, isError: true });
        }
      }
    }
    return result;
  }

  #variables({ policy, param }: Invocation, attributes: AdmissionAttributes): PolicyVariables & { readonly variables: unknown } {
    const { type, object, oldObject, namespace, user, subresource, name } = attributes;
    const { group, plural } = type.resource;
    const isNamespace = group === "" && plural === "namespaces";
    const namespaceObject =
      namespace === undefined || isNamespace
        ? undefined
        : this.#server.typeOf("", "v1", "namespaces")?.collection.get(keyOf(undefined, namespace));
    const access = { verb: "", group, resource: plural, subresource, namespace: namespace ?? "", name };
    const values: PolicyVariables = {
      object: toCel(attributes.written === undefined ? withKind(type, object) : object),
      oldObject: toCel(attributes.written === undefined ? withKind(type, oldObject) : oldObject),
      request: toCel(admissionRequest(attributes)),
      namespaceObject: toCel(namespaceObject),
      params: toCel(param === undefined ? undefined : withParamKind(specOf(policy), param)),
      authorizer: new CelAuthorizer(this.#server.authorizer, user, access),
    };
    const declared = listAt(specOf(policy), "variables");
    const programs = declared.map((variable) => this.#program(String(variable.expression), "any"));
    return { ...values, variables: composedVariables(declared, programs, values) };
  }

  #program(expression: string, wanted: Wanted): Program {
    const key = `${wanted} ${expression}`;
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = compileExpression(expression, wanted);
      this.#programs.set(key, program);
    }
    return program;
  }

  /** Whether the policy's own conditions take the write in. Throws an Error when that cannot be told. */
  #meets(policy: StoredObject, variables: Parameters<Program>[0]): boolean {
    const errors: string[] = [];
    for (const { expression } of listAt(specOf(policy), "matchConditions")) {
      try {
        if (this.#program(String(expression), "bool")(variables) === false) return false;
      } catch (error) {
        errors.push(evaluationMessage(String(expression), error));
      }
    }
    if (errors.length === 0) return true;
    throw new Error(errors.length === 1 ? errors[0] : `[${errors.join(", ")}]`);
  }

  #violations(invocation: Invocation, attributes: AdmissionAttributes): readonly Denial[] {
    const { policy, binding } = invocation;
    const denials: Denial[] = [];
    const failed = (message: string): void => {
      denials.push({ policy, binding, message, isError: true });
    };
    try {
      const variables = this.#variables(invocation, attributes);
      if (!this.#meets(policy, variables)) return [];
      for (const validation of listAt(specOf(policy), "validations")) {
        const expression = String(validation.expression);
        try {
          if (this.#program(expression, "bool")(variables) === true) continue;
        } catch (error) {
          failed(evaluationMessage(expression, error));
          continue;
        }
        const reason = typeof validation.reason === "string" ? validation.reason : "Invalid";
        denials.push({ policy, binding, message: this.#message(validation, variables), reason, isError: false });
      }
      for (const annotation of listAt(specOf(policy), "auditAnnotations")) {
        const expression = String(annotation.valueExpression);
        try {
          this.#program(expression, "string or null")(variables);
        } catch (error) {
          failed(evaluationMessage(expression, error));
        }
      }
    } catch (error) {
      failed(messageOf(error));
    }
    return denials;
  }

  #message(validation: Fields, variables: Parameters<Program>[0]): string {
    if (typeof validation.messageExpression === "string") {
      try {
        const made = this.#program(validation.messageExpression, "string")(variables);
        const text = typeof made === "string" ? made.trim() : "";
        if (text !== "" && !text.includes("\n")) return text;
      } catch {
        // a message that cannot be made gives way to the fixed one, as on the real server
      }
    }
    const fixed = typeof validation.message === "string" ? validation.message.trim() : "";
    return fixed === "" ? `failed expression: ${String(validation.expression).trim()}` : fixed;
  }

  #mutated(invocation: Invocation, attributes: AdmissionAttributes, denials: Denial[]): Fields {
    const { policy, binding } = invocation;
    let object = attributes.object as Fields;
    const failed = (error: unknown): void => {
      denials.push({ policy, binding, message: messageOf(error), reason: "Invalid", isError: true });
    };
    try {
      if (!this.#meets(policy, this.#variables(invocation, attributes))) return object;
    } catch (error) {
      failed(error);
      return object;
    }
    for (const mutation of listAt(specOf(policy), "mutations")) {
      try {
        object = this.#patched(mutation, invocation, { ...attributes, object });
      } catch (error) {
        if (error instanceof ApiFailure) throw error;
        failed(error);
      }
    }
    return object;
  }

  #patched(mutation: Fields, invocation: Invocation, attributes: AdmissionAttributes): Fields {
    const object = attributes.object as Fields;
    const isJsonPatch = mutation.patchType === "JSONPatch";
    const section = mutation[isJsonPatch ? "jsonPatch" : "applyConfiguration"];
    const expression = String(isFields(section) ? section.expression : "");
    let made: unknown;
    const variables = this.#variables(invocation, attributes);
    try {
      made = this.#program(expression, isJsonPatch ? "list<JSONPatch>" : "Object")(variables);
    } catch (error) {
      throw new Error(evaluationMessage(expression, error));
    }
    const patched = isJsonPatch ? withJsonPatch(object, made) : withApplied(attributes.type, object, made);
    return attributes.type.decode(patched).object;
  }
}

/** Nobody may lock everybody out of mending a policy. */
const isExempt = ({ type }: AdmissionAttributes): boolean => type.resource.group === validatingPolicies.group;

const codes: Readonly<Record<string, number>> = { Forbidden: 403, Unauthorized: 401, RequestEntityTooLarge: 413, Invalid: 422 };

/** Objects of built-in kinds are stored with their kind, but lists of params need not be. */
const withParamKind = (spec: Fields, param: StoredObject): Fields => (isFields(spec.paramKind) ? { ...spec.paramKind, ...param } : param);

function nameOf({ name, object }: AdmissionAttributes): string {
  if (name !== "") return name;
  const metadata = isFields(object?.metadata) ? object.metadata : {};
  return [metadata.name, metadata.generateName].find((one): one is string => typeof one === "string" && one !== "") ?? "Unknown";
}

const mutationMessage = ({ policy, binding, message }: Denial): string =>
  `policy '${policy.metadata.name}'${binding === undefined ? "" : ` with binding '${binding.metadata.name}'`} denied request: ${message}`;

function refusal(
  attributes: AdmissionAttributes,
  message: string,
  reason: string | undefined,
  code: number,
  causes: readonly string[],
): ApiFailure {
  const { group, plural } = attributes.type.resource;
  const details = {
    name: nameOf(attributes),
    ...(group === "" ? {} : { group }),
    kind: plural,
    causes: causes.map((cause) => ({ message: cause })),
  };
  return new ApiFailure(failureStatus(code, reason ?? "Forbidden", message, details));
}

/** A patch whose `test` fails changes nothing, and is no error. */
function withJsonPatch(object: Fields, made: unknown): Fields {
  if (!Array.isArray(made)) throw new Error("type mismatch: JSONPatchType.expression should evaluate to array");
  const operations = made.map((operation: unknown) => {
    if (!(operation instanceof JsonPatchOperation))
      throw new Error("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch");
    const fields = operation.fields;
    const value = fields instanceof Map ? fields.get("value") : (fields as Fields).value;
    checkPartNames(value);
    return fromCel(fields);
  });
  try {
    return applyJsonPatch(object, operations) as Fields;
  } catch (error) {
    if (!(error instanceof JsonPatchError)) throw error;
    if (error.message.endsWith("test failed")) return object;
    throw new Error(`JSON Patch: ${error.message}`);
  }
}

function withApplied(type: ResourceType, object: Fields, made: unknown): Fields {
  checkPartNames(made, "");
  const config = { ...(fromCel(made) as Fields), apiVersion: apiVersionOf(type.resource), kind: type.resource.kind };
  const errors = typeErrors(type.mergeType, config);
  if (errors.length > 0) throw new Error(`error applying patch: failed to convert patch object to typed object: ${errors.join(", ")}`);
  const atomic = atomicPaths(type.mergeType, config);
  if (atomic.length > 0)
    throw new Error(
      `error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic.join(", ")}`,
    );
  return mergeValues(type.mergeType, object, config) as Fields;
}
