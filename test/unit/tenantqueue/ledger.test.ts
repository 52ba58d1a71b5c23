import assert from "node:assert/strict";
import type { TenantQueue } from "../../../src/api/tenant-queue.gen.ts";
import { Ledger } from "../../../src/tenantqueue/ledger.ts";
import { planWorld } from "../../../src/tenantqueue/world.ts";

function queue(name: string, spec: TenantQueue["spec"]): TenantQueue {
  return { apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name, uid: name }, spec };
}

function node(name: string, pool: string) {
  return { name, labels: { pool }, taints: [], ready: true, allocatable: { cpu: 1000 } };
}

describe("a pod on a node", () => {
  const ledger = new Ledger({
    now: () => 0,
    namespaceLabels: () => ({}),
    onAnswer: () => undefined,
    onChoice: () => undefined,
    onDecline: () => undefined,
    onWork: () => undefined,
    onAdmitted: () => undefined,
  });
  const queues = [
    queue("a", { capacity: { nodeSelector: { pool: "a" } } }),
    queue("b", { capacity: { nodeSelector: { pool: "b" } } }),
    queue("of-a", { parent: "a" }),
    queue("lost", { parent: "nobody" }),
  ];
  const nodes = [node("n1", "a"), node("n2", "b"), node("n3", "c")];
  ledger.follow(planWorld({ queues, nodes, namespaces: new Map(), foreign: () => undefined }), true);

  const table: readonly (readonly [string, string, string | undefined, boolean])[] = [
    ["of its own tree takes nothing from the capacity: its queue counts it", "of-a", "n1", false],
    ["of another tree takes from that one's capacity", "of-a", "n2", true],
    ["takes from its capacity while its queue has no place", "lost", "n1", true],
    ["of no tree takes from nobody", "lost", "n3", false],
    ["that is not bound takes from nobody", "lost", undefined, false],
  ];
  for (const [sentence, name, on, want] of table) it(sentence, () => assert.equal(ledger.isStranger(name, on), want));
});
