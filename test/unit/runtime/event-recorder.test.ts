import assert from "node:assert/strict";
import type { EventAction } from "../../../src/api/action.ts";
import type { KubeEvent } from "../../../src/api/core.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { UnreachableError } from "../../../src/kube/errors.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { TransportRequest } from "../../../src/kube/transport.ts";
import { createEventRecorder } from "../../../src/runtime/event-recorder.ts";
import { type Answer, failure, ok, recordingMetrics, scriptedTransport } from "./scripted-transport.ts";

const start = Date.UTC(2026, 10, 21, 9, 0, 0);
const job = (name = "etl"): KubeObject => ({
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "ElasticJob",
  metadata: { namespace: "shop", name, uid: `uid-${name}` },
});
const said = (note: string, regarding = job()): EventAction => ({ tag: "event", regarding, type: "Warning", reason: "RunFailed", note });

function bench(answer: (request: TransportRequest) => Answer | Promise<Answer> = (request) => ok(request.body, 201)) {
  const clock = new VirtualClock(start);
  const metrics = recordingMetrics();
  const script = scriptedTransport(answer);
  const recorder = createEventRecorder({
    client: createKubeClient(script.transport),
    clock,
    random: createSeededRandom(1),
    logger: silentLogger,
    metrics,
    reportingController: "nuptse.dev/operator",
    reportingInstance: "operator-0",
  });
  const dropped = (reason: string) => metrics.counts.get(`nuptse_events_dropped_total{reason=${reason}}`) ?? 0;
  return { clock, recorder, metrics, dropped, ...script };
}

describe("event recorder", () => {
  it("writes an event as the API wants it", async () => {
    const { clock, recorder, sent } = bench();
    recorder.record(said("run r1 failed"));
    await clock.runUntil(start);
    assert.equal(sent.length, 1);
    assert.equal(sent[0]?.path, "/apis/events.k8s.io/v1/namespaces/shop/events");
    const { metadata, ...event } = eventIn(sent[0]);
    assert.match(metadata.name, /^etl\.[0-9a-f]+$/);
    assert.equal(metadata.namespace, "shop");
    assert.deepEqual(event, {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      eventTime: "2026-11-21T09:00:00.000000Z",
      action: "Reconcile",
      reason: "RunFailed",
      type: "Warning",
      note: "run r1 failed",
      reportingController: "nuptse.dev/operator",
      reportingInstance: "operator-0",
      regarding: { apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", namespace: "shop", name: "etl", uid: "uid-etl" },
    });
  });

  it("puts events of cluster-scoped objects into the namespace default", async () => {
    const { clock, recorder, sent } = bench();
    recorder.record(said("full", { apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name: "root", uid: "u" } }));
    await clock.runUntil(start);
    const event = eventIn(sent[0]);
    assert.equal(event.metadata.namespace, "default");
    assert.deepEqual(event.regarding, { apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", name: "root", uid: "u" });
  });

  it("cuts notes at 1,024 bytes, never within a character", async () => {
    const { clock, recorder, sent } = bench();
    for (const note of ["x".repeat(1024), "x".repeat(1025), "é".repeat(600), "😀".repeat(300)]) recorder.record(said(note));
    await clock.runUntil(start);
    const notes = sent.map((request) => (request.body as KubeEvent).note ?? "");
    assert.deepEqual(notes, ["x".repeat(1024), `${"x".repeat(1021)}...`, `${"é".repeat(510)}...`, `${"😀".repeat(255)}...`]);
  });

  it("turns what is said again within six minutes into a series, with a patch at most once a minute", async () => {
    const { clock, recorder, sent } = bench();
    for (let second = 0; second < 150; second += 10) {
      await clock.runUntil(start + second * 1000);
      recorder.record(said("run r1 failed"));
    }
    await clock.runUntil(start + 300_000);
    const name = eventIn(sent[0]).metadata.name;
    assert.deepEqual(
      sent.map((request) => [request.method, request.path.endsWith(name), request.method === "PATCH" ? request.body : undefined]),
      [
        ["POST", false, undefined],
        ["PATCH", true, { series: { count: 2, lastObservedTime: "2026-11-21T09:00:10.000000Z" } }],
        ["PATCH", true, { series: { count: 7, lastObservedTime: "2026-11-21T09:01:00.000000Z" } }],
        ["PATCH", true, { series: { count: 13, lastObservedTime: "2026-11-21T09:02:00.000000Z" } }],
        ["PATCH", true, { series: { count: 15, lastObservedTime: "2026-11-21T09:02:20.000000Z" } }],
      ],
    );
    assert.equal(sent[1]?.contentType, "application/merge-patch+json");
  });

  it("begins a new event after six minutes, and for another note", async () => {
    const { clock, recorder, words } = bench();
    recorder.record(said("run r1 failed"));
    recorder.record(said("run r2 failed"));
    await clock.runUntil(start + 360_000);
    recorder.record(said("run r1 failed"));
    await clock.runUntil(start + 400_000);
    assert.deepEqual(words(), [
      "create events.events.k8s.io in shop",
      "create events.events.k8s.io in shop",
      "create events.events.k8s.io in shop",
    ]);
  });

  it("goes on in a new event when the old one has expired", async () => {
    const { clock, recorder, sent } = bench((request) =>
      request.method === "PATCH" ? failure(404, "NotFound", "not found", { name: "x" }) : ok(request.body, 201),
    );
    recorder.record(said("run r1 failed"));
    await clock.runUntil(start + 1000);
    recorder.record(said("run r1 failed"));
    await clock.runUntil(start + 2000);
    assert.deepEqual(
      sent.map((request) => request.method),
      ["POST", "PATCH", "POST"],
    );
    assert.deepEqual(eventIn(sent[2]).series, { count: 2, lastObservedTime: "2026-11-21T09:00:01.000000Z" });
  });

  it("lets each object have ten events a minute and counts the rest", async () => {
    const { clock, recorder, sent, dropped } = bench();
    for (let index = 0; index < 25; index++) recorder.record(said(`note ${index}`));
    recorder.record(said("other", job("other")));
    await clock.runUntil(start);
    assert.equal(sent.length, 11);
    assert.equal(dropped("object_rate"), 15);
    await clock.runUntil(start + 60_000);
    for (let index = 0; index < 25; index++) recorder.record(said(`later ${index}`));
    await clock.runUntil(start + 60_000);
    assert.equal(sent.length, 21);
  });

  it("lets all objects together have a burst of a hundred, then ten a second", async () => {
    const { clock, recorder, sent, dropped } = bench();
    for (let index = 0; index < 300; index++) recorder.record(said("note", job(`job${index}`)));
    await clock.runUntil(start + 1000);
    assert.equal(sent.length, 100);
    assert.equal(dropped("global_rate"), 200);
    for (let index = 300; index < 400; index++) recorder.record(said("note", job(`job${index}`)));
    await clock.runUntil(start + 1000);
    assert.equal(sent.length, 110);
  });

  it("tries again while the server cannot, and gives up in the end", async () => {
    let down = true;
    const { clock, recorder, sent, dropped } = bench((request) => (down ? new UnreachableError("refused") : ok(request.body, 201)));
    recorder.record(said("a"));
    await clock.runUntil(start + 60_000);
    assert.equal(sent.length, 4);
    assert.equal(dropped("unavailable"), 1);
    recorder.record(said("b"));
    await clock.runUntil(start + 61_500);
    down = false;
    await clock.runUntil(start + 70_000);
    assert.equal(eventIn(sent.at(-1)).note, "b");
    assert.equal(dropped("unavailable"), 1);
  });

  it("does not try again what the server will not have", async () => {
    const { clock, recorder, sent, dropped } = bench(() => failure(403, "Forbidden", "because it is being terminated"));
    recorder.record(said("a"));
    await clock.runUntil(start + 60_000);
    assert.equal(sent.length, 1);
    assert.equal(dropped("refused"), 1);
  });

  it("bounds what waits while the server hangs", async () => {
    const { clock, recorder, dropped } = bench(() => new Promise<Answer>(() => {}));
    for (let second = 0; second < 200; second++) {
      await clock.runUntil(start + second * 1000);
      for (let index = 0; index < 10; index++) recorder.record(said("note", job(`job${second}-${index}`)));
    }
    assert.equal(dropped("queue_full"), 999);
  });

  it("drops what it cannot tell the kind of", () => {
    const { recorder, dropped } = bench();
    recorder.record(said("a", { metadata: { name: "etl" } }));
    assert.equal(dropped("incomplete"), 1);
  });

  it("drains: what waits is sent, what comes later is not", async () => {
    const { clock, recorder, sent } = bench(async (request) => {
      await clock.sleep(100);
      return ok(request.body, 201);
    });
    for (let index = 0; index < 3; index++) recorder.record(said(`note ${index}`));
    let drained = false;
    void recorder.drain().then(() => {
      drained = true;
    });
    recorder.record(said("late"));
    await clock.runUntil(start + 299);
    assert.equal(drained, false);
    await clock.runUntil(start + 300);
    assert.equal(drained, true);
    assert.equal(sent.length, 3);
    await recorder.drain();
  });
});

function eventIn(request: TransportRequest | undefined): KubeEvent {
  assert.ok(request !== undefined);
  return request.body as KubeEvent;
}
