import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../../src/api/elastic-job.gen.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

type Calendars = NonNullable<NonNullable<ElasticJobSpec["schedule"]>["calendars"]>;

const exclude: Calendars = [{ name: "holidays", effect: "Exclude" }];
const spec = (calendars: Calendars = exclude): Partial<ElasticJobSpec> => ({ schedule: { crons: ["* * * * *"], calendars } });
const present = (text: string) => ({ kind: "present", text }) as const;
const runsOf = (world: JobWorld) => world.created.map((which) => which.slice(9, 13));
const ready = (world: JobWorld) => world.condition("Ready");
const message = (world: JobWorld) => world.status.conditions?.find(({ type }) => type === "Ready")?.message ?? "";

/** A job created at 11:59:30 whose calendar says `text`. */
function begin(text: string | undefined, differs: Partial<ElasticJobSpec> = {}): JobWorld {
  const world = new JobWorld({ spec: { ...spec(), ...differs }, start: "11:59:30" });
  world.calendars.set("holidays", text === undefined ? { kind: "missing" } : present(text));
  world.settle().forgetLog();
  return world;
}

const untilFive = "2026-11-21T12:00/2026-11-21T12:05";

describe("schedule.calendars (decision 43)", () => {
  it("nothing fires inside of an excluded stretch, and what passes there is not owed after it", () => {
    const world = begin(untilFive);
    assert.equal(world.status.nextFireTime, iso("12:05:00"));
    assert.equal(world.plan().wakeAt, at("12:05:00"));
    world.to("12:05:00");
    assert.deepEqual(runsOf(world), ["1205"]);
    assert.deepEqual(world.events, []);
  });

  it("the content that is in force is kept in a ControllerRevision of the job, before anything fires by it", () => {
    const world = new JobWorld({ spec: spec(), start: "11:59:30" });
    world.calendars.set("holidays", present(untilFive));
    world.settle();
    const name = world.status.schedule?.calendars ?? "";
    const revision = world.revisions.find(({ metadata }) => metadata.name === name);
    assert.deepEqual(revision?.data, { calendars: [{ name: "holidays", text: untilFive }] });
    assert.deepEqual(
      revision?.metadata.ownerReferences?.map(({ kind, controller }) => [kind, controller]),
      [["ElasticJob", true]],
    );
    assert.deepEqual(
      world.writes.filter((write) => write.includes("revision")),
      ["create revision", "create revision"],
    );
    assert.equal(world.writes.filter((write) => write === "status").length, 1);
  });

  it("a calendar that is being read is no change of the schedule: nothing fires, and nothing is written", () => {
    const world = begin(untilFive);
    world.calendars.set("holidays", { kind: "loading" });
    world.revisions = world.revisions.filter(({ metadata }) => metadata.name !== world.status.schedule?.calendars);
    world.sleepTo("12:05:10").restart().settle();
    assert.deepEqual(world.writes, []);
    assert.equal(world.status.nextFireTime, iso("12:05:00"));
    world.calendars.set("holidays", present(untilFive));
    world.settle();
    assert.deepEqual(runsOf(world), ["1205"]);
  });

  it("while it is being read the last good content holds", () => {
    const world = begin(untilFive);
    world.calendars.set("holidays", { kind: "loading" });
    world.restart().to("12:05:00");
    assert.deepEqual(runsOf(world), ["1205"]);
  });

  it("a new leader that has not read a calendar that is missing leaves the job as it is", () => {
    const world = begin(untilFive);
    world.calendars.set("holidays", { kind: "missing" });
    world.settle().forgetLog();
    world.calendars.set("holidays", { kind: "loading" });
    world.sleepTo("12:10:30").restart().settle();
    assert.deepEqual(world.writes, []);
    assert.equal(ready(world), "False:CalendarMissing");
    world.calendars.set("holidays", { kind: "missing" });
    world.to("12:12:00");
    assert.deepEqual(world.writes, []);
  });

  it("nor does it take back that the last good content is in force", () => {
    const world = begin(untilFive);
    world.calendars.set("holidays", present("Christmas"));
    world.settle().forgetLog();
    world.calendars.set("holidays", { kind: "loading" });
    world.restart().settle();
    assert.deepEqual(world.writes, []);
    assert.equal(ready(world), "True:CalendarKept");
  });

  it("runs at work go on while a calendar is being read", () => {
    const world = begin("2026-12-25", { retry: { sameNode: 1, backoff: { initialSeconds: 1 } } });
    world.to("12:00:00").start(0);
    world.calendars.set("holidays", { kind: "loading" });
    world.revisions = world.revisions.filter(({ metadata }) => metadata.name !== world.status.schedule?.calendars);
    world.exit(0, 1).to("12:00:05");
    assert.deepEqual(world.created, ["20261121t120000z/0/1", "20261121t120000z/0/2"]);
  });

  it("unknown ConfigMap: CalendarMissing, fires nothing, says so once", () => {
    const world = begin(undefined);
    world.to("12:10:00");
    assert.deepEqual(runsOf(world), []);
    assert.equal(ready(world), "False:CalendarMissing");
    assert.equal(world.condition("Stalled"), "True:CalendarMissing");
    assert.match(
      message(world),
      /no ConfigMap "holidays", neither in the job's namespace nor in the operator's; create it with the key "dates"/,
    );
    assert.equal(world.status.nextFireTime, undefined);
  });

  it("when it is there, the job is armed, and nothing fires for what passed", () => {
    const world = begin(undefined);
    world.to("12:10:30");
    world.calendars.set("holidays", present("2026-12-25"));
    world.settle();
    assert.deepEqual(runsOf(world), []);
    assert.equal(ready(world), "True:Armed");
    world.to("12:11:00");
    assert.deepEqual(runsOf(world), ["1211"]);
  });

  it("edited into nonsense: the last good content holds, with a condition and one event that name line and column", () => {
    const world = begin(untilFive);
    world.calendars.set("holidays", present("2026-12-25\nChristmas"));
    world.to("12:05:00");
    assert.deepEqual(runsOf(world), ["1205"]);
    assert.equal(ready(world), "True:CalendarKept");
    assert.match(message(world), /ConfigMap "holidays", key "dates", line 2, column 1: "Christmas" is not understood/);
    assert.deepEqual(world.events.filter((event) => event.startsWith("CalendarInvalid")).length, 1);
    world.calendars.set("holidays", present("2026-12-25"));
    world.settle();
    assert.equal(ready(world), "True:Armed");
  });

  it("the last good content outlives the operator that read it", () => {
    const world = begin(untilFive);
    world.calendars.set("holidays", present("nonsense"));
    world.restart().to("12:05:00");
    assert.deepEqual(runsOf(world), ["1205"]);
  });

  it("nonsense from the start: CalendarInvalid, fires nothing", () => {
    const world = begin("Christmas");
    world.to("12:10:00");
    assert.deepEqual(runsOf(world), []);
    assert.equal(ready(world), "False:CalendarInvalid");
  });

  it("a ConfigMap without the key says which is missing", () => {
    const world = begin("2026-12-25");
    world.calendars.set("holidays", { kind: "present", text: undefined });
    world.settle();
    assert.match(message(world), /has no key "dates"/);
  });

  it("without the permission to read ConfigMaps: what was good holds, else CalendarMissing with the server's word", () => {
    const world = begin(untilFive);
    world.calendars.set("holidays", { kind: "unreadable", message: "configmaps is forbidden" });
    world.settle();
    assert.equal(ready(world), "True:CalendarKept");
    const fresh = new JobWorld({ spec: spec(), start: "11:59:30" });
    fresh.calendars.set("holidays", { kind: "unreadable", message: "configmaps is forbidden" });
    fresh.settle();
    assert.equal(ready(fresh), "False:CalendarMissing");
    assert.match(message(fresh), /the operator may not read ConfigMap "holidays": configmaps is forbidden/);
  });

  it("taking out a holiday never fires for the past (decision 12)", () => {
    const world = begin("2026-11-21", { misfire: { onDowntime: "FireAll" } });
    world.to("12:10:30");
    world.calendars.set("holidays", present("2026-12-25"));
    world.to("12:10:59");
    assert.deepEqual(runsOf(world), []);
    world.to("12:11:00");
    assert.deepEqual(runsOf(world), ["1211"]);
    assert.equal(world.status.outcomes?.from, iso("12:10:30"));
  });

  it("nor after a restart in between", () => {
    const world = begin("2026-11-21", { misfire: { onDowntime: "FireAll" } });
    world.sleepTo("12:10:30").restart();
    world.calendars.set("holidays", present("2026-12-25"));
    world.to("12:10:59");
    assert.deepEqual(runsOf(world), []);
  });

  it("an edit that changes the content collects the revision before it", () => {
    const world = begin("2026-12-25");
    world.calendars.set("holidays", present("2026-12-26"));
    world.settle();
    const kept = world.revisions.map(({ metadata }) => metadata.name).filter((name) => name.includes("-calendars-"));
    assert.deepEqual(kept, [world.status.schedule?.calendars]);
    assert.deepEqual(world.writes, ["create revision", "status", "delete revision"]);
  });

  it("a job that names no calendar any more keeps none", () => {
    const world = begin("2026-12-25");
    world.edit({ schedule: { crons: ["* * * * *"] } }).settle();
    assert.equal(world.status.schedule?.calendars, undefined);
    assert.deepEqual(
      world.revisions.filter(({ metadata }) => metadata.name.includes("-calendars-")),
      [],
    );
  });

  it("a crash between the revision and the status ends as if there had been none", () => {
    const world = new JobWorld({ spec: spec(), start: "11:59:30" });
    world.calendars.set("holidays", present(untilFive));
    for (let round = 0; round < 6; round++) {
      world.step(() => true, round > 3);
      world.restart();
    }
    world.settle();
    assert.equal(ready(world), "True:Armed");
    assert.equal(world.revisions.length, 2);
  });

  it("TreatAsWeekday makes a Saturday a working day", () => {
    const world = new JobWorld({
      spec: { schedule: { crons: ["0 12 * * 1-5"], calendars: [{ name: "makeup", effect: "TreatAsWeekday" }] } },
      start: "11:59:30",
    });
    world.calendars.set("makeup", present("2026-11-21"));
    world.to("12:00:00");
    assert.deepEqual(runsOf(world), ["1200"]);
  });
});
