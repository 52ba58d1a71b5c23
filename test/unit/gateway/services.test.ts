import assert from "node:assert/strict";
import type { PublishingApp } from "../../../src/gateway/rules/published-app.ts";
import { instancesServiceOf } from "../../../src/gateway/rules/published-app.ts";
import { servicesOfApp } from "../../../src/gateway/rules/services.ts";
import { makeService } from "../../support/builders/published-service.ts";

const app = (spec: PublishingApp["spec"], ports: Readonly<Record<string, number>> = { api: 21_000 }): PublishingApp => ({
  metadata: { namespace: "default", name: "base", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec,
  status: { services: Object.entries(ports).map(([name, gatewayPort]) => ({ name, gatewayPort, hostnames: ["a.b"] })) },
});
const of = (value: PublishingApp, certificate: ReturnType<Parameters<typeof servicesOfApp>[2]> = null) =>
  servicesOfApp(value, [], () => certificate, new Map(), 0);

describe("gateway/services: what an app publishes", () => {
  it("a service that says nothing has the defaults of TCP, or of HTTP", () => {
    const spec = { services: [{ name: "api" }, { name: "web", protocol: "HTTP" as const }] };
    assert.deepEqual(of(app(spec, { api: 21_000, web: 21_001 })).services, [
      makeService({ name: "api" }),
      makeService({ name: "web", protocol: "HTTP", port: 21_001 }),
    ]);
  });

  it("a service that says all has it all", () => {
    const [service] = of(
      app({
        services: [
          {
            name: "api",
            protocol: "HTTP",
            port: 80,
            hostnames: ["a.b", "not.granted"],
            paths: [{ value: "/v1" }],
            balance: "LeastConnections",
            sticky: "Cookie",
            healthCheck: { type: "HTTP", path: "/healthz", periodSeconds: 9 },
            timeouts: { idleSeconds: 7 },
            maxConnections: 5,
            slowStartSeconds: 6,
            tls: { mode: "Terminate", secretName: "x" },
          },
        ],
      }),
      { chain: "c", key: "k" },
    ).services;
    assert.deepEqual(
      service,
      makeService({
        name: "api",
        protocol: "HTTP",
        hostnames: ["a.b"],
        paths: [{ type: "PathPrefix", value: "/v1" }],
        balance: "LeastConnections",
        sticky: true,
        healthCheck: { type: "HTTP", path: "/healthz", periodSeconds: 9, failureThreshold: 3, successThreshold: 2 },
        timeouts: { connectSeconds: 5, idleSeconds: 7, tunnelSeconds: 3600 },
        maxConnections: 5,
        slowStartSeconds: 6,
        tls: { mode: "Terminate", certificate: { chain: "c", key: "k" } },
      }),
    );
  });

  it("a service without a port is the operator's business", () =>
    assert.deepEqual(of(app({ services: [{ name: "api" }] }, {})).services, []));

  it("a Secret that is not read yet keeps its service back; one that is not there is told of by the check", () => {
    const value = app({ services: [{ name: "api", tls: { mode: "Terminate", secretName: "x" } }] });
    const reading = servicesOfApp(value, [], () => undefined, new Map(), 0);
    assert.deepEqual([reading.services.length, [...reading.problems.keys()]], [0, ["api"]]);
    assert.deepEqual(of(value, null).services[0]?.tls, { mode: "Terminate", certificate: { chain: "", key: "" } });
  });

  it("a port that has a name is found by the service's in slices of our own, where another service may be called as the port is", () => {
    const slices = [
      {
        metadata: { name: "x" },
        addressType: "IPv4",
        ports: [
          { name: "http", port: 81 },
          { name: "api", port: 80 },
        ],
        endpoints: [{ addresses: ["10.0.0.1"] }],
      },
    ];
    const spec = { services: [{ name: "api", targetPort: "http" }] };
    const portOf = (value: PublishingApp) =>
      servicesOfApp(value, slices, () => null, new Map(), 0).services[0]?.instances.map(({ port }) => port);
    assert.deepEqual(portOf(app(spec)), [80]);
    assert.deepEqual(portOf(app({ ...spec, endpoints: { serviceName: "theirs" } })), [81]);
  });

  it("instances are found by the headless Service of the app, or by the fleet's own", () => {
    assert.equal(instancesServiceOf(app({})), "base-instances");
    assert.equal(instancesServiceOf(app({ endpoints: { serviceName: "theirs" } })), "theirs");
  });
});
