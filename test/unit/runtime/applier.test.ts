import assert from "node:assert/strict";
import type { Action, ActionOutcome } from "../../../src/api/action.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { nodes, pods, podTemplates } from "../../../src/api/resource.ts";
import { TimedOutError } from "../../../src/kube/errors.ts";
import type { TransportRequest } from "../../../src/kube/transport.ts";
import { bench, create, job, owned, plan, quotaRefusal, status } from "./applier-bench.ts";
import { type Answer, failure, ok, thing } from "./scripted-transport.ts";

const seen = (name: string, resourceVersion: string, uid = `uid-${name}`): KubeObject => ({
  ...owned(name),
  metadata: { ...owned(name).metadata, uid, resourceVersion },
});
const ended = { spec: { containers: [{ name: "main" }] }, status: { phase: "Failed" } } as object;
const deletion: Extract<Action, { tag: "delete" }> = { tag: "delete", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a" };
const relied = { resource: pods, ref: { namespace: "shop", name: "b" }, uid: "uid-b", resourceVersion: "3" };
const change: Action = { ...deletion, tag: "merge", resourceVersion: "7", body: { metadata: { labels: { a: "b" } } } };

describe("applier", () => {
  const outcomes: readonly {
    readonly name: string;
    readonly action: Action;
    readonly answers: Readonly<Record<string, Answer>>;
    readonly want: ActionOutcome | "failed";
    readonly wantSent: readonly string[];
    readonly wantKept?: readonly string[];
  }[] = [
    {
      name: "keeps what a create answered",
      action: create("a"),
      answers: { "create pods in shop": ok(owned("a"), 201) },
      want: { kind: "done" },
      wantSent: ["create pods in shop"],
      wantKept: ["a@7"],
    },
    {
      name: "takes an object of the same owner as created, after a look at it",
      action: create("a"),
      answers: { "create pods in shop": failure(409, "AlreadyExists"), "get pods shop/a": ok(owned("a")) },
      want: { kind: "exists" },
      wantSent: ["create pods in shop", "get pods shop/a"],
      wantKept: ["a@7"],
    },
    {
      name: "does not adopt the object of another owner",
      action: create("a"),
      answers: { "create pods in shop": failure(409, "AlreadyExists"), "get pods shop/a": ok(owned("a", "job-2")) },
      want: { kind: "nameTaken" },
      wantSent: ["create pods in shop", "get pods shop/a"],
    },
    {
      name: "does not adopt an object without an owner",
      action: create("a"),
      answers: { "create pods in shop": failure(409, "AlreadyExists"), "get pods shop/a": ok(thing("a")) },
      want: { kind: "nameTaken" },
      wantSent: ["create pods in shop", "get pods shop/a"],
    },
    {
      name: "counts a create whose answer is lost as failed, since it may have happened",
      action: create("a"),
      answers: { "create pods in shop": new TimedOutError("no answer") },
      want: "failed",
      wantSent: ["create pods in shop"],
    },
    {
      name: "counts a create into a namespace that is gone as failed",
      action: create("a"),
      answers: { "create pods in shop": failure(404, "NotFound", 'namespaces "shop" not found', { name: "shop" }) },
      want: "failed",
      wantSent: ["create pods in shop"],
    },
    {
      name: "tells a refusal by quota from others",
      action: create("a"),
      answers: { "create pods in shop": quotaRefusal },
      want: {
        kind: "forbidden",
        message:
          'create pods in shop: 403 Forbidden: pods "a" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2',
        quota: true,
        namespaceTerminating: false,
      },
      wantSent: ["create pods in shop"],
    },
    {
      name: "tells a namespace that ends",
      action: create("a"),
      answers: {
        "create pods in shop": failure(403, "Forbidden", "no", {
          name: "a",
          causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }],
        }),
      },
      want: { kind: "forbidden", message: "create pods in shop: 403 Forbidden: no", quota: false, namespaceTerminating: true },
      wantSent: ["create pods in shop"],
    },
    {
      name: "tells an object that the server finds wrong",
      action: create("a"),
      answers: { "create pods in shop": failure(422, "Invalid", "spec.containers: Required value") },
      want: { kind: "invalid", message: "create pods in shop: 422 Invalid: spec.containers: Required value" },
      wantSent: ["create pods in shop"],
    },
    {
      name: "deletes with the UID as precondition and keeps the object that lives on",
      action: { tag: "delete", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a" },
      answers: { "delete pods shop/a": ok({ ...owned("a"), metadata: { ...owned("a").metadata, resourceVersion: "8" } }) },
      want: { kind: "done" },
      wantSent: ["delete pods shop/a"],
      wantKept: ["a@8"],
    },
    {
      name: "counts the deletion of what is gone as done",
      action: { tag: "delete", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a" },
      answers: { "delete pods shop/a": failure(404, "NotFound", "not found", { name: "a" }) },
      want: { kind: "done" },
      wantSent: ["delete pods shop/a"],
    },
    {
      name: "counts the deletion of what was replaced by a namesake as done",
      action: { tag: "delete", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a" },
      answers: { "delete pods shop/a": failure(409, "Conflict", "the UID in the precondition does not match") },
      want: { kind: "done" },
      wantSent: ["delete pods shop/a"],
    },
    {
      name: "probes what exists",
      action: { tag: "probe", resource: pods, ref: { namespace: "shop", name: "a" } },
      answers: { "get pods shop/a": ok(owned("a")) },
      want: { kind: "done" },
      wantSent: ["get pods shop/a"],
      wantKept: ["a@7"],
    },
    {
      name: "probes what does not exist",
      action: { tag: "probe", resource: pods, ref: { namespace: "shop", name: "a" } },
      answers: { "get pods shop/a": failure(404, "NotFound", "not found", { name: "a" }) },
      want: { kind: "gone" },
      wantSent: ["get pods shop/a"],
    },
    {
      name: "probes what a namesake has replaced, and keeps that",
      action: { tag: "probe", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-of-old" },
      answers: { "get pods shop/a": ok(seen("a", "9", "uid-of-new")) },
      want: { kind: "gone" },
      wantSent: ["get pods shop/a"],
      wantKept: ["a@9"],
    },
    {
      name: "probes a pod that has ended, which counts as gone where that is asked for",
      action: { tag: "probe", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a", endedIsGone: true },
      answers: { "get pods shop/a": ok({ ...seen("a", "9"), ...ended }) },
      want: { kind: "gone" },
      wantSent: ["get pods shop/a"],
      wantKept: ["a@9"],
    },
    {
      name: "probes a pod that has ended, and exists",
      action: { tag: "probe", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a" },
      answers: { "get pods shop/a": ok({ ...seen("a", "9"), ...ended }) },
      want: { kind: "done" },
      wantSent: ["get pods shop/a"],
      wantKept: ["a@9"],
    },
    {
      name: "probes a pod that runs, where its end would do",
      action: { tag: "probe", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a", endedIsGone: true },
      answers: { "get pods shop/a": ok({ ...seen("a", "9"), ...ended, status: { phase: "Running" } } as KubeObject) },
      want: { kind: "done" },
      wantSent: ["get pods shop/a"],
      wantKept: ["a@9"],
    },
    {
      name: "does not take a missing kind for a missing object",
      action: { tag: "probe", resource: pods, ref: { namespace: "shop", name: "a" } },
      answers: { "get pods shop/a": failure(404, "NotFound", "the server could not find the requested resource", {}) },
      want: "failed",
      wantSent: ["get pods shop/a"],
    },
    {
      name: "passes on what a dry run finds wrong",
      action: { tag: "dryRun", resource: podTemplates, object: thing("t") },
      answers: { "create podtemplates in shop": failure(400, "BadRequest", "strict decoding error: unknown field") },
      want: { kind: "invalid", message: "create podtemplates in shop: 400 BadRequest: strict decoding error: unknown field" },
      wantSent: ["create podtemplates in shop"],
    },
    {
      name: "deletes only while what it relies on is as it was",
      action: { ...deletion, provided: [relied] },
      answers: { "get pods shop/b": ok(seen("b", "3")), "delete pods shop/a": ok({ kind: "Status" }) },
      want: { kind: "done" },
      wantSent: ["get pods shop/b", "delete pods shop/a"],
      wantKept: ["b@3"],
    },
    {
      name: "deletes nothing when what it relies on has changed, and keeps what it has become",
      action: { ...deletion, provided: [relied] },
      answers: { "get pods shop/b": ok(seen("b", "4")) },
      want: { kind: "conflict" },
      wantSent: ["get pods shop/b"],
      wantKept: ["b@4"],
    },
    {
      name: "nor when that is gone",
      action: { ...deletion, provided: [relied] },
      answers: { "get pods shop/b": failure(404, "NotFound", "not found", { name: "b" }) },
      want: { kind: "conflict" },
      wantSent: ["get pods shop/b"],
    },
    {
      name: "writes no status of another when what it relies on has changed",
      action: { tag: "status", resource: pods, object: seen("a", "7"), status: {}, provided: [relied] },
      answers: { "get pods shop/b": ok(seen("b", "4")) },
      want: { kind: "conflict" },
      wantSent: ["get pods shop/b"],
      wantKept: ["b@4"],
    },
    {
      name: "merges only into the version that it was planned from",
      action: change,
      answers: { "patch pods shop/a": ok(seen("a", "8")) },
      want: { kind: "done" },
      wantSent: ["patch pods shop/a"],
      wantKept: ["a@8"],
    },
    {
      name: "tells a merge into an older version apart, and keeps the newer one",
      action: change,
      answers: { "patch pods shop/a": failure(409, "Conflict", "the object has been modified"), "get pods shop/a": ok(seen("a", "9")) },
      want: { kind: "conflict" },
      wantSent: ["patch pods shop/a", "get pods shop/a"],
      wantKept: ["a@9"],
    },
    {
      name: "never merges into a namesake",
      action: change,
      answers: {
        "patch pods shop/a": failure(409, "Conflict", "the UID in the precondition does not match"),
        "get pods shop/a": ok(seen("a", "9", "other")),
      },
      want: { kind: "gone" },
      wantSent: ["patch pods shop/a", "get pods shop/a"],
    },
  ];
  for (const tc of outcomes) {
    it(tc.name, async () => {
      const { applier, words, kept } = bench((request) => answerOf(tc.answers, request));
      const { results } = await applier.apply(plan([tc.action]));
      assert.equal(results.length, 1);
      assert.equal(results[0]?.action, tc.action);
      if (tc.want === "failed") assert.equal(results[0]?.outcome.kind, "failed");
      else assert.deepEqual(results[0]?.outcome, tc.want);
      assert.deepEqual(words(), tc.wantSent);
      assert.deepEqual(kept, tc.wantKept ?? []);
    });
  }

  it("asks for a dry run with strict validation", async () => {
    const { applier, sent } = bench(() => ok(thing("t"), 201));
    await applier.apply(plan([{ tag: "dryRun", resource: podTemplates, object: thing("t") }]));
    assert.deepEqual(sent[0]?.query, { dryRun: "All", fieldValidation: "Strict" });
  });

  it("sends the UID and the grace period of a deletion", async () => {
    const { applier, sent } = bench(() => ok({ kind: "Status", status: "Success" }));
    const ref = { namespace: "shop", name: "a" };
    await applier.apply(plan([{ tag: "delete", resource: pods, ref, uid: "uid-a", gracePeriodSeconds: 5 }]));
    assert.deepEqual(sent[0]?.body, { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid: "uid-a" }, gracePeriodSeconds: 5 });
  });

  it("merges by the keys of lists, with UID and version as preconditions, into the object or a part of it", async () => {
    const { applier, sent } = bench(() => ok(seen("a", "8")));
    const merge = { ...deletion, tag: "merge" as const, resourceVersion: "7" };
    const spec = { containers: [{ name: "main", image: "x:2" }] };
    await applier.apply(
      plan([
        { ...merge, body: { metadata: { labels: { a: null } }, spec } },
        { ...merge, subresource: "resize", body: { spec } },
      ]),
    );
    assert.deepEqual(
      sent.map(({ path, body, contentType }) => [path, body, contentType]),
      [
        [
          "/api/v1/namespaces/shop/pods/a",
          { metadata: { labels: { a: null }, uid: "uid-a", resourceVersion: "7" }, spec },
          "application/strategic-merge-patch+json",
        ],
        [
          "/api/v1/namespaces/shop/pods/a/resize",
          { metadata: { uid: "uid-a", resourceVersion: "7" }, spec },
          "application/strategic-merge-patch+json",
        ],
      ],
    );
  });

  const proofs: readonly {
    readonly name: string;
    readonly action: Action;
    readonly answers: readonly Answer[];
    readonly want: readonly string[];
  }[] = [
    { name: "a create gives a version", action: create("a"), answers: [ok(seen("a", "8"), 201)], want: ["a@8 1500"] },
    {
      name: "a deletion of one version gives the next one",
      action: { ...deletion, resourceVersion: "7" },
      answers: [ok(seen("a", "8"))],
      want: ["a@8 1500"],
    },
    {
      name: "one of any version may be told what somebody gave it before",
      action: deletion,
      answers: [ok(seen("a", "8"))],
      want: [],
    },
    {
      name: "so may one that changed nothing",
      action: { ...deletion, resourceVersion: "7" },
      answers: [ok(seen("a", "7"))],
      want: [],
    },
    {
      name: "and a create that comes too late",
      action: create("a"),
      answers: [failure(409, "AlreadyExists"), ok(seen("a", "8", "uid-a"))],
      want: [],
    },
  ];
  for (const tc of proofs)
    it(`tells stores when a write was sent whose version proves how old they are: ${tc.name}`, async () => {
      const answers = [...tc.answers];
      const { applier, clock, sentAt, kept } = bench(() => answers.shift() ?? assert.fail("nothing more is asked"));
      await clock.runUntil(1500);
      await applier.apply(plan([tc.action]));
      assert.equal(kept.length, 1);
      assert.deepEqual(sentAt, tc.want);
    });

  it("does not ask for the same deletion again until the watch must have told of it", async () => {
    const { applier, clock, words } = bench(() => ok({ kind: "Status", status: "Success" }));
    const again = plan([{ tag: "delete", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "uid-a" }]);
    await applier.apply(again);
    await clock.runUntil(4999);
    assert.deepEqual((await applier.apply(again)).results[0]?.outcome, { kind: "done" });
    assert.equal(words().length, 1);
    await clock.runUntil(5000);
    await applier.apply(again);
    assert.equal(words().length, 2);
  });

  it("goes on with a collection while the server deletes whole pages", async () => {
    const pages = [500, 500, 120];
    const { applier, sent, metrics } = bench(() => ok({ kind: "PodList", items: new Array(pages.shift() ?? 0).fill({}) }));
    const { results } = await applier.apply(
      plan([{ tag: "deleteCollection", resource: pods, namespace: "shop", labelSelector: "nuptse.dev/run in (r1)", limit: 500 }]),
    );
    assert.deepEqual(results[0]?.outcome, { kind: "done" });
    assert.equal(sent.length, 3);
    assert.equal(metrics.counts.get("nuptse_api_writes_total{verb=deletecollection,resource=pods}"), 3);
  });

  it("patches with the UID in front, and not when a live look finds what must not be there", async () => {
    const unless = { resource: pods, labelSelector: "nuptse.dev/app", fieldSelector: "spec.nodeName=n1" };
    const mark: Action = {
      tag: "patch",
      resource: nodes,
      ref: { name: "n1" },
      uid: "node-uid",
      resourceVersion: "7",
      operations: [{ op: "add", path: "/metadata/annotations/a", value: "b" }],
      unless,
    };
    for (const [found, outcome, methods] of [
      [[], "done", ["GET", "PATCH"]],
      [[owned("p")], "conflict", ["GET"]],
    ] as const) {
      const { applier, sent } = bench(({ method }) => (method === "GET" ? ok({ metadata: {}, items: found }) : ok(thing("n1"))));
      const { results } = await applier.apply(plan([mark]));
      assert.equal(results[0]?.outcome.kind, outcome);
      assert.deepEqual(
        sent.map(({ method }) => method),
        methods,
      );
      const { labelSelector, fieldSelector } = sent[0]?.query ?? {};
      assert.deepEqual({ labelSelector, fieldSelector }, { labelSelector: unless.labelSelector, fieldSelector: unless.fieldSelector });
      if (sent[1] !== undefined)
        assert.deepEqual((sent[1].body as readonly unknown[])[0], { op: "test", path: "/metadata/uid", value: "node-uid" });
    }
  });

  it("sends all of a plan that somebody waits for before what nobody waits for", async () => {
    const all = plan(
      [create("a"), deletion, change, { tag: "status", resource: pods, object: seen("b", "7"), status: {} }],
      status({ currentRevision: "r1" }),
    );
    for (const lane of ["normal", "prompt"] as const) {
      const { applier, sent } = bench(() => ok(seen("a", "8")));
      await applier.apply(all, lane);
      assert.deepEqual(
        sent.map((request) => request.lane),
        [lane, lane, lane, lane, lane],
      );
    }
  });

  it("hands events to the recorder", async () => {
    const { applier, events, sent } = bench(() => ok({}));
    await applier.apply(plan([{ tag: "event", regarding: job, type: "Warning", reason: "RunFailed", note: "run r1 failed" }]));
    assert.deepEqual(events, ["RunFailed"]);
    assert.deepEqual(sent, []);
  });

  it("writes status as a merge patch with the version that it was planned from", async () => {
    const { applier, sent, kept, metrics } = bench(() => ok({ ...job, metadata: { ...job.metadata, resourceVersion: "42" } }));
    const applied = await applier.apply(plan([], status({ currentRevision: "r1", reason: null })));
    assert.deepEqual(applied, { results: [], status: { kind: "done" } });
    assert.equal(sent[0]?.path, "/apis/nuptse.dev/v1alpha1/namespaces/shop/elasticjobs/etl/status");
    assert.equal(sent[0]?.contentType, "application/merge-patch+json");
    assert.deepEqual(sent[0]?.body, { metadata: { resourceVersion: "41" }, status: { currentRevision: "r1", reason: null } });
    assert.deepEqual(kept, ["etl@42"]);
    assert.deepEqual([...metrics.counts], [["nuptse_api_writes_total{verb=patch,resource=elasticjobs.nuptse.dev/status}", 1]]);
  });

  const statusCases: readonly {
    readonly name: string;
    readonly answers: Readonly<Record<string, Answer>>;
    readonly want: ActionOutcome["kind"];
    readonly wantKept?: readonly string[];
  }[] = [
    {
      name: "reads the object past the cache after a conflict",
      answers: {
        "patch elasticjobs.nuptse.dev/status shop/etl": failure(409, "Conflict"),
        "get elasticjobs.nuptse.dev shop/etl": ok({ ...job, metadata: { ...job.metadata, resourceVersion: "50" } }),
      },
      want: "conflict",
      wantKept: ["etl@50"],
    },
    {
      name: "tells that the object is gone when a namesake has taken its place",
      answers: {
        "patch elasticjobs.nuptse.dev/status shop/etl": failure(409, "Conflict"),
        "get elasticjobs.nuptse.dev shop/etl": ok({ ...job, metadata: { ...job.metadata, uid: "job-2", resourceVersion: "50" } }),
      },
      want: "gone",
      wantKept: ["etl@50"],
    },
    {
      name: "tells that the object is gone",
      answers: { "patch elasticjobs.nuptse.dev/status shop/etl": failure(404, "NotFound", "no", { name: "etl" }) },
      want: "gone",
    },
    {
      name: "does not take a missing CRD for a missing object",
      answers: { "patch elasticjobs.nuptse.dev/status shop/etl": failure(404, "NotFound", "no", {}) },
      want: "failed",
    },
    {
      name: "tells a status that the server finds wrong",
      answers: { "patch elasticjobs.nuptse.dev/status shop/etl": failure(422, "Invalid") },
      want: "invalid",
    },
    {
      name: "counts a status whose answer is lost as failed",
      answers: { "patch elasticjobs.nuptse.dev/status shop/etl": new TimedOutError("no answer") },
      want: "failed",
    },
  ];
  for (const tc of statusCases) {
    it(tc.name, async () => {
      const { applier, kept } = bench((request) => answerOf(tc.answers, request));
      const applied = await applier.apply(plan([], status({ a: 1 })));
      assert.equal(applied.status?.kind, tc.want);
      assert.deepEqual(kept, tc.wantKept ?? []);
    });
  }

  it("does not send a status patch of more than 200 KiB", async () => {
    const { applier, sent, metrics } = bench(() => ok(job));
    const empty = JSON.stringify({ metadata: { resourceVersion: "41" }, status: { text: "" } }).length;
    const largest = 200 * 1024 - empty;
    assert.equal((await applier.apply(plan([], status({ text: "x".repeat(largest) })))).status?.kind, "done");
    assert.equal((await applier.apply(plan([], status({ text: "x".repeat(largest + 1) })))).status?.kind, "invalid");
    assert.equal((await applier.apply(plan([], status({ text: "é".repeat(largest / 2 + 1) })))).status?.kind, "invalid");
    assert.equal(sent.length, 1);
    assert.equal(metrics.counts.get("nuptse_status_patch_refused_total{resource=elasticjobs.nuptse.dev}"), 2);
  });

  it("writes no status without a version", async () => {
    const { applier, sent } = bench(() => ok(job));
    const { resourceVersion: _, ...metadata } = job.metadata;
    const applied = await applier.apply(plan([], status({ a: 1 }, { ...job, metadata })));
    assert.equal(applied.status?.kind, "failed");
    assert.deepEqual(sent, []);
  });

  it("sends no write while the fence is closed", async () => {
    const { applier, sent, metrics } = bench(() => ok({}), { fence: () => false });
    const deletion: Action = { tag: "delete", resource: pods, ref: { namespace: "shop", name: "a" }, uid: "u" };
    const collection: Action = { tag: "deleteCollection", resource: pods, namespace: "shop", labelSelector: "a=b", limit: 5 };
    const applied = await applier.apply(plan([create("a"), create("b", { lane: "l" }), deletion, collection], status({ a: 1 })));
    assert.deepEqual(
      [...applied.results.map((result) => result.outcome.kind), applied.status?.kind],
      ["failed", "failed", "failed", "failed", "failed"],
    );
    assert.deepEqual(sent, []);
    assert.deepEqual([...metrics.counts], []);
  });
});

function answerOf(answers: Readonly<Record<string, Answer>>, request: TransportRequest): Answer {
  const verb = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" }[request.method];
  const found = Object.entries(answers).find(([words]) => words.startsWith(verb));
  return found?.[1] ?? failure(500, "InternalError", `not in the script: ${request.method} ${request.path}`);
}
