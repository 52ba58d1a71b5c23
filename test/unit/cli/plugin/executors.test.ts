import assert from "node:assert/strict";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { makeJob } from "../../../support/builders/elastic-job.ts";
import { residentSpec } from "../../../support/builders/resident-world.ts";
import { kubectlNuptse } from "./plugin-double.ts";

const app = (name: string, executor?: object): KubeObject =>
  ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace: "tenant", uid: `uid-${name}` },
    spec: { template: { spec: { containers: [] } }, ...(executor !== undefined && { executor }) },
  }) as KubeObject;

const pod = (name: string, ready: boolean): KubeObject =>
  ({
    metadata: {
      name,
      namespace: "tenant",
      uid: `uid-${name}`,
      labels: { "nuptse.dev/app": "workers" },
      ownerReferences: [{ apiVersion: "nuptse.dev/v1alpha1", kind: "RunnerApp", name: "workers", uid: "uid-workers", controller: true }],
    },
    spec: { containers: [] },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  }) as KubeObject;

const dispatch = (instance: string, items: string) => ({
  items,
  attempt: 1,
  instance: `uid-${instance}`,
  name: instance,
  at: "2026-11-21T12:00:00Z",
});

const objects = {
  "runnerapps.nuptse.dev": [app("workers", { port: 8080, capacity: 4 }), app("web")],
  pods: [pod("workers-10", false), pod("workers-2", true)],
  "elasticjobs.nuptse.dev": [
    makeJob(residentSpec(), {
      status: {
        active: [
          {
            run: "20261121t120000z",
            phase: "Running",
            runner: "workers",
            dispatches: [dispatch("workers-2", "0-1"), dispatch("workers-2", "4"), dispatch("workers-9", "3")],
          },
          { run: "20261121t110000z", phase: "Succeeded", runner: "workers", dispatches: [dispatch("workers-2", "0")] },
        ],
      },
    }),
  ],
} as unknown as Record<string, readonly KubeObject[]>;

describe("cli/plugin: executors", () => {
  it("tells of each instance what it works on, and of those that are gone what status still says", async () => {
    const { code, results } = await kubectlNuptse(["executors", "-n", "tenant"], { objects });
    assert.equal(code, 0);
    assert.deepEqual(results, [
      "APP       INSTANCE     PROTOCOL   READY   ITEMS   WORK",
      "workers   workers-2    HTTP       yes     3/4     report/20261121t120000z:0-1,4",
      "workers   workers-10   HTTP       no      0/4     -",
      "workers   workers-9    HTTP       no      1/4     report/20261121t120000z:3",
    ]);
  });

  it("an app that takes no items has none", async () => {
    const { results, notes } = await kubectlNuptse(["executors", "web", "-n", "tenant"], { objects });
    assert.deepEqual(results, []);
    assert.match(notes.join("\n"), /docs\/resident\.md/);
  });

  it("an app that does not exist is said to", async () => {
    const { code, notes } = await kubectlNuptse(["executors", "nobody", "-n", "tenant"], { objects });
    assert.equal(code, 1);
    assert.match(notes.join("\n"), /there is no RunnerApp nobody in the namespace tenant/);
  });
});
