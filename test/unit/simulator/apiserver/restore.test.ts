import assert from "node:assert/strict";
import { readCrds } from "../../../../src/simulator/harness/crds.ts";
import { accountKey } from "../../../../src/simulator/apiserver/authorization/account-tokens.ts";
import type { ServerState } from "../../../../src/simulator/apiserver/server-state.ts";
import { ServerFixture } from "./server-fixture.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";
const jobs = "/apis/nuptse.dev/v1alpha1/namespaces/default/elasticjobs";

/** As a file gives it back: equal, and nothing of it shared. */
const stored = (state: ServerState): ServerState => JSON.parse(JSON.stringify(state)) as ServerState;

describe("the embedded API server, restored", () => {
  it("has all objects with their versions and UIDs, and the definitions of their kinds", () => {
    const before = new ServerFixture();
    for (const crd of readCrds()) before.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
    before.configMap("a", { n: "1" }, { app: "x" });
    before.merge(`${configMaps}/a`, { data: { n: "2" } });
    const schedule = { crons: ["0 0 * * * ?"] };
    const template = { spec: { containers: [{ name: "main", image: "x" }] } };
    assert.equal(before.call("POST", jobs, { metadata: { name: "j" }, spec: { schedule, template } }).status, 201);
    before.call("POST", "/apis/events.k8s.io/v1/namespaces/default/events", {
      metadata: { name: "e" },
      eventTime: "2026-11-20T10:00:00.000000Z",
      reportingController: "test",
      reportingInstance: "test",
      action: "Test",
      reason: "Test",
      type: "Normal",
      regarding: { kind: "ConfigMap", namespace: "default", name: "a" },
    });

    const after = new ServerFixture({ state: stored(before.server.state()) });
    for (const path of [configMaps, jobs, "/api/v1/namespaces/default/events", "/api/v1/namespaces", "/apis/events.k8s.io/v1/events"]) {
      const items = (fixture: ServerFixture) => fixture.call("GET", path).body.items;
      assert.deepEqual(items(after), items(before), path);
    }
    assert.deepEqual(after.call("GET", configMaps, undefined, { query: { labelSelector: "app=x" } }).body.items.length, 1);
  });

  it("goes on with versions that nobody can have seen, and ends watches from before with 410", () => {
    const before = new ServerFixture();
    before.configMap("a");
    const state = stored(before.server.state());
    // written after the state was saved, and lost with the server
    before.configMap("lost");
    const seen = String(before.server.revision);

    const after = new ServerFixture({ state });
    for (const resourceVersion of [String(state.revision), seen]) {
      const watch = after.watch(configMaps, { resourceVersion });
      assert.deepEqual(
        watch.events.map(({ object }) => (object as { code?: number }).code),
        [410],
        resourceVersion,
      );
    }
    const list = after.call("GET", configMaps).body.metadata.resourceVersion;
    const watch = after.watch(configMaps, { resourceVersion: list });
    const written = after.configMap("b").body.metadata.resourceVersion;
    assert.ok(Number(written) > Number(seen));
    assert.deepEqual(watch.names(), ["ADDED b"]);
  });

  it("goes on with what was under way: a namespace that is being emptied, an owner that is gone", async () => {
    const before = new ServerFixture();
    before.call("POST", "/api/v1/namespaces", { metadata: { name: "shop" } });
    before.call("POST", "/api/v1/namespaces/shop/configmaps", { metadata: { name: "a" } });
    before.call("DELETE", "/api/v1/namespaces/shop");
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "gone", uid: "0000" }];
    before.call("POST", configMaps, { metadata: { name: "orphan", ownerReferences } });
    const after = new ServerFixture({ state: stored(before.server.state()) });
    await after.clock.runUntil(after.clock.now() + 10_000);
    assert.equal(after.call("GET", "/api/v1/namespaces/shop").status, 404);
    assert.equal(after.call("GET", `${configMaps}/orphan`).status, 404);
    assert.equal(after.call("GET", "/api/v1/namespaces/default").status, 200);
  });

  describe("tokens of service accounts", () => {
    const account = "/api/v1/namespaces/default/serviceaccounts";
    const before = new ServerFixture({ tokenKey: accountKey("of the first") });
    before.call("POST", account, { metadata: { name: "robot" } });
    const { token } = before.call("POST", `${account}/robot/token`, { spec: { expirationSeconds: 600 } }).body.status;
    const state = stored(before.server.state());
    const cases = [
      { name: "are good where the key is the same", secret: "of the first", want: "system:serviceaccount:default:robot" },
      { name: "are nobody's where it is another one", secret: "of another", want: undefined },
    ];
    for (const { name, secret, want } of cases)
      it(name, () => {
        const after = new ServerFixture({ state, tokenKey: accountKey(secret) });
        assert.equal(after.server.authenticate(token)?.name, want);
      });
  });

  it("refuses objects of kinds that it does not serve", () => {
    const state = stored(new ServerFixture().server.state());
    const object = { apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "t" } };
    const entries = [...state.entries, { group: "example.com", plural: "things", object }];
    assert.throws(() => new ServerFixture({ state: { ...state, entries } }), new RangeError("there is no kind things.example.com here"));
  });
});
