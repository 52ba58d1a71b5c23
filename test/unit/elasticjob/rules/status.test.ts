import assert from "node:assert/strict";
import { IntervalSet } from "../../../../src/base/interval-set.ts";
import { iso, minutely } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

describe("status tells of runs", () => {
  it("while they are at work", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 4 }, retry: { otherNodes: 1 } } });
    world.to("12:00:00").start(0).start(1).start(2);
    world.to("12:00:03").exit(0).exit(1, 5).to("12:00:05");
    const { updatedAt, revision, ...entry } = world.active() ?? { run: "" };
    assert.equal(revision, world.status.currentRevision);
    assert.ok(updatedAt !== undefined && updatedAt >= iso("12:00:03.000") && updatedAt <= iso("12:00:05.000"), updatedAt);
    assert.deepEqual(entry, {
      run: "20261121t120000z",
      kind: "Schedule",
      phase: "Running",
      fireTime: iso("12:00:00"),
      items: "0-3",
      total: 4,
      startedAt: iso("12:00:00.000"),
      succeeded: "0",
      running: "2-3",
      failed: "",
      lost: 0,
      attempts: 4,
    });
    assert.deepEqual(world.status.summary, { schedule: "0 * * * *", progress: "1/4", lastRun: "Running", next: "11-21 13:00 UTC" });
    assert.equal(world.status.lastFireTime, iso("12:00:00"));
    assert.equal(world.status.nextFireTime, iso("13:00:00"));
  });

  it("after their end, with the results of the newest", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 2 } } });
    world.to("12:00:02").runs(0, 0, "n1", "17 words").runs(1, 0, "n2", "").settle();
    const entry = world.history();
    assert.equal(entry?.endedAt, iso("12:00:02.000"));
    assert.equal(entry?.succeeded, "0-1");
    assert.equal(entry?.running, undefined);
    assert.deepEqual(world.status.results, { run: "20261121t120000z", items: [{ item: 0, value: "17 words" }] });
    assert.equal(world.status.lastSuccessTime, iso("12:00:02"));
    assert.equal(world.condition("LastRunSucceeded"), "True:Succeeded");
    assert.equal(world.status.active, undefined);
  });

  it("a failed run does not touch Ready", () => {
    const world = JobWorld.accepted();
    world.to("12:00:02").runs(0, 1).settle();
    assert.equal(world.condition("Ready"), "True:Armed");
    assert.equal(world.condition("LastRunSucceeded"), "False:Failed");
  });

  it("history keeps the newest three of either kind", () => {
    const world = JobWorld.accepted({ spec: minutely, start: "11:59:30" });
    for (let minute = 0; minute < 10; minute++) {
      world.to(`12:0${minute}:00`);
      world.runs(0, minute % 2).settle();
    }
    assert.deepEqual(
      world.status.history?.map((run) => `${run.run.slice(9, 13)} ${run.phase}`),
      ["1209 Failed", "1208 Succeeded", "1207 Failed", "1206 Succeeded", "1205 Failed", "1204 Succeeded"],
    );
  });
});

describe("outcomes and failures in a row (decisions 17 and 48)", () => {
  it("are counted in the order of fire times, whatever order ends come in", () => {
    const world = JobWorld.accepted({ spec: { ...minutely, concurrencyPolicy: "Allow" }, start: "11:59:30" });
    world.to("12:02:10");
    world.runs(0, 1);
    world.settle();
    assert.equal(world.status.consecutiveFailures, 1);
    world.start(0, "n1", "20261121t120000z").exit(0, 0, { run: "20261121t120000z" }).settle();
    assert.equal(world.status.consecutiveFailures, 1, "an earlier fire time that succeeds later changes nothing");
    world.start(0, "n1", "20261121t120100z").exit(0, 1, { run: "20261121t120100z" }).settle();
    assert.equal(world.status.consecutiveFailures, 2);
    assert.deepEqual(
      world.status.outcomes?.notSucceeded?.map((entry) => entry.fireTime),
      [iso("12:01:00"), iso("12:02:00")],
    );
    assert.equal(world.status.outcomes?.lastSucceeded, iso("12:00:00"));
  });

  it("a success after failures is told as RunRecovered; plain success is no event", () => {
    const world = JobWorld.accepted({ spec: minutely, start: "11:59:30" });
    for (const [minute, exitCode] of [0, 1, 1, 0].entries()) world.to(`12:0${minute}:01`).runs(0, exitCode).settle();
    assert.deepEqual(
      world.events.map((event) => event.split(":")[0]),
      ["RunFailed", "RunFailed", "RunRecovered"],
    );
  });

  it("an older run that ends later overwrites neither LastRunSucceeded nor the results, and recovers nothing", () => {
    const world = JobWorld.accepted({ spec: { ...minutely, concurrencyPolicy: "Allow" }, start: "11:59:30" });
    world.to("12:01:10").start(0, "n1", "20261121t120100z").exit(0, 1, { run: "20261121t120100z", message: "newer" }).settle();
    world.start(0, "n1", "20261121t120000z").exit(0, 0, { run: "20261121t120000z", message: "older" }).settle();
    assert.equal(world.condition("LastRunSucceeded"), "False:Failed");
    assert.equal(world.status.results?.run, "20261121t120100z");
    assert.equal(world.status.consecutiveFailures, 1);
    assert.deepEqual(
      world.events.map((event) => event.split(":")[0]),
      ["RunFailed"],
    );
  });

  it("200 are listed; `from` says where knowledge begins", () => {
    const world = JobWorld.accepted({ spec: { ...minutely, misfire: { onDowntime: "Skip" } }, start: "00:00:00" });
    world.sleepTo("10:00:30").restart().settle();
    const { from, notSucceeded } = world.status.outcomes ?? {};
    assert.equal(notSucceeded?.length, 200);
    assert.equal(notSucceeded?.[0]?.fireTime, iso("06:41:00"));
    assert.equal(from, iso("06:40:00"));
  });
});

describe("bounds of status (decision 46)", () => {
  it("an interval set over 1 KiB is written as a bit map, and read back the same", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 1200 } } });
    world.to("12:00:01");
    for (let item = 0; item < 1200; item += 2) world.runs(item);
    world.to("12:00:05");
    const succeeded = world.active()?.succeeded as string;
    assert.match(succeeded, /^b64:/);
    assert.ok(succeeded.length < 250);
    assert.equal(IntervalSet.parse(succeeded).size, 600);
    world.restart().settle();
    for (let item = 1; item < 1200; item += 2) world.runs(item);
    world.settle();
    assert.equal(world.history()?.succeeded, "0-1199");
  });

  it("20 failures are told in detail", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 30 } } });
    world.to("12:00:01");
    for (let item = 0; item < 30; item++) world.runs(item, 1);
    world.settle();
    assert.equal(world.history()?.failures?.length, 20);
    assert.equal(world.history()?.failed, "0-29");
    assert.equal(world.history()?.message, "30 of 30 items failed");
  });

  it("64 KiB of results are kept of a run, the lowest items first, and what is left out is counted", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 20 }, results: { maxBytes: 4096 } } });
    world.to("12:00:01");
    for (let item = 0; item < 20; item++) world.runs(item, 0, "n1", "x".repeat(4096));
    world.settle();
    assert.equal(world.status.results?.items?.length, 16);
    assert.equal(world.status.results?.omitted, 4);
    assert.equal(world.status.results?.items?.at(-1)?.item, 15);
  });

  it("a result is cut at results.maxBytes, never within a character", () => {
    const world = JobWorld.accepted({ spec: { results: { maxBytes: 4 } } });
    world.to("12:00:01").runs(0, 0, "n1", "aé漢").settle();
    // a = 1 byte, é = 2, 漢 = 3: four bytes would end within the third.
    assert.deepEqual(world.status.results?.items, [{ item: 0, value: "aé" }]);
  });

  it("results.maxBytes 0 keeps none", () => {
    const world = JobWorld.accepted({ spec: { results: { maxBytes: 0 } } });
    world.to("12:00:01").runs(0, 0, "n1", "text").settle();
    assert.deepEqual(world.status.results?.items, []);
  });

  it("what failed programs said is no result", () => {
    const world = JobWorld.accepted();
    world.to("12:00:01").runs(0, 1, "n1", "out of memory").settle();
    assert.deepEqual(world.status.results?.items, []);
    assert.equal(world.history()?.failures?.[0]?.message, "Error: out of memory");
  });

  it("the largest run still fits: 10,000 items, half of them failed, in under 200 KiB", () => {
    const world = JobWorld.accepted({ spec: { sharding: { total: 1000 }, results: { maxBytes: 1024 } } });
    world.to("12:00:01");
    for (let item = 0; item < 1000; item++) world.runs(item, item % 2, "n1", "y".repeat(1000));
    world.settle();
    assert.ok(Buffer.byteLength(JSON.stringify(world.status)) < 200 * 1024);
  });
});

describe("conditions", () => {
  const cases: readonly { readonly name: string; readonly world: () => JobWorld; readonly want: Readonly<Record<string, string>> }[] = [
    { name: "accepted and armed", world: () => JobWorld.accepted(), want: { Ready: "True:Armed" } },
    { name: "suspended is Ready", world: () => JobWorld.accepted({ spec: { suspend: true } }), want: { Ready: "True:Suspended" } },
    {
      name: "without a schedule",
      world: () => {
        const world = new JobWorld();
        const { schedule: _none, ...spec } = world.job.spec;
        world.job = { ...world.job, spec };
        return world.settle();
      },
      want: { Ready: "True:NoSchedule" },
    },
    {
      name: "past endAt",
      world: () => JobWorld.accepted({ spec: { schedule: { crons: ["0 * * * *"], endAt: iso("11:00:00") } } }),
      want: { Ready: "True:ScheduleEnded" },
    },
    {
      name: "a bad spec is Stalled",
      world: () => JobWorld.accepted({ spec: { schedule: { crons: ["0 0 30 2 *"] } } }),
      want: { Ready: "False:InvalidSpec", Stalled: "True:InvalidSpec" },
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const world = tc.world();
      for (const [type, want] of Object.entries(tc.want)) assert.equal(world.condition(type), want);
    });
  }

  it("a bad spec names the path and what would be right, is told once, fires nothing, and does not loop", () => {
    const world = JobWorld.accepted();
    world.edit({ schedule: { crons: ["0 * * * *"], timeZone: "Mars/Olympus" }, sharding: { total: 3, disabledItems: "1,7" } }).settle();
    const message = world.status.conditions?.find((condition) => condition.type === "Ready")?.message ?? "";
    assert.match(message, /spec\.schedule\.timeZone: .*Mars\/Olympus/);
    assert.match(message, /spec\.sharding\.disabledItems: .*sharding\.total - 1 = 2/);
    assert.equal(world.events.filter((event) => event.startsWith("InvalidSpec")).length, 1);
    world.forgetLog();
    world.to("15:00:00");
    assert.deepEqual([world.writes, world.created], [[], []]);
    world.edit({ schedule: { crons: ["0 * * * *"] }, sharding: { total: 3 } }).settle();
    assert.equal(world.condition("Ready"), "True:Armed");
    assert.equal(world.condition("Stalled"), "False:Armed");
    assert.deepEqual(world.created, []);
    world.to("16:00:00");
    assert.equal(world.created.length, 3);
  });

  it("lastTransitionTime moves only when the status of the condition does, observedGeneration always", () => {
    const world = JobWorld.accepted({ start: "11:00:30" });
    world.to("11:30:00").edit({ suspend: true }).settle();
    const ready = world.status.conditions?.find((condition) => condition.type === "Ready");
    assert.equal(ready?.lastTransitionTime, iso("11:00:30"));
    assert.equal(ready?.observedGeneration, 2);
    assert.equal(world.status.observedGeneration, 2);
  });
});
