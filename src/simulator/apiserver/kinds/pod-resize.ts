import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";
import { type FieldError, forbiddenField, invalidValue } from "../status.ts";
import { qosClass } from "./pod-defaults.ts";

/** The subresource pods/resize: only what containers may use of cpu and memory changes, while they run (strategy.go and validation.go of core). */

const groups = ["containers", "initContainers"] as const;
const specOf = (pod: StoredObject): Fields => (isFields(pod.spec) ? pod.spec : {});
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
const section = (fields: Fields, name: string): Fields => (isFields(fields[name]) ? fields[name] : {});

/** The live pod with the resources and resize policies of the wanted one. Where containers differ, the wanted one whole, to be refused. */
export function withResources(next: StoredObject, live: StoredObject): StoredObject {
  const [now, was] = [specOf(next), specOf(live)];
  if (groups.some((group) => list(now[group]).length !== list(was[group]).length)) return next;
  const spec: Record<string, unknown> = { ...was };
  if (now.resources !== undefined) spec.resources = now.resources;
  for (const group of groups) if (was[group] !== undefined) spec[group] = resized(list(now[group]), list(was[group]));
  const { managedFields } = next.metadata;
  return { ...live, metadata: { ...live.metadata, ...(managedFields === undefined ? {} : { managedFields }) }, spec };
}

function resized(now: readonly Fields[], was: readonly Fields[]): readonly Fields[] {
  if (now.some((container, at) => container.name !== was[at]?.name)) return now;
  return was.map((container, at) => {
    const { resizePolicy: _old, ...rest } = container;
    const { resources, resizePolicy } = now[at] as Fields;
    return { ...rest, resources: resources ?? {}, ...(resizePolicy === undefined ? {} : { resizePolicy }) };
  });
}

/** What a resize is refused for, beside what is wrong with the spec itself. */
export function resizeErrors(next: StoredObject, live: StoredObject): readonly FieldError[] {
  const [now, was] = [specOf(next), specOf(live)];
  const errors: FieldError[] = [];
  if (qosClass(now) !== qosClass(was)) {
    const { qosClass: stated } = section(live, "status");
    errors.push(invalidValue("spec", stated ?? qosClass(was), "Pod QOS Class may not change as a result of resizing"));
  }
  const running = list(section(live, "status").containerStatuses).find((one) => isFields(one.state) && isFields(one.state.running));
  if (running !== undefined && running.resources === undefined)
    errors.push(forbiddenField("spec", "Pod running on node without support for resize"));
  const order = orderErrors(now, was);
  if (order.length > 0) return [...errors, ...order];
  for (const group of groups) {
    for (const [at, before] of list(was[group]).entries()) {
      const after = list(now[group])[at] as Fields;
      const where = group === "containers" ? "spec" : `spec.initContainers[${at}]`;
      errors.push(...removalErrors(after, before, `spec.${group}[${at}].resources`));
      if (sameJson(withoutComputing(after), withoutComputing(before))) continue;
      errors.push(
        forbiddenField(
          where,
          group === "containers"
            ? "only cpu and memory resources are mutable"
            : "only cpu and memory resources for init or sidecar containers are mutable",
        ),
      );
    }
  }
  return errors;
}

function orderErrors(now: Fields, was: Fields): readonly FieldError[] {
  return groups.flatMap((group): readonly FieldError[] => {
    const [after, before] = [list(now[group]), list(was[group])];
    if (after.length !== before.length) return [forbiddenField(`spec.${group}`, `${group} may not be added or removed on resize`)];
    return before.flatMap((container, at) =>
      after[at]?.name === container.name
        ? []
        : [forbiddenField(`spec.${group}[${at}].name`, `${group} may not be renamed or reordered on resize`)],
    );
  });
}

function removalErrors(after: Fields, before: Fields, path: string): readonly FieldError[] {
  return (["requests", "limits"] as const).flatMap((half) => {
    const kept = section(section(after, "resources"), half);
    const removed = Object.keys(section(section(before, "resources"), half)).some((name) => kept[name] === undefined);
    return removed ? [forbiddenField(`${path}.${half}`, `resource ${half} cannot be removed`)] : [];
  });
}

/** A container without what a resize may change: its cpu and its memory. */
function withoutComputing(container: Fields): Fields {
  const resources = section(container, "resources");
  const others = (half: string): Fields =>
    Object.fromEntries(Object.entries(section(resources, half)).filter(([name]) => name !== "cpu" && name !== "memory"));
  return { ...container, resources: { requests: others("requests"), limits: others("limits"), claims: resources.claims ?? [] } };
}
