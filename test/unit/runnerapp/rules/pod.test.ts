import assert from "node:assert/strict";
import type { PodTemplateSpec } from "../../../../src/api/core.ts";
import { renderPod } from "../../../../src/runnerapp/rules/pod.ts";
import { runnerApp } from "../../../support/builders/runner-app.ts";

const template: PodTemplateSpec = {
  metadata: { labels: { team: "red", "nuptse.dev/app": "stolen" }, annotations: { note: "mine", "nuptse.dev/instance": "stolen" } },
  spec: {
    containers: [{ name: "main", image: "web:1", env: [{ name: "NUPTSE_POD_IP", value: "mine" }] }],
    tolerations: [{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }],
  },
};

const order = { app: runnerApp(), revision: "web-0123456789", data: { template }, name: "web-01234-0", instance: "0" };

describe("the pod of an instance", () => {
  it("is the template with the operator's labels, owner, variables and patience", () => {
    const field = (fieldPath: string) => ({ fieldRef: { fieldPath } });
    assert.deepEqual(renderPod(order), {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "web-01234-0",
        namespace: "tenant",
        labels: { team: "red", "nuptse.dev/app": "web", "nuptse.dev/revision": "web-0123456789" },
        annotations: { note: "mine", "nuptse.dev/instance": "0" },
        ownerReferences: [
          {
            apiVersion: "nuptse.dev/v1alpha1",
            kind: "RunnerApp",
            name: "web",
            uid: "app-uid",
            controller: true,
            blockOwnerDeletion: false,
          },
        ],
      },
      spec: {
        restartPolicy: "Always",
        containers: [
          {
            name: "main",
            image: "web:1",
            env: [
              { name: "NUPTSE_APP", value: "web" },
              { name: "NUPTSE_REVISION", valueFrom: field("metadata.labels['nuptse.dev/revision']") },
              { name: "NUPTSE_INSTANCE", value: "web-01234-0" },
              { name: "NUPTSE_NAMESPACE", value: "tenant" },
              { name: "NUPTSE_HOST_IP", valueFrom: field("status.hostIP") },
              { name: "NUPTSE_POD_IP", value: "mine" },
            ],
          },
        ],
        tolerations: [
          { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 },
          { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
        ],
      },
    });
  });

  it("carries the restartedAt that it was made with", () => {
    const app = runnerApp({ spec: { restartedAt: "2026-11-21T10:00:00Z" } });
    assert.equal(renderPod({ ...order, app }).metadata.annotations?.["nuptse.dev/restartedAt"], "2026-11-21T10:00:00Z");
  });

  it("of a later try is of that alternative, and tells how many were tried", () => {
    const resourceOptions = [{}, { nodeSelector: { disk: "slow" } }];
    const data = { template, resourceOptions };
    const pod = renderPod({ ...order, data, tries: 3 });
    assert.deepEqual(pod.spec.nodeSelector, { disk: "slow" });
    assert.equal(pod.metadata.annotations?.["nuptse.dev/option-tries"], "3");
    assert.equal(renderPod({ ...order, data, tries: 2 }).spec.nodeSelector, undefined);
  });

  it("of a queue has its label, and what its nodes ask for", () => {
    const pool = {
      nodeSelector: { pool: "big" },
      tolerations: [{ key: "pool", operator: "Equal" as const, value: "big", effect: "NoSchedule" }],
    };
    const pod = renderPod({ ...order, queue: { name: "red", pool } });
    assert.equal(pod.metadata.labels?.["nuptse.dev/queue"], "red");
    assert.deepEqual(pod.spec.nodeSelector, { pool: "big" });
    assert.ok(pod.spec.tolerations?.some(({ key }) => key === "pool"));
  });
});
