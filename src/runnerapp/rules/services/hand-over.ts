/**
 * What becomes of published Services when nobody publishes any more. One that was taken over is given back as it was. One of our own gets a selector, so
 * that it leads to the instances themselves:
 *
 *   without a selector  ->  that of the Service of the instances, and the port of its service there
 *   with one            ->  our slices go, once Kubernetes has its own
 *
 * It goes by Services and slices alone, so that it works where the kind RunnerApp is gone.
 */
import type { Action, PatchAction } from "../../../api/action.ts";
import { instancesService } from "../../../api/endpoint-slice.ts";
import { isOfSomeApp } from "../leave-behind.ts";
import { patchOf, stepRelease } from "./cluster-service.ts";
import type { ObservedServices } from "./observed.ts";
import { deletionOf, foreignSlices, ourSlices } from "./published-slices.ts";
import type { StoredService } from "./stored-objects.ts";

/** What carries the label of one app: its Services, and the slices of those, whoever keeps them. */
export type LabelledServices = Pick<ObservedServices, "key" | "services" | "slices">;

export interface HandOver {
  readonly actions: readonly Action[];
  /** Services with which there is more to be done once Kubernetes has its own slices of them. */
  readonly waits: readonly string[];
  /** Services for which nothing can be done, and why. */
  readonly remarks: readonly string[];
}

/** The next step for each published Service of an app; all empty = nothing is left to do. */
export function planHandOver(found: LabelledServices): HandOver {
  const steps = found.services
    .filter(({ metadata }) => metadata.name !== instancesService(found.key.name) && metadata.deletionTimestamp === undefined)
    .map((service) => (service.adopted === undefined ? leadOn(found, service) : giveBack(found, service)));
  return {
    actions: steps.flatMap(({ actions = [] }) => actions),
    waits: steps.flatMap(({ waits = [] }) => waits),
    remarks: steps.flatMap(({ remarks = [] }) => remarks),
  };
}

const fullName = ({ metadata }: StoredService): string => `${metadata.namespace}/${metadata.name}`;

const untilKubernetes = (service: StoredService): Partial<HandOver> => ({
  waits: [`Kubernetes has no EndpointSlice of ${fullName(service)} yet`],
});

function giveBack(found: LabelledServices, service: StoredService): Partial<HandOver> {
  const actions = stepRelease({ key: found.key, slices: found.slices }, service);
  return actions.length === 0 ? untilKubernetes(service) : { actions };
}

function leadOn(found: LabelledServices, service: StoredService): Partial<HandOver> {
  if (!isOfSomeApp(service.metadata)) return {};
  if (service.spec.selector === undefined) {
    const patch = selectorPatch(found, service);
    if (patch !== undefined) return { actions: [patch] };
    return {
      remarks: [`${fullName(service)} leads nowhere from now on: no Service ${instancesService(found.key.name)} tells of its instances`],
    };
  }
  const ours = ourSlices(found, service.metadata.name);
  if (ours.length === 0) return {};
  return foreignSlices(found, service.metadata.name).length === 0 ? untilKubernetes(service) : { actions: ours.map(deletionOf) };
}

/** undefined = the instances are not ours, and nothing says where they are (spec.endpoints). */
function selectorPatch({ key, services }: LabelledServices, service: StoredService): PatchAction | undefined {
  const instances = services.find(({ metadata }) => metadata.name === instancesService(key.name));
  const target = instances?.spec.ports?.find(({ name }) => name === service.metadata.name);
  if (instances?.spec.selector === undefined || target === undefined) return undefined;
  const ports = (service.spec.ports ?? []).map((port) => ({ ...port, targetPort: target.targetPort ?? target.port }));
  return patchOf(service, [
    { op: "add", path: "/spec/selector", value: instances.spec.selector },
    { op: "replace", path: "/spec/ports", value: ports },
  ]);
}
