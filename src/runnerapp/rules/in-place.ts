import type { Container, ContainerStatus, Pod, PodTemplateSpec } from "../../api/core.ts";
import { withoutOurs } from "../../api/pod-fields.ts";
import { canonicalJson } from "../../base/hash.ts";
import type { RevisionData } from "./revision.ts";

type Amounts = Readonly<Record<string, string>>;
export interface Resources {
  readonly requests?: Amounts;
  readonly limits?: Amounts;
}

/** What differs between two revisions whose pods can become each other's. Texts that are to go are null. */
export interface InPlaceChange {
  readonly images: readonly { readonly name: string; readonly image: string }[];
  readonly resources: readonly { readonly name: string; readonly resources: Resources }[];
  /** Containers that start anew for it. */
  readonly restarts: readonly string[];
  readonly labels: Readonly<Record<string, string | null>>;
  readonly annotations: Readonly<Record<string, string | null>>;
}

/** What is kept on a pod of how it was changed (annotation nuptse.dev/in-place). */
export interface InPlaceRecord {
  /** `id`: that of the container that is to make way for a new one. `ends`: so many of its ends are none of its failures. */
  readonly containers: readonly { readonly name: string; readonly id?: string; readonly ends: number }[];
  /** Its resources are not what they are to be yet. */
  readonly resize?: true;
}

/** What the API server lets change in a pod that runs, and only where both sides name it: nothing can be taken away. */
const resizable: ReadonlySet<string> = new Set(["cpu", "memory"]);

const changes = new WeakMap<RevisionData, WeakMap<RevisionData, { readonly change: InPlaceChange | undefined }>>();

/** Revisions never change and stay in the cache, so each pair is compared once; undefined = pods must be made anew. */
export function inPlaceChange(from: RevisionData, to: RevisionData): InPlaceChange | undefined {
  const known = changes.get(from) ?? new WeakMap();
  changes.set(from, known);
  const found = known.get(to) ?? { change: compare(from, to) };
  known.set(to, found);
  return found.change;
}

function compare(from: RevisionData, to: RevisionData): InPlaceChange | undefined {
  if ((to.template.spec.initContainers ?? []).length > 0) return undefined;
  if (canonicalJson(fixedPart(from)) !== canonicalJson(fixedPart(to))) return undefined;
  const before = new Map(from.template.spec.containers.map((container) => [container.name, container]));
  const images: InPlaceChange["images"][number][] = [];
  const resources: InPlaceChange["resources"][number][] = [];
  const restarts = new Set<string>();
  for (const container of to.template.spec.containers) {
    const { name, image } = container;
    const was = before.get(name) as Container;
    if (image !== was.image) {
      if (image === undefined) return undefined;
      images.push({ name, image });
      restarts.add(name);
    }
    const resized = resizedAmounts(was, container);
    if (resized === "impossible") return undefined;
    if (resized.length === 0) continue;
    resources.push({ name, resources: withRequests(container) });
    if (resized.some((resource) => restartsFor(container, resource))) restarts.add(name);
  }
  // Which amounts a pod has is told by the alternative that it was made of.
  if (resources.length > 0 && to.resourceOptions !== undefined) return undefined;
  return {
    images,
    resources,
    restarts: [...restarts],
    labels: textChange(from.template.metadata?.labels, to.template.metadata?.labels),
    annotations: textChange(from.template.metadata?.annotations, to.template.metadata?.annotations),
  };
}

/** All that cannot change in a pod. */
function fixedPart({ template, resourceOptions }: RevisionData): unknown {
  const { labels: _, annotations: __, ...metadata } = (template.metadata ?? {}) as NonNullable<PodTemplateSpec["metadata"]>;
  const containers = template.spec.containers.map(({ image: _image, resources: _resources, ...rest }) => rest);
  return { metadata, spec: { ...template.spec, containers }, resourceOptions: resourceOptions ?? null };
}

/** The resources whose amounts differ. */
function resizedAmounts(was: Container, now: Container): readonly string[] | "impossible" {
  const resized = new Set<string>();
  for (const half of ["requests", "limits"] as const) {
    const [before, after] = [was.resources?.[half] ?? {}, now.resources?.[half] ?? {}];
    const names = Object.keys(after);
    if (names.length !== Object.keys(before).length || names.some((name) => before[name] === undefined)) return "impossible";
    for (const name of names) if (before[name] !== after[name]) resized.add(name);
  }
  return [...resized].every((name) => resizable.has(name)) ? [...resized] : "impossible";
}

/** A request that is absent is the limit, as the API server filled it in when the pod was made. */
function withRequests({ resources }: Container): Resources {
  const { requests = {}, limits = {} } = resources ?? {};
  const pick = (amounts: Amounts) => Object.fromEntries(Object.entries(amounts).filter(([name]) => resizable.has(name)));
  return { requests: pick({ ...limits, ...requests }), limits: pick(limits) };
}

function restartsFor({ resizePolicy }: Container, resource: string): boolean {
  const policies = (resizePolicy ?? []) as readonly { readonly resourceName: string; readonly restartPolicy: string }[];
  return policies.some(({ resourceName, restartPolicy }) => resourceName === resource && restartPolicy === "RestartContainer");
}

function textChange(from: Readonly<Record<string, string>> = {}, to: Readonly<Record<string, string>> = {}): Record<string, string | null> {
  const [before, after] = [withoutOurs(from), withoutOurs(to)];
  const gone = Object.keys(before).filter((key) => after[key] === undefined);
  const set = Object.entries(after).filter(([key, value]) => before[key] !== value);
  return Object.fromEntries([...gone.map((key) => [key, null] as const), ...set]);
}

/** What is to be kept on a pod that is changed now. */
export function recordOf({ status }: Pod, { restarts, resources }: InPlaceChange): InPlaceRecord {
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const containers = statuses.flatMap((one): InPlaceRecord["containers"] => {
    const isRestarted = restarts.includes(one.name);
    const ends = (one.restartCount ?? 0) + (isRestarted ? 1 : 0);
    return ends === 0 ? [] : [{ name: one.name, ...(isRestarted && { id: one.containerID ?? "" }), ends }];
  });
  return { containers, ...(resources.length > 0 && { resize: true as const }) };
}

/** Reads what {@link recordOf} made; what somebody wrote there and cannot be read is as if it were not there. */
export function readRecord(text: string | undefined): InPlaceRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const { containers, resize } = JSON.parse(text) as InPlaceRecord;
    const isRight = ({ name, id = "", ends }: InPlaceRecord["containers"][number]) =>
      typeof name === "string" && typeof id === "string" && Number.isInteger(ends);
    if (!Array.isArray(containers) || !containers.every(isRight)) return undefined;
    return { containers, ...(resize === true && { resize }) };
  } catch {
    return undefined;
  }
}

/**
 * Whether containers of the pod have yet to start anew: its status may still tell of those before, which were ready. Told by the containers' IDs: two
 * names of one image are one to a container runtime, and the image in the status need not change.
 */
export function isChanging({ metadata, status }: Pod, record: InPlaceRecord | undefined): boolean {
  if (record === undefined) return false;
  if ((status?.observedGeneration ?? Number.POSITIVE_INFINITY) < (metadata.generation ?? 0)) return true;
  const byName = new Map(status?.containerStatuses?.map((one) => [one.name, one]));
  return record.containers.some(({ name, id }) => id !== undefined && !isRenewed(byName.get(name), id));
}

const isRenewed = (status: ContainerStatus | undefined, id: string): boolean =>
  status?.state?.running !== undefined && status.containerID !== undefined && status.containerID !== id;
