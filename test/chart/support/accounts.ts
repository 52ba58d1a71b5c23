import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ControlPlane } from "../../../hack/control-plane/control-plane.ts";
import type { Kubectl } from "../../cli/kubectl.ts";

/** The name under which the API server knows a ServiceAccount. */
export const accountUser = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`;

/** A kubeconfig (its path) with a token of a ServiceAccount, as its pods have one: who uses it may do what the account may. */
export async function accountKubeconfig(plane: ControlPlane, kubectl: Kubectl, namespace: string, name: string): Promise<string> {
  const token = (await kubectl.ok(["create", "token", name, "-n", namespace, "--duration=2h"])).trim();
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "account",
    contexts: [{ name: "account", context: { cluster: "cluster", user: name, namespace } }],
    clusters: [
      {
        name: "cluster",
        cluster: { server: plane.server, "certificate-authority-data": Buffer.from(plane.authorityPem).toString("base64") },
      },
    ],
    users: [{ name, user: { token } }],
  };
  const path = join(dirname(plane.kubeconfig), `account-${namespace}-${name}.kubeconfig`);
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
