import { keyOf } from "../collection.ts";
import { type Fields, isFields } from "../json.ts";
import type { ResourceType } from "../resource-type.ts";
import { matchesLabels, requirementsOf } from "../selectors.ts";
import type { AdmissionAttributes } from "./attributes.ts";

/** Which writes a policy, a binding or a webhook is about (pkg/admission/plugin/policy/matching, webhook/predicates). */

const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
const labelsOf = (object: Fields | undefined): Readonly<Record<string, string>> | undefined =>
  isFields(object?.metadata) && isFields(object.metadata.labels) ? (object.metadata.labels as Readonly<Record<string, string>>) : undefined;
const has = (value: unknown, wanted: string): boolean => texts(value).some((one) => one === "*" || one === wanted);

const isNamespace = ({ type }: AdmissionAttributes): boolean => type.resource.group === "" && type.resource.plural === "namespaces";

/** Whether MatchResources take the write in; absent ones take all. */
export function matchesResources(match: unknown, attributes: AdmissionAttributes, namespaces: ResourceType): boolean {
  if (!isFields(match)) return true;
  if (!matchesSelectors(match, attributes, namespaces)) return false;
  if (list(match.excludeResourceRules).some((rule) => matchesRule(rule, attributes))) return false;
  const rules = list(match.resourceRules);
  return rules.length === 0 || rules.some((rule) => matchesRule(rule, attributes));
}

/** Whether the selectors of namespaces and objects take the write in. */
export function matchesSelectors(match: Fields, attributes: AdmissionAttributes, namespaces: ResourceType): boolean {
  const { object, oldObject } = attributes;
  const inNamespace = requirementsOf(match.namespaceSelector ?? {}) ?? [];
  if (inNamespace.length > 0) {
    // a namespace is selected by its own labels, other objects of no namespace always
    const labels = isNamespace(attributes)
      ? labelsOf(object ?? oldObject)
      : attributes.namespace === undefined
        ? undefined
        : labelsOf(namespaces.collection.get(keyOf(undefined, attributes.namespace)));
    if ((isNamespace(attributes) || attributes.namespace !== undefined) && !matchesLabels(labels, inNamespace)) return false;
  }
  const selected = requirementsOf(match.objectSelector ?? {}) ?? [];
  if (selected.length === 0) return true;
  return [object, oldObject].some((one) => one !== undefined && matchesLabels(labelsOf(one), selected));
}

/** Whether one rule takes the write in. */
export function matchesRule(rule: Fields, attributes: AdmissionAttributes): boolean {
  const { type, subresource, operation, namespace, name } = attributes;
  const { group, version, plural } = type.resource;
  if (!has(rule.operations, operation) || !has(rule.apiGroups, group) || !has(rule.apiVersions, version)) return false;
  const clusterWide = isNamespace(attributes) || namespace === undefined;
  if (rule.scope === "Namespaced" && clusterWide) return false;
  if (rule.scope === "Cluster" && !clusterWide) return false;
  const matched = texts(rule.resources).some((one) => {
    const [resource = "", part = ""] = one.split("/", 2);
    return (resource === "*" || resource === plural) && (part === "*" || part === subresource);
  });
  const names = texts(rule.resourceNames);
  return matched && (names.length === 0 || names.includes(name));
}
