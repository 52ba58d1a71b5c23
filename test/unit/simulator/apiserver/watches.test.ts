import assert from "node:assert/strict";
import { ServerFixture } from "./server-fixture.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

describe("watches of the embedded API server", () => {
  it("get a bookmark every 60 s where they allow it", async () => {
    const fixture = new ServerFixture();
    const allowed = fixture.watch(configMaps, { resourceVersion: String(fixture.server.revision), allowWatchBookmarks: "true" });
    const plain = fixture.watch(configMaps, { resourceVersion: String(fixture.server.revision) });
    await fixture.clock.runUntil(fixture.clock.now() + 59_000);
    assert.deepEqual(allowed.names(), []);
    await fixture.clock.runUntil(fixture.clock.now() + 121_000);
    assert.deepEqual(
      allowed.events.map((event) => event.type),
      ["BOOKMARK", "BOOKMARK", "BOOKMARK"],
    );
    assert.deepEqual(plain.events, []);
  });

  it("end after timeoutSeconds, or by themselves after 30 to 60 minutes", async () => {
    const fixture = new ServerFixture();
    const short = fixture.watch(configMaps, { timeoutSeconds: "10" });
    const long = fixture.watch(configMaps);
    await fixture.clock.runUntil(fixture.clock.now() + 10_000);
    assert.deepEqual([short.ended, long.ended], [true, false]);
    await fixture.clock.runUntil(fixture.clock.now() + 29 * 60_000);
    assert.equal(long.ended, false);
    await fixture.clock.runUntil(fixture.clock.now() + 31 * 60_000);
    assert.equal(long.ended, true);
    assert.deepEqual(fixture.server.openWatches(), []);
  });

  it("from a version whose past is forgotten end with 410 in the stream", () => {
    const fixture = new ServerFixture({ historyLength: 4 });
    fixture.configMap("a");
    const from = String(fixture.server.revision);
    for (let at = 0; at < 20; at++) fixture.merge(`${configMaps}/a`, { data: { n: String(at) } });
    const watch = fixture.watch(configMaps, { resourceVersion: from });
    assert.deepEqual(
      watch.events.map((event) => [event.type, (event.object as { code?: number }).code]),
      [["ERROR", 410]],
    );
    assert.equal(watch.ended, true);
  });

  it("can be delayed, doubled and thinned by a world", () => {
    const fixture = new ServerFixture();
    const held: (() => void)[] = [];
    fixture.server.interceptWatches((info) => {
      if (info.userAgent !== "test/1") return undefined;
      return (event, deliver) => {
        const name = "name" in event.object.metadata ? event.object.metadata.name : "";
        if (name === "drop") return;
        if (name === "twice") deliver(event);
        if (name === "late") held.push(() => deliver(event));
        else deliver(event);
      };
    });
    const watch = fixture.watch(configMaps);
    for (const name of ["late", "drop", "twice", "plain"]) fixture.configMap(name);
    assert.deepEqual(watch.names(), ["ADDED twice", "ADDED twice", "ADDED plain"]);
    for (const release of held) release();
    assert.deepEqual(watch.names().at(-1), "ADDED late");
  });

  it("that were closed hear nothing more, not even what was held back", () => {
    const fixture = new ServerFixture();
    const held: (() => void)[] = [];
    fixture.server.interceptWatches(() => (event, deliver) => held.push(() => deliver(event)));
    const watch = fixture.watch(configMaps);
    fixture.configMap("a");
    watch.close();
    for (const release of held) release();
    assert.deepEqual(watch.events, []);
    assert.equal(watch.ended, false);
  });

  it("can be cut by a world", () => {
    const fixture = new ServerFixture();
    const watch = fixture.watch(configMaps);
    for (const open of fixture.server.openWatches()) open.close();
    fixture.configMap("a");
    assert.deepEqual([watch.ended, watch.events], [true, []]);
  });

  it("of a kind whose CRD goes see its objects go, and end", () => {
    const fixture = new ServerFixture();
    const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    const schema = { openAPIV3Schema: { type: "object" } };
    fixture.call("POST", path, {
      metadata: { name: "toys.example.io" },
      spec: {
        group: "example.io",
        scope: "Namespaced",
        names: { plural: "toys", kind: "Toy" },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });
    const toys = "/apis/example.io/v1/namespaces/default/toys";
    assert.equal(fixture.call("POST", toys, { metadata: { name: "a" } }).status, 201);
    const watch = fixture.watch(toys);
    fixture.call("DELETE", `${path}/toys.example.io`);
    assert.deepEqual([watch.names(), watch.ended], [["ADDED a", "DELETED a"], true]);
    assert.equal(fixture.call("GET", toys).status, 404);
  });
});
