import assert from "node:assert/strict";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { makeJob } from "../../../support/builders/elastic-job.ts";
import { residentSpec } from "../../../support/builders/resident-world.ts";
import { kubectlNuptse } from "./plugin-double.ts";

const app = (name: string, executor?: object, differs: object = {}): KubeObject =>
  ({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace: "tenant", uid: `uid-${name}` },
    spec: { template: { spec: { containers: [] } }, ...(executor !== undefined && { executor }), ...differs },
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

  it("of a fleet that somebody else runs it asks the EndpointSlices, for pods and for addresses", async () => {
    const machines = app(
      "machines",
      { port: 9999, protocol: "XxlJob", capacity: 2 },
      { template: undefined, endpoints: { serviceName: "machines" } },
    );
    const slice = (name: string, service: string, endpoints: object) => ({
      metadata: { name, namespace: "tenant", labels: { "kubernetes.io/service-name": service } },
      addressType: "IPv4",
      endpoints,
    });
    const targetRef = { kind: "Pod", namespace: "tenant", name: "web-1", uid: "uid-web-1" };
    const job = makeJob(residentSpec({ runnerRef: { name: "machines", handler: "report" } }), {
      status: {
        active: [
          {
            run: "20261121t120000z",
            phase: "Running",
            runner: "machines",
            dispatches: [{ items: "0", attempt: 1, instance: "10.0.0.7", name: "10.0.0.7", at: "2026-11-21T12:00:00Z" }],
          },
        ],
      },
    });
    const { results } = await kubectlNuptse(["executors", "machines", "-n", "tenant"], {
      objects: {
        "runnerapps.nuptse.dev": [machines],
        "elasticjobs.nuptse.dev": [job],
        "endpointslices.discovery.k8s.io": [
          slice("a", "machines", [{ addresses: ["10.0.0.7"] }, { addresses: ["10.0.0.8"], conditions: { ready: false }, targetRef }]),
          slice("b", "others", [{ addresses: ["10.0.0.9"] }]),
        ],
      } as never,
    });
    assert.deepEqual(results, [
      "APP        INSTANCE   PROTOCOL   READY   ITEMS   WORK",
      "machines   10.0.0.7   XxlJob     yes     1/2     report/20261121t120000z:0",
      "machines   web-1      XxlJob     no      0/2     -",
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
