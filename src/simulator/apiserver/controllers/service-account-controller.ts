import { configMaps, namespaces, serviceAccounts } from "../../../api/resource.ts";
import { rootCertificate } from "../admission/service-account-admission.ts";
import type { ApiServer } from "../api-server.ts";
import { keyOf } from "../collection.ts";
import { sameJson } from "../json.ts";
import { ControllerClient } from "./owned.ts";

/**
 * Gives each namespace its service account "default" and the certificate by which its pods know the API server, at once, so that a pod
 * can follow its namespace without a pause.
 * @param caPem the authority that signed the API server's certificate
 */
export function startServiceAccounts(server: ApiServer, caPem: string): void {
  const client = new ControllerClient(server, "kube-controller-manager/embedded");
  const furnish = (namespace: string): void => {
    client.create(serviceAccounts, namespace, { metadata: { name: "default" } });
    const data = { "ca.crt": caPem };
    const held = server.typeOf("", "v1", "configmaps")?.collection.get(keyOf(namespace, rootCertificate));
    if (held === undefined) client.create(configMaps, namespace, { metadata: { name: rootCertificate }, data });
    // of an authority that is no longer ours
    else if (!sameJson(held.data, data)) client.merge(configMaps, held, { data });
  };
  for (const { metadata } of server.typeOf("", "v1", "namespaces")?.collection.all() ?? []) furnish(metadata.name);
  server.onCommit(({ type, resource, object }) => {
    if (resource === namespaces && type === "ADDED") furnish(object.metadata.name);
    const { namespace, name } = object.metadata;
    // both come again when somebody deletes them; in a namespace that goes the creation is refused
    if (type !== "DELETED" || namespace === undefined) return;
    if (resource === serviceAccounts && name === "default") furnish(namespace);
    else if (resource === configMaps && name === rootCertificate) furnish(namespace);
  });
}
