import type { CustomResourceDefinition } from "../../api/core.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { annotations } from "../../api/names.ts";
import { customResourceDefinitions } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { NotFound } from "../../kube/errors.ts";
import { readClaim } from "../../runtime/claim-rules.ts";
import { claimedDefinition } from "../../runtime/installation-claim.ts";
import type { StepPlan, UninstallStep } from "./step.ts";

/** Whoever installs next need not wait until our Lease is surely nobody's. A claim of another installation stays. */
export const claimStep = (client: KubeClient, { namespace, name }: ObjectRef): UninstallStep => ({
  title: "the claim on this cluster",
  done: "given up",
  async look(): Promise<StepPlan> {
    try {
      const { metadata } = await client.get<CustomResourceDefinition>(customResourceDefinitions, claimedDefinition, { metadataOnly: true });
      if (readClaim(metadata.annotations?.[annotations.installation], `${namespace}/${name}`).by !== "us") return { actions: [] };
      const { uid = "", resourceVersion = "" } = metadata;
      const body = { metadata: { annotations: { [annotations.installation]: null } } };
      return { actions: [{ tag: "merge", resource: customResourceDefinitions, ref: claimedDefinition, uid, resourceVersion, body }] };
    } catch (error) {
      if (error instanceof NotFound) return { actions: [] };
      throw error;
    }
  },
});
