import assert from "node:assert/strict";
import { pods } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { type NotFound, TimedOutError } from "../../../src/kube/errors.ts";
import { createInformer, type InformerOptions } from "../../../src/kube/informer.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { FakeCollection, type FakeObject, refusal } from "../../support/fake-collection.ts";

const start = Date.parse("2026-03-01T00:00:00Z");

function setUp(options: Partial<InformerOptions<FakeObject, "parity">> = {}) {
  const collection = new FakeCollection();
  const clock = new VirtualClock(start);
  const abort = new AbortController();
  const changes: string[] = [];
  const errors: unknown[] = [];
  const informer = createInformer<FakeObject, "parity">({
    client: createKubeClient(collection),
    resource: pods,
    clock,
    random: createSeededRandom(1),
    indexes: { parity: (object) => [object.value % 2 === 0 ? "even" : "odd"] },
    onChange: (change) => changes.push(`${change.type} ${change.object.metadata.name}=${change.object.value}`),
    onError: (error) => errors.push(error),
    ...options,
  });
  const storeNames = () => [...informer.store.all()].map((object) => object.metadata.name).sort();
  const pass = (milliseconds: number) => clock.runUntil(clock.now() + milliseconds);
  const verbs = () => collection.requests.map((request) => request.verb);
  return { collection, clock, abort, changes, errors, informer, storeNames, pass, verbs };
}

async function synced(options: Partial<InformerOptions<FakeObject, "parity">> = {}) {
  const world = setUp(options);
  world.collection.write("a", 1);
  world.collection.write("b", 2);
  world.informer.start(world.abort.signal);
  await world.informer.synced;
  await settle();
  world.changes.length = 0;
  world.collection.requests.length = 0;
  return world;
}

describe("kube/informer", () => {
  it("lists in pages of 500 without a resource version, and watches from the list's", async () => {
    const { collection, informer, abort } = setUp();
    for (let i = 0; i < 1203; i++) collection.write(`pod-${i}`, i);
    informer.start(abort.signal);
    await informer.synced;
    await settle();
    assert.equal(informer.store.size, 1203);
    assert.equal(informer.store.synced, true);
    assert.equal(informer.store.resourceVersion, "1303");
    assert.deepEqual(
      collection.requests.map(({ verb, query }) => ({ verb, limit: query["limit"], from: query["resourceVersion"] })),
      [
        { verb: "list", limit: "500", from: undefined },
        { verb: "list", limit: "500", from: undefined },
        { verb: "list", limit: "500", from: undefined },
        { verb: "watch", limit: undefined, from: "1303" },
      ],
    );
  });

  it("asks for the next page before it has parsed a page, and for none twice", async () => {
    const { collection, informer, abort } = setUp();
    for (let i = 0; i < 1703; i++) collection.write(`pod-${i}`, i);
    collection.tokenInText = (token) => token;
    informer.start(abort.signal);
    await informer.synced;
    await settle();
    assert.equal(informer.store.size, 1703);
    assert.deepEqual(
      collection.requests.map(({ verb, query }) => `${verb} ${query["continue"] ?? ""}`),
      ["list ", "list 500@1803", "list 1000@1803", "list 1500@1803", "watch "],
    );
    assert.ok(collection.askedAhead >= 2, `${collection.askedAhead} asked ahead`);
  });

  it("tells that the version of its list is settled when the first page comes, and which one when all have", async () => {
    const { collection, informer, abort } = setUp();
    for (let i = 0; i < 703; i++) collection.write(`pod-${i}`, i);
    informer.start(abort.signal);
    await informer.fixed;
    assert.deepEqual([informer.store.synced, informer.listVersion], [false, undefined]);
    await informer.synced;
    assert.deepEqual([informer.store.size, informer.listVersion], [703, "803"]);
  });

  it("believes the page and not its text", async () => {
    const { collection, informer, abort } = setUp();
    for (let i = 0; i < 703; i++) collection.write(`pod-${i}`, i);
    collection.tokenInText = () => "0@1";
    informer.start(abort.signal);
    await informer.synced;
    assert.equal(informer.store.size, 703);
    assert.equal(informer.store.resourceVersion, "803");
  });

  it("begins anew when a page that was asked for ahead has expired", async () => {
    const { collection, informer, abort, pass } = setUp();
    for (let i = 0; i < 703; i++) collection.write(`pod-${i}`, i);
    collection.tokenInText = (token) => {
      if (collection.requests.length === 1) collection.failNext("list", () => refusal(410, "Expired"));
      return token;
    };
    informer.start(abort.signal);
    await pass(60_000);
    await informer.synced;
    assert.equal(informer.store.size, 703);
  });

  it("keeps objects without managedFields and with the kind that lists leave out", async () => {
    const { informer } = await synced();
    const object = informer.store.get("shop", "a");
    assert.deepEqual(object, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", namespace: "shop", uid: "uid-101", resourceVersion: "101" },
      value: 1,
    });
  });

  it("follows the watch, and tells each change once", async () => {
    const { collection, changes, informer, storeNames } = await synced();
    collection.write("c", 3);
    collection.write("a", 4);
    collection.delete("b");
    await settle();
    assert.deepEqual(changes, ["added c=3", "modified a=4", "deleted b=2"]);
    assert.deepEqual(storeNames(), ["a", "c"]);
    assert.deepEqual(
      informer.store.byIndex("parity", "even").map((object) => object.metadata.name),
      ["a"],
    );
    assert.equal(informer.store.resourceVersion, "105");
  });

  it("takes an own write at once, and does not tell its event again", async () => {
    const { collection, changes, informer } = await synced();
    collection.stalled = true;
    const answer = collection.write("a", 7);
    informer.observeWrite(answer);
    assert.equal(informer.store.get("shop", "a")?.value, 7);
    collection.stalled = false;
    collection.breakWatches();
    await settle();
    assert.deepEqual(changes, ["modified a=7"]);
  });

  it("opens a watch that the server ended from the last bookmark, without a list", async () => {
    const { collection, pass, verbs } = await synced();
    await pass(60_000);
    collection.write("c", 3);
    collection.bookmark();
    await pass(60_000);
    collection.endWatches();
    await settle();
    assert.deepEqual(verbs(), ["watch"]);
    assert.equal(collection.requests[0]?.query["resourceVersion"], "103");
    assert.equal(collection.openWatches, 1);
  });

  it("waits 0.8 s and longer after connections that break, and misses nothing", async () => {
    const { collection, pass, verbs, storeNames, errors } = await synced();
    collection.failNext("watch", () => new TimedOutError("broken"));
    collection.breakWatches();
    collection.write("c", 3);
    await pass(600);
    assert.deepEqual(verbs(), []);
    await pass(400);
    assert.deepEqual(verbs(), ["watch"]);
    await pass(1200);
    assert.deepEqual(verbs(), ["watch"]);
    await pass(800);
    assert.deepEqual(verbs(), ["watch", "watch"]);
    assert.deepEqual(storeNames(), ["a", "b", "c"]);
    assert.equal(errors.length, 2);
  });

  it("never waits longer than 36 s (30 s and a fifth), and begins anew after two minutes of health", async () => {
    const { collection, pass, verbs } = await synced();
    for (let i = 0; i < 12; i++) collection.failNext("watch", () => new TimedOutError("broken"));
    collection.breakWatches();
    await pass(12 * 36_000);
    const tries = verbs().length;
    assert.equal(collection.openWatches, 1);
    await pass(121_000);
    collection.bookmark();
    collection.breakWatches();
    await pass(1000);
    assert.equal(verbs().length, tries + 1);
  });

  it("lists anew after 410 in the stream, and finds what was deleted meanwhile", async () => {
    const { collection, pass, verbs, storeNames, changes } = await synced();
    collection.stalled = true;
    collection.delete("a");
    collection.write("d", 8);
    collection.compact();
    collection.stalled = false;
    collection.breakWatches();
    await pass(2000);
    assert.deepEqual(verbs(), ["watch", "list", "watch"]);
    assert.deepEqual(storeNames(), ["b", "d"]);
    assert.deepEqual(changes, ["deleted a=1", "added d=8"]);
  });

  it("lists anew after 410 as the answer to a watch", async () => {
    const { collection, pass, verbs } = await synced();
    collection.failNext("watch", () => refusal(410, "Expired"));
    collection.breakWatches();
    await pass(2000);
    assert.deepEqual(verbs(), ["watch", "list", "watch"]);
  });

  it("begins the list again when a continue token is too old", async () => {
    const { collection, informer, abort, verbs, pass } = setUp();
    for (let i = 0; i < 600; i++) collection.write(`pod-${i}`, i);
    collection.failNext("list", () => refusal(503, "ServiceUnavailable"));
    informer.start(abort.signal);
    await settle();
    await pass(1000);
    assert.deepEqual(verbs(), ["list", "list", "list", "watch"]);

    collection.requests.length = 0;
    const refilled = informer.refill();
    // the first page is asked for already; its follower is refused
    collection.write("x", 1);
    collection.failNext("list", () => refusal(410, "Expired"));
    await pass(3000);
    await refilled;
    assert.deepEqual(verbs(), ["list", "list", "list", "watch"]);
    assert.equal(informer.store.size, 601);
  });

  it("waits as long as the server asks for when a list is refused", async () => {
    const { collection, informer, abort, verbs, pass, errors } = setUp();
    collection.failNext("list", () => refusal(503, "ServiceUnavailable", { "retry-after": "5" }));
    informer.start(abort.signal);
    await pass(4900);
    assert.deepEqual(verbs(), ["list"]);
    await pass(200);
    assert.deepEqual(verbs(), ["list", "list", "watch"]);
    assert.equal(errors.length, 1);
  });

  it("says which kind is missing, and goes on trying", async () => {
    const { collection, informer, abort, errors, pass } = setUp();
    collection.failNext("list", () => ({ status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found" }));
    informer.start(abort.signal);
    await pass(1000);
    await informer.synced;
    assert.equal((errors[0] as NotFound).isUnknownKind, true);
    assert.equal((errors[0] as Error).message, "list pods: 404: 404 page not found");
  });

  it("distrusts itself after 150 s of silence, and trusts itself after a list", async () => {
    const { collection, informer, pass, verbs, storeNames } = await synced();
    collection.stalled = true;
    collection.write("c", 3);
    await pass(149_000);
    assert.equal(informer.suspect, false);
    collection.failNext("list", () => new TimedOutError("no answer"));
    await pass(1300);
    assert.equal(informer.suspect, true);
    assert.deepEqual(storeNames(), ["a", "b"]);
    await pass(2000);
    assert.equal(informer.suspect, false);
    assert.deepEqual(storeNames(), ["a", "b", "c"]);
    assert.deepEqual(verbs(), ["list", "list", "watch"]);
  });

  it("is not suspect as long as bookmarks come", async () => {
    const { collection, informer, pass, verbs } = await synced();
    for (let i = 0; i < 10; i++) {
      await pass(121_000);
      collection.bookmark();
      await settle();
    }
    assert.equal(informer.suspect, false);
    assert.deepEqual(verbs(), []);
  });

  it("needs a list that began after the doubt", async () => {
    const { informer, verbs } = await synced();
    informer.markSuspect();
    assert.deepEqual(verbs(), ["list"]);
    informer.markSuspect();
    assert.equal(informer.suspect, true);
    await settle();
    assert.equal(informer.suspect, false);
    assert.deepEqual(verbs(), ["list", "list", "watch"]);
  });

  it("refills with a list that begins after the call, and the watch goes on from it", async () => {
    const { collection, informer, verbs, storeNames } = await synced();
    collection.stalled = true;
    collection.write("c", 3);
    collection.stalled = false;
    const refilled = informer.refill();
    assert.deepEqual(verbs(), ["list"]);
    await refilled;
    assert.deepEqual(storeNames(), ["a", "b", "c"]);
    await settle();
    collection.write("d", 4);
    await settle();
    assert.deepEqual(storeNames(), ["a", "b", "c", "d"]);
    assert.deepEqual(verbs(), ["list", "watch"]);
  });

  it("refills at once even while it waits after a failure", async () => {
    const { collection, informer, verbs, pass } = await synced();
    for (let i = 0; i < 8; i++) collection.failNext("watch", () => new TimedOutError("broken"));
    collection.breakWatches();
    await pass(60_000);
    collection.requests.length = 0;
    await informer.refill();
    assert.deepEqual(verbs().slice(0, 1), ["list"]);
  });

  it("keeps an own write that is newer than the list that is swapped in", async () => {
    const { collection, informer } = await synced();
    const refilled = informer.refill();
    await Promise.resolve();
    await Promise.resolve();
    informer.observeWrite(collection.write("late", 9));
    await refilled;
    assert.equal(informer.store.get("shop", "late")?.value, 9);
  });

  it("takes the list as the first events of a watch", async () => {
    const { collection, informer, verbs, storeNames, errors } = await synced({ watchList: true });
    assert.deepEqual(errors, []);
    assert.deepEqual(storeNames(), ["a", "b"]);
    assert.equal(informer.store.resourceVersion, "102");
    collection.write("c", 3);
    await settle();
    assert.deepEqual(storeNames(), ["a", "b", "c"]);
    const refilled = informer.refill();
    await refilled;
    assert.deepEqual(verbs(), ["watch"]);
    assert.deepEqual(
      [collection.requests[0]?.query["sendInitialEvents"], collection.requests[0]?.query["resourceVersionMatch"]],
      ["true", "NotOlderThan"],
    );
    assert.equal(collection.requests[0]?.query["resourceVersion"], undefined);
  });

  it("goes back to pages where WatchList is refused", async () => {
    const { collection, informer, abort, verbs } = setUp({ watchList: true });
    collection.write("a", 1);
    collection.failNext("watch", () => refusal(422, "Invalid"));
    informer.start(abort.signal);
    await informer.synced;
    await settle();
    assert.deepEqual(verbs(), ["watch", "list", "watch"]);
    assert.equal(collection.openWatches, 1);
  });

  it("survives a handler, an index and a projection that throw", async () => {
    const errors: unknown[] = [];
    const { collection, storeNames } = await synced({
      onChange: (change) => {
        if (change.object.value === 3) throw new Error("handler");
      },
      indexes: {
        parity: (object) => {
          if (object.value === 4) throw new Error("index");
          return [];
        },
      },
      project: (object) => {
        if (object.value === 5) throw new Error("projection");
        return object;
      },
      onError: (error) => {
        errors.push((error as Error).message);
        throw new Error("reporter");
      },
    });
    for (const value of [3, 4, 5, 6]) collection.write(`x${value}`, value);
    await settle();
    assert.deepEqual(storeNames(), ["a", "b", "x3", "x4", "x5", "x6"]);
    assert.deepEqual(errors, ["handler", "index", "projection"]);
  });

  it("can be doubted from within a change", async () => {
    let doubts = 0;
    const world: Awaited<ReturnType<typeof synced>> = await synced({
      onChange: (change) => {
        if (change.object.value === 42 && doubts++ === 0) world.informer.markSuspect();
      },
    });
    world.collection.write("c", 42);
    await settle();
    assert.equal(world.informer.suspect, false);
    assert.deepEqual(world.verbs(), ["list", "watch"]);
    world.collection.write("d", 1);
    await settle();
    assert.deepEqual(world.storeNames(), ["a", "b", "c", "d"]);
  });

  it("ends with its signal: refills are rejected and nothing is asked any more", async () => {
    const { collection, informer, abort, pass, verbs, clock } = await synced();
    const refilled = informer.refill();
    abort.abort(new Error("stopped"));
    await assert.rejects(refilled, /stopped/);
    await assert.rejects(informer.refill(), /stopped/);
    collection.requests.length = 0;
    await pass(600_000);
    assert.deepEqual(verbs(), []);
    assert.equal(collection.openWatches, 0);
    assert.equal(clock.nextDue(), undefined);
  });

  it("throws away what it knew when the cluster was restored from a backup", async () => {
    const { collection, informer, storeNames, changes } = await synced();
    informer.observeWrite({ ...collection.write("c", 3) });
    await settle();
    changes.length = 0;
    const old = new FakeCollection();
    old.write("a", 1);
    collection.failNext("list", () => ({
      status: 200,
      headers: { "content-type": "application/json" },
      body: {
        kind: "PodList",
        apiVersion: "v1",
        metadata: { resourceVersion: "50" },
        items: [{ ...old.write("a", 9), metadata: { name: "a", namespace: "shop", uid: "uid-40", resourceVersion: "40" } }],
      },
    }));
    await informer.refill();
    assert.deepEqual(storeNames(), ["a"]);
    assert.equal(informer.store.resourceVersion, "50");
  });
});
