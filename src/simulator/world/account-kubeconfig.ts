import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accountPath } from "../apiserver/admission/service-account-admission.ts";
import type { ApiServerAddress } from "./process-environment.ts";
import type { LocalMount } from "./process-volumes.ts";

/**
 * Tells kubectl and the libraries of clients who they are. In a real container they find a token at a fixed path; here that path is another
 * one for each pod, so they get a kubeconfig that names it. Nothing where no token is mounted.
 * @param directory of the container's own files
 */
export function writeAccountKubeconfig(
  mounts: readonly LocalMount[],
  directory: string,
  { host, port }: ApiServerAddress,
): { readonly KUBECONFIG?: string } {
  const account = mounts.find(({ mountPath }) => mountPath === accountPath)?.directory;
  if (account === undefined || !existsSync(join(account, "token"))) return {};
  const name = "cluster";
  const namespace = existsSync(join(account, "namespace")) ? readFileSync(join(account, "namespace"), "utf8") : "default";
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: `https://${host}:${port}`, "certificate-authority": join(account, "ca.crt") } }],
    users: [{ name, user: { tokenFile: join(account, "token") } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    "current-context": name,
  };
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "kubeconfig");
  // JSON is YAML
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return { KUBECONFIG: path };
}
