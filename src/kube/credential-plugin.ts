import { type ClusterAccess, CredentialsError } from "./cluster-access.ts";
import type { Kubeconfig } from "./kubeconfig.ts";

/** Asks the plug-in of a kubeconfig's user; what it gave is kept until it says it ends. Rejects with CredentialsError. */
export type CredentialPlugin = () => Promise<Pick<ClusterAccess, "tls" | "headers">>;

/**
 * Opens the `exec` or `auth-provider` plug-in of a context's user, which client-node knows how to ask. It alone is imported lazily: the
 * import costs 0.8 s and 90 MB of the 5 s and 600 MB that a cold start of the operator may take, and most users have no plug-in.
 */
export async function openCredentialPlugin(kubeconfig: Kubeconfig, context: string): Promise<CredentialPlugin> {
  const { KubeConfig } = await import("./kube-config.ts");
  const config = new KubeConfig();
  config.loadFromString(JSON.stringify(documentOf(kubeconfig, context)));
  return async () => {
    const options: import("node:https").RequestOptions = {};
    try {
      await config.applyToHTTPSOptions(options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CredentialsError(`the credential plug-in of context "${context}" in ${kubeconfig.source} failed: ${reason}`, {
        cause: error,
      });
    }
    const { ca, cert, key } = options;
    const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
    return {
      tls: { ...(ca ? { ca: String(ca) } : {}), ...(cert && key ? { cert: String(cert), key: String(key) } : {}) },
      headers: Object.fromEntries(headers),
    };
  };
}

function documentOf(kubeconfig: Kubeconfig, context: string): unknown {
  const list = (entries: ReadonlyMap<string, unknown>, key: string) => [...entries].map(([name, value]) => ({ name, [key]: value }));
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": context,
    contexts: list(kubeconfig.contexts, "context"),
    clusters: list(kubeconfig.clusters, "cluster"),
    users: list(kubeconfig.users, "user"),
  };
}
