import type { Cluster, ClusterFlags, PluginContext } from "./plugin-context.ts";

/** Opens the cluster, does what is to be done with it, and closes it whatever comes of that. */
export async function withCluster<T>(
  context: Pick<PluginContext, "openCluster">,
  flags: ClusterFlags,
  act: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = await context.openCluster(flags);
  try {
    return await act(cluster);
  } finally {
    cluster.close();
  }
}
