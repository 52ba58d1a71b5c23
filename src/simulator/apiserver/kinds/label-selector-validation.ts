import { isFields } from "../json.ts";
import { labelErrors, labelValueErrors, qualifiedNameErrors } from "../object-meta.ts";
import { type FieldError, forbiddenField, invalidValue, requiredValue } from "../status.ts";

/** Errors in a LabelSelector at a path. */
export function labelSelectorErrors(selector: unknown, path: string): readonly FieldError[] {
  if (!isFields(selector)) return [];
  const errors: FieldError[] = [...labelErrors(selector.matchLabels, `${path}.matchLabels`)];
  const expressions = Array.isArray(selector.matchExpressions) ? selector.matchExpressions.filter(isFields) : [];
  for (const [at, { key, operator, values }] of expressions.entries()) {
    const where = `${path}.matchExpressions[${at}]`;
    const found: readonly unknown[] = Array.isArray(values) ? values : [];
    if (operator === "In" || operator === "NotIn") {
      if (found.length === 0) errors.push(requiredValue(`${where}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (found.length > 0)
        errors.push(forbiddenField(`${where}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else errors.push(invalidValue(`${where}.operator`, operator ?? "", "not a valid selector operator"));
    errors.push(...qualifiedNameErrors(String(key ?? "")).map((error) => invalidValue(`${where}.key`, key ?? "", error)));
    for (const [index, value] of found.entries())
      errors.push(...labelValueErrors(String(value)).map((error) => invalidValue(`${where}.values[${index}]`, value, error)));
  }
  return errors;
}
