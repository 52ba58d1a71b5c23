import type { Action } from "../../api/action.ts";
import type { ControllerRevision } from "../../api/core.ts";
import { ownedBy } from "../../api/meta.ts";
import { labels, reduceItem } from "../../api/names.ts";
import { controllerRevisions, podTemplates } from "../../api/resource.ts";
import { canonicalJson, shortHash } from "../../base/hash.ts";
import { parseTime } from "../../base/time.ts";
import type { LiveRun } from "./live-run.ts";
import type { ObservedJob } from "./observed.ts";
import { type RevisionData, renderPod } from "./pod.ts";

/** The revision that new runs use, or what is missing until there is one. */
export type RevisionStep =
  | { readonly kind: "ready"; readonly name: string; readonly actions: readonly Action[] }
  | { readonly kind: "pending"; readonly actions: readonly Action[] }
  | { readonly kind: "withheld" }
  | { readonly kind: "collision" }
  /** An absent reason: the API server refuses the template. */
  | { readonly kind: "refused"; readonly message: string; readonly reason?: string };

/**
 * Makes sure that a ControllerRevision holds what new runs will use. Its name is a hash of canonical data and of the job's UID, so that a
 * re-created job does not meet its forerunner's; two data of one name are told apart by collisionCount (decision 74). A template is shown
 * to the API server before it is kept: a revision that exists has passed.
 */
export function stepRevision(observed: ObservedJob): RevisionStep {
  const { job, memory, parameters } = observed;
  const { data, canonical } = observed.pinned;
  if (parameters?.kind === "refused") return parameters;
  if (parameters?.kind === "loading") return { kind: "pending", actions: [] };
  const name = revisionName(observed);
  const existing = observed.revisions.find((revision) => revision.metadata.name === name);
  if (existing !== undefined) return canonicalData(existing) === canonical ? { kind: "ready", name, actions: [] } : { kind: "collision" };
  if (memory.namespaceTerminating) return { kind: "pending", actions: [] };
  // A run that is dispatched has no template for the API server to look at.
  const verdict = data.template === undefined ? accepted : memory.templates.get(name);
  const reduceName = `${name}-reduce`;
  const reduceVerdict = data.reduce === undefined ? accepted : memory.templates.get(reduceName);
  const checks = [
    ...(verdict === undefined ? [templateCheck(observed, data, name, 0)] : []),
    ...(reduceVerdict === undefined ? [templateCheck(observed, data, reduceName, reduceItem)] : []),
  ];
  for (const each of [verdict, reduceVerdict]) if (each?.accepted === false) return { kind: "refused", message: each.message };
  if (checks.length > 0) return { kind: "pending", actions: checks };
  // Nothing is created in a namespace that is only observed.
  if (observed.observing === true) return { kind: "withheld" };
  const revision: ControllerRevision = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name,
      namespace: job.metadata.namespace as string,
      labels: { [labels.job]: job.metadata.name, [labels.jobUid]: job.metadata.uid as string },
      ownerReferences: ownedBy(job),
    },
    data,
    revision: job.metadata.generation ?? 1,
  };
  return { kind: "pending", actions: [{ tag: "create", resource: controllerRevisions, object: revision }] };
}

const names = new WeakMap<ObservedJob["pinned"], { readonly of: string; readonly name: string }>();

/** Hashed once for each generation of a job, not for each plan. */
function revisionName({ job, pinned }: ObservedJob): string {
  const of = `${job.metadata.name} ${job.metadata.uid} ${job.status?.collisionCount ?? 0}`;
  const known = names.get(pinned);
  if (known?.of === of) return known.name;
  const name = `${job.metadata.name}-${shortHash(`${job.metadata.uid} ${job.status?.collisionCount ?? 0} ${pinned.canonical}`, 10)}`;
  names.set(pinned, { of, name });
  return name;
}

const accepted = { accepted: true, message: "" };

const canonicals = new WeakMap<ControllerRevision, string>();

/** Revisions never change and stay in the cache, so each is read once. */
function canonicalData(revision: ControllerRevision): string {
  const known = canonicals.get(revision);
  if (known !== undefined) return known;
  const canonical = canonicalJson(revision.data);
  canonicals.set(revision, canonical);
  return canonical;
}

/** A PodTemplate of the first item's pod, or of the reduce's: it shows the template's own errors, and none of quota or of policies that may change. */
function templateCheck(observed: ObservedJob, revision: RevisionData, name: string, item: number): Action {
  const history = { kind: "Schedule", fireTime: "", revision: name, items: "0", counted: 0, lost: 0, nodes: [], since: "" } as const;
  const pod = renderPod({ job: observed.job, revision, run: "check", fireTime: 0, localDate: "1970-01-01", item, attempt: 1, history });
  const { labels: podLabels, annotations } = pod.metadata;
  const template = {
    apiVersion: "v1",
    kind: "PodTemplate",
    metadata: { name, namespace: observed.job.metadata.namespace as string },
    template: { metadata: { labels: podLabels, annotations }, spec: pod.spec },
  };
  return { tag: "dryRun", resource: podTemplates, object: template, ...(item === reduceItem && { path: "spec.reduce.template" }) };
}

/**
 * The runs of a job that was restored from a backup with its status: those that began before the object was created name revisions of the object that
 * is gone (names hold its UID), whose content no backup of ours holds. They go on with the newest one.
 */
export function withRestored(observed: ObservedJob, live: readonly LiveRun[], newest: string | undefined): readonly LiveRun[] {
  const created = parseTime(observed.job.metadata.creationTimestamp);
  if (newest === undefined || created === undefined) return live;
  const isRestored = ({ startedAt = created }: LiveRun) => startedAt < created;
  return live.map((run) =>
    isRestored(run) && revisionOf(observed.revisions, run.revision) === undefined ? { ...run, revision: newest } : run,
  );
}

/** Deletes revisions that no run, pod or history entry names (decision 15). */
export function collectRevisions(observed: ObservedJob, current: string, live: readonly LiveRun[]): readonly Action[] {
  const { job } = observed;
  if (observed.revisions.length <= 1 || job.status?.currentRevision !== current) return [];
  const used = new Set<string | undefined>([current, job.status?.schedule?.calendars]);
  if (observed.calendars.kind === "usable") used.add(observed.calendars.revision.metadata.name);
  for (const run of live) used.add(run.revision);
  for (const run of [...(job.status?.history ?? []), ...(job.status?.active ?? [])]) used.add(run.revision);
  for (const pod of observed.pods) used.add(pod.history.revision);
  return observed.revisions
    .filter((revision) => !used.has(revision.metadata.name))
    .map((revision) => ({
      tag: "delete",
      resource: controllerRevisions,
      ref: { namespace: job.metadata.namespace as string, name: revision.metadata.name },
      uid: revision.metadata.uid as string,
    }));
}

/** The revision of that name; undefined when the cache does not hold it. */
export function revisionOf(revisions: readonly ControllerRevision[], name: string): ControllerRevision | undefined {
  return revisions.find((revision) => revision.metadata.name === name);
}
