import assert from "node:assert/strict";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { type NamedWork, type QueueAnswer, type WaitingWork, workRef } from "../../../../src/api/queue-explanation.ts";
import { waitingLines } from "../../../../src/cli/plugin/waiting-text.ts";
import { utc } from "../../../../src/cron/zone.ts";
import { iso, jobUid, makeJob } from "../../../support/builders/elastic-job.ts";
import { kubectlNuptse, type Objects, refusal } from "./plugin-double.ts";

const run = "20261121t120000z";
const work = (differs: Partial<WaitingWork> = {}): WaitingWork => ({
  part: run,
  queue: "dev",
  priority: 0,
  since: iso("12:00:00"),
  allowed: 0,
  wanted: 1,
  lacks: [],
  lacksConsent: [],
  passed: 0,
  reclaims: [],
  ...differs,
});
const other: NamedWork = { queue: "prod", ref: workRef("uid-of-etl") };
const named: NamedWork = { ...other, kind: "ElasticJob", namespace: "shop", name: "etl", part: "r1" };

describe("kubectl nuptse why: what the operator says of waiting work", () => {
  const now = Date.parse("2026-11-21T12:30:00Z");
  const cases: readonly {
    readonly name: string;
    readonly work: Partial<WaitingWork>;
    readonly want: readonly (readonly [string, string])[];
  }[] = [
    { name: "nothing, when nothing is known", work: {}, want: [] },
    { name: "its place", work: { position: 3 }, want: [["place", "number 3 of those that wait in dev"]] },
    {
      name: "its place, and what it has of its items",
      work: { position: 1, allowed: 2, wanted: 5 },
      want: [["place", "number 1 of those that wait in dev; it has 2 of 5 items"]],
    },
    {
      name: "the level at which it loses, and to whom, unnamed",
      work: {
        loses: {
          to: other,
          under: "eng",
          own: { queue: "dev", resource: "cpu", tier: "Share", level: 0.6, used: "6" },
          other: { queue: "prod", resource: "cpu", tier: "Guarantee", level: 0.4, used: "2" },
        },
      },
      want: [
        [
          "behind",
          "under eng the queue prod comes first, at 40 % of its guarantee (2 cpu); dev is at 60 % of the capacity, by weight (6 cpu). Next is work of prod",
        ],
      ],
    },
    {
      name: "one of its own queue, named",
      work: { loses: { to: { ...named, queue: "dev" }, under: "dev" } },
      want: [["behind", "ElasticJob shop/etl r1 comes first in dev, by priority and age"]],
    },
    {
      name: "what it lacks, and who has that",
      work: {
        lacks: [
          {
            queue: "corp",
            resource: "memory",
            requested: "8Gi",
            free: "1Gi",
            holders: [
              { queue: "prod", used: "5Gi", borrowed: "2Gi" },
              { queue: "dev", used: "2Gi", borrowed: "0" },
            ],
          },
        ],
      },
      want: [["lacks", "8Gi memory, of which 1Gi are free in corp; it is with prod 5Gi (2Gi borrowed), dev 2Gi"]],
    },
    {
      name: "the number of workloads",
      work: {
        lacks: [
          {
            queue: "dev",
            resource: "nuptse.dev/workloads",
            requested: "1",
            free: "0",
            holders: [{ queue: "dev", used: "4", borrowed: "4" }],
          },
        ],
      },
      want: [["lacks", "1 running workloads, of which 0 are free in dev; it is with dev 4"]],
    },
    {
      name: "guarantees that are not lent for so long",
      work: { lacksConsent: [{ resource: "cpu", lentSeconds: 600, over: "1" }] },
      want: [["lacks", "1 cpu too much is guaranteed to others, lent only to work that leaves within 600 s of being asked"]],
    },
    {
      name: "a reclaim under way, and one that is overdue",
      work: {
        reclaims: [
          { from: other, resources: { cpu: "3" }, state: "Requested", deadline: iso("12:35:00"), overdue: false },
          { from: named, resources: { cpu: "1", memory: "1Gi" }, state: "Acknowledged", deadline: iso("12:29:00"), overdue: true },
        ],
      },
      want: [
        ["reclaim", "work of prod is asked to give back 3 cpu by Sat 2026-11-21 12:35:00 +00:00 (in 5 min)"],
        ["reclaim", "ElasticJob shop/etl r1 was to give back 1 cpu, 1Gi memory by Sat 2026-11-21 12:29:00 +00:00 (1 min ago), and has not"],
      ],
    },
    {
      name: "a queue that is held, what can never fit, what has passed it, and what it gives itself",
      work: {
        stoppedBy: { queue: "eng", reason: "Held" },
        neverFits: { queue: "eng", resource: "cpu", requested: "9", most: "4" },
        passed: 12,
        gives: { claimant: "prod", deadline: iso("12:31:00") },
      },
      want: [
        ["gives", "it is asked to give back for prod itself, by Sat 2026-11-21 12:31:00 +00:00 (in 1 min)"],
        ["never", "9 cpu at once are more than eng can ever have: 4"],
        ["held", "eng admits nothing new: its stopPolicy"],
        ["passed", "room is held for it; 12 of 64 have been used up by others that passed it"],
      ],
    },
  ];
  for (const { name, work: differs, want } of cases) it(name, () => assert.deepEqual(waitingLines(work(differs), utc, now), want));
});

describe("kubectl nuptse: asking the operator", () => {
  const entry = { run, phase: "Waiting" as const, fireTime: iso("12:00:00"), items: "0", total: 1, queue: "dev", reason: "QueuePending" };
  const job = makeJob({}, { status: { active: [{ ...entry, message: "waits for its share of the TenantQueue dev" }] } });
  const etl: KubeObject = { metadata: { name: "etl", namespace: "shop", uid: "uid-of-etl" } };
  const queue: KubeObject = {
    metadata: { name: "dev", uid: "uid-of-dev" },
    spec: {},
    status: { used: { cpu: "1" }, capacity: { cpu: "4" } },
  } as never;
  const objects: Objects = { "elasticjobs.nuptse.dev": [job, etl], "tenantqueues.nuptse.dev": [queue] };
  const loses = { to: other, under: "dev" };
  const told = () => ({ status: 200, body: { workloads: [work({ position: 2, loses })] } });

  it("shows the UID of the object, and no token", async () => {
    const asked: unknown[] = [];
    const leader = (path: string, query: object) => {
      asked.push([path, query]);
      return told();
    };
    const { results, notes } = await kubectlNuptse(["why", job.metadata.name], { objects, leader });
    assert.deepEqual(asked, [["/v1/why", { kind: "ElasticJob", namespace: "tenant", name: job.metadata.name, uid: jobUid }]]);
    assert.ok(results.includes("    behind  ElasticJob shop/etl comes first in dev, by priority and age"), results.join("\n"));
    assert.deepEqual(notes, []);
  });
  it("does not name what the user may not list", async () => {
    const failures = { "list elasticjobs.nuptse.dev": refusal(403, "Forbidden", "no") };
    const { results } = await kubectlNuptse(["why", job.metadata.name], { objects, leader: told, failures });
    assert.ok(results.includes("    behind  work of prod comes first in dev, by priority and age"), results.join("\n"));
  });
  it("names it in JSON too", async () => {
    const { results } = await kubectlNuptse(["why", job.metadata.name, "-o", "json"], { objects, leader: told });
    const { causes } = JSON.parse(results.join("\n")) as { causes: { waiting?: WaitingWork }[] };
    assert.equal(causes.find(({ waiting }) => waiting !== undefined)?.waiting?.loses?.to.name, "etl");
  });
  const statusOf = (code: number, reason: string, message: string) => ({
    status: code,
    body: { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message },
  });
  const silences: readonly { readonly name: string; readonly leader?: () => { status: number; body: unknown }; readonly says: string }[] = [
    { name: "there is no Service", says: "there is no Service nuptse-system/nuptse-explain (--explain-service names another one)" },
    {
      name: "the user lacks the role",
      leader: () => statusOf(403, "Forbidden", "no"),
      says: "that takes the ClusterRole nuptse-explain in nuptse-system: get services/proxy of nuptse-explain",
    },
    {
      name: "nobody leads",
      leader: () => statusOf(503, "ServiceUnavailable", 'no endpoints available for service "nuptse-explain"'),
      says: 'get v1/why: 503 ServiceUnavailable: no endpoints available for service "nuptse-explain"',
    },
    {
      name: "the operator says why not",
      leader: () => ({ status: 503, body: { error: "this replica does not lead" } }),
      says: "this replica does not lead",
    },
    {
      name: "somebody else answers there",
      leader: () => ({ status: 200, body: "<html>" }),
      says: "nuptse-system/nuptse-explain is not the operator's Service: its answer is of another form",
    },
  ];
  for (const { name, leader, says } of silences)
    it(`tells what status says, and one line more, where ${name}`, async () => {
      const { code, results, notes } = await kubectlNuptse(["why", job.metadata.name], { objects, ...(leader && { leader }) });
      assert.deepEqual([code, notes], [0, [`the operator cannot be asked for its place in the queue: ${says}`]]);
      assert.ok(results.some((line) => line.startsWith(`- Queue: run ${run} waits: `)));
    });
  it("asks nothing for a job without a queue", async () => {
    const plain = makeJob({}, { status: { active: [{ ...entry, queue: "" }] } });
    const { notes } = await kubectlNuptse(["why", plain.metadata.name], { objects: { "elasticjobs.nuptse.dev": [plain] } });
    assert.deepEqual(notes, []);
  });
  it("queue shows the operator's figures in place of those of status", async () => {
    const answer: QueueAnswer = {
      at: iso("12:30:00"),
      queues: [{ name: "dev", status: { used: { cpu: "3" }, capacity: { cpu: "4" } } }],
      line: [],
    };
    const { results, notes } = await kubectlNuptse(["queue"], { objects, leader: () => ({ status: 200, body: answer }) });
    assert.match(results.join("\n"), /^dev +cpu +\[#{18}\.{6}\] +3 /m);
    assert.deepEqual(notes, []);
  });
});
