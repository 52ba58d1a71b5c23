import assert from "node:assert/strict";
import type { KubeClient } from "../../../src/kube/client.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createLiveReads } from "../../../src/webhook/live-reads.ts";
import { makeQueue } from "../../support/builders/tenant-queue.ts";
import { settle } from "../../../src/base/virtual-clock.ts";
import { failure, ok, scriptedTransport } from "../runtime/scripted-transport.ts";

describe("webhook/live-reads", () => {
  it("reads lists one after the other: who asks while one is under way shares the next, which began after he asked", async () => {
    let queues = [makeQueue("a")];
    const waiting: (() => void)[] = [];
    const { transport, sent } = scriptedTransport(async (request) => {
      const body = { metadata: {}, items: request.path.includes("tenantqueues") ? queues : [] };
      await new Promise<void>((resolve) => waiting.push(resolve));
      return ok(body);
    });
    const live = createLiveReads(createKubeClient(transport));
    const letGo = async () => {
      for (const go of waiting.splice(0)) go();
      await settle();
    };
    const first = live.queueWorld();
    await settle();
    const others = [live.queueWorld(), live.queueWorld()];
    await settle();
    assert.equal(sent.length, 2, "queues and namespaces, once");
    queues = [makeQueue("b")];
    await letGo();
    await letGo();
    assert.deepEqual([...(await first).queues.keys()], ["a"]);
    for (const other of others) assert.deepEqual([...(await other).queues.keys()], ["b"]);
    assert.equal(sent.length, 4);
  });

  it("goes on after a list that failed, and fails only who shared it", async () => {
    let broken = true;
    const { transport } = scriptedTransport(() => (broken ? failure(500, "InternalError") : ok({ metadata: {}, items: [] })));
    const live = createLiveReads(createKubeClient(transport));
    await assert.rejects(live.queueWorld());
    broken = false;
    assert.equal((await live.queueWorld()).queues.size, 0);
  });

  it("a job that is not there is undefined, and an error is one", async () => {
    let answer = failure(404, "NotFound");
    const live = createLiveReads(createKubeClient(scriptedTransport(() => answer).transport) as KubeClient);
    assert.equal(await live.job({ namespace: "n", name: "j" }), undefined);
    answer = failure(403, "Forbidden");
    await assert.rejects(live.job({ namespace: "n", name: "j" }));
  });
});
