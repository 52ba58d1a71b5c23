import assert from "node:assert/strict";
import fc from "fast-check";
import { configurationOf } from "../../../src/haproxy/rules/configuration.ts";
import { batches, type Command, diff, isNotYet, type RunningState } from "../../../src/haproxy/rules/diff.ts";
import type { Instance, PublishedService } from "../../../src/haproxy/rules/published-service.ts";
import { selectServices } from "../../../src/haproxy/rules/selection.ts";
import type { ServerState } from "../../../src/haproxy/rules/replies.ts";
import type { GatewaySettings } from "../../../src/haproxy/rules/settings.ts";
import { choosePool } from "../../../src/haproxy/rules/spare-pool.ts";
import { makeService } from "../../support/builders/published-service.ts";
import { HaproxyDouble } from "./haproxy-double.ts";

const settings: GatewaySettings = {
  folder: "/g",
  bind: ["0.0.0.0"],
  pools: [{ first: 21_000, last: 21_004 }],
  httpPort: 8080,
  httpsPort: 8443,
  maxConnections: 1000,
  gateways: 1,
  hardStopAfterSeconds: 600,
  sparePorts: 5,
};
const pool = choosePool([], new Set(), settings);
const configure = (services: readonly PublishedService[]) => configurationOf(selectServices(services, settings).services, pool, settings);
const pod = (name: string, fields: Partial<Instance> = {}): Instance => ({
  uid: "12345678-uid",
  pod: name,
  address: "10.0.0.1",
  port: 80,
  state: "ready",
  ...fields,
});
const running = (name: string, fields: Partial<ServerState> = {}): ServerState => ({
  backend: "tcp_21000",
  name: `${name}-12345678`,
  address: "10.0.0.1",
  port: 80,
  weight: 100,
  maintenance: false,
  drained: false,
  up: true,
  ...fields,
});
const options = "check inter 5s fastinter 1s fall 3 rise 2 observe layer4";
const mapped = new Map([["ports", new Map([["21000", "tcp_21000"]])]] as const);

const cases: readonly {
  readonly name: string;
  readonly instances?: readonly Instance[];
  readonly services?: readonly PublishedService[];
  readonly servers: readonly ServerState[];
  readonly rest?: Partial<RunningState>;
  readonly want: readonly string[];
}[] = [
  { name: "all is as it shall be", instances: [pod("a")], servers: [running("a")], want: [] },
  {
    name: "a new instance comes before the old one leaves",
    instances: [pod("b")],
    servers: [running("a")],
    rest: { owners: new Map([["tcp_21000", "default/base"]]) },
    want: [
      `add server tcp_21000/b-12345678 10.0.0.1:80 ${options} weight 100`,
      "enable health tcp_21000/b-12345678",
      "set server tcp_21000/b-12345678 state ready",
      "set server tcp_21000/a-12345678 state maint",
      "del server tcp_21000/a-12345678",
    ],
  },
  {
    name: "a new service is open last",
    instances: [pod("a", { address: "2001:db8::1" })],
    servers: [],
    rest: { maps: new Map([["ports", new Map()]]) },
    want: [
      `add server tcp_21000/a-12345678 [2001:db8::1]:80 ${options} weight 100`,
      "enable health tcp_21000/a-12345678",
      "set server tcp_21000/a-12345678 state ready",
      "add map /g/ports.map 21000 tcp_21000",
    ],
  },
  {
    name: "a port that went to another owner is closed first and open last",
    instances: [pod("b")],
    servers: [running("a")],
    rest: { owners: new Map([["tcp_21000", "default/other"]]), maps: mapped },
    want: [
      "del map /g/ports.map 21000",
      "set server tcp_21000/a-12345678 state maint",
      "del server tcp_21000/a-12345678",
      `add server tcp_21000/b-12345678 10.0.0.1:80 ${options} weight 100`,
      "enable health tcp_21000/b-12345678",
      "set server tcp_21000/b-12345678 state ready",
      "add map /g/ports.map 21000 tcp_21000",
    ],
  },
  {
    name: "so is one whose owner nobody remembers, where nothing is in common",
    instances: [pod("b", { state: "maint" })],
    servers: [running("a")],
    rest: { maps: mapped },
    want: [
      "del map /g/ports.map 21000",
      "set server tcp_21000/a-12345678 state maint",
      "del server tcp_21000/a-12345678",
      `add server tcp_21000/b-12345678 10.0.0.1:80 ${options} weight 0`,
      "enable health tcp_21000/b-12345678",
      "add map /g/ports.map 21000 tcp_21000",
    ],
  },
  {
    name: "a service that is gone is closed first",
    services: [],
    servers: [running("a")],
    rest: { maps: mapped },
    want: ["del map /g/ports.map 21000", "set server tcp_21000/a-12345678 state maint", "del server tcp_21000/a-12345678"],
  },
  {
    name: "a drained instance keeps what it has",
    instances: [pod("a", { state: "drain" })],
    servers: [running("a")],
    want: ["set server tcp_21000/a-12345678 weight 0"],
  },
  {
    name: "an instance that comes back from maintenance",
    instances: [pod("a")],
    servers: [running("a", { weight: 0, maintenance: true })],
    want: ["set server tcp_21000/a-12345678 weight 100", "set server tcp_21000/a-12345678 state ready"],
  },
  {
    name: "an address and a drain set by hand",
    instances: [pod("a")],
    servers: [running("a", { address: "10.9.9.9", drained: true })],
    want: ["set server tcp_21000/a-12345678 addr 10.0.0.1 port 80", "set server tcp_21000/a-12345678 state ready"],
  },
  {
    name: "one that could not be deleted yet is only deleted",
    instances: [pod("b")],
    servers: [running("a", { maintenance: true }), running("b")],
    want: ["del server tcp_21000/a-12345678"],
  },
  {
    name: "one that is overdue loses its sessions",
    instances: [pod("b")],
    servers: [running("a", { maintenance: true }), running("b")],
    rest: { overdue: new Set(["tcp_21000/a-12345678"]) },
    want: ["shutdown sessions server tcp_21000/a-12345678", "del server tcp_21000/a-12345678"],
  },
  {
    name: "map entries that somebody added or changed by hand",
    instances: [pod("a")],
    servers: [running("a")],
    rest: {
      maps: new Map([
        [
          "ports",
          new Map([
            ["21000", "tcp_21001"],
            ["80", "tcp_21001"],
          ]),
        ],
      ]),
    },
    want: ["del map /g/ports.map 80", "set map /g/ports.map 21000 tcp_21000"],
  },
];

describe("haproxy/diff: commands for", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const desired = configure(tc.services ?? [makeService({ instances: tc.instances ?? [] })]);
      const seen: RunningState = { servers: new Map([["tcp_21000", tc.servers]]), owners: new Map(), overdue: new Set(), ...tc.rest };
      assert.deepEqual(
        diff(desired, seen, settings).map(({ text }) => text),
        tc.want,
      );
    });
  }
});

const anyInstance = fc.record({
  uid: fc.constantFrom("11111111-uid", "22222222-uid"),
  pod: fc.constantFrom("a", "b", "c", ""),
  address: fc.constantFrom("10.0.0.1", "10.0.0.2", "2001:db8::1"),
  port: fc.constantFrom(80, 81),
  state: fc.constantFrom("ready" as const, "drain" as const, "maint" as const),
});
const anyService = fc.record({
  name: fc.constantFrom("a", "b", "c"),
  protocol: fc.constantFrom("TCP" as const, "HTTP" as const),
  port: fc.integer({ min: 21_000, max: 21_004 }),
  instances: fc.array(anyInstance, { maxLength: 5 }),
});
const anyServices = fc
  .array(anyService, { maxLength: 4 })
  .map((list) => list.map((fields) => makeService({ ...fields, hostnames: fields.protocol === "HTTP" ? [`${fields.name}.example`] : [] })));

describe("haproxy/diff: any sequence of changes", () => {
  it("HAProxy takes each command, has what shall be in the end, and nothing is left to do", () => {
    fc.assert(
      fc.property(fc.array(anyServices, { minLength: 1, maxLength: 5 }), (sequence) => {
        const haproxy = new HaproxyDouble(settings);
        const owners = new Map<string, string>();
        const look = (): RunningState => ({ servers: haproxy.servers(pool), maps: haproxy.maps, owners, overdue: new Set() });
        for (const services of sequence) {
          const desired = configure(services);
          for (const command of diff(desired, look(), settings)) haproxy.run(command);
          for (const [name, { owner }] of desired.backends) if (owner !== undefined) owners.set(name, owner);
          assert.deepEqual(diff(desired, look(), settings), []);
          assert.deepEqual(haproxy.maps, desired.maps);
          const have = [...haproxy.servers(pool)].map(([name, list]) => [name, list.map((state) => state.name).sort()]);
          assert.deepEqual(
            have.sort(),
            [...pool].map((name) => [name, [...(desired.backends.get(name)?.servers.keys() ?? [])].sort()]).sort(),
          );
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("at no moment a port leads to a service while instances of another one are in its backend", () => {
    fc.assert(
      fc.property(anyServices, anyServices, (before, after) => {
        const haproxy = new HaproxyDouble(settings);
        const [first, second] = [configure(before), configure(after)];
        const owners = new Map([...first.backends].flatMap(([name, { owner }]) => (owner === undefined ? [] : [[name, owner]])));
        const look = (known: ReadonlyMap<string, string>): RunningState => ({
          servers: haproxy.servers(pool),
          maps: haproxy.maps,
          owners: known,
          overdue: new Set(),
        });
        for (const command of diff(first, look(new Map()), settings)) haproxy.run(command);
        for (const command of diff(second, look(owners), settings)) {
          haproxy.run(command);
          for (const [port, backend] of haproxy.maps.get("ports") ?? []) {
            const was = first.backends.get(backend);
            const is = second.backends.get(backend);
            if (was?.owner === undefined || is?.owner === undefined || was.owner === is.owner) continue;
            const theirs = (haproxy.servers([backend]).get(backend) ?? []).filter(
              ({ name, maintenance }) => is.servers.has(name) && !was.servers.has(name) && !maintenance,
            );
            const left = (haproxy.servers([backend]).get(backend) ?? []).filter(
              ({ name, maintenance }) => !is.servers.has(name) && !maintenance,
            );
            assert.ok(theirs.length === 0 || left.length === 0, `port ${port} leads to both`);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("haproxy/diff: batches", () => {
  const command = (length: number): Command => ({ text: "x".repeat(length), mayWait: false });
  it("are filled up to the limit and never over it", () => {
    const sizes = batches([command(9), command(9), command(9), command(19), command(25)], 20).map((batch) =>
      batch.map(({ text }) => text.length),
    );
    assert.deepEqual(sizes, [[9, 9], [9], [19], [25]]);
    assert.deepEqual(batches([]), []);
  });
  it("a server that still has connections is asked again, anything else is an error", () => {
    assert.equal(isNotYet("Server still has connections attached to it, cannot remove it."), true);
    assert.equal(isNotYet("No such server."), false);
  });
});
