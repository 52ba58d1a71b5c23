import assert from "node:assert/strict";
import type { Pod } from "../../../../src/api/core.ts";
import { releasesOfAll } from "../../../../src/podgate/rules/release.ts";

const gate = { name: "nuptse.dev/queue" };
const other = { name: "other.example/gate" };

function pod(name: string, gates: readonly { readonly name: string }[], more: { metadata?: object; phase?: string } = {}): Pod {
  return {
    metadata: { name, namespace: "red", uid: `uid-${name}`, resourceVersion: "7", ...more.metadata },
    spec: { containers: [{ name: "main", resources: { requests: { cpu: "64" } } }], schedulingGates: gates },
    status: { phase: more.phase ?? "Pending" },
  } as Pod;
}

describe("letting all waiting pods go", () => {
  it("takes our gate alone, also where the label is gone, and only where it still stands", () => {
    const released = releasesOfAll([
      pod("waits", [other, gate], { metadata: { labels: { "nuptse.dev/queue": "q" } } }),
      pod("unlabelled", [gate]),
      pod("theirs", [other]),
      pod("going", [gate], { metadata: { deletionTimestamp: "2026-11-21T12:00:00Z" } }),
      pod("ended", [gate], { phase: "Failed" }),
    ]);
    assert.deepEqual(
      released.map(({ ref, uid, operations }) => [ref.name, uid, operations]),
      [
        [
          "waits",
          "uid-waits",
          [
            { op: "test", path: "/spec/schedulingGates/1/name", value: "nuptse.dev/queue" },
            { op: "remove", path: "/spec/schedulingGates/1" },
          ],
        ],
        [
          "unlabelled",
          "uid-unlabelled",
          [
            { op: "test", path: "/spec/schedulingGates/0/name", value: "nuptse.dev/queue" },
            { op: "remove", path: "/spec/schedulingGates/0" },
          ],
        ],
      ],
    );
  });
});
