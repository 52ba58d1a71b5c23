import assert from "node:assert/strict";
import type { ElasticJobSpec } from "../../../src/api/elastic-job.gen.ts";
import { elasticJobProblems } from "../../../src/validation/elastic-job.ts";
import { makeSpec } from "../../support/builders/elastic-job.ts";

const cron = (...crons: string[]): Partial<ElasticJobSpec> => ({ schedule: { crons } });
const image = (text: string): Partial<ElasticJobSpec> => ({ template: { spec: { containers: [{ name: "main", image: text }] } } });

const runnerRef = { name: "workers", handler: "report" };
const resident = (differs: Partial<ElasticJobSpec> = {}): Partial<ElasticJobSpec> => ({
  template: undefined as never,
  runnerRef,
  ...differs,
});

const cases: readonly { readonly name: string; readonly spec: Partial<ElasticJobSpec>; readonly want: readonly [string, RegExp][] }[] = [
  { name: "a plain job is right", spec: {}, want: [] },
  {
    name: "an impossible cron names its expression",
    spec: cron("0 * * * *", "0 0 30 2 *"),
    want: [["spec.schedule.crons[1]", /never|no date|February/]],
  },
  { name: "a cron with too few fields", spec: cron("* * *"), want: [["spec.schedule.crons[0]", /field/]] },
  {
    name: "an unknown zone",
    spec: { schedule: { crons: ["0 * * * *"], timeZone: "Mars/Olympus" } },
    want: [["spec.schedule.timeZone", /Mars\/Olympus/]],
  },
  {
    name: "a three-letter abbreviation is refused",
    spec: { schedule: { crons: ["0 * * * *"], timeZone: "CST" } },
    want: [["spec.schedule.timeZone", /CST/]],
  },
  {
    name: "endAt before startAt",
    spec: { schedule: { crons: ["0 * * * *"], startAt: "2026-11-22T00:00:00Z", endAt: "2026-11-21T00:00:00Z" } },
    want: [["spec.schedule.endAt", /later endAt/]],
  },
  {
    name: "jitter as long as the smallest gap says how long it is",
    spec: { schedule: { crons: ["0,15 * * * *"], jitterSeconds: 900 } },
    want: [["spec.schedule.jitterSeconds", /^must be below 900, the smallest gap in seconds between fire times .*; is 900$/]],
  },
  { name: "jitter below it", spec: { schedule: { crons: ["0,15 * * * *"], jitterSeconds: 899 } }, want: [] },
  {
    name: "jitter of several expressions: the gaps are those of their union",
    spec: { schedule: { crons: ["0 9 * * *", "5 9 * * *"], jitterSeconds: 300 } },
    want: [["spec.schedule.jitterSeconds", /below 300/]],
  },
  {
    name: "jitter of a job that fires once",
    spec: { schedule: { crons: ["0 0 9 1 1 ? 2027"], jitterSeconds: 86_400 } },
    want: [],
  },
  {
    name: "one mistake does not hide the others",
    spec: { schedule: { crons: ["bad", "0 * * * *", "61 * * * *"], timeZone: "Nowhere" }, sharding: { total: 2, disabledItems: "5" } },
    want: [
      ["spec.schedule.timeZone", /Nowhere/],
      ["spec.schedule.crons[0]", /./],
      ["spec.schedule.crons[2]", /minute/],
      ["spec.sharding.disabledItems", /1/],
    ],
  },
  {
    name: "a disabled item that does not exist says which do",
    spec: { sharding: { total: 3, disabledItems: "1-3" } },
    want: [["spec.sharding.disabledItems", /^3 must be no more than 2; items are numbered from 0 to sharding\.total - 1 = 2$/]],
  },
  {
    name: "disabledItems that fall",
    spec: { sharding: { total: 9, disabledItems: "7,3" } },
    want: [["spec.sharding.disabledItems", /ascending/]],
  },
  {
    name: "all items disabled",
    spec: { sharding: { total: 3, disabledItems: "0-2" } },
    want: [["spec.sharding.disabledItems", /use spec\.suspend/]],
  },
  { name: "all but one disabled", spec: { sharding: { total: 3, disabledItems: "0-1" } }, want: [] },
  {
    name: "appendShardingContext without a command or arguments would replace those of the image",
    spec: { appendShardingContext: true, template: { spec: { containers: [{ name: "main", image: "report:1" }] } } },
    want: [["spec.appendShardingContext", /^needs command or args in the container "main"/]],
  },
  { name: "appendShardingContext with a command", spec: { appendShardingContext: true }, want: [] },
  {
    name: "as many parameters as items",
    spec: { sharding: { total: 3, parameters: ["a", "b"] } },
    want: [["spec.sharding.parameters", /has 2 entries; .* sharding\.total = 3/]],
  },
  { name: "parameters of a job with one item", spec: { sharding: { parameters: ["a"] } }, want: [] },
  {
    name: "an image with capitals",
    spec: image("Registry.example/Report:1"),
    want: [["spec.template.spec.containers[0].image", /lower-case/]],
  },
  { name: "a job of a fleet", spec: resident(), want: [] },
  { name: "neither template nor runnerRef", spec: { template: undefined as never }, want: [["spec", /exactly one of template/]] },
  { name: "both", spec: { runnerRef }, want: [["spec", /exactly one of template/]] },
  {
    name: "a strategy for pods",
    spec: { sharding: { strategy: "First" } },
    want: [["spec.sharding.strategy", /leave it out where spec\.template is given$/]],
  },
  {
    name: "what is of pods, in a job without pods",
    spec: resident({
      nodeRules: [{ node: "n1", effect: "Avoid" }],
      safeToEvict: false,
      appendShardingContext: true,
      queue: { name: "team" },
    }),
    want: [
      ["spec.nodeRules", /^is for pods/],
      ["spec.safeToEvict", /^is for pods/],
      ["spec.appendShardingContext", /^is for pods/],
      ["spec.queue.name", /only priority counts$/],
    ],
  },
  {
    name: "a broadcast that knows how many there are",
    spec: resident({ sharding: { strategy: "Broadcast", total: 3 } }),
    want: [["spec.sharding", /one item for each instance$/]],
  },
  {
    name: "an image of an init container",
    spec: { template: { spec: { initContainers: [{ name: "i", image: "a b" }], containers: [{ name: "main", image: "a" }] } } },
    want: [["spec.template.spec.initContainers[0].image", /a b/]],
  },
];

describe("what the schema cannot say about an ElasticJob", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const problems = elasticJobProblems(makeSpec(tc.spec));
      assert.deepEqual(
        problems.map((problem) => problem.path),
        tc.want.map(([path]) => path),
      );
      for (const [index, [, message]] of tc.want.entries()) assert.match(problems[index]?.message ?? "", message);
    });
  }
});
