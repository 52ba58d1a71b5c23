import assert from "node:assert/strict";
import type { KubeObject } from "../../../src/api/meta.ts";
import type { AdmissionRequest } from "../../../src/webhook/admission-review.ts";
import { gateVerdict } from "../../../src/webhook/gate.ts";

const operator = "system:serviceaccount:nuptse:nuptse-operator";
const gate = { name: "nuptse.dev/queue" };
const labelled = { "nuptse.dev/queue": "team" };

interface PodFacts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly gates?: readonly { readonly name: string }[];
  readonly ownerReferences?: KubeObject["metadata"]["ownerReferences"];
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Case extends Partial<Omit<AdmissionRequest, "object">>, PodFacts {
  readonly name: string;
  readonly user?: string;
  readonly want: string;
  readonly wantPatch?: unknown;
}

const daemonSet = { apiVersion: "apps/v1", kind: "DaemonSet", name: "agent", uid: "1", controller: true };
const replicaSet = { ...daemonSet, kind: "ReplicaSet" };

const cases: readonly Case[] = [
  {
    name: "a labelled pod gets the gate",
    labels: labelled,
    want: "gated",
    wantPatch: [{ op: "add", path: "/spec/schedulingGates", value: [gate] }],
  },
  {
    name: "a label without a value names no queue, and is held all the same",
    labels: { "nuptse.dev/queue": "" },
    want: "gated",
    wantPatch: [{ op: "add", path: "/spec/schedulingGates", value: [gate] }],
  },
  {
    name: "another gate is kept",
    labels: labelled,
    gates: [{ name: "example.org/a" }],
    want: "gated",
    wantPatch: [{ op: "add", path: "/spec/schedulingGates/-", value: gate }],
  },
  {
    name: "an empty list of gates is added to",
    labels: labelled,
    gates: [],
    want: "gated",
    wantPatch: [{ op: "add", path: "/spec/schedulingGates/-", value: gate }],
  },
  { name: "a pod that has the gate is left as it is", labels: labelled, gates: [{ name: "example.org/a" }, gate], want: "waiting" },
  { name: "a pod without the label", labels: { app: "x" }, want: "untouched" },
  { name: "a pod without labels", want: "untouched" },
  { name: "a pod that is edited", labels: labelled, operation: "UPDATE", want: "untouched" },
  { name: "a part of a pod", labels: labelled, subResource: "binding", want: "untouched" },
  { name: "another kind", labels: labelled, kind: { group: "apps", version: "v1", kind: "Deployment" }, want: "untouched" },
  { name: "a kind of the same name", labels: labelled, kind: { group: "example.org", version: "v1", kind: "Pod" }, want: "untouched" },
  { name: "a pod of the operator", labels: labelled, user: operator, want: "exempt" },
  {
    name: "a pod of a DaemonSet",
    labels: labelled,
    user: "system:serviceaccount:kube-system:daemon-set-controller",
    ownerReferences: [daemonSet],
    want: "exempt",
  },
  {
    name: "a pod of a DaemonSet where all controllers share an account",
    labels: labelled,
    user: "system:kube-controller-manager",
    ownerReferences: [daemonSet],
    want: "exempt",
  },
  {
    name: "a pod of a Deployment there",
    labels: labelled,
    user: "system:kube-controller-manager",
    ownerReferences: [replicaSet],
    want: "gated",
    wantPatch: [{ op: "add", path: "/spec/schedulingGates", value: [gate] }],
  },
  {
    name: "a pod that a tenant gives to a DaemonSet",
    labels: labelled,
    user: "alice",
    ownerReferences: [daemonSet],
    annotations: { "kubernetes.io/config.mirror": "x" },
    want: "gated",
    wantPatch: [{ op: "add", path: "/spec/schedulingGates", value: [gate] }],
  },
  { name: "the mirror of a static pod", labels: labelled, user: "system:node:n1", want: "exempt" },
  {
    name: "an account that only looks like the operator's",
    labels: labelled,
    user: `${operator}-2`,
    want: "gated",
    wantPatch: [{ op: "add", path: "/spec/schedulingGates", value: [gate] }],
  },
];

describe("webhook/gate", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const metadata = {
        name: "p",
        ...(tc.labels !== undefined && { labels: tc.labels }),
        ...(tc.annotations !== undefined && { annotations: tc.annotations }),
        ...(tc.ownerReferences !== undefined && { ownerReferences: tc.ownerReferences }),
      };
      const spec = { containers: [], ...(tc.gates !== undefined && { schedulingGates: tc.gates }) };
      const { kind, answer } = gateVerdict(
        {
          uid: "u",
          kind: tc.kind ?? { group: "", version: "v1", kind: "Pod" },
          operation: tc.operation ?? "CREATE",
          ...(tc.subResource !== undefined && { subResource: tc.subResource }),
          userInfo: { username: tc.user ?? "system:serviceaccount:kube-system:replicaset-controller" },
          object: { metadata, spec } as KubeObject,
        },
        operator,
      );
      assert.equal(kind, tc.want);
      assert.deepEqual(answer, { kind: "allowed", ...(tc.wantPatch !== undefined && { patch: tc.wantPatch }) });
    });
  }
});
