import assert from "node:assert/strict";
import type { Pod } from "../../../../src/api/core.ts";
import type { ConfigMapText } from "../../../../src/elasticjob/rules/config-map-text.ts";
import { parameterOf, readParameters } from "../../../../src/elasticjob/rules/parameters.ts";
import { at, makeJob, plainTemplate } from "../../../support/builders/elastic-job.ts";
import { JobWorld } from "../../../support/builders/job-world.ts";

const sharding = (total: number) => ({ total, parametersFrom: { configMap: "cities", key: "list" } });
const text = (value: string): ConfigMapText => ({ kind: "present", text: value });
const parameterIn = (pod: Pod) => pod.spec.containers[0]?.env?.find(({ name }) => name === "SHARDING_PARAMETER")?.value;

describe("the ConfigMap of sharding.parametersFrom", () => {
  const cases: readonly { readonly name: string; readonly source: ConfigMapText; readonly total?: number; readonly want: string }[] = [
    { name: "a line for each item", source: text("a\nb\nc\n"), want: "usable" },
    { name: "the end of the last line may be missing", source: text("a\nb\nc"), want: "usable" },
    { name: "lines may be empty", source: text("\n\n\n"), want: "usable" },
    { name: "lines of as many characters as an entry of parameters may have", source: text(`${"x".repeat(1024)}\n\n\n`), want: "usable" },
    {
      name: "more characters are refused, with the line",
      source: text(`\n${"x".repeat(1025)}\n\n`),
      want: "InvalidSpec: spec.sharding.parametersFrom: the key list of the ConfigMap cities is wrong in line 2: it must have no more than 1024 characters",
    },
    {
      name: "too few lines",
      source: text("a\nb\n"),
      want: "InvalidSpec: spec.sharding.parametersFrom: the key list of the ConfigMap cities has 2 lines; it must have one for each item, so sharding.total = 3",
    },
    {
      name: "too many lines",
      source: text("a\nb\nc\nd\n"),
      want: "InvalidSpec: spec.sharding.parametersFrom: the key list of the ConfigMap cities has 4 lines; it must have one for each item, so sharding.total = 3",
    },
    {
      name: "no text at all",
      source: text(""),
      want: "InvalidSpec: spec.sharding.parametersFrom: the key list of the ConfigMap cities has 0 lines; it must have one for each item, so sharding.total = 3",
    },
    { name: "512 KiB are taken", source: text("x".repeat(1023).concat("\n").repeat(512)), total: 512, want: "usable" },
    {
      name: "a byte more is not",
      source: text("x".repeat(1023).concat("\n").repeat(512).concat("\n")),
      total: 513,
      want: "InvalidSpec: spec.sharding.parametersFrom: the key list of the ConfigMap cities has 524289 bytes; it must have no more than 524288",
    },
    {
      name: "no such ConfigMap",
      source: { kind: "missing" },
      want: "ParametersMissing: spec.sharding.parametersFrom: there is no ConfigMap cities in this namespace; create it with the key list, a line for each item",
    },
    {
      name: "no such key",
      source: { kind: "present", text: undefined },
      want: "ParametersMissing: spec.sharding.parametersFrom: the ConfigMap cities has no key list; it must have one, with a line for each item",
    },
    {
      name: "no right to read it",
      source: { kind: "unreadable", message: "configmaps is forbidden" },
      want: "ParametersMissing: spec.sharding.parametersFrom: the operator may not read the ConfigMap cities: configmaps is forbidden",
    },
    { name: "not read yet", source: { kind: "loading" }, want: "loading" },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const step = readParameters(makeJob({ sharding: sharding(tc.total ?? 3) }), tc.source);
      assert.equal(step?.kind === "refused" ? `${step.reason}: ${step.message}` : step?.kind, tc.want);
    });
  }

  it("a job that names none has none", () => assert.equal(readParameters(makeJob(), { kind: "loading" }), undefined));

  it("line n is item n's; ends of lines as in Windows are no part of it", () => {
    const revision = { template: plainTemplate, sharding: sharding(3), parameterLines: "a b\r\n\r\n c" };
    assert.deepEqual(
      [0, 1, 2].map((item) => parameterOf(revision, item)),
      ["a b", "", " c"],
    );
  });
});

describe("runs with parameters from a ConfigMap", () => {
  const world = (source: ConfigMapText) => {
    const made = new JobWorld({ spec: { sharding: { ...sharding(3), parallelism: 1 } } });
    made.parameters = source;
    return made.settle();
  };

  it("each item gets its line", () => {
    const run = world(text("north\nsouth\nwest\n"));
    run.to("12:00:00");
    assert.equal(parameterIn(run.pod(0)), "north");
    run.runs(0).settle();
    assert.equal(parameterIn(run.pod(1)), "south");
  });

  it("a run keeps the texts with which it began; an edit counts from the next run on", () => {
    const run = world(text("north\nsouth\nwest\n"));
    run.to("12:00:00");
    run.parameters = text("a\nb\nc\n");
    run.settle().runs(0).settle();
    assert.equal(parameterIn(run.pod(1)), "south");
    run.runs(1).settle().runs(2).settle();
    run.to("13:00:00");
    assert.equal(parameterIn(run.pod(0, "20261121t130000z")), "a");
  });

  it("also when the ConfigMap goes, and a new leader looks", () => {
    const run = world(text("north\nsouth\nwest\n"));
    run.to("12:00:00");
    run.parameters = { kind: "missing" };
    run.settle();
    assert.equal(run.condition("Ready"), "False:ParametersMissing");
    run.restart().runs(0).settle();
    assert.equal(parameterIn(run.pod(1)), "south");
  });

  it("missing: nothing fires, people are told once, and what passes meanwhile is not made up for", () => {
    const run = world({ kind: "missing" });
    assert.equal(run.condition("Stalled"), "True:ParametersMissing");
    run.to("13:30:00");
    assert.deepEqual(run.created, []);
    assert.equal(run.events.filter((event) => event.startsWith("ParametersMissing")).length, 1);
    run.parameters = text("a\nb\nc\n");
    run.settle();
    assert.equal(run.condition("Ready"), "True:Armed");
    assert.deepEqual(run.created, []);
    run.to("14:00:00");
    assert.deepEqual(run.created, ["20261121t140000z/0/1"]);
  });

  it("not read yet, as after a restart: nothing is written or decided, and what fell due fires once it is read", () => {
    const run = world(text("a\nb\nc\n"));
    run.to("11:59:50").forgetLog();
    run.restart();
    run.parameters = { kind: "loading" };
    run.now = at("12:00:02");
    run.settle();
    assert.deepEqual(run.writes, []);
    run.parameters = text("a\nb\nc\n");
    run.settle();
    assert.deepEqual(run.created, ["20261121t120000z/0/1"]);
  });

  it("the end of a run that is recorded meanwhile leaves condition and schedule as they were", () => {
    const run = world(text("a\nb\nc\n"));
    run.to("12:00:00").runs(0).settle().runs(1).settle().start(2);
    run.to("12:00:06");
    run.parameters = { kind: "missing" };
    run.settle();
    const before = run.status;
    run.restart();
    run.parameters = { kind: "loading" };
    run.exit(2).settle();
    assert.equal(run.history()?.phase, "Succeeded");
    assert.equal(run.condition("Ready"), "False:ParametersMissing");
    assert.equal(run.condition("Stalled"), "True:ParametersMissing");
    assert.deepEqual(run.status.schedule, before.schedule);
  });
});
