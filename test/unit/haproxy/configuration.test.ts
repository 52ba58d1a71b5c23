import assert from "node:assert/strict";
import { createAuthority, issueCertificate } from "../../../src/base/x509.ts";
import { configurationOf, renderFile, renderMap, withinStructure } from "../../../src/haproxy/rules/configuration.ts";
import type { Instance, PublishedService } from "../../../src/haproxy/rules/published-service.ts";
import { selectServices } from "../../../src/haproxy/rules/selection.ts";
import { defaultPools, type GatewaySettings } from "../../../src/haproxy/rules/settings.ts";
import { choosePool } from "../../../src/haproxy/rules/spare-pool.ts";
import { makeService } from "../../support/builders/published-service.ts";

const settings: GatewaySettings = {
  folder: "/g",
  bind: ["0.0.0.0", "::"],
  pools: [
    { first: 21_000, last: 21_009 },
    { first: 24_000, last: 24_009 },
  ],
  httpPort: 8080,
  httpsPort: 8443,
  maxConnections: 1000,
  gateways: 2,
  hardStopAfterSeconds: 600,
  sparePorts: 2,
};
/** Pools of 3,000 ports each. */
const asInstalled: Partial<GatewaySettings> = { bind: ["0.0.0.0"], pools: defaultPools, maxConnections: 20_000 };
const instance: Instance = { uid: "12345678-90ab", pod: "base-0", address: "10.0.0.1", port: 80, state: "ready" };
const noPool = new Set<string>();
const textOf = (service: PublishedService) => renderFile(configurationOf([service], noPool, settings)).text;
const sectionOf = (text: string, heading: string): readonly string[] =>
  (text.split("\n\n").find((section) => section.startsWith(heading)) ?? "")
    .split("\n")
    .slice(1)
    .map((line) => line.trim());

describe("haproxy/configuration: the file", () => {
  it("one frontend has all ports of both pools, on each address", () => {
    assert.deepEqual(sectionOf(textOf(makeService()), "frontend ports"), [
      "mode tcp",
      "bind 0.0.0.0:21000-21009,0.0.0.0:24000-24009",
      "bind [::]:21000-21009,[::]:24000-24009",
      "tcp-request connection reject unless { dst_port,map_str(/g/ports.map) -m found }",
      "use_backend %[dst_port,map_str(/g/ports.map)]",
    ]);
  });

  const pools: readonly {
    readonly name: string;
    readonly settings: Partial<GatewaySettings>;
    readonly low: number;
    readonly high: number;
  }[] = [
    // 6,002 ports and 40,000 of connections: (6,002 + 8,000) and (6,002 + 10,000) of 46,002.
    { name: "as installed", settings: asInstalled, low: 31, high: 35 },
    // (12,004 + 8,000) and (12,004 + 10,000) of 52,004.
    { name: "on two addresses", settings: { ...asInstalled, bind: ["0.0.0.0", "::"] }, low: 39, high: 43 },
    // (6,002 + 40) and (6,002 + 50) of 6,202.
    { name: "with hardly any connections beside its ports", settings: { ...asInstalled, maxConnections: 100 }, low: 98, high: 98 },
  ];
  for (const tc of pools) {
    it(`connections to instances are kept while ports take file descriptors: ${tc.name}`, () => {
      const { head } = configurationOf([], noPool, { ...settings, ...tc.settings });
      const ratios = head.filter((line) => line.includes("fd-ratio"));
      assert.deepEqual(ratios, [`  tune.pool-low-fd-ratio ${tc.low}`, `  tune.pool-high-fd-ratio ${tc.high}`]);
    });
  }

  const backends: readonly { readonly name: string; readonly fields: Partial<PublishedService>; readonly want: readonly string[] }[] = [
    {
      name: "TCP, with instances in all three states and both families",
      fields: {
        instances: [
          instance,
          { ...instance, pod: "base-1", address: "2001:0db8::1", state: "drain" },
          { ...instance, pod: "", uid: "", address: "10.0.0.3", state: "maint" },
          // Twice in the slices.
          instance,
        ],
      },
      want: [
        "mode tcp",
        "balance leastconn",
        "timeout connect 5s",
        "timeout tunnel 3600s",
        "server base-0-12345678 10.0.0.1:80 check inter 5s fastinter 1s fall 3 rise 2 observe layer4 weight 100",
        "server base-1-12345678 [2001:db8::1]:80 check inter 5s fastinter 1s fall 3 rise 2 observe layer4 weight 0",
        "server 10.0.0.3-80 10.0.0.3:80 check inter 5s fastinter 1s fall 3 rise 2 observe layer4 weight 0 disabled",
      ],
    },
    {
      name: "HTTP, with everything",
      fields: {
        protocol: "HTTP",
        balance: "LeastConnections",
        sticky: true,
        healthCheck: { type: "HTTP", path: "/healthz", periodSeconds: 10, failureThreshold: 2, successThreshold: 1 },
        timeouts: { connectSeconds: 1, idleSeconds: 2, tunnelSeconds: 3 },
        // Two gateways share seven.
        maxConnections: 7,
        slowStartSeconds: 30,
        instances: [instance],
      },
      want: [
        "mode http",
        "balance leastconn",
        "timeout connect 1s",
        "timeout server 2s",
        "timeout tunnel 3s",
        "option forwardfor",
        "http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]",
        "retry-on conn-failure empty-response",
        "http-request disable-l7-retry unless { method GET HEAD OPTIONS }",
        "cookie nuptse-instance insert indirect nocache httponly",
        "option httpchk",
        "http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host base.default",
        "server base-0-12345678 10.0.0.1:80 check inter 10s fastinter 1s fall 2 rise 1 observe layer4 maxconn 4 slowstart 30s weight 100 cookie 12345678",
      ],
    },
  ];
  for (const tc of backends) {
    it(`a backend of ${tc.name}`, () => {
      const service = makeService(tc.fields);
      assert.deepEqual(sectionOf(textOf(service), "backend "), tc.want);
    });
  }

  it("a service with TLS of its own has a port out of the range, and the shared port by its hosts", () => {
    const now = Date.UTC(2026, 0, 1);
    const authority = createAuthority({ commonName: "test", validDays: 1, now });
    const { certificatePem, privateKeyPem } = issueCertificate(authority, { commonName: "x", usages: ["server"], validDays: 1, now });
    const tls = { mode: "Terminate", certificate: { chain: certificatePem, key: privateKeyPem } } as const;
    const service = makeService({ protocol: "HTTP", port: 21_003, hostnames: ["pig.example"], tls });
    const configuration = configurationOf([service], noPool, settings);
    const { text } = renderFile(configuration);
    assert.match(text, /bind 0\.0\.0\.0:21000-21002,0\.0\.0\.0:21004-21009,0\.0\.0\.0:24000-24009\n/);
    const [pem = "", list = ""] = [...configuration.certificates.keys()];
    assert.match(pem, /^\/g\/certificates\/[0-9a-f]{32}\.pem$/);
    assert.equal(configuration.certificates.get(list), `${pem} pig.example\n`);
    assert.deepEqual(sectionOf(text, "frontend tls_21003"), [
      "mode http",
      `bind 0.0.0.0:21003 ssl crt ${pem}`,
      `bind [::]:21003 ssl crt ${pem}`,
      "default_backend http_21003",
    ]);
    assert.match(text, new RegExp(`bind 0\\.0\\.0\\.0:8443 ssl crt-list ${list} alpn h2,http/1\\.1\n`));
    assert.deepEqual(configuration.maps.get("ports"), new Map());
    assert.deepEqual(configuration.maps.get("tlsPrefix"), new Map([["pig.example/", "http_21003"]]));
    assert.doesNotMatch(text, /PRIVATE/);
  });

  it("each line that is rendered for a service is known to be its", () => {
    const services = [makeService(), makeService({ name: "other", port: 21_001 })];
    const { text, ownerOfLine } = renderFile(configurationOf(services, noPool, settings));
    const lines = text.split("\n");
    assert.equal(ownerOfLine(lines.findIndex((line) => line.startsWith("backend tcp_21000")) + 3), "default/base");
    assert.equal(ownerOfLine(lines.findIndex((line) => line.startsWith("backend tcp_21001")) + 1), "default/other");
    assert.equal(ownerOfLine(3), undefined);
  });

  it("hosts and paths are maps, exact ones apart from prefixes, which go by whole elements", () => {
    const paths = [
      { type: "Exact", value: "/health" },
      { type: "PathPrefix", value: "/v1" },
      { type: "PathPrefix", value: "/" },
    ] as const;
    const { maps } = configurationOf([makeService({ protocol: "HTTP", hostnames: ["pig.example"], paths })], noPool, settings);
    assert.equal(renderMap(maps.get("ports") ?? new Map()), "21000 http_21000\n");
    assert.equal(renderMap(maps.get("exact") ?? new Map()), "pig.example/health http_21000\n");
    assert.equal(renderMap(maps.get("prefix") ?? new Map()), "pig.example/v1/ http_21000\npig.example/ http_21000\n");
  });
});

describe("haproxy/configuration: the structure", () => {
  const pool = choosePool([], new Set(), settings);
  const structureOf = (...services: readonly PublishedService[]) =>
    configurationOf(services, choosePool(services, pool, settings), settings).structure;

  it("stays the same for a plain service on a port that is prepared, for its instances, and when it goes", () => {
    assert.equal(structureOf(makeService()), structureOf());
    assert.equal(structureOf(makeService({ instances: [instance] })), structureOf());
    assert.equal(structureOf(makeService({ protocol: "HTTP", hostnames: ["pig.example"] })), structureOf());
  });

  const others: readonly { readonly name: string; readonly fields: Partial<PublishedService> }[] = [
    { name: "a port that is not prepared", fields: { port: 21_005 } },
    { name: "a time-out of its own", fields: { timeouts: { connectSeconds: 6, idleSeconds: 1, tunnelSeconds: 1 } } },
    { name: "a limit", fields: { maxConnections: 5 } },
    { name: "a cookie", fields: { protocol: "HTTP", sticky: true } },
    { name: "another balance", fields: { balance: "RoundRobin" } },
  ];
  for (const tc of others) {
    it(`is another one for ${tc.name}`, () => assert.notEqual(structureOf(makeService(tc.fields)), structureOf()));
  }

  it("a pool is chosen anew only when less than a quarter of it is left, the lowest free ports first", () => {
    const roomy = { ...settings, sparePorts: 4 };
    const first = choosePool([], new Set(), roomy);
    assert.deepEqual(
      [...first].filter((name) => name.startsWith("tcp_")),
      ["tcp_21000", "tcp_21001", "tcp_21002", "tcp_21003", "tcp_24000", "tcp_24001", "tcp_24002", "tcp_24003"],
    );
    const on = (...ports: readonly number[]) => ports.map((port) => makeService({ name: `s${port}`, port }));
    assert.equal(choosePool(on(21_000, 21_001, 21_002), first, roomy).size, first.size);
    const anew = choosePool(on(21_000, 21_001, 21_002, 21_003), first, roomy);
    assert.deepEqual(
      [...anew].filter((name) => name.startsWith("tcp_21")),
      ["tcp_21000", "tcp_21001", "tcp_21002", "tcp_21003", "tcp_21004", "tcp_21005", "tcp_21006", "tcp_21007"],
    );
  });

  it("what waits for a reload does not keep the others waiting", () => {
    const running = configurationOf([], pool, settings);
    const services = [makeService({ instances: [instance] }), makeService({ name: "big", port: 21_005 })];
    const desired = configurationOf(services, choosePool(services, pool, settings), settings);
    const now = withinStructure(desired, running);
    assert.equal(now.structure, running.structure);
    assert.deepEqual(now.maps.get("ports"), new Map([["21000", "tcp_21000"]]));
    assert.deepEqual([...(now.backends.get("tcp_21000")?.servers.keys() ?? [])], ["base-0-12345678"]);
    assert.equal(now.backends.has("tcp_21005"), false);
  });
});

describe("haproxy/selection: who has a port or a host", () => {
  const at = (createdAt: string, fields: Partial<PublishedService>) => makeService({ createdAt, protocol: "HTTP", ...fields });
  const cases: readonly {
    readonly name: string;
    readonly services: readonly PublishedService[];
    readonly want: readonly string[];
    readonly problems: readonly string[];
  }[] = [
    {
      name: "the older one has the port",
      services: [at("2026-01-02T00:00:00Z", { name: "new" }), at("2026-01-01T00:00:00Z", { name: "old" })],
      want: ["old"],
      problems: ["default/new"],
    },
    {
      name: "of two from the same second the first by namespace and name",
      services: [at("2026-01-01T00:00:00Z", { namespace: "b", name: "a" }), at("2026-01-01T00:00:00Z", { namespace: "a", name: "z" })],
      want: ["z"],
      problems: ["b/a"],
    },
    {
      name: "a host with the same path belongs to one, and the other is served on its port all the same",
      services: [
        at("2026-01-02T00:00:00Z", { name: "new", port: 21_001, hostnames: ["a.b"] }),
        at("2026-01-01T00:00:00Z", { name: "old", hostnames: ["a.b"] }),
      ],
      want: ["old", "new"],
      problems: ["default/new"],
    },
    {
      name: "a host with another path belongs to both",
      services: [
        at("2026-01-02T00:00:00Z", { name: "new", port: 21_001, hostnames: ["a.b"], paths: [{ type: "PathPrefix", value: "/v1" }] }),
        at("2026-01-01T00:00:00Z", { name: "old", hostnames: ["a.b"] }),
      ],
      want: ["old", "new"],
      problems: [],
    },
    {
      name: "one that cannot be rendered is left out",
      services: [at("", { name: "a b" }), at("", { name: "c", port: 21_001 })],
      want: ["c"],
      problems: ["default/a b"],
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const { services, problems } = selectServices(tc.services, settings);
      assert.deepEqual(
        { names: services.map(({ name }) => name), problems: [...problems.keys()] },
        { names: tc.want, problems: tc.problems },
      );
    });
  }

  it("a conflict does not tell the other's name", () => {
    const { problems } = selectServices(
      [
        at("1", { namespace: "secret", name: "theirs", hostnames: ["a.b"] }),
        at("2", { namespace: "b", name: "ours", port: 21_001, hostnames: ["a.b"] }),
      ],
      settings,
    );
    assert.doesNotMatch(JSON.stringify([...problems]), /secret|theirs/);
  });
});
