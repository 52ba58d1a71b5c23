import assert from "node:assert/strict";
import type { ConfigMap, Namespace } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import { configMaps, namespaces } from "../../src/api/resource.ts";
import { formatSeconds, parseTime } from "../../src/base/time.ts";
import { armedSecond, elasticJob, every, type JobSpec, onceAt, runId } from "./support/jobs.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { together } from "./support/together.ts";

const namespace = "schedules";
const observed = "observed";

describe("schedules on a real control plane", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace, observed], nodes: [{ name: "n1" }, { name: "n2" }] });

  before("start the operator", async function () {
    this.timeout(timeLimits.operatorReady);
    const operator = await cluster().operator("operator-a");
    await operator.ready();
    await operator.leading();
  });

  const create = (name: string, spec: JobSpec) => cluster().create(elasticJob(namespace, name, spec));
  const until = (name: string, what: string, isSo: (job: ElasticJob) => boolean, within = namespace) =>
    cluster().until(within, name, what, isSo);
  const ready = (job: ElasticJob) => job.status?.conditions?.find(({ type }) => type === "Ready");
  const calendar = (name: string, dates: string): ConfigMap => ({ metadata: { name, namespace }, data: { dates } });
  const writeCalendar = (name: string, dates: string) => cluster().client.create(configMaps, calendar(name, dates));
  const editCalendar = (name: string, dates: string) =>
    cluster().client.patch(configMaps, { namespace, name }, { type: "merge", body: { data: { dates } } });
  /** A stretch of UTC as a calendar writes it. */
  const stretch = (from: number, to: number) => `${formatSeconds(from).slice(0, 19)}/${formatSeconds(to).slice(0, 19)}`;

  describe("side by side", () => {
    together([
      {
        name: "jitterSeconds: starts so much later as its name says, under its fire time's name",
        async run() {
          const at = armedSecond();
          // FNV-1a-32("schedules/spread-1") mod 4
          await create("spread-1", { schedule: { ...onceAt(at), jitterSeconds: 3 } });
          const run = await cluster().ended(namespace, "spread-1", runId(at));
          const late = (parseTime(run.startedAt) ?? 0) - at;
          assert.ok(late >= offset && late < offset + 2000, `${late} ms after the fire time`);
        },
      },
      {
        name: "concurrencyPolicy Enqueue: runs one after the other in order, and skips beyond maxEnqueued",
        async run() {
          const from = armedSecond();
          await create("lane", {
            schedule: every(2, from, 4),
            concurrencyPolicy: "Enqueue",
            maxEnqueued: 2,
            history: { succeeded: 10 },
            script: { runMs: 7_500 },
          });
          const times = [0, 1, 2].map((index) => from + index * 2000);
          const runs = [];
          for (const time of times) runs.push(await cluster().ended(namespace, "lane", runId(time)));
          for (const [index, run] of runs.entries()) {
            assert.equal(run.phase, "Succeeded");
            const before = runs[index - 1];
            if (before !== undefined) assert.ok((run.startedAt ?? "") >= (before.endedAt ?? "z"), "one after the other");
          }
          const job = await cluster().job(namespace, "lane");
          assert.deepEqual(job.status?.outcomes?.notSucceeded, [{ fireTime: formatSeconds(from + 6000), outcome: "Skipped" }]);
        },
      },
      {
        name: "deadlineSeconds: the condition Late and the event RunLate, and the run goes on",
        async run() {
          const at = armedSecond();
          await create("tardy", { schedule: onceAt(at), deadlineSeconds: 2, script: { runMs: 6000 } });
          await until("tardy", "to be late", (job) => job.status?.active?.[0]?.late === true);
          const run = await cluster().ended(namespace, "tardy", runId(at));
          assert.deepEqual([run.phase, run.late], ["Succeeded", true]);
          const events = await cluster().eventsOf(namespace, "tardy");
          assert.equal(events.filter((event) => event.reason === "RunLate").length, 1);
        },
      },
      {
        name: "calendars: missing, then there, then nonsense, and nothing fires inside of what is excluded",
        async run() {
          const from = armedSecond();
          await create("by-calendar", {
            schedule: { ...every(2, from), calendars: [{ name: "dates", effect: "Exclude" }] },
            history: { succeeded: 20 },
          });
          const missing = await until("by-calendar", "to miss its calendar", (job) => ready(job)?.reason === "CalendarMissing");
          assert.match(ready(missing)?.message ?? "", /no ConfigMap "dates"/);
          assert.equal(missing.status?.nextFireTime, undefined);
          const begin = from + 6000;
          await writeCalendar("dates", stretch(begin, begin + 6000));
          await until("by-calendar", "to be armed", (job) => ready(job)?.reason === "Armed");
          await until("by-calendar", "to fire after the stretch", (job) => (parseTime(job.status?.lastFireTime) ?? 0) >= begin + 6000);
          const { status } = await cluster().job(namespace, "by-calendar");
          const fired = [...(status?.history ?? []), ...(status?.active ?? [])].map((run) => parseTime(run.fireTime) ?? 0);
          assert.deepEqual(
            fired.filter((time) => time >= begin && time < begin + 6000),
            [],
          );
          assert.ok(
            fired.some((time) => time < begin),
            "fires before the stretch too",
          );
          await editCalendar("dates", "next Tuesday");
          const kept = await until("by-calendar", "to keep what was good", (job) => ready(job)?.reason === "CalendarKept");
          assert.match(ready(kept)?.message ?? "", /line 1, column 1: "next Tuesday" is not understood/);
          const since = Date.now();
          await until("by-calendar", "to go on", (job) => (parseTime(job.status?.lastFireTime) ?? 0) > since);
        },
      },
      {
        name: "a namespace annotated nuptse.dev/observe counts fire times and creates nothing",
        async run() {
          const body = { metadata: { annotations: { "nuptse.dev/observe": "true" } } };
          await cluster().client.patch<Namespace>(namespaces, { name: observed }, { type: "merge", body });
          const from = armedSecond();
          await cluster().create(elasticJob(observed, "looked-at", { schedule: every(2, from) }));
          const job = await until("looked-at", "to count", (each) => (each.status?.observed?.count ?? 0) >= 2, observed);
          assert.equal(ready(job)?.reason, "Observing");
          assert.deepEqual(job.status?.observed?.fireTimes?.slice(0, 2), [from, from + 2000].map(formatSeconds));
          assert.deepEqual(await cluster().podsOf(observed, "looked-at"), []);
        },
      },
      {
        name: "the API server refuses what the schema can tell, with the field's path",
        async run() {
          const schedule = { crons: ["@hourly"] };
          const wrong: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
            [{ schedule: { ...schedule, jitterSeconds: -1 } }, /spec\.schedule\.jitterSeconds/],
            [
              { schedule: { ...schedule, calendars: [{ name: "a", effect: "Skip" }] } },
              /spec\.schedule\.calendars\[0\]\.effect.*Exclude.*TreatAsWeekday/,
            ],
            [{ schedule: { ...schedule, calendars: [{ name: "No Name", effect: "Exclude" }] } }, /spec\.schedule\.calendars\[0\]\.name/],
            [{ schedule, maxEnqueued: 21 }, /spec\.maxEnqueued/],
            [{ schedule, deadlineSeconds: 0 }, /spec\.deadlineSeconds/],
          ];
          for (const [spec, message] of wrong) await assert.rejects(create("wrong", spec as JobSpec), message);
          await create("too-much-jitter", { schedule: { ...schedule, jitterSeconds: 3600 } });
          const job = await until("too-much-jitter", "to be refused", (each) => ready(each)?.status === "False");
          assert.match(ready(job)?.message ?? "", /^spec\.schedule\.jitterSeconds: must be below 3600/);
        },
      },
    ]);
  });
});

/** FNV-1a-32("schedules/spread-1") mod 4, in milliseconds, computed apart from the code. */
const offset = 3000;
