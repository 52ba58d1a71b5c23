import assert from "node:assert/strict";
import { createServer } from "node:net";
import { type HaproxyBranch, ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { descriptorLimit } from "../../src/gateway/descriptor-limit.ts";
import { type Configuration, type RenderedFile, renderFile } from "../../src/haproxy/rules/configuration.ts";
import type { PublishedService } from "../../src/haproxy/rules/published-service.ts";
import { createAuthority, issueCertificate } from "../../src/base/x509.ts";
import { memoryOf } from "../bench/support/process-figures.ts";
import { eventually } from "../integration/support/eventually.ts";
import { makeService } from "../support/builders/published-service.ts";
import { skipUnless } from "../support/skip.ts";
import { reactionMs, startGateway, type TestGateway } from "./support/gateway.ts";
import { startInstance, type TestInstance } from "./support/instances.ts";
import { loadText, startLoad } from "./support/load.ts";

for (const branch of ["3.0", "3.2"] satisfies readonly HaproxyBranch[]) {
  describe(`faults around a gateway with HAProxy ${branch}`, function () {
    this.timeout(6 * reactionMs);
    const program = skipUnless(() => ensureHaproxy(branch));
    let gateway: TestGateway;
    let one: TestInstance;
    let two: TestInstance;
    /** What no field of a service could do to the file while the service "bad" is in it: its backend is named. */
    let sabotage: ((text: string, backend: string) => string) | undefined;

    beforeEach(async () => {
      sabotage = undefined;
      const render = (configuration: Configuration): RenderedFile => {
        const rendered = renderFile(configuration);
        const owner = [...configuration.backends.values()].find((backend) => backend.owner === "default/bad");
        if (owner === undefined || sabotage === undefined || !owner.lines.includes("timeout connect 7s")) return rendered;
        return { ...rendered, text: sabotage(rendered.text, owner.name) };
      };
      gateway = await startGateway(program(), { render });
      [one, two] = await Promise.all([startInstance("one"), startInstance("two")]);
    });
    afterEach("a reload changes nothing; end them", async () => {
      sabotage = undefined;
      try {
        await gateway?.reloadChangesNothing();
      } finally {
        await gateway?.close();
        one?.kill();
        two?.kill();
      }
    });
    const port = (index = 0) => (gateway.settings.pools[0]?.first ?? 0) + index;
    const web = (index: number, instances: readonly TestInstance[], fields: Partial<PublishedService> = {}) =>
      makeService({
        name: `web-${index}`,
        protocol: "HTTP",
        port: port(index),
        instances: instances.map((each) => each.asInstance()),
        ...fields,
      });
    const bad = (fields: Partial<PublishedService> = {}) =>
      web(9, [one], { name: "bad", timeouts: { connectSeconds: 7, idleSeconds: 60, tunnelSeconds: 3600 }, ...fields });
    const ask = async (index: number) => {
      const response = await fetch(`http://127.0.0.1:${port(index)}/`, { headers: { connection: "close" } });
      return response.status === 200 ? response.text() : String(response.status);
    };
    const workers = async () => (await gateway.haproxy.master.processes()).workers;

    const broken: readonly { readonly name: string; readonly text: () => string; readonly says: RegExp }[] = [
      { name: "a keyword that HAProxy does not know", text: () => "backend x\n  no-such-keyword", says: /no-such-keyword/ },
      {
        name: "a backend that is not there",
        text: () => `frontend x\n  bind 127.0.0.1:${port(40)}\n  default_backend nowhere`,
        says: /nowhere/,
      },
      {
        name: "a map that is not there",
        text: () => "frontend x\n  use_backend %[dst_port,map(/nowhere/x.map)]",
        says: /x\.map/,
      },
      {
        name: "a certificate that is not one",
        text: () => `frontend x\n  bind 127.0.0.1:${port(40)} ssl crt /dev/null`,
        says: /\/dev\/null|certificate/,
      },
      {
        name: "a line of too many words",
        text: () => `backend x\n  http-request ${"y ".repeat(200)}`,
        says: /arg|word|line/i,
      },
    ];
    for (const tc of broken) {
      it(`${tc.name}: the others are served on, the bad one is told of, and the next good change is applied`, async () => {
        await gateway.serve([web(0, [one])]);
        const before = await workers();
        const load = startLoad({ port: port(), clients: 4 });
        sabotage = (text, backend) => text.replace(`backend ${backend} `, `${tc.text()}\nbackend ${backend} `);
        gateway.offer([web(0, [one]), web(1, [two]), bad()]);
        await eventually("the bad one to be refused", reactionMs, () => gateway.agent.state.problems.has("default/bad"));
        assert.match(gateway.agent.state.problems.get("default/bad")?.[0]?.message ?? "", tc.says);
        await eventually("the other one to be served", reactionMs, async () => (await ask(1)) === "two");
        assert.deepEqual(await workers(), before);
        gateway.offer([web(0, [one]), web(1, [two]), web(2, [two], { slowStartSeconds: 1 }), bad()]);
        await eventually("the next good change", reactionMs, async () => (await ask(2).catch(() => "")) === "two");
        const result = await load.stop();
        console.log(loadText(tc.name, result));
        assert.equal(result.failed, 0);
        assert.equal((await gateway.haproxy.runtime.ask(["show info"])).length, 1, "the runtime socket answers");
      });
    }

    it("a port that somebody else listens on: only its service is refused, the others are served on", async () => {
      const now = Date.now();
      const authority = createAuthority({ commonName: "test", validDays: 1, now });
      const { certificatePem, privateKeyPem } = issueCertificate(authority, { commonName: "bad", usages: ["server"], validDays: 1, now });
      const tls = { mode: "Terminate", certificate: { chain: certificatePem, key: privateKeyPem } } as const;
      await gateway.serve([web(0, [one])]);
      const inTheWay = createServer();
      // With SO_REUSEPORT, which HAProxy sets, its own range could be shared; a port beside it is taken by a plain listener.
      const taken = gateway.settings.httpsPort;
      await new Promise<void>((resolve) => inTheWay.listen({ port: taken, host: "127.0.0.1" }, resolve));
      const load = startLoad({ port: port(), clients: 4 });
      gateway.offer([web(0, [one]), web(1, [two]), bad({ tls, hostnames: ["bad.example"] })]);
      await eventually("the bad one to be refused", reactionMs, () => gateway.agent.state.problems.has("default/bad"));
      await eventually("the other one to be served", reactionMs, async () => (await ask(1)) === "two");
      assert.equal(gateway.reloads.failed, 0, "a reload that fails resets connections in HAProxy 3.0");
      assert.match(gateway.agent.state.problems.get("default/bad")?.[0]?.message ?? "", /bind|address already in use/i);
      const result = await load.stop();
      console.log(loadText("a port in use", result));
      assert.equal(result.failed, 0);
      await new Promise((resolve) => inTheWay.close(resolve));
      gateway.offer([web(0, [one]), web(1, [two]), bad({ tls, hostnames: ["good.example"] })]);
      await eventually("the changed one to be served", reactionMs, () => !gateway.agent.state.problems.has("default/bad"));
    });

    it("more file descriptors than there are: nothing is reloaded, no service is blamed, and it is tried again", async function () {
      await gateway.serve([web(0, [one])]);
      const limit = await descriptorLimit((await workers())[0] ?? 0);
      // A process that may raise its limit is not known to fail.
      if (limit === undefined) this.skip();
      const before = await workers();
      const load = startLoad({ port: port(), clients: 4 });
      let asked = 0;
      sabotage = (text) => (asked++ < 6 ? text.replace(/^ {2}maxconn \d+$/m, `  maxconn ${limit}`) : text);
      gateway.offer([web(0, [two]), web(1, [two]), bad()]);
      await eventually("it to be tried more than once", reactionMs, () => asked >= 3);
      assert.deepEqual(await workers(), before);
      assert.equal(gateway.agent.state.problems.size, 0);
      await gateway.settled();
      assert.deepEqual([await ask(0), await ask(1), await ask(9)], ["two", "two", "one"]);
      assert.deepEqual(gateway.reloads, { succeeded: 1, failed: 0 });
      const result = await load.stop();
      console.log(loadText("too many file descriptors", result));
      assert.equal(result.failed, 0);
    });

    it("half a list of what there is takes nothing away", async () => {
      await gateway.serve([web(0, [one])]);
      const before = await gateway.servers();
      gateway.offer([], { complete: false });
      gateway.offer([web(1, [two])], { complete: false });
      // The agent looks ten times a second in these tests.
      await new Promise((resolve) => setTimeout(resolve, 500));
      assert.deepEqual(await gateway.servers(), before);
      assert.equal(await ask(0), "one");
      await gateway.serve([web(1, [two])]);
      await assert.rejects(ask(0));
    });

    it("30 reloads one after the other under a load of reused connections: no request fails, and old workers end", async () => {
      await gateway.serve([web(0, [one, two])]);
      const memory = await memoryOf((await workers())[0] ?? 0);
      const load = startLoad({ port: port(), clients: 8, posts: true });
      const shared = startLoad({ port: gateway.settings.httpPort, clients: 4, host: "pig.example" });
      for (let count = 1; count <= 30; count++) {
        await gateway.serve([web(0, [one, two]), web(1, [one], { hostnames: ["pig.example"], slowStartSeconds: count })]);
        // Until the first of these is served the host is nobody's.
        if (count === 1) await shared.stop();
      }
      const reused = startLoad({ port: gateway.settings.httpPort, clients: 4, host: "pig.example" });
      for (let count = 1; count <= 5; count++) {
        await gateway.serve([web(0, [one, two]), web(1, [one], { hostnames: ["pig.example"], slowStartSeconds: 100 + count })]);
      }
      const [result, ofShared] = [await load.stop(), await reused.stop()];
      console.log(loadText(`${gateway.reloads.succeeded} reloads`, result));
      console.log(loadText("5 of them, by host", ofShared));
      assert.deepEqual([result.failed, ofShared.failed, gateway.reloads], [0, 0, { succeeded: 35, failed: 0 }]);
      await eventually("old workers to end", reactionMs, async () => (await gateway.haproxy.master.processes()).oldWorkers.length === 0);
      const now = await memoryOf((await workers())[0] ?? 0);
      console.log(`      memory of the worker: ${memory.now.toFixed(0)} MB before, ${now.now.toFixed(0)} MB after`);
      assert.ok(now.now < 1.5 * memory.now, "memory returns");
    });

    it("HAProxy is killed: it is not ready until it is refilled, and comes back with the same state", async () => {
      await gateway.serve([web(0, [one, two]), web(1, [two])]);
      const before = await gateway.servers();
      await gateway.haproxy.kill();
      await eventually("not to be ready", reactionMs, () => gateway.agent.notReady() !== undefined);
      gateway.offer([web(0, [one, two]), web(1, [one])]);
      await gateway.haproxy.start();
      await eventually("to be ready", reactionMs, () => gateway.agent.notReady() === undefined);
      assert.equal(await ask(1), "one");
      await gateway.serve([web(0, [one, two]), web(1, [two])]);
      assert.deepEqual(await gateway.servers(), before);
    });

    it("the agent is killed and what it served changes meanwhile: traffic goes on, and the next one catches up without a reload", async () => {
      await gateway.serve([web(0, [one]), web(1, [one])]);
      const load = startLoad({ port: port(), clients: 4 });
      await gateway.stopAgent();
      const answered = load.answered;
      await eventually("a hundred more requests", reactionMs, () => load.answered > answered + 100);
      gateway.offer([web(0, [one]), web(1, [two]), web(2, [two])]);
      await gateway.restartAgent();
      await eventually("the change", reactionMs, async () => (await ask(2).catch(() => "")) === "two");
      assert.equal(await ask(1), "two");
      const result = await load.stop();
      console.log(loadText("agent restarted", result));
      assert.equal(result.failed, 0);
      assert.deepEqual(gateway.reloads, { succeeded: 0, failed: 0 });
    });

    it("changes by hand are repaired at the next full comparison", async () => {
      await gateway.serve([web(0, [one, two])]);
      const before = await gateway.servers();
      const [backend = "", name = ""] = before[0]?.split(" ")[0]?.split("/") ?? [];
      const refused = await gateway.haproxy.runtime.send(
        [
          `set server ${backend}/${name} state maint`,
          `set server ${backend}/${name} addr 127.0.0.9 port 9`,
          `add server ${backend}/foreign 127.0.0.1:9`,
          `del map ${gateway.settings.folder}/ports.map ${port()}`,
        ].map((text) => ({ text, mayWait: false })),
      );
      assert.deepEqual(refused, []);
      assert.notDeepEqual(await gateway.servers(), before);
      await eventually("the state of before", reactionMs, async () => JSON.stringify(await gateway.servers()) === JSON.stringify(before));
      await eventually("the port to be served", reactionMs, async () => /one|two/.test(await ask(0)));
    });

    it("an instance that is killed unannounced: requests that change nothing go on to the next one", async () => {
      await gateway.serve([web(0, [one, two])]);
      const load = startLoad({ port: port(), clients: 8 });
      await eventually("a hundred requests", reactionMs, () => load.answered > 100);
      one.kill();
      const answered = load.answered;
      await eventually("three hundred more", reactionMs, () => load.answered > answered + 300);
      const result = await load.stop();
      console.log(loadText("killed unannounced, GET", result));
      assert.equal(result.failed, 0);
    });

    it("an address that is another tenant's now never gets the first one's traffic", async () => {
      await gateway.serve([web(0, [one, two])]);
      const load = startLoad({ port: port(), clients: 4 });
      const theirs = { ...one.asInstance(), pod: "theirs", uid: "99999999-theirs" };
      await gateway.serve([web(0, [two]), web(1, [], { instances: [theirs] })]);
      const before = one.requests;
      const answered = load.answered;
      await eventually("two hundred more", reactionMs, () => load.answered > answered + 200);
      assert.equal(one.requests, before);
      assert.equal(await ask(1), "one");
      const result = await load.stop();
      console.log(loadText("address reused", result));
      assert.equal(result.failed, 0);
    });

    it("a port that goes to another service never leads to instances of the first", async () => {
      await gateway.serve([web(0, [one])]);
      await gateway.serve([web(0, [two], { name: "other" })]);
      assert.deepEqual(new Set(await Promise.all(Array.from({ length: 10 }, () => ask(0)))), new Set(["two"]));
      await gateway.serve([]);
      await assert.rejects(ask(0));
    });
  });
}
