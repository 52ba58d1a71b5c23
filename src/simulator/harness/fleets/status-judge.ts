import { nodes as nodeResource, pods, runnerApps } from "../../../api/resource.ts";
import type { Pod } from "../../../api/core.ts";
import type { KubeObject } from "../../../api/meta.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { KubeClient } from "../../../kube/client.ts";
import type { FleetWatch } from "./invariants.ts";
import { fleetNamespace as namespace } from "./mix.ts";
import { lastImage, lastReplicas } from "./people.ts";
import { imageOf, isLiving, readySince } from "./terms.ts";

/** Counts are written at most every 2 s, and pods become available with time. */
const boundMs = 30_000;

/** Whether status tells the truth of fleets where nothing has changed for a while. */
export function lookAtStatus(watch: FleetWatch): void {
  for (const [uid, { app, terms }] of watch.fleets) {
    if (watch.quietMs(uid) < boundMs) continue;
    const living = [...watch.pods.values()].flatMap((each) => (each.app === uid && isLiving(each.pod) ? each.pod : []));
    const { status } = app;
    const told = [status?.replicas, status?.readyReplicas, status?.updatedReplicas, status?.observedGeneration];
    const ready = living.filter((pod) => readySince(pod) !== undefined).length;
    const updated = living.filter((pod) => imageOf(pod) === terms.image).length;
    const is = [living.length, ready, updated, app.metadata.generation];
    if (String(told) !== String(is))
      watch.say(`status of ${app.metadata.name} tells of ${told}, and there are ${is} (all, ready, updated; generation)`);
  }
}

/** What must be so when everything is calm. */
export async function judgeFleets(client: KubeClient, apps: readonly RunnerApp[], watch: FleetWatch): Promise<void> {
  const all = (await client.list<Pod & KubeObject>(pods, { namespace })).items;
  const known = new Set((await client.list<KubeObject>(nodeResource)).items.map(({ metadata }) => metadata.name));
  for (const { metadata } of apps) {
    const { name } = metadata;
    const app = await client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name });
    const own = all.filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === app.metadata.uid));
    const right = own.filter((pod) => imageOf(pod) === lastImage && readySince(pod) !== undefined && known.has(pod.spec.nodeName ?? ""));
    const { status } = app;
    const told = [status?.replicas, status?.readyReplicas, status?.availableReplicas, status?.updatedReplicas];
    const isRight = own.length === lastReplicas && right.length === lastReplicas && told.every((count) => count === lastReplicas);
    const conditions = new Map(status?.conditions?.map((condition) => [condition.type, condition]));
    const isServing = conditions.get("Ready")?.reason === "Serving" && conditions.get("Available")?.status === "True";
    const isQuiet = ["Reconciling", "Stalled", "Degraded", "Paused", "Reduced"].every((type) => conditions.get(type)?.status !== "True");
    const isForgotten = status?.recoveries === undefined && status?.evacuations === undefined && status?.canary === undefined;
    const { replicas: share = 0, surge = 0 } = status?.admitted ?? {};
    const isItsShare = app.spec.queue === undefined || (share === lastReplicas && surge === 0);
    if (!isRight || !isServing || !isQuiet || !isForgotten || !isItsShare)
      watch.say(
        `${name} has ${own.length} pods, ${right.length} of them right; its status is ${JSON.stringify(status ?? {}).slice(0, 3000)}`,
      );
  }
}
