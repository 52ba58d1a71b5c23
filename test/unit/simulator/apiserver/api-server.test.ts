import assert from "node:assert/strict";
import type { Commit } from "../../../../src/simulator/apiserver/api-server.ts";
import { ServerFixture } from "./server-fixture.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";
const pods = "/api/v1/namespaces/default/pods";

describe("ApiServer", () => {
  it("tells listeners of every commit, with who did it", () => {
    const fixture = new ServerFixture();
    const commits: Commit[] = [];
    const stop = fixture.server.onCommit((commit) => commits.push(commit));
    fixture.configMap("a", { x: "1" });
    fixture.merge(`${configMaps}/a`, { data: { x: "2" } });
    fixture.merge(`${configMaps}/a`, { data: { x: "2" } });
    fixture.call("DELETE", `${configMaps}/a`);
    stop();
    fixture.configMap("b");
    assert.deepEqual(
      commits.map((commit) => [commit.type, commit.resource.plural, commit.object.metadata.name, commit.userAgent, commit.manager]),
      [
        ["ADDED", "configmaps", "a", "test/1", "test"],
        ["MODIFIED", "configmaps", "a", "test/1", "test"],
        ["DELETED", "configmaps", "a", "test/1", "test"],
      ],
    );
    assert.deepEqual(commits[1]?.previous?.data, { x: "1" });
  });

  it("never changes an object that it has given away", () => {
    const fixture = new ServerFixture();
    const made = fixture.configMap("a", { x: "1" });
    const before = JSON.stringify(made.body);
    fixture.merge(`${configMaps}/a`, { data: { x: "2" } });
    assert.equal(JSON.stringify(made.body), before);
    assert.equal(fixture.call("GET", `${configMaps}/a`).body, fixture.call("GET", `${configMaps}/a`).body, "reads share one object");
  });

  it("is the same run after run: UIDs and names come from the seed", () => {
    const runs = [1, 2].map(() => new ServerFixture().call("POST", configMaps, { metadata: { generateName: "x-" } }).body.metadata);
    assert.deepEqual(runs[0], runs[1]);
  });

  it("a deletecollection stops after 60 s of deletions", () => {
    const fixture = new ServerFixture({ deleteCostMs: 10_000 });
    for (let at = 0; at < 8; at++) fixture.configMap(`m${at}`);
    const answer = fixture.call("DELETE", configMaps);
    assert.equal(answer.status, 504);
    assert.equal(fixture.call("GET", configMaps).body.items.length, 2);
  });

  it("a deletecollection with limit takes the first of them", () => {
    const fixture = new ServerFixture();
    for (const name of ["b", "a", "c"]) fixture.configMap(name);
    const answer = fixture.call("DELETE", configMaps, undefined, { query: { limit: "2" } });
    assert.deepEqual(
      answer.body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
      ["a", "b"],
    );
  });

  it("a continued list whose version is forgotten is Expired, and its new token goes on", () => {
    const fixture = new ServerFixture();
    for (const name of ["a", "b", "c"]) fixture.configMap(name);
    const first = fixture.call("GET", configMaps, undefined, { query: { limit: "1" } });
    fixture.call("DELETE", `${configMaps}/b`);
    fixture.server.compact();
    const second = fixture.call("GET", configMaps, undefined, { query: { limit: "1", continue: first.body.metadata.continue } });
    assert.deepEqual([second.status, second.body.reason], [410, "Expired"]);
    const third = fixture.call("GET", configMaps, undefined, { query: { limit: "5", continue: second.body.metadata.continue } });
    assert.deepEqual(
      third.body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
      ["c"],
    );
  });

  it("events live for an hour after their last change", async () => {
    const fixture = new ServerFixture();
    const event = {
      metadata: { name: "e" },
      involvedObject: { kind: "Pod", name: "a", namespace: "default" },
      reason: "R",
      message: "m",
      type: "Normal",
    };
    fixture.call("POST", "/api/v1/namespaces/default/events", event);
    await fixture.clock.runUntil(fixture.clock.now() + 50 * 60_000);
    fixture.merge("/api/v1/namespaces/default/events/e", { count: 2 });
    await fixture.clock.runUntil(fixture.clock.now() + 50 * 60_000);
    assert.equal(fixture.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e").status, 200);
    await fixture.clock.runUntil(fixture.clock.now() + 12 * 60_000);
    assert.equal(fixture.call("GET", "/api/v1/namespaces/default/events/e").status, 404);
  });

  it("objects whose owner goes are collected, unless controllers are somebody else's", async () => {
    for (const [controllers, want] of [
      [true, 404],
      [false, 200],
    ] as const) {
      const fixture = new ServerFixture({ controllers });
      const owner = fixture.configMap("owner").body;
      const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid }];
      fixture.pod("a", { metadata: { ownerReferences } });
      fixture.call("DELETE", `${configMaps}/owner`);
      await fixture.clock.runUntil(fixture.clock.now() + 1_000);
      assert.equal(fixture.call("GET", `${pods}/a`).status, want, `controllers: ${controllers}`);
    }
  });

  it("a quota counts again what ends", async () => {
    const fixture = new ServerFixture();
    fixture.call("POST", "/api/v1/namespaces/default/resourcequotas", { metadata: { name: "q" }, spec: { hard: { pods: "1" } } });
    assert.equal(fixture.pod("early").status, 403, "nothing is known of the use yet");
    await fixture.clock.runUntil(fixture.clock.now() + 1_000);
    assert.equal(fixture.pod("a", { spec: { nodeName: "n" } }).status, 201);
    const refused = fixture.pod("b");
    assert.equal(refused.body.message, 'pods "b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1');
    fixture.merge(`${pods}/a/status`, { status: { phase: "Failed" } });
    await fixture.clock.runUntil(fixture.clock.now() + 1_000);
    assert.equal(fixture.pod("b").status, 201);
  });

  it("a defect in the server is a 500 and no exception", () => {
    const fixture = new ServerFixture();
    const cyclic: Record<string, unknown> = { metadata: { name: "a" } };
    cyclic.metadata = cyclic;
    assert.equal(fixture.call("POST", configMaps, cyclic).status >= 400, true);
  });
});
