import type { ControllerRevision } from "../../../api/core.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { RevisionData } from "../../../runnerapp/rules/revision.ts";

/** A revision of an app, as it is shown. */
export interface RevisionView {
  /** 1, 2, ... in the order in which they came. */
  readonly revision: number;
  readonly name: string;
  readonly createdAt?: string;
  readonly images: readonly string[];
  /** Pods of it that are not being deleted. */
  readonly instances: number;
  /** Spec: what spec.template says. Stable: the newest that all instances had and were available with. */
  readonly marks: readonly ("Spec" | "Stable")[];
}

/** The revisions of an app in their order. */
export function revisionViews(
  { status }: RunnerApp,
  revisions: readonly ControllerRevision[],
  living: readonly { readonly revision: string }[],
): readonly RevisionView[] {
  return revisions.map(({ metadata, revision, data }) => {
    const { name, creationTimestamp } = metadata;
    return {
      revision,
      name,
      ...(creationTimestamp !== undefined && { createdAt: creationTimestamp }),
      images: (data as RevisionData).template.spec.containers.map(({ image }) => image ?? ""),
      instances: living.filter((pod) => pod.revision === name).length,
      marks: [
        ...(name === status?.updateRevision ? (["Spec"] as const) : []),
        ...(name === status?.stableRevision ? (["Stable"] as const) : []),
      ],
    };
  });
}

/** "3", as `rollout undo --to-revision` takes it; the last part of its name where the user may not read revisions. */
export function revisionText(revisions: readonly ControllerRevision[], name: string | undefined): string {
  if (name === undefined || name === "") return "-";
  const found = revisions.find(({ metadata }) => metadata.name === name);
  return found === undefined ? name.slice(name.lastIndexOf("-") + 1) : String(found.revision);
}
