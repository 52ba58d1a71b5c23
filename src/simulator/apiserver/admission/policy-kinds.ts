import type { Resource } from "../../../api/resource.ts";
import { type Fields, isFields, type StoredObject } from "../json.ts";
import type { BuiltinKind } from "../kinds/builtin-kind.ts";
import { labelSelectorErrors } from "../kinds/label-selector-validation.ts";
import { subdomainErrors } from "../object-meta.ts";
import { duplicateValue, type FieldError, forbiddenField, invalidValue, requiredValue, unsupportedValue } from "../status.ts";
import { CompileError, compileExpression, listAt, type Wanted } from "./policy-cel.ts";

/** Policies and their bindings: how they are defaulted and what they are refused for (pkg/apis/admissionregistration). */

/** A kind of the group. */
export const admissionResource = (plural: string, kind: string): Resource => ({
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural,
  kind,
  namespaced: false,
});
const section = (object: Fields, name: string): Fields => (isFields(object[name]) ? object[name] : {});
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** Rules take objects of all scopes where they do not say. */
export const withRuleScopes = (rules: unknown): unknown =>
  Array.isArray(rules) ? rules.map((rule: unknown) => (isFields(rule) ? { scope: "*", ...rule } : rule)) : rules;

function defaultMatch(match: unknown): unknown {
  if (!isFields(match)) return match;
  return {
    namespaceSelector: {},
    objectSelector: {},
    matchPolicy: "Equivalent",
    ...match,
    ...(match.resourceRules === undefined ? {} : { resourceRules: withRuleScopes(match.resourceRules) }),
    ...(match.excludeResourceRules === undefined ? {} : { excludeResourceRules: withRuleScopes(match.excludeResourceRules) }),
  };
}

/** Fills in the match of a spec where it has one, and what is missing beside it. */
const defaultsWith =
  (matchField: string, spec: Fields) =>
  (object: Fields): Fields => {
    const given = section(object, "spec");
    const match = given[matchField];
    return { ...object, spec: { ...spec, ...given, ...(match === undefined ? {} : { [matchField]: defaultMatch(match) }) } };
  };

function matchErrors(match: unknown, path: string): readonly FieldError[] {
  if (!isFields(match)) return [];
  const errors: FieldError[] = [];
  if (match.matchPolicy !== "Exact" && match.matchPolicy !== "Equivalent")
    errors.push(unsupportedValue(`${path}.matchPolicy`, match.matchPolicy, ["Equivalent", "Exact"]));
  errors.push(...labelSelectorErrors(match.namespaceSelector, `${path}.namespaceSelector`));
  errors.push(...labelSelectorErrors(match.objectSelector, `${path}.objectSelector`));
  for (const field of ["resourceRules", "excludeResourceRules"]) {
    for (const [at, rule] of listAt(match, field).entries()) errors.push(...ruleErrors(rule, `${path}.${field}[${at}]`));
  }
  return errors;
}

const operations = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

/** Errors in one rule at a path. */
export function ruleErrors(rule: Fields, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ["operations", "apiGroups", "apiVersions", "resources"]) {
    if (!Array.isArray(rule[field]) || rule[field].length === 0) errors.push(requiredValue(`${path}.${field}`));
  }
  const stated: readonly unknown[] = Array.isArray(rule.operations) ? rule.operations : [];
  for (const [at, operation] of stated.entries()) {
    if (!operations.includes(String(operation))) errors.push(unsupportedValue(`${path}.operations[${at}]`, operation, operations));
  }
  return errors;
}

function expressionErrors(expression: unknown, wanted: Wanted, path: string): readonly FieldError[] {
  if (text(expression).trim() === "") return [requiredValue(path, "expression is not specified")];
  try {
    compileExpression(text(expression), wanted);
    return [];
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return [invalidValue(path, expression, `compilation failed: ${error.message}`)];
  }
}

/** Errors in the matchConditions of what lies at a path. */
export function conditionErrors(fields: Fields, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [at, condition] of listAt(fields, "matchConditions").entries()) {
    const where = `${path}.matchConditions[${at}]`;
    errors.push(...expressionErrors(condition.expression, "bool", `${where}.expression`));
    const name = text(condition.name);
    if (name === "") errors.push(requiredValue(`${where}.name`));
    else if (names.has(name)) errors.push(duplicateValue(`${where}.name`, name));
    names.add(name);
  }
  return errors;
}

/** What both kinds of policies have. */
function policyErrors(spec: Fields): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (spec.failurePolicy !== "Fail" && spec.failurePolicy !== "Ignore")
    errors.push(unsupportedValue("spec.failurePolicy", spec.failurePolicy, ["Fail", "Ignore"]));
  if (spec.paramKind !== undefined) {
    const kind = section(spec, "paramKind");
    for (const field of ["apiVersion", "kind"]) if (text(kind[field]) === "") errors.push(requiredValue(`spec.paramKind.${field}`));
  }
  if (spec.matchConstraints === undefined) errors.push(requiredValue("spec.matchConstraints"));
  else {
    errors.push(...matchErrors(spec.matchConstraints, "spec.matchConstraints"));
    if (listAt(section(spec, "matchConstraints"), "resourceRules").length === 0)
      errors.push(requiredValue("spec.matchConstraints.resourceRules"));
  }
  errors.push(...conditionErrors(spec, "spec"));
  for (const [at, variable] of listAt(spec, "variables").entries()) {
    const path = `spec.variables[${at}]`;
    if (!/^[A-Za-z_]\w*$/.test(text(variable.name)))
      errors.push(invalidValue(`${path}.name`, variable.name ?? "", "name is not a valid CEL identifier"));
    errors.push(...expressionErrors(variable.expression, "any", `${path}.expression`));
  }
  return errors;
}

const reasons = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];

function validatingErrors(policy: StoredObject): readonly FieldError[] {
  const spec = section(policy, "spec");
  const errors: FieldError[] = [...policyErrors(spec)];
  const validations = listAt(spec, "validations");
  const annotations = listAt(spec, "auditAnnotations");
  if (validations.length === 0 && annotations.length === 0) {
    const why = "validations or auditAnnotations must contain at least one item";
    errors.push(requiredValue("spec.validations", why), requiredValue("spec.auditAnnotations", why));
  }
  for (const [at, validation] of validations.entries()) {
    const path = `spec.validations[${at}]`;
    errors.push(...expressionErrors(validation.expression, "bool", `${path}.expression`));
    if (validation.messageExpression !== undefined)
      errors.push(...expressionErrors(validation.messageExpression, "string", `${path}.messageExpression`));
    if (text(validation.message).trim().includes("\n"))
      errors.push(invalidValue(`${path}.message`, validation.message, "must not contain line breaks"));
    if (validation.reason !== undefined && !reasons.includes(text(validation.reason)))
      errors.push(unsupportedValue(`${path}.reason`, validation.reason, reasons));
  }
  for (const [at, annotation] of annotations.entries()) {
    const path = `spec.auditAnnotations[${at}]`;
    if (text(annotation.key) === "") errors.push(requiredValue(`${path}.key`));
    errors.push(...expressionErrors(annotation.valueExpression, "string or null", `${path}.valueExpression`));
  }
  return errors;
}

const patches = { JSONPatch: ["jsonPatch", "list<JSONPatch>"], ApplyConfiguration: ["applyConfiguration", "Object"] } as const;

function mutatingErrors(policy: StoredObject): readonly FieldError[] {
  const spec = section(policy, "spec");
  const errors: FieldError[] = [...policyErrors(spec)];
  for (const rule of listAt(section(spec, "matchConstraints"), "resourceRules")) {
    for (const operation of Array.isArray(rule.operations) ? rule.operations : []) {
      if (operation !== "CREATE" && operation !== "UPDATE")
        errors.push(unsupportedValue("spec.matchConstraints.resourceRules.operations", operation, ["CREATE", "UPDATE"]));
    }
  }
  const mutations = listAt(spec, "mutations");
  if (mutations.length === 0) errors.push(requiredValue("spec.mutations", "mutations must contain at least one item"));
  for (const [at, mutation] of mutations.entries()) errors.push(...mutationErrors(mutation, `spec.mutations[${at}]`));
  const again = text(spec.reinvocationPolicy);
  if (again === "") errors.push(requiredValue("spec.reinvocationPolicy"));
  else if (again !== "Never" && again !== "IfNeeded")
    errors.push(unsupportedValue("spec.reinvocationPolicy", again, ["IfNeeded", "Never"]));
  return errors;
}

function mutationErrors(mutation: Fields, path: string): readonly FieldError[] {
  const type = text(mutation.patchType);
  if (type === "") return [requiredValue(`${path}.patchType`)];
  if (type !== "JSONPatch" && type !== "ApplyConfiguration")
    return [unsupportedValue(`${path}.patchType`, type, ["ApplyConfiguration", "JSONPatch"])];
  const [field, wanted] = patches[type];
  const [other] = patches[type === "JSONPatch" ? "ApplyConfiguration" : "JSONPatch"];
  const errors: FieldError[] = [];
  if (mutation[field] === undefined) errors.push(requiredValue(`${path}.${field}`, `must be specified when patchType is ${type}`));
  else errors.push(...expressionErrors(section(mutation, field).expression, wanted, `${path}.${field}.expression`));
  if (mutation[other] !== undefined)
    errors.push(invalidValue(`${path}.${other}`, `{${other}}`, `must not be specified when patchType is ${type}`));
  return errors;
}

function bindingErrors(binding: StoredObject): readonly FieldError[] {
  const spec = section(binding, "spec");
  const errors: FieldError[] = [];
  const name = text(spec.policyName);
  if (name === "") errors.push(requiredValue("spec.policyName"));
  else errors.push(...subdomainErrors(name).map((error) => invalidValue("spec.policyName", name, error)));
  if (isFields(spec.paramRef)) {
    const { name: param, selector, parameterNotFoundAction: action } = spec.paramRef;
    const both = "name and selector are mutually exclusive";
    if (text(param) !== "" && selector !== undefined)
      errors.push(forbiddenField("spec.paramRef.name", both), forbiddenField("spec.paramRef.selector", both));
    errors.push(...labelSelectorErrors(selector, "spec.paramRef.selector"));
    if (text(param) === "" && selector === undefined)
      errors.push(requiredValue("spec.paramRef", "one of name or selector must be specified"));
    if (text(action) === "") errors.push(requiredValue("spec.paramRef.parameterNotFoundAction"));
    else if (action !== "Allow" && action !== "Deny")
      errors.push(unsupportedValue("spec.paramRef.parameterNotFoundAction", action, ["Deny", "Allow"]));
  }
  return [...errors, ...matchErrors(spec.matchResources, "spec.matchResources")];
}

function validatingBindingErrors(binding: StoredObject): readonly FieldError[] {
  const errors: FieldError[] = [...bindingErrors(binding)];
  const given = section(binding, "spec").validationActions;
  const actions: readonly unknown[] = Array.isArray(given) ? given : [];
  for (const [at, action] of actions.entries()) {
    if (!["Audit", "Deny", "Warn"].includes(String(action)))
      errors.push(unsupportedValue(`spec.validationActions[${at}]`, action, ["Audit", "Deny", "Warn"]));
    if (actions.indexOf(action) < at) errors.push(duplicateValue(`spec.validationActions[${at}]`, action));
  }
  if (actions.includes("Deny") && actions.includes("Warn")) {
    const why =
      "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
    errors.push(invalidValue("spec.validationActions", actions, why));
  }
  if (actions.length === 0) errors.push(requiredValue("spec.validationActions", "at least one validation action is required"));
  return errors;
}

const kind = (plural: string, name: string, more: Partial<BuiltinKind>): BuiltinKind => ({
  resource: admissionResource(plural, name),
  typeName: `admissionregistration.v1.${name}`,
  counted: true,
  conditionalUpdate: true,
  emptyObject: { spec: {} },
  ...more,
});

export const policyKinds: readonly BuiltinKind[] = [
  kind("validatingadmissionpolicies", "ValidatingAdmissionPolicy", {
    subresources: ["status"],
    emptyObject: { spec: {}, status: {} },
    defaults: defaultsWith("matchConstraints", { failurePolicy: "Fail" }),
    validate: validatingErrors,
  }),
  kind("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", {
    defaults: defaultsWith("matchResources", {}),
    validate: validatingBindingErrors,
  }),
  kind("mutatingadmissionpolicies", "MutatingAdmissionPolicy", {
    defaults: defaultsWith("matchConstraints", { failurePolicy: "Fail" }),
    validate: mutatingErrors,
  }),
  kind("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", {
    defaults: defaultsWith("matchResources", {}),
    validate: bindingErrors,
  }),
];
