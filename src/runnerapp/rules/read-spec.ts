import type { SpecProblem } from "../../api/problem.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { canonicalJson } from "../../base/hash.ts";
import type { RevisionData } from "./revision.ts";

/** An app's spec as rules use it, kept until the generation changes. */
export interface ReadSpec {
  readonly problems: readonly SpecProblem[];
  readonly pinned: { readonly data: RevisionData; readonly canonical: string };
}

/** @param problems what validation found */
export function readSpec({ spec }: RunnerApp, problems: readonly SpecProblem[]): ReadSpec {
  const options = spec.resourceOptions as RevisionData["resourceOptions"];
  // A fleet that somebody else runs has no revisions.
  const template = spec.template ?? { spec: { containers: [] } };
  const data: RevisionData = { template, ...(options !== undefined && { resourceOptions: options }) };
  return { problems, pinned: { data, canonical: canonicalJson(data) } };
}
