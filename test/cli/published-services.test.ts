import assert from "node:assert/strict";
import { request } from "node:http";
import { join } from "node:path";
import { ensureHaproxy } from "../../hack/haproxy/binaries.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { skipUnless } from "../support/skip.ts";
import { usePlugin } from "./plugin-fixture.ts";

const namespace = "shop";
const folder = join(import.meta.dirname, "../../examples/services");

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
  readonly cookie: string | undefined;
}

const unhashed = (text: string): string => text.trim().replace(/-[0-9a-f]{5}-(\d)$/, "-$1");

describe("examples/services in the playground, behind a real HAProxy", function () {
  this.timeout(timeLimits.test);
  const haproxy = skipUnless(() => ensureHaproxy("3.0"));
  const plugin = usePlugin(namespace, { kubelet: "process", haproxy });
  const kubectl = () => plugin().kubectl;
  let gateway = "";

  before(async () => {
    await kubectl().ok(["apply", "-f", folder]);
    for (const app of ["base", "runners", "colours", "shop", "shop-v1", "sessions"]) {
      await kubectl().ok(["wait", `ra/${app}`, "--for=condition=Ready", `--timeout=${timeLimits.run / 1000}s`]);
      if (app !== "runners") await isReached(app);
    }
    gateway = await kubectl().ok([
      "get",
      "pods",
      "-n",
      "kube-system",
      "-l",
      "nuptse.dev/gateway",
      "-o",
      "jsonpath={.items[*].status.podIP}",
    ]);
  });
  const isReached = (service: string) =>
    eventually(`${service} to be published`, timeLimits.reaction, async () => {
      const ready = await kubectl().ok(["get", "ra", "-o", `jsonpath={.items[*].status.services[?(@.name=='${service}')].reason}`]);
      return ready === "Published";
    });
  const portOf = async (service: string) =>
    Number(await kubectl().ok(["get", "ra", service, "-o", "jsonpath={.status.services[0].gatewayPort}"]));
  const ask = (port: number, path = "/", headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const call = request({ host: gateway, port, path, headers, agent: false }, (response) => {
        let body = "";
        response.on("data", (text: Buffer) => (body += text.toString()));
        response.on("end", () =>
          resolve({ status: response.statusCode, body, cookie: response.headers["set-cookie"]?.[0]?.split(";", 1)[0] }),
        );
      });
      call.on("error", reject);
      call.end();
    });
  /** What they say, without the hash of a revision. */
  const bodies = async (count: number, one: () => Promise<Answer>) => {
    const all: string[] = [];
    for (let index = 0; index < count; index++) all.push(unhashed((await one()).body));
    return all;
  };

  it("two fleets share a host by their paths, and each has its own name", async () => {
    const host = { host: "pig.example" };
    const answers = (path: string) => bodies(4, () => ask(8080, path, host));
    await eventually("both instances of each", timeLimits.reaction, async () => {
      assert.deepEqual(new Set(await answers("/")), new Set(["shop shop-0", "shop shop-1"]));
      assert.deepEqual(new Set(await answers("/v1/hello")), new Set(["shop-v1 shop-v1-0", "shop-v1 shop-v1-1"]));
      assert.deepEqual(new Set(await answers("/v10")), new Set(["shop shop-0", "shop shop-1"]));
      return true;
    });
    assert.equal((await ask(8080, "/", { host: "cow.example" })).status, 404);
    const proxied = await kubectl().ok(["get", "--raw", `/api/v1/namespaces/${namespace}/services/shop-v1/proxy/`]);
    assert.match(proxied, /^shop-v1 shop-v1-[0-9a-f]{5}-[01]\n$/);
  });

  it("a client keeps its instance by a cookie", async () => {
    const port = await portOf("sessions");
    const all = await Promise.all(Array.from({ length: 3 }, () => ask(port)));
    assert.deepEqual(
      new Set(all.map(({ body }) => unhashed(body))),
      new Set(["sessions-0", "sessions-1", "sessions-2"]),
      "new clients are spread",
    );
    const [{ body, cookie = "" }] = all as [Answer];
    assert.deepEqual(new Set(await bodies(6, () => ask(port, "/", { cookie }))), new Set([unhashed(body)]));
  });

  it("runners find their base, whose instances have their heartbeats", async () => {
    await eventually("the heartbeats of both", timeLimits.run, async () => {
      const logs = await kubectl().ok(["logs", "-l", "nuptse.dev/app=base"]);
      return ["0 lives", "1 lives"].every((line) => logs.includes(line));
    });
  });

  it("a canary gets its share of the requests, and then all", async () => {
    const port = await portOf("colours");
    const count = async () => (await bodies(20, () => ask(port))).filter((colour) => colour === "green").length;
    assert.equal(await count(), 0);
    await kubectl().ok([
      ...["patch", "ra", "colours", "--type=json", "-p"],
      '[{"op":"replace","path":"/spec/template/spec/containers/0/env/0/value","value":"green"}]',
    ]);
    // Two of ten instances, by turns.
    await eventually("four of twenty", timeLimits.run, async () => (await reason("colours")) === "CanaryHeld" && (await count()) === 4);
    await kubectl().ok(["patch", "ra", "colours", "--type=merge", "-p", '{"spec":{"canary":{"replicas":"100%"}}}']);
    await eventually("all of them", timeLimits.run, async () => (await reason("colours")) === "Serving" && (await count()) === 20);
  });
  const reason = async (name: string) => {
    const { status } = JSON.parse(await kubectl().ok(["get", "ra", name, "-o", "json"])) as RunnerApp;
    return status?.conditions?.find(({ type }) => type === "Ready")?.reason;
  };

  it("kubectl nuptse services tells what HAProxy has", async () => {
    const anyPort = (lines: readonly string[]) =>
      lines.map((line) => line.replaceAll(/\| 2[14]\d{3} \|/g, "| PORT |").replaceAll(/\| \d+\/s /g, "| RATE "));
    await eventually("the figures of all", timeLimits.reaction, async () => {
      assert.deepEqual(anyPort(await plugin().ok("services")), [
        "SERVICE | APP | ADDRESS | READY | DRAINING | HAPROXY | SESSIONS | RATE | GATEWAY-PORT | REASON",
        "base | base | base.shop.svc:7000 | 2/2 | 0 | 2 up | 2 | RATE | PORT | Published",
        "colours | colours | colours.shop.svc:80 | 10/10 | 0 | 10 up | 0 | RATE | PORT | Published",
        "sessions | sessions | sessions.shop.svc:80 | 3/3 | 0 | 3 up | 0 | RATE | PORT | Published",
        "shop | shop | shop.shop.svc:80 | 2/2 | 0 | 2 up | 0 | RATE | PORT | Published",
        "shop-v1 | shop-v1 | shop-v1.shop.svc:80 | 2/2 | 0 | 2 up | 0 | RATE | PORT | Published",
      ]);
      return true;
    });
    const { code, stdout } = await plugin().run("services base -o json");
    const [view] = JSON.parse(stdout) as readonly { readonly gateways: object }[];
    assert.equal(code, 0);
    assert.deepEqual(view?.gateways, { instances: { up: 2, down: 0, drain: 0, maint: 0 }, sessions: 2, rate: 0 });
  });
});

describe("services in a playground without an HAProxy", function () {
  this.timeout(timeLimits.test);
  const plugin = usePlugin(namespace, { kubelet: "process", haproxy: () => "/nowhere/haproxy" });

  it("status says what to install", async () => {
    const { kubectl, ok } = plugin();
    await kubectl.ok(["apply", "-f", join(folder, "sticky-sessions.yaml")]);
    const [, line] = await eventually("the reason", timeLimits.reaction, async () => {
      const lines = await ok("services -o wide");
      return lines.some((each) => each.includes("NoGateway")) ? lines : undefined;
    });
    assert.match(line ?? "", /NoGateway: this machine has no HAProxy \(\/nowhere\/haproxy\): install the package haproxy, 3\.0 or newer$/);
  });
});
