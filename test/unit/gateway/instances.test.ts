import assert from "node:assert/strict";
import { type InstanceMemory, instanceStates } from "../../../src/gateway/rules/instances.ts";
import type { EndpointSlice, SliceEndpoint } from "../../../src/api/endpoint-slice.ts";

const drainMs = 30_000;
const ready = { ready: true, serving: true, terminating: false };
const notReady = { ready: false, serving: false, terminating: false };
const leaving = { ready: false, serving: true, terminating: true };
const gone = { ready: false, serving: false, terminating: true };

function endpoint(name: string, conditions: SliceEndpoint["conditions"], address = "10.0.0.1"): SliceEndpoint {
  return { addresses: [address], ...(conditions !== undefined && { conditions }), targetRef: { kind: "Pod", name, uid: `${name}-uid` } };
}
function slice(endpoints: readonly SliceEndpoint[] | null, fields: Partial<EndpointSlice> = {}): EndpointSlice {
  return { metadata: { name: "s" }, addressType: "IPv4", ports: [{ name: "api", port: 8080, protocol: "TCP" }], endpoints, ...fields };
}
const statesOf = (
  slices: readonly EndpointSlice[],
  memory: InstanceMemory = new Map(),
  now = 0,
  port: number | readonly string[] = ["http", "api"],
) => instanceStates(slices, port, memory, now, drainMs);
const shown = (slices: readonly EndpointSlice[], memory?: InstanceMemory, now?: number) =>
  statesOf(slices, memory, now).instances.map(({ pod, address, state }) => `${pod} ${address} ${state}`);
/** Was ready a moment ago. */
const known: InstanceMemory = new Map([
  ["a-uid", {}],
  ["b-uid", {}],
]);

const cases: readonly {
  readonly name: string;
  readonly slices: readonly EndpointSlice[];
  readonly memory?: InstanceMemory;
  readonly want: readonly string[];
}[] = [
  { name: "ready", slices: [slice([endpoint("a", ready)])], want: ["a 10.0.0.1 ready"] },
  {
    name: "without conditions, which the API says to take for ready",
    slices: [slice([endpoint("a", undefined)])],
    want: ["a 10.0.0.1 ready"],
  },
  { name: "with an absent ready", slices: [slice([endpoint("a", { serving: true })])], want: ["a 10.0.0.1 ready"] },
  { name: "not ready and never seen ready: it only starts", slices: [slice([endpoint("a", notReady)])], want: [] },
  {
    name: "not ready any more",
    slices: [slice([endpoint("a", notReady), endpoint("b", ready, "10.0.0.2")])],
    memory: known,
    want: ["a 10.0.0.1 drain", "b 10.0.0.2 ready"],
  },
  {
    name: "about to end and serving",
    slices: [slice([endpoint("a", leaving), endpoint("b", ready, "10.0.0.2")])],
    want: ["a 10.0.0.1 drain", "b 10.0.0.2 ready"],
  },
  {
    name: "about to end and not serving",
    slices: [slice([endpoint("a", gone), endpoint("b", ready, "10.0.0.2")])],
    memory: known,
    want: ["b 10.0.0.2 ready"],
  },
  {
    name: "about to end, and nothing else is ready",
    slices: [slice([endpoint("a", leaving), endpoint("b", notReady, "10.0.0.2")])],
    memory: known,
    want: ["a 10.0.0.1 ready", "b 10.0.0.2 drain"],
  },
  {
    name: "the same pod in two slices, ready in one",
    slices: [slice([endpoint("a", leaving)]), slice([endpoint("a", ready)])],
    want: ["a 10.0.0.1 ready"],
  },
  {
    name: "a pod with addresses of both families: one server",
    slices: [slice([endpoint("a", ready, "2001:db8::1")], { addressType: "IPv6" }), slice([endpoint("a", ready)])],
    want: ["a 10.0.0.1 ready"],
  },
  { name: "IPv6 only", slices: [slice([endpoint("a", ready, "2001:db8::1")], { addressType: "IPv6" })], want: ["a 2001:db8::1 ready"] },
  { name: "host names, which are no addresses", slices: [slice([endpoint("a", ready, "a.example")], { addressType: "FQDN" })], want: [] },
  { name: "a slice without endpoints", slices: [slice(null)], want: [] },
  { name: "a slice without the port", slices: [slice([endpoint("a", ready)], { ports: [{ name: "metrics", port: 9 }] })], want: [] },
  {
    name: "a port of UDP with the name",
    slices: [slice([endpoint("a", ready)], { ports: [{ name: "api", port: 9, protocol: "UDP" }] })],
    want: [],
  },
  { name: "an address that is no pod's", slices: [slice([{ addresses: ["10.0.0.9"] }])], want: [" 10.0.0.9 ready"] },
];

describe("gateway/instances: an endpoint", () => {
  for (const tc of cases) it(tc.name, () => assert.deepEqual(shown(tc.slices, tc.memory), tc.want));

  it("has the port of the slice by the first name that is there, or the number that was asked for", () => {
    const both = slice([endpoint("a", ready)], {
      ports: [
        { name: "api", port: 1 },
        { name: "http", port: 2 },
      ],
    });
    assert.equal(statesOf([both]).instances[0]?.port, 2);
    assert.equal(statesOf([both], new Map(), 0, 99).instances[0]?.port, 99);
  });

  it("that is not ready any more drains for its time, is in maintenance for a minute, is forgotten, and comes back as it was", () => {
    const slices = [slice([endpoint("a", notReady), endpoint("b", ready, "10.0.0.2")])];
    const at = (now: number, memory: InstanceMemory) => {
      const { instances, memory: after, changesAt } = statesOf(slices, memory, now);
      return { state: instances.find(({ pod }) => pod === "a")?.state, after, changesAt };
    };
    const first = at(1000, known);
    assert.deepEqual({ state: first.state, changesAt: first.changesAt }, { state: "drain", changesAt: 31_000 });
    assert.equal(at(30_999, first.after).state, "drain");
    const second = at(31_000, first.after);
    assert.deepEqual({ state: second.state, changesAt: second.changesAt }, { state: "maint", changesAt: 91_000 });
    const third = at(91_000, second.after);
    assert.deepEqual({ state: third.state, changesAt: third.changesAt }, { state: undefined, changesAt: Number.POSITIVE_INFINITY });
    assert.equal(at(91_001, third.after).state, undefined, "still not ready: it stays forgotten");
    const back = statesOf([slice([endpoint("a", ready)])], first.after, 2000);
    assert.deepEqual([back.instances[0]?.state, back.memory.get("a-uid")], ["ready", {}]);
  });
});
