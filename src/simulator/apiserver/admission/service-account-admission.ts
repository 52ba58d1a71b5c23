import { pods, serviceAccounts } from "../../../api/resource.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields } from "../json.ts";
import { section } from "../kinds/builtin-kind.ts";
import type { ResourceType } from "../resource-type.ts";
import { forbidden, notFound } from "../status.ts";
import type { Admission, AdmissionAttributes } from "./attributes.ts";

/** Where programs look for the token of their service account. */
export const accountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The ConfigMap of each namespace with the authority of the API server. */
export const rootCertificate = "kube-root-ca.crt";

const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);

/** Gives new pods a service account, and the volume with its token unless they or it do not want that (plugin/pkg/admission/serviceaccount). */
export class ServiceAccountAdmission implements Admission {
  readonly active = true;
  readonly #typeOf: (group: string, version: string, plural: string) => ResourceType | undefined;
  readonly #suffix: () => string;

  constructor(typeOf: (group: string, version: string, plural: string) => ResourceType | undefined, suffix: () => string) {
    this.#typeOf = typeOf;
    this.#suffix = suffix;
  }

  /** Throws ApiFailure 403 where the account is not there. */
  mutate({ operation, type, subresource, object, namespace = "" }: AdmissionAttributes): Fields | undefined {
    if (operation !== "CREATE" || type.resource !== pods || subresource !== "" || object === undefined) return object;
    const spec = section(object, "spec");
    const stated = spec.serviceAccountName;
    const name = typeof stated === "string" && stated !== "" ? stated : "default";
    const account = this.#typeOf("", "v1", "serviceaccounts")?.collection.get(keyOf(namespace, name));
    if (account === undefined) {
      const why = notFound(serviceAccounts, name).status.message ?? "";
      const pod = String(section(object, "metadata").name ?? "");
      throw forbidden(
        pods,
        pod,
        `error looking up service account ${namespace}/${name}: ${why.replace("serviceaccounts", "serviceaccount")}`,
      );
    }
    const named = { ...spec, serviceAccountName: name, serviceAccount: name };
    const wanted = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
    return { ...object, spec: wanted === true ? this.#withToken(named) : named };
  }

  validate(): readonly string[] {
    return [];
  }

  #withToken(spec: Fields): Fields {
    const volume = `kube-api-access-${this.#suffix()}`;
    let isMounted = false;
    const mounted = (containers: unknown): readonly Fields[] =>
      list(containers).map((container) => {
        const mounts = list(container.volumeMounts);
        if (mounts.some((mount) => mount.mountPath === accountPath)) return container;
        isMounted = true;
        return { ...container, volumeMounts: [...mounts, { name: volume, readOnly: true, mountPath: accountPath }] };
      });
    const parts = {
      containers: mounted(spec.containers),
      ...(spec.initContainers === undefined ? {} : { initContainers: mounted(spec.initContainers) }),
    };
    return isMounted ? { ...spec, ...parts, volumes: [...list(spec.volumes), { name: volume, projected }] } : spec;
  }
}

const projected = {
  defaultMode: 420,
  sources: [
    { serviceAccountToken: { expirationSeconds: 3_607, path: "token" } },
    { configMap: { name: rootCertificate, items: [{ key: "ca.crt", path: "ca.crt" }] } },
    { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
  ],
};
