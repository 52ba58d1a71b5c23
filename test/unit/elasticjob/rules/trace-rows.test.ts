import assert from "node:assert/strict";
import type { TraceAttempt } from "../../../../src/api/trace.ts";
import { at, jobUid, minutely } from "../../../support/builders/elastic-job.ts";
import { TracedWorld } from "../../../support/builders/traced-world.ts";

const identity = { namespace: "tenant", job: "report", jobUid, run: "20261121t120000z" };

describe("rows of the event trace, elasticjob.md section 5", () => {
  it("a short run of one item: that it ran, how it ended, and its attempt", () => {
    const world = TracedWorld.traced();
    world.to("12:00:00").to("12:00:01").start(0, "n2").to("12:00:02").exit(0);
    world.settle();
    assert.deepEqual(world.rows, [
      {
        ...identity,
        type: "attempt",
        item: 0,
        attempt: 1,
        pod: "report-0a1b2c3d-20261121t120000z-0-1",
        source: "Schedule",
        // the container's end no longer tells its start
        endedAt: at("12:00:02"),
        success: true,
        result: "Succeeded",
        reason: "Completed",
        exitCode: 0,
        failureCause: "",
        host: "n2",
        ip: "",
      },
      {
        ...identity,
        type: "state",
        scope: "Run",
        items: "0",
        state: "Running",
        reason: "",
        message: "",
        at: at("12:00:00"),
        source: "Schedule",
        fireTime: at("12:00:00"),
        startedAt: at("12:00:00"),
        total: 1,
      },
      {
        ...identity,
        type: "state",
        scope: "Run",
        items: "0",
        state: "Succeeded",
        reason: "Completed",
        message: "",
        at: at("12:00:02"),
        source: "Schedule",
        fireTime: at("12:00:00"),
        startedAt: at("12:00:00"),
        total: 1,
        succeeded: 1,
        failed: 0,
        lost: 0,
      },
    ]);
  });

  const cases: readonly { readonly name: string; readonly play: () => TracedWorld; readonly want: readonly string[] }[] = [
    {
      name: "an attempt that is repeated has its row when the next one is created",
      play: () => {
        const world = TracedWorld.traced({ spec: { retry: { sameNode: 1 } } });
        return world.to("12:00:00").runs(0, 3).to("12:00:20");
      },
      want: ["Run Running", "attempt 0/1 Failed Error", "Items 0 Running"],
    },
    {
      name: "an item that fails for good: both attempts, each once but for the one that may be told twice",
      play: () => {
        const world = TracedWorld.traced({ spec: { retry: { sameNode: 1 } } });
        return world.to("12:00:00").runs(0, 3).to("12:00:20").runs(0, 4).settle();
      },
      want: [
        "Run Running",
        "attempt 0/1 Failed Error",
        "Items 0 Running",
        "attempt 0/2 Failed Error",
        "attempt 0/1 Failed Error",
        "Run Failed ItemsFailed",
      ],
    },
    {
      name: "an item that is lost: its attempt is Lost, the next one is a failover",
      play: () => {
        const world = TracedWorld.traced();
        world.to("12:00:00").start(0).to("12:00:05").vanish(0).to("12:00:20").runs(0).settle();
        return world;
      },
      want: [
        "Run Running",
        "attempt 0/1 Lost Vanished",
        "attempt 0/2 Succeeded Completed",
        "attempt 0/1 Lost Vanished",
        "Run Succeeded Completed",
      ],
    },
    {
      name: "progress that status records is told by sets of items, and what the run's own row says is not repeated",
      play: () => {
        const world = TracedWorld.traced({ spec: { sharding: { total: 3 } } });
        world.to("12:00:00").start(0).start(1).start(2).to("12:00:02").exit(0).exit(2).to("12:00:06");
        return world.to("12:00:10").exit(1).settle();
      },
      want: [
        "attempt 0/1 Succeeded Completed",
        "attempt 2/1 Succeeded Completed",
        "Run Running",
        "Items 1 Running",
        "Items 0,2 Succeeded",
        "attempt 1/1 Succeeded Completed",
        "Run Succeeded Completed",
        "Items 1 Succeeded",
      ],
    },
    {
      name: "a fire time that is given up is a run that was Skipped",
      play: () => {
        const world = TracedWorld.traced({ spec: minutely });
        world.to("12:00:00").start(0).to("12:02:30").exit(0).settle();
        return world;
      },
      want: ["Run Running", "attempt 0/1 Succeeded Completed", "Run Succeeded Completed", "Run Skipped Overlap", "Run Skipped Overlap"],
    },
    {
      name: "an attempt that ran into its time limit is Failed by that name",
      play: () => {
        const world = TracedWorld.traced({ spec: { itemTimeoutSeconds: 10 } });
        world.to("12:00:00").start(0).to("12:00:10").vanish(0).settle();
        return world;
      },
      want: ["Run Running", "attempt 0/1 Failed ItemTimeout", "Run Failed ItemsFailed"],
    },
  ];
  for (const tc of cases) it(tc.name, () => assert.deepEqual(tc.play().told(), tc.want));

  it("the second attempt after a loss has the source Failover", () => {
    const world = TracedWorld.traced();
    world.to("12:00:00").start(0).to("12:00:05").vanish(0).to("12:00:20").runs(0).settle();
    const sources = world.rows.flatMap((row) => (row.type === "attempt" ? [`${row.attempt} ${row.source}`] : []));
    assert.deepEqual(sources, ["1 Schedule", "2 Failover", "1 Schedule"]);
  });

  it("a cause has at most 4,000 characters, no NUL and no half of a character", () => {
    const world = TracedWorld.traced();
    world
      .to("12:00:00")
      .runs(0, 1, "n1", `a\0b\uD800${"x".repeat(5000)}`)
      .settle();
    const [row] = world.rows as TraceAttempt[];
    assert.equal(row?.failureCause, `Error: a\uFFFDb\uFFFD${"x".repeat(5000)}`.slice(0, 4000));
  });

  it("nothing is told before the status that says it is acknowledged", () => {
    const world = TracedWorld.traced();
    world.to("12:00:00").runs(0);
    world.step(() => true, false);
    assert.deepEqual(world.told(), []);
  });

  it("a write whose answer was lost is told of when the stored status shows it", () => {
    const world = TracedWorld.traced();
    world.to("12:00:00").runs(0);
    world.statusAnswer = "failed";
    world.step();
    assert.deepEqual(world.told(), []);
    world.statusAnswer = "done";
    world.settle();
    assert.deepEqual(world.told(), ["Run Running", "Run Succeeded Completed", "attempt 0/1 Succeeded Completed"]);
  });

  it("a new leader tells again what ended in the last ten minutes, in the same rows", () => {
    const world = TracedWorld.traced({ spec: { retry: { sameNode: 1 }, podRetention: { failed: 2 } } });
    world.to("12:00:00").runs(0, 1).to("12:00:20").runs(0, 4).settle();
    const first = world.rows;
    world.rows = [];
    world.sleepTo("12:05:00").restart().settle();
    const text = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row));
    assert.equal(world.rows.length, 4);
    const known = text(first);
    assert.deepEqual(
      text(world.rows).filter((row) => !known.includes(row)),
      [],
    );
    world.rows = [];
    world.sleepTo("12:20:00").restart().settle();
    assert.deepEqual(world.told(), []);
  });
});
