import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { createConnection } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { type HaproxyBranch, ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import { createAuthority, issueCertificate } from "../../src/base/x509.ts";
import type { PublishedService } from "../../src/haproxy/rules/published-service.ts";
import { eventually } from "../integration/support/eventually.ts";
import { makeService } from "../support/builders/published-service.ts";
import { skipUnless } from "../support/skip.ts";
import { reactionMs, startGateway, type TestGateway } from "./support/gateway.ts";
import { startInstance, type TestInstance } from "./support/instances.ts";
import { loadText, startLoad } from "./support/load.ts";

const now = Date.now();
const authority = createAuthority({ commonName: "test authority", validDays: 1, now });
const { certificatePem, privateKeyPem } = issueCertificate(authority, {
  commonName: "pig.example",
  dnsNames: ["pig.example"],
  usages: ["server"],
  validDays: 1,
  now,
});
const terminate = { mode: "Terminate", certificate: { chain: certificatePem, key: privateKeyPem } } as const;

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly cookie: string | undefined;
}

for (const branch of ["3.0", "3.2"] satisfies readonly HaproxyBranch[]) {
  describe(`what services may ask for, with HAProxy ${branch}`, function () {
    this.timeout(4 * reactionMs);
    const program = skipUnless(() => ensureHaproxy(branch));
    let gateway: TestGateway;
    let one: TestInstance;
    let two: TestInstance;
    before(async () => {
      gateway = await startGateway(program());
      [one, two] = await Promise.all([startInstance("one"), startInstance("two")]);
    });
    after(async () => {
      await gateway?.close();
      for (const instance of [one, two]) instance?.kill();
    });
    afterEach("a reload changes nothing", () => gateway.reloadChangesNothing());
    const port = (index = 0) => (gateway.settings.pools[0]?.first ?? 0) + index;
    const service = (index: number, instances: readonly TestInstance[], fields: Partial<PublishedService> = {}) =>
      makeService({
        name: `s${index}`,
        protocol: "HTTP",
        port: port(index),
        instances: instances.map((each) => each.asInstance()),
        ...fields,
      });
    const ask = (options: { port: number; host?: string; path?: string; cookie?: string; tls?: boolean }): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const { host = "pig.example", path = "/", cookie, tls = false } = options;
        const headers = { host, ...(cookie !== undefined && { cookie }) };
        const common = { host: "127.0.0.1", port: options.port, path, headers, agent: false } as const;
        const call = (tls ? httpsRequest : httpRequest)(
          { ...common, ...(tls && { ca: authority.certificatePem, servername: "pig.example" }) },
          (response) => {
            let body = "";
            response.on("data", (text: Buffer) => (body += text.toString()));
            response.on("end", () =>
              resolve({ status: response.statusCode, body, cookie: response.headers["set-cookie"]?.[0]?.split(";", 1)[0] }),
            );
          },
        );
        call.on("error", reject);
        call.end();
      });
    const bodyOf = async (options: Parameters<typeof ask>[0]) => {
      const { status, body } = await ask(options);
      return status === 200 ? body : String(status);
    };

    it("hosts and paths lead to their services: exact before prefix, longer prefix before shorter, by whole elements", async () => {
      const three = await startInstance("three");
      try {
        await gateway.serve([
          service(0, [one], { hostnames: ["pig.example"] }),
          service(1, [two], { hostnames: ["pig.example"], paths: [{ type: "PathPrefix", value: "/v1" }] }),
          service(2, [three], { hostnames: ["pig.example"], paths: [{ type: "Exact", value: "/v1/three" }] }),
        ]);
        const shared = gateway.settings.httpPort;
        const rows = [
          ["/", "one"],
          ["/v10", "one"],
          ["/v1", "two"],
          ["/v1?x=/v10", "two"],
          ["/v1/three/x", "two"],
          ["/v1/three", "three"],
          ["/v1/three?x", "three"],
        ] as const;
        for (const [path, want] of rows) assert.equal(await bodyOf({ port: shared, path }), want, path);
        assert.equal(await bodyOf({ port: shared, host: "PIG.Example:8080" }), "one", "a host in capitals with a port");
        assert.equal(await bodyOf({ port: shared, host: "horse.example" }), "404");
        assert.deepEqual(gateway.reloads, { succeeded: 0, failed: 0 }, "all of it without a reload");
      } finally {
        three.kill();
      }
    });

    it("TLS is terminated on the service's own port and, by host, on the shared one", async () => {
      await gateway.serve([
        service(0, [one], { hostnames: ["pig.example"], tls: terminate }),
        service(1, [two], { protocol: "TCP", tls: terminate }),
      ]);
      assert.equal(await bodyOf({ port: port(0), tls: true }), "one");
      assert.equal(await bodyOf({ port: gateway.settings.httpsPort, tls: true }), "one");
      assert.equal(await bodyOf({ port: port(1), tls: true }), "two", "TCP over TLS");
      assert.equal(await bodyOf({ port: gateway.settings.httpPort }), "404", "not without TLS");
      const presented = await new Promise<string>((resolve, reject) => {
        const socket = tlsConnect({ host: "127.0.0.1", port: port(1), ca: authority.certificatePem, servername: "pig.example" }, () => {
          resolve(socket.getPeerCertificate().subject.CN as string);
          socket.destroy();
        });
        socket.on("error", reject);
      });
      assert.equal(presented, "pig.example");
    });

    it("a cookie keeps a client at its instance, also while that one drains and across a reload", async () => {
      const sticky = (first: "ready" | "drain") => [
        service(0, [], { sticky: true, balance: "RoundRobin", instances: [one.asInstance(first), two.asInstance()] }),
      ];
      await gateway.serve(sticky("ready"));
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask({ port: port() })));
      const mine = answers.find(({ body }) => body === "one")?.cookie;
      assert.match(mine ?? "", /^nuptse-instance=[0-9a-f]{8}$/);
      const again = async () =>
        new Set(await Promise.all(Array.from({ length: 6 }, () => bodyOf({ port: port(), cookie: mine as string }))));
      assert.deepEqual(await again(), new Set(["one"]));
      await gateway.serve(sticky("drain"));
      assert.deepEqual(await again(), new Set(["one"]));
      assert.deepEqual(new Set(await Promise.all(Array.from({ length: 6 }, () => bodyOf({ port: port() })))), new Set(["two"]));
      assert.equal((await gateway.haproxy.master.reload()).succeeded, true);
      await gateway.settled();
      assert.deepEqual(await again(), new Set(["one"]));
    });

    it("an instance never gets more connections than its limit, and what waits is served", async () => {
      await gateway.serve([service(0, [one], { maxConnections: 2 })]);
      let most = 0;
      const watch = setInterval(() => (most = Math.max(most, one.busy)), 1);
      const answers = await Promise.all(Array.from({ length: 20 }, () => bodyOf({ port: port(), path: "/?delayMs=20" })));
      clearInterval(watch);
      assert.deepEqual(new Set(answers), new Set(["one"]));
      assert.ok(most <= 2, `${most} at once`);
    });

    it("an HTTP check takes out an instance that answers it with an error", async () => {
      const bad = await startInstance("bad");
      try {
        const healthCheck = { type: "HTTP", path: "/healthz", periodSeconds: 1, failureThreshold: 1, successThreshold: 1 } as const;
        await gateway.serve([service(0, [bad], { healthCheck })]);
        assert.equal(await bodyOf({ port: port() }), "bad");
        bad.failChecks = true;
        await eventually("it to be out", reactionMs, async () => (await bodyOf({ port: port() })) === "503");
        bad.failChecks = false;
        await eventually("it to be back", reactionMs, async () => (await bodyOf({ port: port() })) === "bad");
      } finally {
        bad.kill();
      }
    });

    it("bytes of a TCP service go both ways, and its connections live through a reload", async () => {
      await gateway.serve([service(0, [one], { protocol: "TCP" })]);
      const socket = createConnection({ host: "127.0.0.1", port: port() });
      const said: string[] = [];
      socket.setEncoding("utf8");
      socket.on("data", (text: string) => said.push(text));
      const ask = () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      ask();
      await eventually("an answer", reactionMs, () => said.join("").includes("one"));
      assert.equal((await gateway.haproxy.master.reload()).succeeded, true);
      await gateway.settled();
      said.length = 0;
      ask();
      await eventually("an answer by the old worker", reactionMs, () => said.join("").includes("one"));
      socket.destroy();
    });

    it("scaled from 1 to 20, 3, 0 and 5 under load: requests fail only while there is none", async () => {
      const all = [one, two, ...(await Promise.all(Array.from({ length: 18 }, (_, index) => startInstance(`more-${index}`))))];
      try {
        const scale = (count: number) => gateway.serve([service(0, all.slice(0, count))]);
        await scale(1);
        const up = startLoad({ port: port(), clients: 6, posts: true });
        for (const count of [20, 3]) {
          await scale(count);
          const answered = up.answered;
          await eventually("two hundred more", reactionMs, () => up.answered > answered + 200);
        }
        const first = await up.stop();
        console.log(loadText("1 - 20 - 3", first));
        assert.equal(first.failed, 0);
        await scale(0);
        assert.equal(await bodyOf({ port: port() }), "503");
        await scale(5);
        const back = startLoad({ port: port(), clients: 6 });
        await eventually("two hundred", reactionMs, () => back.answered > 200);
        const second = await back.stop();
        console.log(loadText("0 - 5", second));
        assert.equal(second.failed, 0);
      } finally {
        for (const instance of all.slice(2)) instance.kill();
      }
    });

    it("while the API server is silent for long, what fails its check is held back until it speaks again", async () => {
      const healthCheck = { type: "TCP", periodSeconds: 1, failureThreshold: 1, successThreshold: 1 } as const;
      const dead = await startInstance("dead");
      const services = [service(0, [one, dead], { healthCheck })];
      await gateway.serve(services);
      gateway.offer(services, { silentForMs: 3_600_000 });
      dead.kill();
      const held = async () => (await gateway.servers()).filter((line) => line.includes("/dead-") && line.endsWith("maint")).length;
      await eventually("it to be held back", reactionMs, async () => (await held()) === 1);
      assert.ok(gateway.agent.lagMs() >= 3_600_000);
      assert.equal(await bodyOf({ port: port() }), "one");
      gateway.offer(services);
      await eventually("it to be given back to its check", reactionMs, async () => (await held()) === 0);
    });
  });
}
