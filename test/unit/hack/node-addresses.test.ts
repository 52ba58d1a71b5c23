import assert from "node:assert/strict";
import { BlockList } from "node:net";
import { mostNodes, nodeAddresses } from "../../../hack/node/addresses.ts";

const all = Array.from({ length: mostNodes }, (_, number) => nodeAddresses(number));

describe("the addresses of nodes on one machine", () => {
  it("are told apart by their links, whose names a kernel takes", () => {
    assert.equal(new Set(all.map(({ link }) => link)).size, mostNodes);
    assert.ok(all.every(({ link }) => link.length < 16));
  });

  it("overlap with nobody's", () => {
    for (const [index, { pods, services }] of all.entries()) {
      const ranges = new BlockList();
      for (const range of [pods, services]) ranges.addSubnet(range.split("/")[0] ?? "", Number(range.split("/")[1]), "ipv4");
      for (const [other, { machine, node, pods: otherPods, firstService }] of all.entries()) {
        for (const address of [machine, node]) assert.ok(!ranges.check(address), address);
        for (const address of [otherPods.split("/")[0] ?? "", firstService]) assert.equal(ranges.check(address), other === index, address);
      }
    }
  });
});
