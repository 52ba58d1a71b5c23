import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { allowedFailures } from "../../../../src/elasticjob/rules/completion.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const world = (completion: ElasticJobSpec["completion"], more: Partial<ElasticJobSpec> = {}) =>
  JobWorld.accepted({ spec: { sharding: { total: 4 }, ...more, ...(completion !== undefined && { completion }) } }).to("12:00:00");

describe("completion.maxFailedItems", () => {
  const shares: readonly { readonly name: string; readonly most: number | string; readonly total: number; readonly want: number }[] = [
    { name: "a number is itself", most: 3, total: 10, want: 3 },
    { name: "a share is of the run's items", most: "10%", total: 20, want: 2 },
    { name: "and rounded down", most: "10%", total: 19, want: 1 },
    { name: "so that a small share of few items is none", most: "10%", total: 9, want: 0 },
    { name: "100% are all", most: "100%", total: 7, want: 7 },
    { name: "0% is none", most: "0%", total: 7, want: 0 },
  ];
  for (const tc of shares) it(tc.name, () => assert.equal(allowedFailures({ maxFailedItems: tc.most, failFast: true }, tc.total), tc.want));

  it("the run succeeds with up to so many failed items, and says so", () => {
    const run = world({ maxFailedItems: 2 });
    run.runs(0, 1).runs(1).runs(2, 1).runs(3).settle();
    assert.equal(run.history()?.phase, "Succeeded");
    assert.equal(run.history()?.message, "2 of 4 items failed, and 2 may");
    assert.equal(run.history()?.failed, "0,2");
    assert.equal(run.condition("LastRunSucceeded"), "True:Succeeded");
    assert.deepEqual(
      run.events.filter((text) => text.startsWith("RunFailed")),
      [],
    );
  });

  it("one more, and the run has failed", () => {
    const run = world({ maxFailedItems: 1, failFast: false });
    run.runs(0, 1).runs(1).runs(2, 1).runs(3).settle();
    assert.equal(run.history()?.phase, "Failed");
    assert.equal(run.history()?.message, "2 of 4 items failed");
  });

  it("a share counts the items that belong to the run: disabled ones do not", () => {
    // 50 % of 3.
    const run = world({ maxFailedItems: "50%" }, { sharding: { total: 4, disabledItems: "3" } });
    run.runs(0, 1).runs(1).runs(2).settle();
    assert.equal(run.history()?.phase, "Succeeded");
  });

  it("does not make a success of a run that was ended", () => {
    const run = world({ maxFailedItems: 4 }, { runTimeoutSeconds: 60 });
    run.start(0).to("12:01:00").exit(0, 143).settle();
    run.to("12:02:00");
    assert.equal(run.history()?.phase, "Failed");
    assert.equal(run.history()?.reason, "RunTimeout");
  });
});

describe("completion.failFast", () => {
  it("by default the first item that fails for good cancels the rest: the record first, then their pods", () => {
    const run = world(undefined, { sharding: { total: 4, parallelism: 3 } });
    run.start(0).start(1).start(2);
    run.to("12:00:06").forgetLog();
    run.exit(1, 9);
    run.step();
    assert.deepEqual(run.writes, ["status"], "the record alone");
    assert.deepEqual(
      [run.active()?.ending?.reason, run.active()?.ending?.message, run.active()?.failed],
      ["ItemsFailed", "1 of 4 items failed", "1"],
    );
    run.step();
    assert.deepEqual(run.writes, ["status", "delete 0/1", "delete 2/1"]);
    run.exit(0, 143).exit(2, 143).settle();
    const entry = run.history();
    assert.deepEqual([entry?.phase, entry?.reason, entry?.message], ["Failed", "ItemsFailed", "1 of 4 items failed"]);
    assert.deepEqual(
      entry?.failures?.map(({ item, reason }) => `${item} ${reason}`),
      ["1 RetriesExhausted", "0 Cancelled", "2 Cancelled", "3 Cancelled"],
    );
    assert.match(
      run.events.find((text) => text.startsWith("RunFailed")) ?? "",
      /failed: items 1 exit 9 after 1 attempt \(nodes n1\); see:/,
    );
    assert.deepEqual(
      run.created.map((which) => which.slice(17)),
      [],
      "what waited never began",
    );
  });

  it("waits for what retries an item has", () => {
    const run = world(undefined, { retry: { otherNodes: 1 } });
    run.start(0).start(1).start(2).runs(3, 9, "n1").settle();
    assert.equal(run.active()?.ending, undefined);
    run.to("12:00:10").runs(3, 9, "n2");
    run.step();
    assert.equal(run.active()?.ending?.reason, "ItemsFailed");
  });

  it("an item that ends well while it is being cancelled has succeeded", () => {
    const run = world(undefined);
    run.start(0).start(1).start(2).runs(3, 9).settle();
    run.exit(0, 143).exit(1, 143);
    const pod = run.pod(2);
    const { deletionTimestamp: _, deletionGracePeriodSeconds: __, ...metadata } = pod.metadata;
    // Its end came before the deletion was asked for, and is seen after it.
    run
      .show({ ...pod, metadata }, { ...pod.status, containerStatuses: [{ name: "main", state: { terminated: { exitCode: 0 } } }] })
      .settle();
    assert.equal(run.history()?.succeeded, "2");
  });

  it("false: the others go on to their end, and the run has failed then", () => {
    const run = world({ failFast: false });
    run.start(0).start(1).start(2).runs(3, 9).settle();
    assert.equal(run.active()?.ending, undefined);
    run.exit(0).exit(1).exit(2).settle();
    assert.deepEqual([run.history()?.phase, run.history()?.succeeded], ["Failed", "0-2"]);
  });

  it("the last item needs no second record", () => {
    const run = world(undefined);
    run.runs(0).runs(1).runs(2).start(3);
    run.to("12:00:06").forgetLog();
    run.exit(3, 9).step();
    assert.deepEqual(run.writes, ["status"]);
    assert.equal(run.history()?.reason, "ItemsFailed");
  });

  it("a crash after the record: the next leader deletes, and starts nothing again", () => {
    const run = world(undefined);
    run.start(0).start(1).start(2).runs(3, 9);
    run.step();
    run.forgetLog();
    run.now = at("12:00:30");
    run.restart().settle();
    assert.deepEqual(run.writes, ["delete 0/1", "delete 1/1", "delete 2/1"]);
    assert.deepEqual(run.created, []);
  });
});
