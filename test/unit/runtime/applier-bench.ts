import type { Action, Plan } from "../../../src/api/action.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { elasticJobs, pods } from "../../../src/api/resource.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { TransportRequest } from "../../../src/kube/transport.ts";
import { createApplier } from "../../../src/runtime/applier.ts";
import { type Answer, failure, recordingMetrics, scriptedTransport, thing } from "./scripted-transport.ts";

export const owned = (name: string, uid = "job-1"): KubeObject =>
  thing(name, {
    resourceVersion: "7",
    ownerReferences: [{ apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", name: "etl", uid, controller: true }],
  });

/** An applier before a server that answers as it is told, and what it did. */
export function bench(
  answer: (request: TransportRequest) => Answer | Promise<Answer>,
  options: { readonly fence?: () => boolean; readonly beforeSending?: () => Promise<void> } = {},
) {
  const script = scriptedTransport(answer, options.beforeSending);
  const metrics = recordingMetrics();
  const kept: string[] = [];
  /** Those of `kept` whose version the write gave them, and when that was sent. */
  const sentAt: string[] = [];
  const events: string[] = [];
  const store = {
    observeWrite({ metadata }: KubeObject, at?: number) {
      const version = `${metadata.name}@${metadata.resourceVersion}`;
      kept.push(version);
      if (at !== undefined) sentAt.push(`${version} ${at}`);
    },
  };
  const clock = new VirtualClock(0);
  const applier = createApplier({
    client: createKubeClient(script.transport),
    stores: new Map([
      ["pods", store],
      ["elasticjobs.nuptse.dev", store],
    ]),
    recorder: { record: (event) => events.push(event.reason) },
    fence: options.fence ?? (() => true),
    metrics,
    clock,
  });
  return { applier, clock, kept, sentAt, events, metrics, ...script };
}

export const plan = (actions: readonly Action[], more: Partial<Plan> = {}): Plan => ({ actions, reasons: [], ...more });
export const create = (name: string, more: { lane?: string; laneLimit?: number } = {}): Action => ({
  tag: "create",
  resource: pods,
  object: owned(name),
  ...more,
});
export const job: KubeObject = {
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "ElasticJob",
  metadata: { namespace: "shop", name: "etl", uid: "job-1", resourceVersion: "41" },
};
export const status = (value: Record<string, unknown>, object = job) => ({ status: { resource: elasticJobs, object, status: value } });

export const quotaRefusal = failure(
  403,
  "Forbidden",
  'pods "a" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2',
);
