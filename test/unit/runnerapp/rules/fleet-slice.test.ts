import assert from "node:assert/strict";
import type { EndpointSlice, SliceEndpoint } from "../../../../src/api/endpoint-slice.ts";
import { fleetSlice, instancesIn } from "../../../../src/runnerapp/rules/fleet-slice.ts";

const ready = { ready: true, serving: true, terminating: false };
const notReady = { ready: false, serving: false, terminating: false };
const leaving = { ready: false, serving: true, terminating: true };

function endpoint(address: string, conditions?: SliceEndpoint["conditions"], targetRef?: SliceEndpoint["targetRef"]): SliceEndpoint {
  return { addresses: [address], ...(conditions !== undefined && { conditions }), ...(targetRef !== undefined && { targetRef }) };
}

function slice(endpoints: readonly SliceEndpoint[] | null, addressType = "IPv4"): EndpointSlice {
  const labels = { "kubernetes.io/service-name": "machines" };
  return { metadata: { name: "s", namespace: "tenant", labels }, addressType, endpoints };
}

const podRef = (name: string) => ({ kind: "Pod", namespace: "tenant", name, uid: `uid-of-${name}` });

const cases: readonly { readonly name: string; readonly slices: readonly EndpointSlice[]; readonly want: readonly string[] }[] = [
  { name: "a pod is known by its UID", slices: [slice([endpoint("10.0.0.1", ready, podRef("a"))])], want: ["uid-of-a a 10.0.0.1 ready"] },
  {
    name: "what is no pod is known by its address",
    slices: [
      slice([endpoint("10.0.0.1", ready), endpoint("10.0.0.2", ready, { kind: "VirtualMachineInstance", name: "vm", uid: "uid-of-vm" })]),
    ],
    want: ["10.0.0.1 10.0.0.1 10.0.0.1 ready", "10.0.0.2 10.0.0.2 10.0.0.2 ready"],
  },
  {
    name: "a pod of another namespace, and one without a UID, cannot be looked at: their addresses count",
    slices: [
      slice([endpoint("10.0.0.1", ready, { ...podRef("a"), namespace: "other" }), endpoint("10.0.0.2", ready, { kind: "Pod", name: "b" })]),
    ],
    want: ["10.0.0.1 10.0.0.1 10.0.0.1 ready", "10.0.0.2 10.0.0.2 10.0.0.2 ready"],
  },
  {
    name: "without a namespace a target is of the slice's",
    slices: [slice([endpoint("10.0.0.1", ready, { kind: "Pod", name: "a", uid: "uid-of-a" })])],
    want: ["uid-of-a a 10.0.0.1 ready"],
  },
  {
    name: "absent conditions say that it is ready",
    slices: [slice([endpoint("10.0.0.1"), endpoint("10.0.0.2", {}), endpoint("10.0.0.3", { serving: true })])],
    want: ["10.0.0.1 10.0.0.1 10.0.0.1 ready", "10.0.0.2 10.0.0.2 10.0.0.2 ready", "10.0.0.3 10.0.0.3 10.0.0.3 ready"],
  },
  {
    name: "one that is not ready is there all the same",
    slices: [slice([endpoint("10.0.0.1", notReady)])],
    want: ["10.0.0.1 10.0.0.1 10.0.0.1 -"],
  },
  {
    name: "one that is about to end takes nothing new, also where its Service publishes what is not ready",
    slices: [slice([endpoint("10.0.0.1", leaving, podRef("a")), endpoint("10.0.0.2", { ...leaving, ready: true }, podRef("b"))])],
    want: ["uid-of-a a 10.0.0.1 -", "uid-of-b b 10.0.0.2 -"],
  },
  {
    name: "a pod with addresses of both families is one instance, at its IPv4",
    slices: [slice([endpoint("fd00::1", ready, podRef("a"))], "IPv6"), slice([endpoint("10.0.0.1", ready, podRef("a"))])],
    want: ["uid-of-a a 10.0.0.1 ready"],
  },
  {
    name: "a pod in two slices is ready when one of them says so",
    slices: [slice([endpoint("10.0.0.1", notReady, podRef("a"))]), slice([endpoint("10.0.0.1", ready, podRef("a"))])],
    want: ["uid-of-a a 10.0.0.1 ready"],
  },
  { name: "names of hosts are no addresses", slices: [slice([endpoint("vm.example", ready)], "FQDN")], want: [] },
  {
    name: "of several addresses the first counts",
    slices: [slice([{ addresses: ["10.0.0.1", "10.0.0.2"] }])],
    want: ["10.0.0.1 10.0.0.1 10.0.0.1 ready"],
  },
  { name: "a slice may be empty", slices: [slice(null), slice([]), slice([{ addresses: [] }])], want: [] },
];

describe("instances of a fleet that somebody else runs", () => {
  for (const { name, slices, want } of cases)
    it(name, () => {
      const found = instancesIn(slices.map(fleetSlice));
      assert.deepEqual(
        found.map(({ id, name: called, address, isReady }) => `${id} ${called} ${address} ${isReady ? "ready" : "-"}`),
        want,
      );
    });
});
