/**
 * The Services that an app publishes (decision 1). One of our own has no selector and belongs to the app. One that was taken over goes this way, by what
 * is seen of it, so that every step may be repeated:
 *
 *   somebody else's           ->  labelled as ours, what it was kept in an annotation
 *   ours, with a selector     ->  our slices; once they have an address, and Kubernetes' own ones carry our label too: the selector goes
 *   ours, without a selector  ->  its Endpoints object goes, lest it be mirrored, and every slice that is not ours
 *
 * and back: the selector comes, then slices of Kubernetes, then ours go, then our label. One of our own has a selector only when somebody gave it one,
 * such as an uninstallation (hand-over.ts): it goes the same way then, but for the label and the note.
 */
import type { Action, PatchAction } from "../../../api/action.ts";
import { type EndpointSlice, instancesService } from "../../../api/endpoint-slice.ts";
import type { JsonPatchOperation } from "../../../api/json-patch.ts";
import { pointer } from "../../../api/json-patch.ts";
import { ownedBy } from "../../../api/meta.ts";
import { annotations, labels } from "../../../api/names.ts";
import { endpoints as endpointsResource, services as serviceResource } from "../../../api/resource.ts";
import type { RunnerApp, RunnerAppSpecService } from "../../../api/runner-app.gen.ts";
import { equalJson } from "../../../base/diff.ts";
import { formatSeconds, parseTime } from "../../../base/time.ts";
import type { ObservedServices } from "./observed.ts";
import { deletionOf, foreignSlices, ourSlices, stepSlices } from "./published-slices.ts";
import { type AdoptedService, isAdopted, isOwned, type StoredService } from "./stored-objects.ts";

/** By then Kubernetes has put the label of a Service on its Endpoints object, where it makes one at all. */
const labelledAfterMs = 30_000;
/** By then the gateways have read the port from status, so that nothing is lost of what our slice adds to those that serve already. */
const gatewaysFollowMs = 3000;

export interface ServiceStep {
  readonly actions: readonly Action[];
  readonly wakeAt?: number;
}

/** Sees to the Service of a service that has a port. */
export function stepService(observed: ObservedServices, app: RunnerApp, spec: RunnerAppSpecService, gatewayPort: number): ServiceStep {
  const existing = observed.serviceNamed(spec.name);
  if (existing === undefined) return { actions: [{ tag: "create", resource: serviceResource, object: publishedService(app, spec) }] };
  if (existing.metadata.deletionTimestamp !== undefined) return { actions: [] };
  if (isOwned(existing.metadata, app)) return { actions: stepOwn(observed, existing, spec, gatewayPort) };
  if (!isAdopted(existing, app.metadata.name)) return { actions: [adoption(observed, app, existing)] };
  return stepAdopted(observed, existing, existing.adopted as AdoptedService, gatewayPort);
}

function publishedService(app: RunnerApp, { name, port }: RunnerAppSpecService) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name,
      namespace: app.metadata.namespace as string,
      labels: { [labels.app]: app.metadata.name, [labels.service]: name },
      ownerReferences: ownedBy(app),
    },
    spec: { type: "ClusterIP", ipFamilyPolicy: "PreferDualStack", ports: [{ port, protocol: "TCP" }] },
  };
}

/** Puts back what somebody changed, and changes the port. Until a gateway serves, the instances that a selector names do so alone. */
function stepOwn(observed: ObservedServices, service: StoredService, spec: RunnerAppSpecService, gatewayPort: number): readonly Action[] {
  const { name } = service.metadata;
  const isServed = hasAddress(ourSlices(observed, name)) && observed.gateways.some(({ isReady, isDeleting }) => isReady && !isDeleting);
  const repair = repairOf(service, spec, isServed);
  const isOursAlone = service.spec.selector === undefined && isServed;
  return [
    ...(repair === undefined ? [] : [repair]),
    ...stepSlices(observed, service, gatewayPort),
    ...(isOursAlone ? [...endpointsOf(observed, name), ...foreignSlices(observed, name).map(deletionOf)] : []),
  ];
}

function repairOf(service: StoredService, { port }: RunnerAppSpecService, isServed: boolean): PatchAction | undefined {
  const { selector, ports = [] } = service.spec;
  const isRight = ports.length === 1 && ports[0]?.port === port && ports[0]?.protocol === "TCP";
  const operations: readonly JsonPatchOperation[] = [
    ...(selector === undefined || !isServed ? [] : [{ op: "remove" as const, path: "/spec/selector" }]),
    ...(isRight ? [] : [{ op: "replace" as const, path: "/spec/ports", value: [{ port, protocol: "TCP" }] }]),
  ];
  return operations.length === 0 ? undefined : patchOf(service, operations);
}

function adoption({ now }: ObservedServices, app: RunnerApp, service: StoredService): PatchAction {
  const selector = service.spec.selector ?? {};
  const note: AdoptedService = { selector, at: formatSeconds(now) };
  const own = { [labels.app]: app.metadata.name, [labels.service]: service.metadata.name };
  return patchOf(service, [
    { op: "test", path: "/spec/selector", value: selector },
    { op: "add", path: "/metadata/labels", value: { ...service.metadata.labels, ...own } },
    service.hasAnnotations
      ? { op: "add", path: pointer("metadata", "annotations", annotations.adopted), value: JSON.stringify(note) }
      : { op: "add", path: "/metadata/annotations", value: { [annotations.adopted]: JSON.stringify(note) } },
  ]);
}

function stepAdopted(observed: ObservedServices, service: StoredService, { at }: AdoptedService, gatewayPort: number): ServiceStep {
  const { name } = service.metadata;
  const selector = service.spec.selector;
  const adoptedAt = parseTime(at) ?? 0;
  const ours = ourSlices(observed, name);
  if (selector !== undefined && ours.length === 0 && observed.now < adoptedAt + gatewaysFollowMs)
    return { actions: [], wakeAt: adoptedAt + gatewaysFollowMs };
  const slices = stepSlices(observed, service, gatewayPort);
  if (selector === undefined)
    return { actions: [...slices, ...endpointsOf(observed, name), ...foreignSlices(observed, name).map(deletionOf)] };
  if (!hasAddress(ours)) return { actions: slices };
  const labelledAt = adoptedAt + labelledAfterMs;
  const isLabelled = observed.endpoints.some(({ metadata }) => metadata.name === name) || labelledAt <= observed.now;
  if (!isLabelled) return { actions: slices, wakeAt: labelledAt };
  const takeOff = patchOf(service, [
    { op: "test", path: "/spec/selector", value: selector },
    { op: "remove", path: "/spec/selector" },
  ]);
  return { actions: [...slices, takeOff] };
}

function endpointsOf({ endpoints, key }: ObservedServices, service: string): readonly Action[] {
  return endpoints
    .filter(({ metadata }) => metadata.name === service)
    .map(({ metadata }) => ({
      tag: "delete",
      resource: endpointsResource,
      ref: { namespace: key.namespace, name: metadata.name },
      uid: metadata.uid as string,
    }));
}

const hasAddress = (slices: readonly EndpointSlice[]): boolean => slices.some(({ endpoints }) => (endpoints ?? []).length > 0);

/** Takes back a Service that is not published any more: one of our own is deleted, one that was taken over is given back. */
export function stepRelease(observed: Pick<ObservedServices, "app" | "key" | "slices">, service: StoredService): readonly Action[] {
  const { metadata, spec, adopted } = service;
  if (metadata.deletionTimestamp !== undefined) return [];
  if (adopted === undefined) {
    const isOurs = observed.app !== undefined && isOwned(metadata, observed.app);
    // What is left of an app that is gone is the garbage collector's.
    return isOurs
      ? [
          {
            tag: "delete",
            resource: serviceResource,
            ref: { namespace: observed.key.namespace, name: metadata.name },
            uid: metadata.uid as string,
          },
        ]
      : [];
  }
  if (spec.selector === undefined) return [patchOf(service, [{ op: "add", path: "/spec/selector", value: adopted.selector }])];
  const ours = ourSlices(observed, metadata.name);
  // Until Kubernetes has its own, ours are all there is.
  if (ours.length > 0) return foreignSlices(observed, metadata.name).length === 0 ? [] : ours.map(deletionOf);
  const { [labels.app]: _app, [labels.service]: _service, ...others } = metadata.labels ?? {};
  return [
    patchOf(service, [
      { op: "add", path: "/metadata/labels", value: others },
      { op: "remove", path: pointer("metadata", "annotations", annotations.adopted) },
    ]),
  ];
}

/** Changes a Service in the version that was seen. */
export const patchOf = ({ metadata }: StoredService, operations: readonly JsonPatchOperation[]): PatchAction => ({
  tag: "patch",
  resource: serviceResource,
  ref: { namespace: metadata.namespace as string, name: metadata.name },
  uid: metadata.uid as string,
  resourceVersion: metadata.resourceVersion as string,
  operations: [{ op: "test", path: "/metadata/resourceVersion", value: metadata.resourceVersion }, ...operations],
});

/** The headless Service of which Kubernetes keeps the slices of the instances, which agents read. Its ports are named after the services. */
export function stepInstancesService(observed: ObservedServices, app: RunnerApp): readonly Action[] {
  const name = instancesService(app.metadata.name);
  const existing = observed.serviceNamed(name);
  const isWanted = app.spec.endpoints === undefined && (app.spec.services ?? []).length > 0;
  if (existing !== undefined && (!isOwned(existing.metadata, app) || existing.metadata.deletionTimestamp !== undefined)) return [];
  if (!isWanted) return existing === undefined ? [] : stepRelease(observed, existing);
  const ports = instancePorts(app.spec.services ?? []);
  if (existing === undefined) {
    const { namespace } = app.metadata;
    const object = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: namespace as string, labels: { [labels.app]: app.metadata.name }, ownerReferences: ownedBy(app) },
      spec: { clusterIP: "None", ipFamilyPolicy: "PreferDualStack", selector: { [labels.app]: app.metadata.name }, ports },
    };
    return [{ tag: "create", resource: serviceResource, object }];
  }
  const selector = { [labels.app]: app.metadata.name };
  if (equalJson(existing.spec.ports, ports) && equalJson(existing.spec.selector, selector)) return [];
  return [
    patchOf(existing, [
      { op: "add", path: "/spec/ports", value: ports },
      { op: "add", path: "/spec/selector", value: selector },
    ]),
  ];
}

/** A Service cannot have a port twice; the numbers of a headless one lead nowhere, so that any free one will do. */
function instancePorts(services: readonly RunnerAppSpecService[]): NonNullable<StoredService["spec"]["ports"]> {
  const taken = new Set<number>();
  return services.map(({ name, port, targetPort }) => {
    let number = port;
    while (taken.has(number)) number = (number % 65_535) + 1;
    taken.add(number);
    return { name, port: number, protocol: "TCP", targetPort: targetPort ?? port };
  });
}
