import assert from "node:assert/strict";
import type { KubeObject, ObjectRef } from "../../../src/api/meta.ts";
import { annotations, labels } from "../../../src/api/names.ts";
import { pods, type Resource, runnerApps } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createRunnerAppKind } from "../../../src/runnerapp/kind.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import type { AddOptions } from "../../../src/runtime/work-queue.ts";
import { runnerApp } from "../../support/builders/runner-app.ts";
import { runnerPod } from "../../support/builders/runner-pod.ts";

/** A kind whose caches hear of what the test tells them, and what it asks of its queue. */
function listening() {
  const asked: { readonly ref: ObjectRef; readonly options: AddOptions | undefined }[] = [];
  const kind = createRunnerAppKind({
    client: new Proxy({}, { get: () => assert.fail("nobody is asked") }) as never,
    clock: new VirtualClock(0),
    random: createSeededRandom(1),
    metrics: noMetrics,
    onError: (error) => assert.fail(String(error)),
    serverNow: () => 0,
    maxClockSkewMs: 0,
    evacuationTaints: [],
    markEvacuated: false,
    appsAgreeing: 0,
  });
  kind.connect({ enqueue: (ref, options) => void asked.push({ ref, options }) });
  let version = 100;
  return {
    asked,
    /** A version newer than the last one; the last option that the queue was given. */
    tell(resource: Resource, object: KubeObject): AddOptions | undefined {
      const newer = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } };
      const before = asked.length;
      for (const informer of kind.informers) if (informer.resource === resource) informer.observeWrite(newer);
      return asked.length === before ? assert.fail("nothing was asked of the queue") : asked.at(-1)?.options;
    },
  };
}

const app = (metadata: object = {}, more: object = {}): KubeObject => {
  const object = runnerApp();
  return { ...object, ...more, metadata: { ...object.metadata, ...metadata } };
};

/** A pod of the app "web". */
function pod(number: number): KubeObject {
  const object = runnerPod({ name: `web-1a2b3-${number}`, uid: `pod-${number}` });
  const owner = { apiVersion: "nuptse.dev/v1alpha1", kind: "RunnerApp", name: "web", uid: "app-uid", controller: true };
  return { ...object, metadata: { ...object.metadata, labels: { [labels.app]: "web" }, ownerReferences: [owner] } };
}

describe("the kind RunnerApp: what it asks of the work queue", () => {
  const changes: readonly { readonly name: string; readonly now: KubeObject; readonly want: AddOptions }[] = [
    { name: "an edit of spec goes before everything else", now: app({ generation: 2 }), want: { priority: "high" } },
    {
      name: "so does a wish in an annotation, which changes no generation",
      now: app({ annotations: { [annotations.resume]: "web-1/now" } }),
      want: { priority: "high" },
    },
    { name: "our own status does not", now: app({}, { status: { replicas: 3 } }), want: { priority: "normal" } },
  ];
  for (const { name, now, want } of changes)
    it(name, () => {
      const { tell, asked } = listening();
      tell(runnerApps, app());
      assert.deepEqual(tell(runnerApps, now), want);
      assert.deepEqual(asked.at(-1)?.ref, { namespace: "tenant", name: "web" });
    });

  it("an app that is new goes before everything else", () => assert.deepEqual(listening().tell(runnerApps, app()), { priority: "high" }));

  it("the pods of a small fleet are looked at at once, those of a large one together, and nobody waits for either", () => {
    const { tell } = listening();
    const waits = Array.from({ length: 1200 }, (_, number) => tell(pods, pod(number)));
    assert.deepEqual(
      [0, 18, 19, 199, 999, 1199].map((number) => waits[number]),
      [0, 0, 1, 10, 50, 50].map((afterMs) => ({ afterMs })),
    );
  });
});
