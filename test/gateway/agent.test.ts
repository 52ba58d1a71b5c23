import assert from "node:assert/strict";
import { type HaproxyBranch, ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { type Configuration, type RenderedFile, renderFile } from "../../src/haproxy/rules/configuration.ts";
import { eventually } from "../integration/support/eventually.ts";
import { makeService } from "../support/builders/published-service.ts";
import { skipUnless } from "../support/skip.ts";
import { freeRange } from "./support/free-range.ts";
import { reactionMs, startGateway, type TestGateway } from "./support/gateway.ts";
import { startInstance, type TestInstance } from "./support/instances.ts";
import { loadText, startLoad } from "./support/load.ts";

/** Without the second tries that HAProxy makes as a rule: what is lost is lost. */
const withoutRetries = (configuration: Configuration): RenderedFile => {
  const rendered = renderFile(configuration);
  const text = rendered.text.replaceAll(/^ {2}(?:retries 3|option redispatch 1|retry-on .*)$/gm, "  retries 0");
  return { ...rendered, text };
};

for (const branch of ["3.0", "3.2"] satisfies readonly HaproxyBranch[]) {
  describe(`the gateway beside HAProxy ${branch}`, function () {
    this.timeout(4 * reactionMs);
    const program = skipUnless(() => ensureHaproxy(branch));
    let gateway: TestGateway;
    let instances: TestInstance[];
    before(async () => {
      gateway = await startGateway(program(), { render: withoutRetries });
      instances = await Promise.all(Array.from({ length: 8 }, (_, index) => startInstance(`pig-${index}`)));
    });
    after(async () => {
      await gateway?.close();
      for (const instance of instances ?? []) instance.kill();
    });
    const port = () => gateway.settings.pools[0]?.first ?? 0;
    const web = (states: Readonly<Record<number, "ready" | "drain" | "maint">>) =>
      makeService({
        protocol: "HTTP",
        port: port(),
        instances: Object.entries(states).map(([index, state]) => (instances[Number(index)] as TestInstance).asInstance(state)),
      });
    const ask = async () => {
      const response = await fetch(`http://127.0.0.1:${port()}/`, { headers: { connection: "close" } });
      return response.status === 200 ? response.text() : String(response.status);
    };

    it("puts a service on a new port, and its instances, into a running HAProxy without a reload", async () => {
      await gateway.serve([web({ 0: "ready" })]);
      assert.equal(await ask(), "pig-0");
      await gateway.serve([web({ 1: "ready" })]);
      assert.equal(await ask(), "pig-1");
      assert.deepEqual(gateway.reloads, { succeeded: 0, failed: 0 });
    });

    it("rolls all instances under load, one after the other, without a failed request, with retries off", async () => {
      await gateway.serve([web({ 0: "ready", 1: "ready" })]);
      const load = startLoad({ port: port(), clients: 8, posts: true });
      for (let index = 0; index < 6; index++) {
        await gateway.serve([web({ [index]: "ready", [index + 1]: "ready", [index + 2]: "ready" })]);
        await gateway.serve([web({ [index]: "drain", [index + 1]: "ready", [index + 2]: "ready" })]);
        const drained = instances[index] as TestInstance;
        await eventually("its requests to end", reactionMs, () => drained.busy === 0);
        const before = drained.requests;
        const answered = load.answered;
        await eventually("a hundred more requests", reactionMs, () => load.answered > answered + 100);
        assert.equal(drained.requests, before, "a drained instance gets no request");
        await gateway.serve([web({ [index + 1]: "ready", [index + 2]: "ready" })]);
      }
      const result = await load.stop();
      console.log(loadText("6 instances rolled", result));
      assert.equal(result.failed, 0);
      assert.deepEqual(gateway.reloads, { succeeded: 0, failed: 0 });
    });
  });

  describe(`a gateway whose ports are most of its file descriptors, with HAProxy ${branch}`, function () {
    this.timeout(4 * reactionMs);
    const program = skipUnless(() => ensureHaproxy(branch));
    let gateway: TestGateway;
    let instance: TestInstance;
    before(async () => {
      const ports = 1500;
      const first = await freeRange(ports + 3);
      const pools = [{ first, last: first + ports - 1 }];
      const [httpPort, httpsPort, metricsPort] = [first + ports, first + ports + 1, first + ports + 2];
      const settings = { pools, httpPort, httpsPort, metricsBind: `127.0.0.1:${metricsPort}`, maxConnections: 300 };
      gateway = await startGateway(program(), { settings });
      instance = await startInstance("pig");
    });
    after(async () => {
      await gateway?.close();
      instance?.kill();
    });

    it("connections to instances are used again", async () => {
      const [{ first: port } = { first: 0 }] = gateway.settings.pools;
      await gateway.serve([makeService({ protocol: "HTTP", port, instances: [instance.asInstance()] })]);
      const load = startLoad({ port, clients: 4, posts: true });
      await eventually("five hundred requests", reactionMs, () => load.answered > 500);
      const result = await load.stop();
      console.log(loadText(`by ${instance.connections} connections`, result));
      assert.equal(result.failed, 0);
      assert.ok(instance.connections < 50, `${instance.connections} connections for ${result.sent} requests`);
    });
  });
}
