import assert from "node:assert/strict";
import type { ElasticJob, ElasticJobSpec, ElasticJobStatus } from "../../../../src/api/elastic-job.gen.ts";
import { createSchedule } from "../../../../src/cron/schedule.ts";
import { dependencyState } from "../../../../src/elasticjob/rules/dependencies.ts";
import { effectiveSpec } from "../../../../src/elasticjob/rules/effective-spec.ts";
import { upstreamOf } from "../../../../src/elasticjob/rules/upstream.ts";
import { at, iso, makeJob } from "../../../support/builders/elastic-job.ts";

type After = NonNullable<ElasticJobSpec["after"]>[number];
const hourly = { crons: ["0 * * * *"] };

describe("what an upstream says of a fire time", () => {
  const entry = (run: string, phase: string) => ({ run, phase, fireTime: "" });
  const known: ElasticJobStatus = {
    lastHandledFireTime: iso("14:00:00"),
    outcomes: {
      from: iso("09:00:00"),
      lastSucceeded: iso("13:00:00"),
      notSucceeded: [
        { fireTime: iso("10:00:00"), outcome: "Failed" },
        { fireTime: iso("11:00:00"), outcome: "Skipped" },
        { fireTime: iso("12:00:00"), outcome: "Cancelled" },
      ],
    },
    active: [entry("20261121t140000z", "Running")],
    history: [entry("20261121t080000z", "Succeeded")],
  };
  const cases: readonly {
    readonly name: string;
    readonly after: Partial<After>;
    readonly fireTime: string;
    readonly want: string;
    readonly status?: ElasticJobStatus;
    readonly spec?: Partial<ElasticJobSpec>;
    readonly own?: string;
  }[] = [
    { name: "Same: the upstream run of the same logical fire time succeeded", after: {}, fireTime: "13:00:00", want: "met" },
    { name: "Same: it failed", after: {}, fireTime: "10:00:00", want: "never" },
    { name: "Same, Failed: it failed", after: { outcome: "Failed" }, fireTime: "10:00:00", want: "met" },
    { name: "Same, Failed: it succeeded", after: { outcome: "Failed" }, fireTime: "13:00:00", want: "never" },
    { name: "Same, Failed: one that was cancelled has not failed", after: { outcome: "Failed" }, fireTime: "12:00:00", want: "never" },
    { name: "Same, Completed: `Skipped` upstream counts as Completed", after: { outcome: "Completed" }, fireTime: "11:00:00", want: "met" },
    { name: "Same: one that was skipped has not succeeded", after: {}, fireTime: "11:00:00", want: "never" },
    { name: "Same: it goes on, though lastHandledFireTime has passed it", after: {}, fireTime: "14:00:00", want: "DependencyPending" },
    { name: "Same: it has not come yet", after: {}, fireTime: "15:00:00", want: "DependencyPending" },
    { name: "Same: the upstream does not fire then", after: {}, fireTime: "13:30:00", want: "never" },
    { name: "Same: older than what status tells about, but in history", after: {}, fireTime: "08:00:00", want: "met" },
    { name: "Same: older than what status tells about", after: {}, fireTime: "07:00:00", want: "never, unknown" },
    {
      name: "Same: upstream suspended: the run waits and says so",
      after: {},
      fireTime: "15:00:00",
      spec: { suspend: true },
      want: "UpstreamSuspended",
    },
    {
      name: "Same: what is at work goes on while the upstream is suspended",
      after: {},
      fireTime: "14:00:00",
      spec: { suspend: true },
      want: "DependencyPending",
    },
    { name: "Same: no status yet", after: {}, fireTime: "13:00:00", status: {}, want: "DependencyPending" },
    { name: "Latest: its latest ended run", after: { fireTime: "Latest" }, fireTime: "15:30:00", want: "met" },
    {
      name: "Latest: not older than maxAgeSeconds",
      after: { fireTime: "Latest", maxAgeSeconds: 3600 },
      fireTime: "14:00:00",
      want: "met",
    },
    {
      name: "Latest: older than maxAgeSeconds",
      after: { fireTime: "Latest", maxAgeSeconds: 3599 },
      fireTime: "14:00:00",
      want: "DependencyPending",
    },
    {
      name: "Latest: it ended otherwise, so the next is waited for",
      after: { fireTime: "Latest", outcome: "Failed" },
      fireTime: "15:00:00",
      want: "DependencyPending",
    },
    {
      name: "Latest: a skipped fire time is no run",
      after: { fireTime: "Latest", outcome: "Failed" },
      fireTime: "11:30:00",
      status: { ...known, outcomes: { from: iso("09:00:00"), notSucceeded: known.outcomes?.notSucceeded?.slice(0, 2) as never } },
      want: "met",
    },
    { name: "Latest: none has ended", after: { fireTime: "Latest" }, fireTime: "15:00:00", status: {}, want: "DependencyPending" },
    {
      name: "AllInPeriod: all its fire times since this job's previous one",
      after: { fireTime: "AllInPeriod" },
      fireTime: "14:00:00",
      own: "0 */2 * * *",
      status: {
        ...known,
        active: [],
        outcomes: { from: iso("09:00:00"), notSucceeded: [{ fireTime: iso("12:00:00"), outcome: "Failed" }] },
      },
      want: "met",
    },
    {
      name: "AllInPeriod: one of them did not succeed",
      after: { fireTime: "AllInPeriod" },
      fireTime: "12:00:00",
      own: "0 */2 * * *",
      want: "never",
    },
    {
      name: "AllInPeriod: one of them goes on",
      after: { fireTime: "AllInPeriod", outcome: "Completed" },
      fireTime: "14:00:00",
      own: "0 */2 * * *",
      want: "DependencyPending",
    },
    {
      name: "AllInPeriod: one of them has not come yet",
      after: { fireTime: "AllInPeriod" },
      fireTime: "16:00:00",
      own: "0 */2 * * *",
      status: { ...known, active: [] },
      want: "DependencyPending",
    },
    {
      name: "AllInPeriod, Completed: however they ended",
      after: { fireTime: "AllInPeriod", outcome: "Completed" },
      fireTime: "12:00:00",
      own: "0 */2 * * *",
      want: "met",
    },
    {
      name: "AllInPeriod, Failed: one of them succeeded",
      after: { fireTime: "AllInPeriod", outcome: "Failed" },
      fireTime: "14:00:00",
      own: "0 */4 * * *",
      status: { ...known, active: [] },
      want: "never",
    },
    {
      name: "AllInPeriod: of a daily over an hourly needs 24 outcomes",
      after: { fireTime: "AllInPeriod" },
      fireTime: "00:00:00",
      own: "0 0 * * *",
      status: { lastHandledFireTime: iso("00:00:00"), outcomes: { from: "2026-11-20T00:00:00Z", notSucceeded: [] } },
      want: "met",
    },
    {
      name: "AllInPeriod: the 24th of them failed",
      after: { fireTime: "AllInPeriod" },
      fireTime: "00:00:00",
      own: "0 0 * * *",
      status: {
        lastHandledFireTime: iso("00:00:00"),
        outcomes: { from: "2026-11-20T00:00:00Z", notSucceeded: [{ fireTime: "2026-11-20T01:00:00Z", outcome: "Failed" }] },
      },
      want: "never",
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const job: ElasticJob = makeJob({ schedule: hourly, ...tc.spec }, { metadata: { name: "up" }, status: tc.status ?? known });
      const upstream = upstreamOf(job, createSchedule({ crons: ["0 * * * *"], anchor: 0 }));
      const spec = effectiveSpec({ ...job.spec, after: [{ job: "up", ...tc.after }] });
      const own = tc.own === undefined ? undefined : createSchedule({ crons: [tc.own], anchor: 0 });
      const state = dependencyState(spec, { upstreams: new Map([["up", upstream]]), derived: false }, own, at(tc.fireTime));
      assert.equal(
        state.kind === "waits" ? state.reason : state.kind === "never" && state.unknown ? "never, unknown" : state.kind,
        tc.want,
      );
    });
  }

  it("a missing upstream is a wait (DependencyMissing), not a refusal: GitOps applies in any order", () => {
    const spec = effectiveSpec({ ...makeJob().spec, after: [{ job: "up" }] });
    const state = dependencyState(spec, { upstreams: new Map(), derived: false }, undefined, at("12:00:00"));
    assert.deepEqual(state, { kind: "waits", reason: "DependencyMissing", message: "job up does not exist in this namespace" });
  });
});
