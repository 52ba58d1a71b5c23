import assert from "node:assert/strict";
import { calendarRefs, calendarSources } from "../../../src/elasticjob/calendar-sources.ts";
import type { ReferencedConfigMap } from "../../../src/elasticjob/referenced-config-maps.ts";
import { makeJob } from "../../support/builders/elastic-job.ts";

const job = makeJob({ schedule: { crons: ["@daily"], calendars: [{ name: "holidays", effect: "Exclude" }] } });
const missing: ReferencedConfigMap = { kind: "missing" };
const loading: ReferencedConfigMap = { kind: "loading" };
const holding = (dates: string): ReferencedConfigMap => ({
  kind: "present",
  configMap: { metadata: { name: "holidays" }, data: { dates } },
});

describe("where a job's calendars are", () => {
  it("a job without calendars refers to no ConfigMap", () => {
    assert.deepEqual(calendarRefs(makeJob(), "nuptse"), []);
  });

  it("each is looked for in the job's namespace and in the operator's", () => {
    assert.deepEqual(calendarRefs(job, "nuptse"), [
      { namespace: "tenant", name: "holidays" },
      { namespace: "nuptse", name: "holidays" },
    ]);
    assert.deepEqual(calendarRefs(job, "tenant"), [{ namespace: "tenant", name: "holidays" }]);
  });

  const cases: readonly { name: string; own: ReferencedConfigMap; global: ReferencedConfigMap; want: object }[] = [
    { name: "the job's own comes first", own: holding("a"), global: holding("b"), want: { kind: "present", text: "a" } },
    { name: "else it is the operator's", own: missing, global: holding("b"), want: { kind: "present", text: "b" } },
    { name: "in neither: missing", own: missing, global: missing, want: { kind: "missing" } },
    {
      name: "while the own is not read, the operator's does not stand in for it",
      own: loading,
      global: holding("b"),
      want: { kind: "loading" },
    },
    { name: "the own is not there, and the operator's not read yet", own: missing, global: loading, want: { kind: "loading" } },
    {
      name: "a ConfigMap without the key has no text",
      own: { kind: "present", configMap: { metadata: { name: "holidays" }, data: {} } },
      global: missing,
      want: { kind: "present", text: undefined },
    },
  ];
  for (const tc of cases)
    it(tc.name, () => {
      const get = ({ namespace }: { readonly namespace?: string }) => (namespace === "tenant" ? tc.own : tc.global);
      assert.deepEqual(calendarSources(job, "nuptse", { get }).get("holidays"), tc.want);
    });
});
