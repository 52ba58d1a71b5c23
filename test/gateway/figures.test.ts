import assert from "node:assert/strict";
import { type HaproxyBranch, ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { createServerBoard, type ServerBoard } from "../../src/gateway/server-board.ts";
import type { Instance } from "../../src/haproxy/rules/published-service.ts";
import { eventually } from "../integration/support/eventually.ts";
import { makeService } from "../support/builders/published-service.ts";
import { skipUnless } from "../support/skip.ts";
import { reactionMs, startGateway, type TestGateway } from "./support/gateway.ts";
import { startInstance, type TestInstance } from "./support/instances.ts";
import { loadText, startLoad } from "./support/load.ts";

for (const branch of ["3.0", "3.2"] satisfies readonly HaproxyBranch[]) {
  describe(`figures of services, with HAProxy ${branch}`, function () {
    this.timeout(4 * reactionMs);
    const program = skipUnless(() => ensureHaproxy(branch));
    let gateway: TestGateway;
    let board: ServerBoard;
    let one: TestInstance;
    let two: TestInstance;
    before(async () => {
      gateway = await startGateway(program());
      const { runtime, master } = gateway.haproxy;
      board = createServerBoard({ services: () => gateway.agent.state.services, runtime, master });
      [one, two] = await Promise.all([startInstance("one"), startInstance("two")]);
    });
    after(async () => {
      await gateway?.close();
      for (const instance of [one, two]) instance?.kill();
    });
    const port = () => gateway.settings.pools[0]?.first ?? 0;
    /** Another slow start is a change of structure. */
    const web = (instances: readonly Instance[], slowStartSeconds = 0) =>
      makeService({ name: "web", protocol: "HTTP", port: port(), slowStartSeconds, instances });
    const figures = async () => (await board.figures("default")).services;

    it("the rate is that of the last second, and ends with the requests", async () => {
      await gateway.serve([web([one.asInstance()])]);
      const load = startLoad({ port: port(), clients: 2 });
      const busy = await eventually("a rate", reactionMs, async () => {
        const [found] = await figures();
        return found !== undefined && found.rate > 10 ? found : undefined;
      });
      console.log(loadText(`at a rate of ${busy.rate}`, await load.stop()));
      await eventually("none", reactionMs, async () => (await figures())[0]?.rate === 0);
      assert.deepEqual(await figures(), [{ service: "default/web", sessions: 0, rate: 0 }]);
      assert.deepEqual(await board.figures("elsewhere"), { servers: [], services: [] });
    });

    it("a request that a worker of before a reload still has is a session of its service, and of its instance that drains", async () => {
      await gateway.serve([web([one.asInstance()])]);
      const slow = fetch(`http://127.0.0.1:${port()}/?delayMs=6000`, { headers: { connection: "close" } }).then((response) =>
        response.text(),
      );
      await eventually("it to arrive", reactionMs, () => one.busy === 1);
      const reloads = gateway.reloads.succeeded;
      await gateway.serve([web([one.asInstance("drain"), two.asInstance()], 1)]);
      assert.equal(gateway.reloads.succeeded, reloads + 1);
      const report = { service: "default/web", address: "127.0.0.1" };
      assert.deepEqual(await figures(), [{ service: "default/web", sessions: 1, rate: 0 }]);
      const draining = { ...report, pod: one.asInstance().uid, state: "drain" } as const;
      assert.deepEqual(await board.servers(), [
        { ...draining, sessions: 1 },
        { ...report, pod: two.asInstance().uid, state: "up" },
      ]);
      assert.equal(await slow, "one");
      await eventually("no session", reactionMs, async () => (await figures())[0]?.sessions === 0);
      assert.deepEqual((await board.servers())[0], { ...draining, sessions: 0 });
    });
  });
}
