import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { loadCredentials } from "../../kube/credentials.ts";
import { createHttpTransport } from "../../kube/http-transport.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import { createServerTime } from "../../kube/server-time.ts";
import type { Cluster, ClusterFlags } from "./plugin-context.ts";

/** Finds the cluster as kubectl does; nothing is sent yet. Rejects with CredentialsError. */
export async function openCluster(
  flags: ClusterFlags,
  { clock, random, version }: { readonly clock: Clock; readonly random: Random; readonly version: string },
): Promise<Cluster> {
  const credentials = await loadCredentials({
    clock,
    ...(flags.kubeconfig !== undefined && { kubeconfig: flags.kubeconfig }),
    ...(flags.context !== undefined && { context: flags.context }),
  });
  const serverTime = createServerTime(clock);
  const transport = createHttpTransport({
    credentials,
    clock,
    random,
    userAgent: `kubectl-nuptse/${version}`,
    onServerDate: (date) => serverTime.observe(date),
  });
  return {
    transport,
    client: createKubeClient(transport),
    serverNow: () => serverTime.now(),
    namespace: flags.namespace ?? credentials.namespace ?? "default",
    close: () => transport.close(),
  };
}
