import assert from "node:assert/strict";
import { silentLogger } from "../../../src/api/logger.ts";
import { type JsonRequest, type JsonServer, startJsonServer } from "../../../src/runtime/json-server.ts";

describe("runtime/json-server", () => {
  const asked: JsonRequest[] = [];
  const warned: unknown[] = [];
  let server: JsonServer;
  const ask = async (path: string, init?: RequestInit) => {
    const reply = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return { status: reply.status, headers: reply.headers, body: await reply.json() };
  };

  before(async () => {
    server = await startJsonServer({
      host: "127.0.0.1",
      port: 0,
      logger: { ...silentLogger, warn: (message, fields) => void warned.push([message, fields?.["path"]]) },
      endpoint(request) {
        asked.push(request);
        if (request.url.startsWith("/broken")) return Promise.reject(new Error("token abc is not known"));
        return Promise.resolve({ status: request.url === "/closed" ? 401 : 200, body: { said: request.url } });
      },
    });
  });
  after(() => server.close());

  it("hands on method, address and Authorization, and answers in JSON that nobody keeps", async () => {
    const { status, headers, body } = await ask("/v1/why?uid=1", { headers: { authorization: "Bearer abc" } });
    assert.deepEqual([status, body], [200, { said: "/v1/why?uid=1" }]);
    assert.deepEqual(asked.at(-1), { method: "GET", url: "/v1/why?uid=1", authorization: "Bearer abc" });
    assert.equal(headers.get("cache-control"), "no-store");
  });
  it("says with a 401 what would be right", async () => {
    assert.equal((await ask("/closed")).headers.get("www-authenticate"), 'Bearer realm="nuptse"');
  });
  it("of an endpoint that fails it tells nothing outside, and logs no query", async () => {
    const { status, body } = await ask("/broken?uid=secret");
    assert.deepEqual([status, body], [503, { error: "the answer cannot be found out now" }]);
    assert.deepEqual(warned, [["a question could not be answered", "/broken"]]);
  });
  it("a body that nobody reads ends the connection", async () => {
    assert.equal((await ask("/v1/why", { method: "POST", body: "x".repeat(1_000_000) }).catch(() => undefined))?.status ?? 200, 200);
    assert.equal((await ask("/after")).status, 200);
  });
  it("an address that is taken is refused", async () => {
    const taken = { host: "127.0.0.1", port: server.port, logger: silentLogger, endpoint: () => Promise.reject(new Error("never")) };
    await assert.rejects(startJsonServer(taken), /EADDRINUSE/);
  });
});
