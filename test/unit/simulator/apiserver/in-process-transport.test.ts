import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { inProcessTransport } from "../../../../src/simulator/apiserver/in-process-transport.ts";
import { ServerFixture } from "./server-fixture.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

describe("inProcessTransport", () => {
  it("keeps nothing of what the caller goes on using", async () => {
    const { server } = new ServerFixture();
    const transport = inProcessTransport(server, { userAgent: "me/1" });
    const body = { metadata: { name: "a" }, data: { x: "1" } };
    await transport.request({ method: "POST", path: configMaps, body });
    body.data.x = "2";
    const read = await transport.request({ method: "GET", path: `${configMaps}/a` });
    assert.deepEqual((read.body as typeof body).data, { x: "1" });
  });

  it("asks the fence in the tick in which the server would be reached", async () => {
    const { server } = new ServerFixture();
    const transport = inProcessTransport(server, { userAgent: "me/1" });
    let up = true;
    const write = transport.request({ method: "POST", path: configMaps, body: { metadata: { name: "a" } }, fence: () => up });
    up = false;
    await assert.rejects(write, { name: "FencedError" });
    assert.equal((await transport.request({ method: "GET", path: `${configMaps}/a` })).status, 404);
  });

  it("lets a world stand in between: to answer, to lose, to repeat", async () => {
    const { server } = new ServerFixture();
    const transport = inProcessTransport(server, {
      userAgent: "me/1",
      intercept: async (request, next) => {
        if (request.query?.fault === "before") throw new Error("lost on the way");
        const reply = await next(request);
        if (request.query?.fault === "after") throw new Error("lost on the way back");
        return request.query?.fault === "twice" ? next(request) : reply;
      },
    });
    const create = (name: string, fault: string) =>
      transport.request({ method: "POST", path: configMaps, query: { fault }, body: { metadata: { name } } });
    await assert.rejects(create("a", "before"));
    await assert.rejects(create("b", "after"));
    assert.equal((await create("c", "twice")).status, 409);
    const list = await transport.request({ method: "GET", path: configMaps });
    assert.deepEqual(
      (list.body as { items: { metadata: { name: string } }[] }).items.map((item) => item.metadata.name),
      ["b", "c"],
    );
  });

  it("streams a watch until it is aborted", async () => {
    const { server } = new ServerFixture();
    const transport = inProcessTransport(server, { userAgent: "me/1" });
    const abort = new AbortController();
    const stream = await transport.stream({ method: "GET", path: configMaps, query: { watch: "1" } }, abort.signal);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const line of stream.lines) seen.push((line as { object: { metadata: { name: string } } }).object.metadata.name);
    })();
    await transport.request({ method: "POST", path: configMaps, body: { metadata: { name: "a" } } });
    await sleep(0);
    abort.abort(new Error("enough"));
    await assert.rejects(reading, { message: "enough" });
    assert.deepEqual([seen, server.openWatches()], [["a"], []]);
  });

  it("answers a refused watch with its status", async () => {
    const { server } = new ServerFixture();
    const transport = inProcessTransport(server, { userAgent: "me/1" });
    const stream = await transport.stream({ method: "GET", path: "/apis/nobody.example/v1/toys" }, new AbortController().signal);
    assert.equal(stream.status, 404);
  });
});
