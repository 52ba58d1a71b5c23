import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { type ClusterAccess, type ClusterTls, CredentialsError } from "./cluster-access.ts";
import { openCredentialPlugin } from "./credential-plugin.ts";
import { defaultKubeconfigPath, readKubeconfig, resolveAccess } from "./kubeconfig.ts";

export { CredentialsError } from "./cluster-access.ts";

/** Who we are to an API server, and how we know that it is the right one. */
export interface Credentials {
  /** The URL of the API server, without a slash at the end. */
  readonly server: string;
  /** Where commands work that name no namespace: that of the context, or that of the pod we run in. */
  readonly namespace?: string;
  /** Another object as soon as anything in it has changed: connections that were made with the former one must be given up. */
  readonly tls: ClusterTls;
  /** The headers that prove who we are. Cheap: files are read anew once a minute, plug-ins asked at most once a second. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Reads everything anew, since the API server refused what it got; at most once a second. Keeps what there is when that fails. */
  refresh(): Promise<void>;
}

export interface CredentialsOptions {
  /** A kubeconfig file. Absent: $KUBECONFIG, else the service account of the pod we run in, else ~/.kube/config. */
  readonly kubeconfig?: string;
  /** A context of the kubeconfig instead of its current one. */
  readonly context?: string;
  /** The service account of the pod, and nothing else. */
  readonly inCluster?: boolean;
  readonly clock: Clock;
  /** Absent = that of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Where a pod finds its service account; absent = where Kubernetes puts it. */
  readonly serviceAccountFolder?: string;
}

/** The kubelet renews a token long before it ends; once a minute is what client-go does. */
const rereadMs = 60_000;
const leastRereadMs = 1000;

/** Finds the cluster and who we are there. Rejects with CredentialsError. */
export async function loadCredentials(options: CredentialsOptions): Promise<Credentials> {
  const environment = options.environment ?? process.env;
  const listed = options.inCluster ? undefined : environment["KUBECONFIG"];
  if (options.inCluster || (!options.kubeconfig && !listed && environment["KUBERNETES_SERVICE_HOST"])) {
    const folder = options.serviceAccountFolder ?? "/var/run/secrets/kubernetes.io/serviceaccount";
    return keepFresh(() => serviceAccountAccess(environment, folder), options.clock, rereadMs);
  }
  if (options.kubeconfig) return kubeconfigCredentials([options.kubeconfig], options);
  return kubeconfigCredentials(listed ? splitPaths(listed) : [defaultKubeconfigPath(environment)], options);
}

async function kubeconfigCredentials(paths: readonly string[], options: CredentialsOptions): Promise<Credentials> {
  let kubeconfig = await readKubeconfig(paths);
  let access = await resolveAccess(kubeconfig, options.context);
  if (!access.needsPlugin)
    return keepFresh(async () => resolveAccess(await readKubeconfig(paths), options.context), options.clock, rereadMs);

  let plugin = await openCredentialPlugin(kubeconfig, access.context);
  const read = async (anew: boolean): Promise<ClusterAccess> => {
    if (anew) {
      // the plug-in keeps its answer until that ends, and an answer that was refused must not be kept
      kubeconfig = await readKubeconfig(paths);
      access = await resolveAccess(kubeconfig, options.context);
      plugin = await openCredentialPlugin(kubeconfig, access.context);
    }
    const answer = await plugin();
    return { ...access, tls: { ...access.tls, ...answer.tls }, headers: { ...access.headers, ...answer.headers } };
  };
  return keepFresh(read, options.clock, leastRereadMs);
}

async function serviceAccountAccess(environment: Readonly<Record<string, string | undefined>>, folder: string): Promise<ClusterAccess> {
  const host = environment["KUBERNETES_SERVICE_HOST"];
  if (!host) throw new CredentialsError("this is not a pod (KUBERNETES_SERVICE_HOST is not set): name a kubeconfig with --kubeconfig");
  const read = (name: string) =>
    readFile(`${folder}/${name}`, "utf8").catch((error: Error) => {
      const advice = "give the pod a service account and do not set automountServiceAccountToken to false";
      throw new CredentialsError(`cannot read the service account's ${name}: ${error.message}; ${advice}`, { cause: error });
    });
  const [token, ca] = await Promise.all([read("token"), read("ca.crt")]);
  // Kubernetes puts it there too; without it "default" serves as well as anything.
  const namespace = await readFile(`${folder}/namespace`, "utf8").catch(() => "");
  const address = host.includes(":") ? `[${host}]` : host;
  return {
    server: `https://${address}:${environment["KUBERNETES_SERVICE_PORT"] ?? "443"}`,
    tls: { ca },
    headers: { authorization: `Bearer ${token.trim()}` },
    ...(namespace.trim() !== "" && { namespace: namespace.trim() }),
  };
}

/** Serves what `read` gave last, and reads again when that is older than `maxAgeMs`; when that fails, what there is stays. */
async function keepFresh(read: (anew: boolean) => Promise<ClusterAccess>, clock: Clock, maxAgeMs: number): Promise<Credentials> {
  let access = await read(false);
  checkCertificates(access.tls);
  let readAt = clock.monotonic();
  let reading: Promise<void> | undefined;

  const reread = async (anew: boolean): Promise<void> => {
    try {
      const next = await read(anew);
      const isSame = JSON.stringify(next.tls) === JSON.stringify(access.tls);
      if (!isSame) checkCertificates(next.tls);
      access = isSame ? { ...next, tls: access.tls } : next;
    } catch {
      // half-written files and plug-ins that fail once are ordinary; what is really wrong shows as Unauthorized
    }
    readAt = clock.monotonic();
    reading = undefined;
  };
  const readOnce = (anew: boolean) => {
    reading ??= reread(anew);
    return reading;
  };

  return {
    server: access.server,
    ...(access.namespace !== undefined && { namespace: access.namespace }),
    get tls() {
      return access.tls;
    },
    async headers() {
      if (clock.monotonic() - readAt >= maxAgeMs) await readOnce(false);
      return access.headers;
    },
    async refresh() {
      if (reading !== undefined || clock.monotonic() - readAt >= leastRereadMs) await readOnce(true);
    },
  };
}

/** Says at once, and in one line, what would otherwise come out of the first connection. */
function checkCertificates(tls: ClusterTls): void {
  try {
    createSecureContext(tls);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CredentialsError(`the certificates for the API server cannot be used (${reason}): repair the kubeconfig`, { cause: error });
  }
}

function splitPaths(paths: string): readonly string[] {
  return paths.split(process.platform === "win32" ? ";" : ":").filter((path) => path !== "");
}
