import type { EndpointSlice } from "../../../api/endpoint-slice.ts";
import { sliceManagerLabel, sliceServiceLabel } from "../../../api/endpoint-slice.ts";
import type { LabelSelector } from "../../../api/label-selector.ts";
import { controllerOf, identityOf, type KubeObject, type ObjectMeta } from "../../../api/meta.ts";
import { annotations, labels } from "../../../api/names.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";

/** A Service of whomever, as far as rules read it. Labels are whole, so that they can be patched. */
export interface StoredService extends KubeObject {
  readonly spec: ServiceSpec;
  readonly hasAnnotations: boolean;
  /** It was taken over, and this is what it was. */
  readonly adopted?: AdoptedService;
}

export interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly ipFamilies?: readonly string[];
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string; readonly targetPort?: unknown }[];
}

/** The annotation of a Service that was taken over. */
export interface AdoptedService {
  readonly selector: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly at: string;
}

/** What the cache keeps of a Service. */
export function storedService({ metadata, spec = {} }: KubeObject & { readonly spec?: ServiceSpec }): StoredService {
  const { type, clusterIP, ipFamilies, selector, ports } = spec;
  const adopted = adoptedOf(metadata.annotations?.[annotations.adopted]);
  return {
    metadata: {
      ...identityOf(metadata),
      ...(metadata.deletionTimestamp !== undefined && { deletionTimestamp: metadata.deletionTimestamp }),
      ...(metadata.labels !== undefined && { labels: metadata.labels }),
      ...(metadata.ownerReferences !== undefined && { ownerReferences: metadata.ownerReferences }),
    },
    spec: {
      ...(type !== undefined && { type }),
      ...(clusterIP !== undefined && { clusterIP }),
      ...(ipFamilies !== undefined && { ipFamilies }),
      ...(selector !== undefined && Object.keys(selector).length > 0 && { selector }),
      ...(ports !== undefined && {
        ports: ports.map(({ name, port, protocol, targetPort }) => ({
          ...(name !== undefined && { name }),
          port,
          protocol: protocol ?? "TCP",
          ...(targetPort !== undefined && { targetPort }),
        })),
      }),
    },
    hasAnnotations: metadata.annotations !== undefined,
    ...(adopted !== undefined && { adopted }),
  };
}

/** What somebody wrote there by hand and cannot be read is as if it were not there. */
function adoptedOf(text: string | undefined): AdoptedService | undefined {
  if (text === undefined) return undefined;
  try {
    const { selector, at } = JSON.parse(text) as Partial<AdoptedService>;
    const isSelector = typeof selector === "object" && selector !== null && Object.values(selector).every((one) => typeof one === "string");
    return isSelector && typeof at === "string" ? { selector, at } : undefined;
  } catch {
    return undefined;
  }
}

/** Made for the app. */
export const isOwned = (metadata: ObjectMeta, app: RunnerApp): boolean => controllerOf(metadata)?.uid === app.metadata.uid;

/** Taken over for the app of this name. */
export const isAdopted = ({ adopted, metadata }: StoredService, app: string): boolean =>
  adopted !== undefined && metadata.labels?.[labels.app] === app;

/** Who keeps slices that are ours. */
export const sliceManager = "nuptse.dev";

export const isOurSlice = ({ metadata }: EndpointSlice): boolean => metadata.labels?.[sliceManagerLabel] === sliceManager;

export const sliceService = ({ metadata }: EndpointSlice): string | undefined => metadata.labels?.[sliceServiceLabel];

/** networking.k8s.io/v1, as far as we write it. */
export interface NetworkPolicy extends KubeObject {
  readonly spec: {
    readonly podSelector: LabelSelector;
    readonly policyTypes: readonly string[];
    readonly ingress: readonly {
      /** Absent = everybody. */
      readonly from?: readonly { readonly namespaceSelector: LabelSelector }[];
      readonly ports: readonly { readonly protocol: string; readonly port: number; readonly endPort?: number }[];
    }[];
  };
}
