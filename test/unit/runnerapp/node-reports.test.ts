import assert from "node:assert/strict";
import { NodeReports } from "../../../src/runnerapp/node-reports.ts";

const of = (...nodes: readonly (readonly [string, number])[]) => new Map(nodes);

describe("what apps and jobs say of nodes", () => {
  let changed: string[];
  let reports: NodeReports;
  beforeEach(() => {
    changed = [];
    reports = new NodeReports((node) => changed.push(node));
  });

  it("each is counted once, until what it says is over", () => {
    reports.report("a", of(["n1", 100]));
    reports.report("b", of(["n1", 200], ["n2", 300]));
    reports.add("a", "n1", 150);
    assert.deepEqual(reports.of("n1", 99), { count: 2, until: 150 });
    assert.deepEqual(reports.of("n1", 150), { count: 1, until: 200 });
    assert.deepEqual(reports.of("n1", 200), { count: 0 });
    assert.deepEqual(reports.of("n2", 200), { count: 1, until: 300 });
    assert.deepEqual(changed, ["n1", "n1", "n2", "n1"]);
  });

  it("what an app says takes the place of what it said before", () => {
    reports.report("a", of(["n1", 100], ["n2", 100]));
    reports.report("a", of(["n2", 100]));
    assert.deepEqual([reports.of("n1", 0).count, reports.of("n2", 0).count], [0, 1]);
  });

  it("the same said again changes nothing", () => {
    reports.report("a", of(["n1", 100]));
    changed.length = 0;
    reports.report("a", of(["n1", 100]));
    assert.deepEqual(changed, []);
  });

  it("who is gone says nothing any more", () => {
    reports.report("a", of(["n1", 100]));
    reports.add("a", "n2", 100);
    reports.forget("a");
    assert.deepEqual([reports.of("n1", 0), reports.of("n2", 0)], [{ count: 0 }, { count: 0 }]);
    assert.deepEqual(changed, ["n1", "n2", "n1", "n2"]);
  });
});
