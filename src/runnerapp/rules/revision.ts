import type { Action } from "../../api/action.ts";
import type { ControllerRevision, PodTemplateSpec } from "../../api/core.ts";
import { ownedBy } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { controllerRevisions, podTemplates } from "../../api/resource.ts";
import { canonicalJson, shortHash } from "../../base/hash.ts";
import type { ObservedApp } from "./observed.ts";
import { renderPod } from "./pod.ts";
import type { ResourceOption } from "./resource-options.ts";

/** What of a spec a ControllerRevision holds: all that rolls when it changes. */
export interface RevisionData {
  readonly template: PodTemplateSpec;
  /** Absent = the template alone. */
  readonly resourceOptions?: readonly ResourceOption[];
}

/** The revision of the spec, or what is missing until there is one. */
export type RevisionStep =
  | { readonly kind: "ready"; readonly name: string }
  | { readonly kind: "pending"; readonly actions: readonly Action[] }
  | { readonly kind: "collision" }
  | { readonly kind: "refused"; readonly message: string };

/**
 * Makes sure that a ControllerRevision holds the spec's template. Its name is a hash of the canonical JSON of what the user wrote and of the app's
 * UID: an operator that renders pods differently restarts nobody, and a re-created app does not meet its forerunner's. Two data of one name are told
 * apart by collisionCount (decision 74). A template is shown to the API server before it is kept: a revision that exists has passed.
 */
export function stepRevision(observed: ObservedApp): RevisionStep {
  const { app, memory, revisions, pinned } = observed;
  const name = revisionName(observed);
  const existing = revisions.find((revision) => revision.metadata.name === name);
  if (existing !== undefined) return canonicalOf(existing) === pinned.canonical ? { kind: "ready", name } : { kind: "collision" };
  if (memory.namespaceTerminating) return { kind: "pending", actions: [] };
  const checks = (pinned.data.resourceOptions ?? [{}]).map((_, tries) => ({ tries, name: checkName(name, tries) }));
  const verdicts = checks.map((check) => ({ ...check, verdict: memory.templates.get(check.name) }));
  const bad = verdicts.find(({ verdict }) => verdict?.accepted === false);
  if (bad?.verdict !== undefined) return { kind: "refused", message: refusalText(pinned.data, bad.tries, bad.verdict.message) };
  const unknown = verdicts.filter(({ verdict }) => verdict === undefined);
  if (unknown.length > 0) return { kind: "pending", actions: unknown.map((check) => templateCheck(observed, name, check)) };
  const revision: ControllerRevision = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name,
      namespace: app.metadata.namespace as string,
      labels: { [labels.app]: app.metadata.name },
      ownerReferences: ownedBy(app),
    },
    data: pinned.data,
    revision: 1 + Math.max(0, ...revisions.map((each) => each.revision)),
  };
  return { kind: "pending", actions: [{ tag: "create", resource: controllerRevisions, object: revision }] };
}

const names = new WeakMap<ObservedApp["pinned"], { readonly of: string; readonly name: string }>();

/** Hashed once for each generation of an app, not for each plan. */
function revisionName({ app, pinned }: ObservedApp): string {
  const of = `${app.metadata.uid} ${app.status?.collisionCount ?? 0}`;
  const known = names.get(pinned);
  if (known?.of === of) return known.name;
  const name = `${app.metadata.name}-${shortHash(`${of} ${pinned.canonical}`, 10)}`;
  names.set(pinned, { of, name });
  return name;
}

const canonicals = new WeakMap<ControllerRevision, string>();

/** Revisions never change and stay in the cache, so each is read once. */
function canonicalOf(revision: ControllerRevision): string {
  const known = canonicals.get(revision);
  if (known !== undefined) return known;
  const canonical = canonicalJson(revision.data);
  canonicals.set(revision, canonical);
  return canonical;
}

const checkName = (revision: string, tries: number): string => (tries === 0 ? revision : `${revision}-${tries}`);

const refusalText = ({ resourceOptions }: RevisionData, option: number, message: string): string =>
  resourceOptions === undefined ? message : `with spec.resourceOptions[${option}]: ${message}`;

/** A PodTemplate shows the template's own errors, and none of quota or of policies that may change. */
function templateCheck(
  { app, pinned }: ObservedApp,
  revision: string,
  { name, tries }: { readonly name: string; readonly tries: number },
): Action {
  const { metadata, spec } = renderPod({ app, revision, data: pinned.data, name, instance: "0", tries });
  const template = {
    apiVersion: "v1",
    kind: "PodTemplate",
    metadata: { name, namespace: app.metadata.namespace as string },
    template: { metadata: { labels: metadata.labels, annotations: metadata.annotations }, spec },
  };
  return { tag: "dryRun", resource: podTemplates, object: template };
}

/** What a revision holds; undefined when the cache does not have it. */
export function dataOf(revisions: readonly ControllerRevision[], name: string | undefined): RevisionData | undefined {
  return revisions.find((revision) => revision.metadata.name === name)?.data as RevisionData | undefined;
}

/** Deletes the oldest revisions beyond spec.revisionHistoryLimit of those that nothing uses. */
export function collectRevisions({ app, revisions }: ObservedApp, limit: number, used: ReadonlySet<string | undefined>): readonly Action[] {
  const idle = revisions.filter(({ metadata }) => !used.has(metadata.name)).sort((a, b) => a.revision - b.revision);
  return idle.slice(0, Math.max(0, idle.length - limit)).map(({ metadata }) => ({
    tag: "delete",
    resource: controllerRevisions,
    ref: { namespace: app.metadata.namespace as string, name: metadata.name },
    uid: metadata.uid as string,
  }));
}
