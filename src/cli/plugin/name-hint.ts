import type { KubeObject } from "../../api/meta.ts";
import { elasticJobs, type Resource, runnerApps } from "../../api/resource.ts";
import type { Cluster } from "./plugin-context.ts";
import { suggestionFor } from "./suggestion.ts";

const shortNames: ReadonlyMap<Resource, string> = new Map([
  [elasticJobs, "ej"],
  [runnerApps, "ra"],
]);
const mostNames = 500;

/** What may have been meant by a name that no object of the kind has: the end of a sentence. Empty-handed where names cannot be read. */
export async function nameHint(cluster: Pick<Cluster, "client" | "namespace">, resource: Resource, name: string): Promise<string> {
  const { namespace } = cluster;
  const names = await namesOf(cluster, resource);
  const near = suggestionFor(name, names);
  if (near !== undefined) return `; did you mean ${near}?`;
  const other = resource === elasticJobs ? runnerApps : elasticJobs;
  if ((await namesOf(cluster, other)).includes(name)) return `; did you mean the ${other.kind} ${shortNames.get(other)}/${name}?`;
  if (names.length === 0) return `: the namespace has none; name another one with -n, or see kubectl get ${shortNames.get(resource)} -A`;
  return `; there are ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", ..." : ""} (kubectl get ${shortNames.get(resource)} -n ${namespace})`;
}

async function namesOf({ client, namespace }: Pick<Cluster, "client" | "namespace">, resource: Resource): Promise<readonly string[]> {
  return client.list<KubeObject>(resource, { namespace, limit: mostNames }).then(
    ({ items }) => items.map(({ metadata }) => metadata.name),
    () => [],
  );
}
