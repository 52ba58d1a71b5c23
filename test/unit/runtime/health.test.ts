import assert from "node:assert/strict";
import { healthAnswer, type HealthOptions, startHealthServer } from "../../../src/runtime/health.ts";

const well: HealthOptions = {
  alive: { loop: () => undefined },
  ready: { caches: () => undefined },
  metrics: { contentType: "text/plain; version=0.0.4", text: async () => "nuptse_leader 1\n" },
};
const notYet: HealthOptions = { ...well, ready: { caches: () => "waiting for caches: pods", webhook: () => undefined } };

describe("health", () => {
  const cases: readonly {
    readonly name: string;
    readonly options: HealthOptions;
    readonly path: string;
    readonly wantStatus: number;
    readonly wantBody: string;
  }[] = [
    { name: "is alive", options: notYet, path: "/healthz", wantStatus: 200, wantBody: '{"ok":true}\n' },
    {
      name: "says why it is not alive",
      options: { ...well, alive: { lease: () => "lost" } },
      path: "/livez",
      wantStatus: 503,
      wantBody: '{"ok":false,"failing":{"lease":"lost"}}\n',
    },
    { name: "is ready", options: well, path: "/readyz", wantStatus: 200, wantBody: '{"ok":true}\n' },
    {
      name: "says what is not ready",
      options: notYet,
      path: "/readyz",
      wantStatus: 503,
      wantBody: '{"ok":false,"failing":{"caches":"waiting for caches: pods"}}\n',
    },
    { name: "serves metrics", options: well, path: "/metrics", wantStatus: 200, wantBody: "nuptse_leader 1\n" },
    {
      name: "says what there is",
      options: well,
      path: "/",
      wantStatus: 404,
      wantBody: '{"error":"not found","paths":["/healthz","/readyz","/metrics"]}\n',
    },
  ];
  for (const tc of cases) {
    it(tc.name, async () => {
      const { status, body } = await healthAnswer(tc.options, tc.path);
      assert.deepEqual([status, body], [tc.wantStatus, tc.wantBody]);
    });
  }

  it("serves over HTTP until it is closed", async () => {
    const server = await startHealthServer({ ...notYet, host: "127.0.0.1", port: 0 });
    try {
      const base = `http://127.0.0.1:${server.port}`;
      const ready = await fetch(`${base}/readyz?verbose`);
      assert.equal(ready.status, 503);
      assert.equal(ready.headers.get("content-type"), "application/json");
      assert.deepEqual(await ready.json(), { ok: false, failing: { caches: "waiting for caches: pods" } });
      assert.equal(await (await fetch(`${base}/metrics`)).text(), "nuptse_leader 1\n");
      assert.equal((await fetch(`${base}/healthz`, { method: "POST" })).status, 405);
      await assert.rejects(startHealthServer({ ...well, host: "127.0.0.1", port: server.port }), /EADDRINUSE/);
    } finally {
      await server.close();
    }
  });
});
