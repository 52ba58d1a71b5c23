import assert from "node:assert/strict";
import type { ElasticJobSpec, ElasticJobSpecOption } from "../../../../src/api/elastic-job.gen.ts";
import { givenProblem, optionProblem, optionValues } from "../../../../src/api/option-value.ts";
import { elasticJobProblems } from "../../../../src/validation/elastic-job.ts";
import { makeSpec } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const date = (format?: string): ElasticJobSpecOption => ({ name: "day", type: "Date", ...(format !== undefined && { format }) });

describe("options: values", () => {
  const values: readonly { readonly option: ElasticJobSpecOption; readonly text: string; readonly right: boolean }[] = [
    { option: { name: "a" }, text: "anything $(x)", right: true },
    { option: { name: "a", type: "Int" }, text: "-42", right: true },
    { option: { name: "a", type: "Int" }, text: "4.2", right: false },
    { option: { name: "a", type: "Int" }, text: "007", right: false },
    { option: { name: "a", type: "Bool" }, text: "true", right: true },
    { option: { name: "a", type: "Bool" }, text: "yes", right: false },
    { option: { name: "a", type: "Enum", values: ["x", "z"] }, text: "z", right: true },
    { option: { name: "a", type: "Enum", values: ["x", "z"] }, text: "y", right: false },
    { option: date(), text: "2026-02-28", right: true },
    { option: date(), text: "2026-02-29", right: false },
    { option: date(), text: "2026-02-28T23:59", right: true },
    { option: date(), text: "2026-02-28T24:00", right: false },
    { option: date(), text: "-1d", right: true },
    { option: date(), text: "yesterday", right: false },
  ];
  for (const { option, text, right } of values)
    it(`${option.type ?? "String"} ${JSON.stringify(text)} is ${right ? "right" : "refused"}`, () => {
      assert.equal(optionProblem(option, text) === undefined, right);
    });

  const dates: readonly { readonly text: string; readonly format?: string; readonly want: string }[] = [
    { text: "-1d", want: "2026-03-30" },
    { text: "0d", want: "2026-03-31" },
    { text: "-1M", want: "2026-02-28" },
    { text: "+1y", want: "2027-03-31" },
    { text: "-90m", format: "yyyyMMdd HH:mm:ss", want: "20260331 01:00:15" },
    { text: "-1w", format: "dd.MM.yyyy", want: "24.03.2026" },
    { text: "2026-11-21T02:30", format: "HH-mm", want: "02-30" },
  ];
  for (const { text, format, want } of dates)
    it(`a date ${text} of a run at 2026-03-31T02:30:15 in the job's zone${format === undefined ? "" : ` as ${format}`} is ${want}`, () => {
      const fireTime = Date.UTC(2026, 2, 31, 2, 30, 15);
      assert.equal(optionValues([date(format)], { day: text }, fireTime).get("day"), want);
    });

  it("a run that is asked for may only have options of the job, of their types, and must have the required ones", () => {
    const options: readonly ElasticJobSpecOption[] = [{ name: "count", type: "Int", required: true }, { name: "note" }];
    assert.match(givenProblem(options, { count: "1", color: "red" }) ?? "", /^color: is no option of the job; it has count, note/);
    assert.match(givenProblem(options, { count: "many" }) ?? "", /^count: "many" is no whole number/);
    assert.match(givenProblem(options, {}) ?? "", /^count: is required/);
    assert.equal(givenProblem(options, { count: "1" }), undefined);
  });
});

describe("options: the spec", () => {
  const options: ElasticJobSpec["options"] = [{ name: "day", type: "Date", default: "-1d" }];
  const withArgs = (...args: string[]): Partial<ElasticJobSpec> => ({
    template: { spec: { containers: [{ name: "main", image: "registry.example/report:1", args }] } },
  });
  const cases: readonly { readonly name: string; readonly spec: Partial<ElasticJobSpec>; readonly want: readonly [string, RegExp][] }[] = [
    {
      name: "references to options that are there are right",
      spec: { options, parameter: "$(options.day)", ...withArgs("$(options.day)") },
      want: [],
    },
    {
      name: "a default of the wrong type",
      spec: { options: [{ name: "count", type: "Int", default: "many" }] },
      want: [["spec.options[0].default", /no whole number/]],
    },
    {
      name: "a required one without default on a scheduled job",
      spec: { options: [{ name: "count", required: true }] },
      want: [["spec.options[0].default", /must be given, since scheduled runs have nobody to give the option/]],
    },
    {
      name: "a reference to one that is not there",
      spec: { options, ...withArgs("--day", "$(options.date)") },
      want: [["spec.template.spec.containers[0].args[1]", /the option "date", which is not in spec\.options; there are day/]],
    },
    { name: "an escaped reference is none", spec: withArgs("$$(options.date)"), want: [] },
  ];
  for (const tc of cases)
    it(tc.name, () => {
      const problems = elasticJobProblems(makeSpec(tc.spec));
      assert.deepEqual(
        problems.map((problem) => problem.path),
        tc.want.map(([path]) => path),
      );
      for (const [index, [, words]] of tc.want.entries()) assert.match(problems[index]?.message ?? "", words);
    });

  it("a required one without default is right on a job without schedule", () => {
    const { schedule: _none, ...spec } = makeSpec({ options: [{ name: "count", required: true }] });
    assert.deepEqual(elasticJobProblems(spec), []);
  });
});

describe("options: runs", () => {
  const spec: Partial<ElasticJobSpec> = {
    schedule: { crons: ["0 * * * *"], timeZone: "Asia/Tokyo" },
    options: [
      { name: "day", type: "Date", default: "-1d" },
      { name: "price", default: "none" },
    ],
    parameter: "of $(options.day) for $(options.price)",
    retry: { sameNode: 1, backoff: { initialSeconds: 1 } },
    template: {
      spec: {
        containers: [
          {
            name: "main",
            image: "registry.example/report:1",
            args: ["$(options.price)", "$$(options.price)", "$(HOME)"],
            env: [{ name: "DAY", value: "<$(options.day)>" }],
          },
        ],
      },
    },
  };
  const seen = (world: JobWorld, run?: string) => {
    const container = world.pod(0, run).spec.containers[0];
    const value = (name: string) => container?.env?.find((variable) => variable.name === name)?.value;
    return [value("NUPTSE_OPTION_DAY"), value("NUPTSE_OPTION_PRICE"), value("JOB_PARAMETER"), value("DAY"), ...(container?.args ?? [])];
  };

  it("a scheduled run gets the defaults, dates counted from the fire time in the job's zone", () => {
    const world = JobWorld.accepted({ spec, start: "14:59:00" });
    world.to("15:00:00");
    // 15:00 UTC is midnight of the 22nd in Tokyo.
    assert.deepEqual(seen(world), ["2026-11-21", "none", "of 2026-11-21 for none", "<2026-11-21>", "none", "$$(options.price)", "$(HOME)"]);
  });

  it("a requested run gets what it was given, as data, and so do its retries and those of another leader", () => {
    const world = JobWorld.accepted({ spec, start: "11:10:00" });
    world.ask("now", { run: { options: { day: "2026-01-31", price: "5 $(HOME)" } } });
    const want = ["2026-01-31", "5 $$(HOME)", "of 2026-01-31 for 5 $$(HOME)", "<2026-01-31>", "5 $$(HOME)", "$$(options.price)", "$(HOME)"];
    world.settle();
    assert.deepEqual(seen(world), want);
    world.runs(0, 1).restart().to("11:10:05");
    assert.equal(world.created.at(-1)?.endsWith("/0/2"), true);
    assert.deepEqual(seen(world), want);
    world.runs(0, 1).to("11:10:30");
    world.ask("more", { retry: { run: world.history()?.run as string } }).settle();
    assert.deepEqual(seen(world, world.active()?.run), want);
  });

  it("a backfilled run gets the defaults of its own fire time", () => {
    const world = JobWorld.accepted({ spec, start: "11:10:00" });
    world.ask("past", { backfill: { from: "2026-11-01T00:00:00Z", to: "2026-11-01T00:00:01Z" } }).settle();
    assert.equal(seen(world)[0], "2026-10-31");
  });

  it("a request with an option of the wrong type is refused with the field's path", () => {
    const world = JobWorld.accepted({ spec, start: "11:10:00" });
    world.ask("bad", { run: { options: { day: "tomorrow" } } }).settle();
    assert.equal(world.request("bad"), "Failed:InvalidRequest");
    assert.match(world.requests.get("bad")?.status?.message ?? "", /^spec\.run\.options\.day: "tomorrow" is no date/);
  });
});
