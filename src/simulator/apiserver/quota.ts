import { type Resource, pods, resourceName } from "../../api/resource.ts";
import { type Fields, isFields, type StoredObject } from "./json.ts";
import { parseQuantity, printQuantity, type Quantity } from "./quantity.ts";
import { forbidden } from "./status.ts";

/** What a ResourceQuota counts, and what it refuses: pods, count/<kind>, and the requests and limits of pods that have not ended. */

type Usage = ReadonlyMap<string, Quantity>;

const section = (object: unknown, name: string): Fields => (isFields(object) && isFields(object[name]) ? (object[name] as Fields) : {});
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
const one: Quantity = { nano: 1_000_000_000n, format: "decimal" };

const add = (left: Quantity | undefined, right: Quantity): Quantity =>
  left === undefined ? right : { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format };

/** A pod that has ended uses nothing. */
const hasEnded = (pod: StoredObject): boolean => ["Succeeded", "Failed"].includes(String(section(pod, "status").phase));

/** What an object uses, under all names by which a quota may count it. */
function usageOf(resource: Resource, object: StoredObject): Usage {
  const usage = new Map<string, Quantity>([[`count/${resourceName(resource)}`, one]]);
  if (resource.group !== "" || resource.plural !== "pods") {
    if (resource.group === "") usage.set(resource.plural, one);
    return usage;
  }
  if (hasEnded(object)) return usage;
  usage.set("pods", one);
  for (const [half, names] of [
    [
      "requests",
      (name: string) =>
        name === "cpu" || name === "memory" || name === "ephemeral-storage" ? [name, `requests.${name}`] : [`requests.${name}`],
    ],
    ["limits", (name: string) => [`limits.${name}`]],
  ] as const) {
    for (const [name, amount] of podResources(section(object, "spec"), half)) for (const key of names(name)) usage.set(key, amount);
  }
  return usage;
}

/** Containers added up, or the largest init container where that is more. */
function podResources(spec: Fields, half: "requests" | "limits"): Usage {
  const total = new Map<string, Quantity>();
  for (const container of list(spec.containers)) {
    for (const [name, amount] of Object.entries(section(container.resources, half))) {
      total.set(name, add(total.get(name), parseQuantity(String(amount)) ?? { nano: 0n, format: "decimal" }));
    }
  }
  for (const container of list(spec.initContainers)) {
    for (const [name, amount] of Object.entries(section(container.resources, half))) {
      const wanted = parseQuantity(String(amount));
      const found = total.get(name);
      if (wanted !== undefined && (found === undefined || wanted.nano > found.nano)) total.set(name, wanted);
    }
  }
  return total;
}

const computeNames = /^(cpu|memory|requests\.(cpu|memory)|limits\.(cpu|memory))$/;

/** The containers that say nothing of what a quota limits. */
function missing(hard: Fields, resource: Resource, object: StoredObject): readonly string[] {
  if (resource.plural !== pods.plural || resource.group !== "") return [];
  const result: string[] = [];
  for (const name of Object.keys(hard).sort()) {
    if (!computeNames.test(name)) continue;
    const half = name.startsWith("limits.") ? "limits" : "requests";
    const short = name.replace(/^(requests|limits)\./, "");
    const without = list(section(object, "spec").containers)
      .filter((container) => section(container.resources, half)[short] === undefined)
      .map((container) => String(container.name));
    if (without.length > 0) result.push(`${name} for: ${without.join(",")}`);
  }
  return result;
}

export interface QuotaCharge {
  readonly quota: StoredObject;
  /** The quota with the object counted in. */
  readonly next: StoredObject;
}

/** Charges a new object to the quotas of its namespace. Throws ApiFailure 403 when one of them refuses it. */
export function admitByQuota(resource: Resource, object: StoredObject, quotas: readonly StoredObject[]): readonly QuotaCharge[] {
  const usage = usageOf(resource, object);
  const charges: QuotaCharge[] = [];
  for (const quota of quotas) {
    const specHard = section(quota.spec, "hard");
    const wanted = Object.keys(specHard).filter((name) => usage.has(name));
    const lacking = missing(specHard, resource, object);
    if (wanted.length === 0 && lacking.length === 0) continue;
    const { name } = object.metadata;
    if (lacking.length > 0) throw forbidden(resource, name, `failed quota: ${quota.metadata.name}: must specify ${lacking.join("; ")}`);
    const status = section(quota, "status");
    const used = section(status, "used");
    if (wanted.some((key) => used[key] === undefined)) {
      throw forbidden(resource, name, `status unknown for quota: ${quota.metadata.name}, resources: ${wanted.sort().join(",")}`);
    }
    const hard = section(status, "hard");
    const exceeded: string[] = [];
    const next: Record<string, unknown> = { ...used };
    for (const key of wanted.sort()) {
      const before = parseQuantity(String(used[key])) ?? { nano: 0n, format: "decimal" };
      const after = add(before, usage.get(key) as Quantity);
      const limit = parseQuantity(String(hard[key] ?? specHard[key]));
      if (limit !== undefined && after.nano > limit.nano) exceeded.push(key);
      next[key] = printQuantity(after);
    }
    if (exceeded.length > 0) {
      const print = (read: (key: string) => string): string => exceeded.map((key) => `${key}=${read(key)}`).join(",");
      const requested = print((key) => printQuantity(usage.get(key) as Quantity));
      throw forbidden(
        resource,
        name,
        `exceeded quota: ${quota.metadata.name}, requested: ${requested}, used: ${print((key) => String(used[key]))}, limited: ${print((key) => String(hard[key] ?? specHard[key]))}`,
      );
    }
    charges.push({ quota, next: { ...quota, status: { ...status, used: next } } });
  }
  return charges;
}

/** What a quota's limits are used to by these objects. */
export function usedBy(quota: StoredObject, objects: Iterable<{ readonly resource: Resource; readonly object: StoredObject }>): Fields {
  const hard = section(quota.spec, "hard");
  const total = new Map<string, Quantity>();
  for (const { resource, object } of objects) {
    for (const [name, amount] of usageOf(resource, object)) if (hard[name] !== undefined) total.set(name, add(total.get(name), amount));
  }
  return Object.fromEntries(Object.keys(hard).map((name) => [name, printQuantity(total.get(name) ?? { nano: 0n, format: "decimal" })]));
}
