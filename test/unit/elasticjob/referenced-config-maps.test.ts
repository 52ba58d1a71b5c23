import assert from "node:assert/strict";
import type { ConfigMap } from "../../../src/api/core.ts";
import type { ObjectRef } from "../../../src/api/meta.ts";
import { configMaps } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createReferencedConfigMaps } from "../../../src/elasticjob/referenced-config-maps.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { Transport, TransportRequest } from "../../../src/kube/transport.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";

const job = (name: string): ObjectRef => ({ namespace: "default", name });
const map = (name: string, namespace = "default"): ObjectRef => ({ namespace, name });
const forbidden = {
  status: 403,
  headers: {},
  body: { kind: "Status", status: "Failure", reason: "Forbidden", message: "configmaps is forbidden: no list", code: 403 },
};

function setUp() {
  const clock = new VirtualClock(Date.parse("2026-03-01T00:00:00Z"));
  const server = createApiServer({ clock, random: createSeededRandom(1), managedFields: false });
  const people = createKubeClient(inProcessTransport(server, { userAgent: "people" }));
  const inner = inProcessTransport(server, { userAgent: "operator" });
  const requests: string[] = [];
  let refused = false;
  let hold: Promise<void> | undefined;
  const note = (request: TransportRequest) => {
    if (request.path.includes("configmaps"))
      requests.push(`${request.query?.["watch"] === "true" ? "WATCH" : request.method} ${request.path.replace("/api/v1", "")}`);
  };
  const transport: Transport = {
    async request(request) {
      note(request);
      if (refused) return forbidden;
      const response = await inner.request(request);
      await hold;
      return response;
    },
    async stream(request, signal) {
      note(request);
      return inner.stream(request, signal);
    },
  };
  const told: string[] = [];
  const errors: string[] = [];
  const abort = new AbortController();
  const references = createReferencedConfigMaps({
    client: createKubeClient(transport),
    clock,
    random: createSeededRandom(2),
    onError: (error) => errors.push((error as Error).name),
    onChange: (root) => told.push(root.name),
  });
  const text = (ref: ObjectRef) => {
    const known = references.get(ref);
    return known.kind === "present" ? known.configMap.data?.["dates"] : known.kind;
  };
  const write = (name: string, dates: string) =>
    people.create<ConfigMap>(configMaps, { metadata: { name, namespace: "default" }, data: { dates } });
  return {
    clock,
    people,
    requests,
    told,
    errors,
    abort,
    references,
    text,
    write,
    edit: (name: string, dates: string) => people.patch<ConfigMap>(configMaps, map(name), { type: "merge", body: { data: { dates } } }),
    remove: (name: string) => people.delete(configMaps, map(name)),
    refuse: (value: boolean) => {
      refused = value;
    },
    /** Answers are held back until the returned function is called. */
    holdAnswers: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      hold = promise;
      return () => {
        hold = undefined;
        resolve();
      };
    },
    pass: (milliseconds: number) => clock.runUntil(clock.now() + milliseconds),
  };
}

describe("ConfigMaps that jobs refer to", () => {
  it("a cluster in which no job refers to one is not asked for any", async () => {
    const { references, abort, requests, pass, write } = setUp();
    await write("holidays", "2026-10-01");
    references.start(abort.signal);
    references.refer(job("plain"), []);
    await pass(600_000);
    assert.deepEqual(requests, []);
  });

  it("the first reference begins one watch, and the job is told when the ConfigMap is read", async () => {
    const { references, abort, requests, told, text, write } = setUp();
    await write("holidays", "2026-10-01");
    references.start(abort.signal);
    references.refer(job("a"), [map("holidays")]);
    assert.equal(text(map("holidays")), "loading");
    await settle();
    assert.equal(text(map("holidays")), "2026-10-01");
    assert.deepEqual(told, ["a"]);
    assert.deepEqual(requests, ["GET /configmaps", "WATCH /configmaps"]);
  });

  it("only what is referred to is kept", async () => {
    const { references, abort, write, told } = setUp();
    for (let index = 0; index < 20; index++) await write(`other-${index}`, "x".repeat(1000));
    await write("holidays", "2026-10-01");
    references.start(abort.signal);
    references.refer(job("a"), [map("holidays")]);
    await settle();
    await write("other-20", "x");
    await settle();
    assert.equal(references.size, 1);
    assert.deepEqual(told, ["a"]);
  });

  it("a later reference reads that one object, and edits and deletions are told to all who refer to it, once each", async () => {
    const { references, abort, requests, told, text, write, edit, remove } = setUp();
    await write("holidays", "2026-10-01");
    await write("makeup", "2026-10-10");
    references.start(abort.signal);
    references.refer(job("a"), [map("holidays")]);
    await settle();
    references.refer(job("b"), [map("makeup"), map("holidays")]);
    await settle();
    assert.deepEqual(requests.slice(2), ["GET /namespaces/default/configmaps/makeup"]);
    assert.equal(text(map("makeup")), "2026-10-10");
    told.length = 0;
    await edit("holidays", "2026-10-02");
    await settle();
    assert.equal(text(map("holidays")), "2026-10-02");
    assert.deepEqual(told.splice(0).sort(), ["a", "b"]);
    await remove("makeup");
    await settle();
    assert.equal(text(map("makeup")), "missing");
    assert.deepEqual(told, ["b"]);
  });

  it("one that does not exist is missing, until somebody creates it", async () => {
    const { references, abort, told, text, write } = setUp();
    references.start(abort.signal);
    references.refer(job("a"), [map("holidays")]);
    await settle();
    assert.equal(text(map("holidays")), "missing");
    references.refer(job("b"), [map("late")]);
    await settle();
    assert.equal(text(map("late")), "missing");
    told.length = 0;
    await write("late", "2026-01-01");
    await settle();
    assert.equal(text(map("late")), "2026-01-01");
    assert.deepEqual(told, ["b"]);
  });

  it("what nobody refers to any more is forgotten, and read anew when somebody does again", async () => {
    const { references, abort, text, write, edit } = setUp();
    await write("holidays", "2026-10-01");
    references.start(abort.signal);
    references.refer(job("a"), [map("holidays")]);
    await settle();
    references.refer(job("a"), []);
    assert.equal(references.size, 0);
    await edit("holidays", "2026-10-05");
    await settle();
    references.refer(job("a"), [map("holidays")]);
    await settle();
    assert.equal(text(map("holidays")), "2026-10-05");
  });

  it("an answer that is older than what the watch has shown changes nothing", async () => {
    const { references, abort, text, write, edit, remove, holdAnswers } = setUp();
    await write("holidays", "first");
    await write("makeup", "first");
    references.start(abort.signal);
    references.refer(job("x"), [map("other")]);
    await settle();
    const release = holdAnswers();
    references.refer(job("a"), [map("holidays"), map("makeup")]);
    await settle();
    await edit("holidays", "second");
    await remove("makeup");
    await settle();
    release();
    await settle();
    assert.equal(text(map("holidays")), "second");
    assert.equal(text(map("makeup")), "missing");
  });

  it("without the permission it says so, holds up nobody, and goes on when it is granted", async () => {
    const { references, abort, errors, text, write, refuse, pass } = setUp();
    await write("holidays", "2026-10-01");
    refuse(true);
    references.start(abort.signal);
    await references.synced;
    await references.refill();
    references.refer(job("a"), [map("holidays")]);
    await settle();
    assert.equal(text(map("holidays")), "unreadable");
    assert.deepEqual([...new Set(errors)], ["Forbidden"]);
    refuse(false);
    await pass(120_000);
    assert.equal(text(map("holidays")), "2026-10-01");
  });

  it("a read that fails is tried again with back-off", async () => {
    const { references, abort, requests, text, write, refuse, pass } = setUp();
    await write("holidays", "2026-10-01");
    references.start(abort.signal);
    references.refer(job("x"), [map("other")]);
    await settle();
    refuse(true);
    references.refer(job("a"), [map("holidays")]);
    await pass(20_000);
    assert.equal(text(map("holidays")), "unreadable");
    assert.ok(requests.filter((request) => request.endsWith("/holidays")).length <= 6);
    refuse(false);
    await pass(60_000);
    assert.equal(text(map("holidays")), "2026-10-01");
  });
});
