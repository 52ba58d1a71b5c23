import assert from "node:assert/strict";
import type { Action } from "../../../../src/api/action.ts";
import { nodes, pods } from "../../../../src/api/resource.ts";
import { type ObservedNode, planNode } from "../../../../src/runnerapp/rules/node-care.ts";
import { at } from "../../../support/builders/elastic-job.ts";

const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n1", uid: "node-uid", resourceVersion: "7" } };

/** A node that nobody takes, with an instance on it. */
const observed = (differs: Partial<ObservedNode> = {}): ObservedNode => ({
  node,
  taken: false,
  marked: false,
  annotated: true,
  instances: 1,
  mayMark: true,
  complaints: { count: 0 },
  agreeing: 3,
  told: false,
  now: at("12:00:00"),
  ...differs,
});

const seen = { op: "test", path: "/metadata/resourceVersion", value: "7" } as const;
const path = "/metadata/annotations/nuptse.dev~1evacuated";
const add = { op: "add", path, value: "2026-11-21T12:00:00Z" } as const;
const patch = { tag: "patch", resource: nodes, ref: { name: "n1" }, uid: "node-uid", resourceVersion: "7" } as const;
const unless = { resource: pods, labelSelector: "nuptse.dev/app", fieldSelector: "spec.nodeName=n1" };
const empty = { taken: true, instances: 0 };

interface Case {
  readonly name: string;
  readonly observed?: Partial<ObservedNode>;
  readonly want: readonly Action[];
}

const cases: readonly Case[] = [
  { name: "a node that nobody takes is left alone", want: [] },
  { name: "one that is being taken, too, while an instance is on it", observed: { taken: true }, want: [] },
  {
    name: "none left: marked, as it was seen, and unless a live look finds one",
    observed: empty,
    want: [{ ...patch, operations: [seen, add], unless }],
  },
  {
    name: "a node without any annotation gets its first",
    observed: { ...empty, annotated: false },
    want: [{ ...patch, operations: [seen, { op: "add", path: "/metadata/annotations", value: {} }, add], unless }],
  },
  { name: "it is marked once", observed: { ...empty, marked: true }, want: [] },
  {
    name: "given back it loses the mark",
    observed: { marked: true, instances: 0 },
    want: [{ ...patch, operations: [seen, { op: "remove", path }] }],
  },
  {
    name: "and when an instance is on it again",
    observed: { taken: true, marked: true, instances: 1 },
    want: [{ ...patch, operations: [seen, { op: "remove", path }] }],
  },
  { name: "without the switch nothing is written to nodes", observed: { ...empty, mayMark: false }, want: [] },
];

describe("what is done about a node", () => {
  for (const tc of cases) it(tc.name, () => assert.deepEqual(planNode(observed(tc.observed)).actions, tc.want));

  const complaints = { count: 3, until: at("13:00:00") };
  const told = (differs: Partial<ObservedNode>) => {
    const { actions, suspect, wakeAt } = planNode(observed(differs));
    return { events: actions.flatMap((action) => (action.tag === "event" ? [`${action.reason}: ${action.note}`] : [])), suspect, wakeAt };
  };

  it("three that agree on it are worth an event, and another look when one of them says so no more", () =>
    assert.deepEqual(told({ complaints }), {
      events: [
        "NodeSuspect: 3 apps and jobs say that it fails them, and what they run does well on other nodes; look at the node, or cordon it",
      ],
      suspect: true,
      wakeAt: at("13:00:00"),
    }));

  const quiet: readonly (readonly [string, Partial<ObservedNode>, boolean])[] = [
    ["two are not enough", { complaints: { count: 2, until: at("13:00:00") } }, false],
    ["it is told once", { complaints, told: true }, true],
    ["nothing is said of a node that is being taken", { complaints, taken: true }, false],
  ];
  for (const [name, differs, suspect] of quiet)
    it(name, () => {
      const { events, suspect: is } = told(differs);
      assert.deepEqual([events, is], [[], suspect]);
    });

  it("with 0 as the number that must agree nobody is told", () => {
    const { agreeing: _, ...never } = observed({ complaints });
    assert.deepEqual(planNode(never), { actions: [], reasons: [], suspect: false });
  });
});
