import type { KubeObject } from "../../api/meta.ts";
import { type NamedWork, type WaitingWork, workRef } from "../../api/queue-explanation.ts";
import { elasticJobs, runnerApps } from "../../api/resource.ts";
import { ApiError } from "../../kube/errors.ts";
import type { Cluster } from "./plugin-context.ts";

const pageSize = 500;
/** So many objects of a kind are looked through at most. */
const mostPages = 10;

/**
 * Names work that the leader did not name, as far as the caller may list it: the jobs and fleets of its namespace, and where they are not enough those of
 * all. Who knows the UID of an object knows its reference. Hands back the way to do so.
 */
export async function readWorkNames(
  { client, namespace }: Pick<Cluster, "client" | "namespace">,
  works: readonly NamedWork[],
): Promise<(work: NamedWork) => NamedWork> {
  const wanted = new Set(works.flatMap(({ ref, name }) => (name === undefined && ref !== undefined ? [ref] : [])));
  const found = new Map<string, { readonly kind: string; readonly namespace: string; readonly name: string }>();
  const places = [{ namespace }, {}].flatMap((scope) => [elasticJobs, runnerApps].map((resource) => ({ scope, resource })));
  for (const { scope, resource } of places) {
    let token: string | undefined;
    for (let page = 0; wanted.size > 0 && page < mostPages; page++) {
      const options = { ...scope, limit: pageSize, ...(token !== undefined && { continue: token }) };
      const { items, metadata } = await client.list<KubeObject>(resource, options).catch(nothing);
      for (const { metadata: of } of items) {
        const ref = workRef(of.uid ?? "");
        if (wanted.delete(ref)) found.set(ref, { kind: resource.kind, namespace: of.namespace ?? "", name: of.name });
      }
      token = metadata.continue;
      if (token === undefined || token === "") break;
    }
  }
  return (work) => ({ ...found.get(work.ref ?? ""), ...work });
}

/** What waits, with the names of what is in its way, as far as the caller may list that. */
export async function withNames(
  cluster: Pick<Cluster, "client" | "namespace">,
  workloads: readonly WaitingWork[],
): Promise<readonly WaitingWork[]> {
  const works = workloads.flatMap(({ loses, reclaims }) => [
    ...(loses === undefined ? [] : [loses.to]),
    ...reclaims.map(({ from }) => from),
  ]);
  const named = await readWorkNames(cluster, works);
  return workloads.map((work) => ({
    ...work,
    ...(work.loses !== undefined && { loses: { ...work.loses, to: named(work.loses.to) } }),
    reclaims: work.reclaims.map((reclaim) => ({ ...reclaim, from: named(reclaim.from) })),
  }));
}

/** Who may not list them finds no names. */
function nothing(error: unknown): { readonly items: readonly KubeObject[]; readonly metadata: { readonly continue?: string } } {
  if (error instanceof ApiError) return { items: [], metadata: {} };
  throw error;
}

/** "ElasticJob shop/report", with its run where that is known; of what may not be known only the queue. */
export function workText({ kind, namespace, name, part, queue }: NamedWork): string {
  return name === undefined ? `work of ${queue}` : [`${kind} ${namespace}/${name}`, part].filter(Boolean).join(" ");
}
