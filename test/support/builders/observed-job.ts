import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";
import { emptyMemory, type NodeFacts, type ObservedJob } from "../../../src/elasticjob/rules/observed.ts";
import { readSpec } from "../../../src/elasticjob/rules/read-spec.ts";
import { elasticJobProblems } from "../../../src/validation/elastic-job.ts";
import { at, makeJob } from "./elastic-job.ts";

/** Nodes that exist, all of them usable but the cordoned ones and those of which nothing is heard, with the instant since which. */
export function makeNodes(
  names: readonly string[] = ["n1", "n2", "n3"],
  cordoned: readonly string[] = [],
  unreachable: ReadonlyMap<string, number> = new Map(),
): NodeFacts {
  const usable = names.filter((name) => !cordoned.includes(name) && !unreachable.has(name));
  return {
    usable: (name) => usable.includes(name),
    known: (name) => names.includes(name),
    unreachableSince: (name) => unreachable.get(name),
    usableNames: () => usable,
  };
}

/** What a plan is made from, at noon, with nothing going on. */
export function makeObserved(differs: Partial<ObservedJob> & { readonly job?: ElasticJob } = {}): ObservedJob {
  const job = differs.job ?? makeJob();
  const now = differs.now ?? at("12:00:00");
  return {
    job,
    pods: [],
    vanished: [],
    endedUndeleted: new Set(),
    revisions: [],
    resultsFiles: [],
    ...readSpec(job, elasticJobProblems(job.spec)),
    nodes: makeNodes(),
    memory: emptyMemory,
    now,
    serverNow: now,
    termStart: at("09:00:00"),
    maxClockSkewMs: 30_000,
    overRetained: false,
    requests: [],
    ...differs,
  };
}
