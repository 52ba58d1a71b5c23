import type { ObjectRef } from "../../api/meta.ts";
import type { Clock } from "../../base/clock.ts";
import type { Controller } from "../../runtime/controller.ts";
import { type LeavingGateway, planLeaving } from "../rules/services/leaving-gateway.ts";
import type { PublishingCaches } from "./controller.ts";

/** The controller of gateway pods. */
export function createLeavingController(options: {
  readonly caches: () => Pick<PublishingCaches, "gateways" | "slices">;
  readonly clock: Clock;
}): Controller<LeavingGateway> {
  const outSince = new Map<string, number>();
  const keyOf = ({ namespace, name }: ObjectRef): string => `${namespace}/${name}`;
  return {
    name: "gateways",
    observe(ref) {
      const { gateways, slices } = options.caches();
      const pod = gateways.get(ref.namespace, ref.name);
      if (pod === undefined || !pod.isDeleting) {
        outSince.delete(keyOf(ref));
        return undefined;
      }
      const isPublished = pod.addresses.some((address) => slices.byIndex("address", address).length > 0);
      if (isPublished) outSince.delete(keyOf(ref));
      else if (!outSince.has(keyOf(ref))) outSince.set(keyOf(ref), options.clock.now());
      const since = outSince.get(keyOf(ref));
      return { pod, isPublished, ...(since !== undefined && { outSince: since }), now: options.clock.now() };
    },
    plan: planLeaving,
    forget: (ref) => outSince.delete(keyOf(ref)),
  };
}
