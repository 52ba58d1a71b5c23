import { type Fields, isFields, type StoredObject } from "../json.ts";
import { type FieldError, invalidValue, unsupportedValue } from "../status.ts";
import type { BuiltinKind } from "./builtin-kind.ts";
import { labelSelectorErrors } from "./label-selector-validation.ts";

const specOf = (object: StoredObject): Fields => (isFields(object.spec) ? object.spec : {});

/** A number of pods, or a percentage of them up to 100%. */
function amountErrors(value: unknown, field: string): readonly FieldError[] {
  if (typeof value === "number") return value < 0 ? [invalidValue(field, value, "must be greater than or equal to 0")] : [];
  if (typeof value !== "string") return [];
  const percent = /^(\d+)%$/.exec(value);
  if (percent === null) {
    return [
      invalidValue(
        field,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  }
  return Number(percent[1]) > 100 ? [invalidValue(field, value, "must not be greater than 100%")] : [];
}

function budgetErrors(budget: StoredObject): readonly FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = specOf(budget);
  const errors: FieldError[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    errors.push({ field: "spec", reason: "FieldValueInvalid", detail: "minAvailable and maxUnavailable cannot be both set" });
  }
  errors.push(...amountErrors(minAvailable, "spec.minAvailable"), ...amountErrors(maxUnavailable, "spec.maxUnavailable"));
  errors.push(...labelSelectorErrors(selector, "spec.selector"));
  if (policy !== undefined && policy !== "AlwaysAllow" && policy !== "IfHealthyBudget")
    errors.push(unsupportedValue("spec.unhealthyPodEvictionPolicy", policy, ["AlwaysAllow", "IfHealthyBudget"]));
  return errors;
}

function statusErrors(budget: StoredObject): readonly FieldError[] {
  const status = isFields(budget.status) ? budget.status : {};
  return ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"].flatMap((name) => {
    const value = status[name];
    return typeof value === "number" && value < 0 ? [invalidValue(`status.${name}`, value, "must be greater than or equal to 0")] : [];
  });
}

/** Go writes the four numbers of a status even when they are 0. */
const noStatus: Fields = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };

/** PodDisruptionBudgets: how many pods of a kind an eviction must leave. */
export const disruptionBudgetKind: BuiltinKind = {
  resource: { group: "policy", version: "v1", plural: "poddisruptionbudgets", kind: "PodDisruptionBudget", namespaced: true },
  typeName: "policy.v1.PodDisruptionBudget",
  shortNames: ["pdb"],
  subresources: ["status"],
  counted: true,
  conditionalUpdate: true,
  emptyObject: { spec: {}, status: noStatus },
  defaults: (object) => ({ ...object, status: { ...noStatus, ...(isFields(object.status) ? object.status : {}) } }),
  prepareCreate: (object) => ({ ...object, status: noStatus }),
  validate: budgetErrors,
  validateUpdate: (next, _live, subresource) => (subresource === "status" ? statusErrors(next) : budgetErrors(next)),
};
