import assert from "node:assert/strict";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { publishingApp, slice } from "../../../support/builders/published-services.ts";
import { kubectlNuptse } from "./plugin-double.ts";

const endpoint = (uid: string, ready: boolean, terminating = false, serving = ready) => ({
  addresses: [`10.1.0.${uid}`],
  conditions: { ready: ready && !terminating, serving, terminating },
  targetRef: { kind: "Pod", uid },
});
const instances = (endpoints: readonly object[], name: string) => ({
  ...slice("web-instances", 80, [], "endpointslice-controller.k8s.io", name),
  endpoints,
});

const objects = {
  "runnerapps.nuptse.dev": [
    publishingApp({
      services: [
        { name: "api", port: 80 },
        { name: "more", port: 81 },
      ],
      rows: [
        { name: "api", address: "api.tenant.svc", port: 80, gatewayPort: 21_000, hostnames: ["pig.example"], reason: "Published" },
        { name: "more", reason: "NameConflict", message: "RunnerApp old is older and has a service of this name" },
      ],
    }),
    publishingApp({ name: "lent", endpoints: "theirs", services: [{ name: "lent", port: 80 }] }),
  ],
  "endpointslices.discovery.k8s.io": [
    instances([endpoint("1", true), endpoint("2", true, true), endpoint("3", false)], "a"),
    // The same pods with their other ports, or addresses.
    instances([endpoint("1", true), endpoint("4", false, true)], "b"),
    { ...slice("theirs", 80, ["10.2.0.1"], "somebody"), metadata: { ...slice("theirs", 80, [], "somebody").metadata } },
  ] as unknown as readonly KubeObject[],
};

const summary = { service: "tenant/api", instances: { up: 2, down: 1, drain: 1, maint: 0 }, sessions: 12, rate: 3 };
const leaderSays =
  (told: number, services = [summary]) =>
  (path: string, query: Readonly<Record<string, string>>) => {
    assert.deepEqual([path, query], ["/v1/services", { uid: "app-uid" }], "only of those that have a place at the gateways");
    return { status: 200, body: { gateways: { ready: 2, told }, services } };
  };

describe("cli/plugin: services", () => {
  it("tells where each is reached, what the gateways have of it, and what became of it", async () => {
    const { code, results, notes } = await kubectlNuptse(["services", "-n", "tenant"], { objects, leader: leaderSays(2) });
    assert.deepEqual([code, notes], [0, []]);
    assert.deepEqual(results, [
      "SERVICE   APP    ADDRESS             READY   DRAINING   HAPROXY                 SESSIONS   RATE   GATEWAY-PORT   REASON",
      "lent      lent   -                   1/1     0          -                       -          -      -              Pending",
      "api       web    api.tenant.svc:80   1/4     1          2 up, 1 drain, 1 down   12         3/s    21000          Published",
      "more      web    -                   1/4     1          -                       -          -      -              NameConflict: RunnerApp old is older and has a service of this name",
    ]);
  });

  it("and says why where the gateways cannot be asked, or not all of them", async () => {
    const alone = await kubectlNuptse(["services", "web", "-n", "tenant"], { objects });
    assert.equal(
      alone.results[1],
      "api       web   api.tenant.svc:80   1/4     1          -         -          -      21000          Published",
    );
    assert.deepEqual(alone.notes, [
      "what the gateways have cannot be told: there is no Service nuptse-system/nuptse-explain (--explain-service names another one)",
    ]);
    const partly = await kubectlNuptse(["services", "web", "-n", "tenant"], { objects, leader: leaderSays(1) });
    assert.deepEqual(partly.notes, ["what the gateways have cannot be told: 1 of 2 gateways did not answer"]);
    assert.match(partly.results[1] ?? "", / 12 +3\/s /);
  });

  it("of one app, with its hosts", async () => {
    const { results } = await kubectlNuptse(["services", "lent", "-n", "tenant", "-o", "wide"], { objects });
    assert.deepEqual(results, [
      "SERVICE   APP    ADDRESS   READY   DRAINING   HAPROXY   SESSIONS   RATE   GATEWAY-PORT   HOSTS   REASON",
      "lent      lent   -         1/1     0          -         -          -      -              -       Pending",
    ]);
  });

  it("for programs", async () => {
    const { results } = await kubectlNuptse(["services", "lent", "-n", "tenant", "-o", "json"], { objects });
    assert.deepEqual(JSON.parse(results.join("\n")), [
      { namespace: "tenant", app: "lent", service: "lent", hostnames: [], instances: { ready: 1, draining: 0, all: 1 }, reason: "Pending" },
    ]);
  });

  it("says when there is no such app, or nothing", async () => {
    const unknown = await kubectlNuptse(["services", "nobody", "-n", "tenant"], { objects });
    assert.deepEqual([unknown.code, unknown.notes], [1, ["error: there is no RunnerApp nobody in the namespace tenant"]]);
    const nothing = await kubectlNuptse(["services", "-n", "tenant"], { objects: {} });
    assert.deepEqual(nothing.notes, ["nothing is published; see docs/gateway.md"]);
  });
});
