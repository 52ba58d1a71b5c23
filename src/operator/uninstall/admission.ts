import type { DeleteAction } from "../../api/action.ts";
import type { KubeObject } from "../../api/meta.ts";
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  mutatingWebhookConfigurations,
  type Resource,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { NotFound } from "../../kube/errors.ts";
import type { UninstallStep } from "./step.ts";

/** An object without a namespace, by which the API server goes when others create something. */
export interface AdmissionObject {
  readonly resource: Resource;
  readonly name: string;
}

const validating = ["queue-gate", "require-queue", "exclusive-pool", "requested-by", "protected", "subdivide", "queue-in-use"];

/** All that crds/ has of these kinds. */
export const admissionObjects: readonly AdmissionObject[] = [
  { resource: mutatingAdmissionPolicyBindings, name: "nuptse-queue-gate" },
  { resource: mutatingAdmissionPolicies, name: "nuptse-queue-gate" },
  { resource: mutatingWebhookConfigurations, name: "nuptse" },
  { resource: validatingWebhookConfigurations, name: "nuptse" },
  ...validating.flatMap((name) =>
    [validatingAdmissionPolicyBindings, validatingAdmissionPolicies].map((resource) => ({ resource, name: `nuptse-${name}` })),
  ),
];

/** An object as it was read. */
export interface FoundAdmissionObject {
  readonly resource: Resource;
  readonly object: KubeObject;
}

export const admissionDeletions = (found: readonly FoundAdmissionObject[]): readonly DeleteAction[] =>
  found.map(({ resource, object: { metadata } }) => ({
    tag: "delete",
    resource,
    ref: { name: metadata.name },
    uid: metadata.uid as string,
  }));

/** Nobody is gated, refused, or asked for by an operator that is gone. */
export function admissionStep(client: KubeClient): UninstallStep {
  const read = async ({ resource, name }: AdmissionObject): Promise<readonly FoundAdmissionObject[]> => {
    try {
      return [{ resource, object: await client.get<KubeObject>(resource, { name }) }];
    } catch (error) {
      // An older API server does not know the kind.
      if (error instanceof NotFound) return [];
      throw error;
    }
  };
  return {
    title: "policies and webhook configurations",
    done: "removed",
    look: async () => ({ actions: admissionDeletions((await Promise.all(admissionObjects.map(read))).flat()) }),
  };
}
