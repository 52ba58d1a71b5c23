import assert from "node:assert/strict";
import {
  assignedInstances,
  deal,
  type Deal,
  nextAssignments,
  readyInstances,
} from "../../../../src/elasticjob/rules/resident/assignments.ts";
import { makeInstance } from "../../../support/builders/resident-world.ts";

const average: Deal = { strategy: "Average", jobName: "report", total: 4, fireTime: 0, periodMs: 60_000 };
const named = (...names: readonly string[]) => names.map((name) => makeInstance(name));

describe("the order of instances", () => {
  const cases: readonly { readonly name: string; readonly given: readonly string[]; readonly want: readonly string[] }[] = [
    { name: "ordinals are numbers", given: ["w-10", "w-9", "w-2"], want: ["w-2", "w-9", "w-10"] },
    {
      name: "two revisions of a fleet keep their places",
      given: ["w-bbbbb-1", "w-bbbbb-0", "w-aaaaa-1"],
      want: ["w-bbbbb-0", "w-aaaaa-1", "w-bbbbb-1"],
    },
    { name: "names without a number come in their order, behind", given: ["w-x7f", "w-0", "w-ab12"], want: ["w-0", "w-ab12", "w-x7f"] },
  ];
  for (const { name, given, want } of cases)
    it(name, () =>
      assert.deepEqual(
        readyInstances(named(...given)).map((instance) => instance.name),
        want,
      ),
    );

  it("what is not ready or has ended gets nothing", () => {
    const instances = [makeInstance("w-0", { isReady: false }), makeInstance("w-1", { isOver: true }), makeInstance("w-2")];
    assert.deepEqual(
      readyInstances(instances).map(({ name }) => name),
      ["w-2"],
    );
  });
});

describe("status.assignments", () => {
  it("holds the items of each instance, and has the same revision while they are the same", () => {
    const first = nextAssignments(undefined, "workers", deal(named("w-0", "w-1"), average));
    assert.deepEqual(first, {
      revision: 1,
      runner: "workers",
      instances: [
        { id: "uid-w-0", name: "w-0", items: "0-1" },
        { id: "uid-w-1", name: "w-1", items: "2-3" },
      ],
    });
    assert.equal(nextAssignments(first, "workers", deal(named("w-0", "w-1"), average)), first);
  });

  it("has the next revision when an instance came, went or was replaced under its name", () => {
    const first = nextAssignments(undefined, "workers", deal(named("w-0", "w-1"), average));
    const cases = [named("w-0"), named("w-0", "w-1", "w-2"), [makeInstance("w-0"), makeInstance("w-1", { id: "another" })]];
    for (const instances of cases) assert.equal(nextAssignments(first, "workers", deal(instances, average)).revision, 2);
  });

  it("tells of one fleet only", () => {
    const stored = nextAssignments(undefined, "workers", deal(named("w-0"), average));
    assert.equal(assignedInstances(stored, "workers").get(3), "uid-w-0");
    assert.equal(assignedInstances(stored, "others").size, 0);
    assert.equal(nextAssignments(stored, "others", deal(named("w-0"), average)).revision, 2);
  });

  it("jobs with one item are spread over the instances by their names", () => {
    const instances = readyInstances(named(...Array.from({ length: 10 }, (_, index) => `w-${index}`)));
    const counts = new Map<string, number>();
    for (let job = 0; job < 300; job++) {
      const dealt = nextAssignments(undefined, "workers", deal(instances, { ...average, total: 1, jobName: `job-${job}` }));
      const name = dealt.instances?.[0]?.name as string;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    assert.equal(counts.size, 10);
    for (const [name, count] of counts) assert.ok(count >= 10 && count <= 60, `${name} has ${count} of 300`);
  });
});
