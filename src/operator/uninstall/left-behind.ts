import type { Pod } from "../../api/core.ts";
import type { EndpointSlice } from "../../api/endpoint-slice.ts";
import type { KubeObject } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { endpointSlices, podDisruptionBudgets, pods, type Resource, services } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import type { KubeClient, ListOptions } from "../../kube/client.ts";
import { releasesOfAll } from "../../podgate/rules/release.ts";
import { budgetDeletions, intoService } from "../../runnerapp/rules/leave-behind.ts";
import { planHandOver } from "../../runnerapp/rules/services/hand-over.ts";
import { type ServiceSpec, storedService } from "../../runnerapp/rules/services/stored-objects.ts";
import type { StepPlan, UninstallStep } from "./step.ts";

const pageSize = 500;

/** No PodDisruptionBudget of a fleet that nobody moves any more keeps a node from being drained. */
export const budgetsStep = (client: KubeClient): UninstallStep => ({
  title: "PodDisruptionBudgets of fleets",
  done: "deleted",
  look: async () => ({ actions: await pageByPage(client, podDisruptionBudgets, { labelSelector: labels.app }, budgetDeletions) }),
});

/** Pods that wait for a queue begin. What is behind a gate is Pending; the label is not gone by, since an administrator may have taken it off. */
export const waitingPodsStep = (client: KubeClient): UninstallStep => ({
  title: "pods that wait for a queue",
  done: "let go",
  look: async () => ({ actions: await pageByPage(client, pods, { fieldSelector: "status.phase=Pending" }, releasesOfAll) }),
});

/** No instance stays out of service for a change that nobody makes any more. */
export const inServiceStep = (client: KubeClient, clock: Clock): UninstallStep => ({
  title: "instances out of service",
  done: "put back into service",
  async look() {
    const plan = (page: readonly Pod[]) => intoService(page, clock.now());
    return { actions: await pageByPage(client, pods, { labelSelector: labels.app }, plan) };
  },
});

/** Published Services lead on when the gateways are gone. */
export const servicesStep = (client: KubeClient): UninstallStep => ({
  title: "published Services",
  done: "given back, or led to the instances themselves",
  counted: services,
  async look(): Promise<StepPlan> {
    const [found, slices] = await Promise.all([
      pageByPage(client, services, { labelSelector: labels.app }, (page: readonly StatedService[]) => page.map(storedService)),
      pageByPage(client, endpointSlices, { labelSelector: labels.service }, (page: readonly EndpointSlice[]) => page),
    ]);
    const ofApp = (object: KubeObject) => `${object.metadata.namespace}/${object.metadata.labels?.[labels.app]}`;
    const slicesOf = Map.groupBy(slices, ofApp);
    const steps = [...Map.groupBy(found, ofApp)].map(([app, ofOne]) => {
      const [namespace = "", name = ""] = app.split("/");
      return planHandOver({ key: { namespace, name }, services: ofOne, slices: slicesOf.get(app) ?? [] });
    });
    return {
      actions: steps.flatMap(({ actions }) => actions),
      waits: steps.flatMap(({ waits }) => waits),
      remarks: steps.flatMap(({ remarks }) => remarks),
    };
  },
});

/** A Service as the API server has it. */
type StatedService = KubeObject & { readonly spec?: ServiceSpec };

/** What is made of all objects of a kind that match, in all namespaces, read consistently; no more of them than a page is held at a time. */
async function pageByPage<T extends KubeObject, Made>(
  client: KubeClient,
  resource: Resource,
  options: ListOptions,
  make: (page: readonly T[]) => readonly Made[],
): Promise<readonly Made[]> {
  const made: Made[] = [];
  let next: string | undefined;
  do {
    const { items, metadata } = await client.list<T>(resource, {
      ...options,
      limit: pageSize,
      ...(next !== undefined && { continue: next }),
    });
    made.push(...make(items));
    next = metadata.continue || undefined;
  } while (next !== undefined);
  return made;
}
