import assert from "node:assert/strict";
import type { WorkloadSpec } from "../../../../src/api/workload.gen.ts";
import { arrivalsOf, itemDurationMs, workloadProblems } from "../../../../src/cli/simulate/arrivals.ts";

// A Monday.
const from = Date.UTC(2026, 0, 5);
const hourMs = 3_600_000;
const span = { from, to: from + 24 * hourMs };
const week = { from, to: from + 7 * 24 * hourMs };

function workload(arrivals: WorkloadSpec["arrivals"], spec: Partial<WorkloadSpec> = {}) {
  const common = { requests: { cpu: "1" }, duration: { fixed: "10m" } };
  return {
    apiVersion: "simulate.nuptse.dev/v1alpha1" as const,
    kind: "Workload" as const,
    metadata: { name: "w", namespace: "shop" },
    spec: { ...common, arrivals, ...spec } as WorkloadSpec,
  };
}

/** "Mon 08:00" */
function told(instants: readonly number[]): readonly string[] {
  return instants.map((at) => `${new Date(at).toUTCString().slice(0, 3)} ${new Date(at).toISOString().slice(11, 16)}`);
}

describe("cli/simulate arrivals", () => {
  const tables: readonly {
    readonly name: string;
    readonly arrivals: WorkloadSpec["arrivals"];
    readonly timeZone?: string;
    readonly within?: typeof span;
    readonly want: readonly string[];
  }[] = [
    { name: "every counts from the beginning", arrivals: [{ every: "8h" }], want: ["Mon 00:00", "Mon 08:00", "Mon 16:00"] },
    {
      name: "count brings several at once",
      arrivals: [{ every: "12h", count: 2 }],
      want: ["Mon 00:00", "Mon 00:00", "Mon 12:00", "Mon 12:00"],
    },
    {
      name: "at is the time since the beginning, an instant, or a local time; what is outside is left out",
      arrivals: [{ at: ["90m", "2026-01-05T09:00:00Z", "2026-01-05T10:00", "25h", "2026-01-04T10:00"] }],
      timeZone: "Europe/Berlin",
      want: ["Mon 01:30", "Mon 09:00", "Mon 09:00"],
    },
    { name: "cron fires in the zone", arrivals: [{ cron: "0 9 * * *" }], timeZone: "GMT+08:00", want: ["Mon 01:00"] },
    { name: "cron fires at the first instant and not at the last", arrivals: [{ cron: "0 0 * * *" }], want: ["Mon 00:00"] },
    {
      name: "patterns add up, in the order of time",
      arrivals: [{ at: ["5h", "1h"] }, { every: "4h", during: { to: "05:00" } }],
      want: ["Mon 00:00", "Mon 01:00", "Mon 04:00", "Mon 05:00"],
    },
    {
      name: "during: from is inclusive and to is exclusive",
      arrivals: [{ every: "1h", during: { from: "09:00", to: "11:00" } }],
      want: ["Mon 09:00", "Mon 10:00"],
    },
    {
      name: "during is local time",
      arrivals: [{ every: "1h", during: { from: "09:00", to: "11:00" } }],
      timeZone: "GMT-03:00",
      want: ["Mon 12:00", "Mon 13:00"],
    },
    {
      name: "during some days",
      arrivals: [{ every: "12h", during: { days: ["Wed", "Sun"] } }],
      within: week,
      want: ["Wed 00:00", "Wed 12:00", "Sun 00:00", "Sun 12:00"],
    },
    {
      name: "hours that go over midnight belong to the day on which they begin",
      arrivals: [{ every: "6h", during: { days: ["Fri"], from: "18:00", to: "06:01" } }],
      within: week,
      want: ["Fri 18:00", "Sat 00:00", "Sat 06:00"],
    },
  ];
  for (const { name, arrivals, timeZone, within = span, want } of tables)
    it(name, () => {
      const made = workload(arrivals, { ...(timeZone !== undefined && { timeZone }) });
      assert.deepEqual(workloadProblems(made, within), []);
      assert.deepEqual(told(arrivalsOf(made, within, 1, 100)), want);
    });

  it("perHour brings that many on average, further apart than a clock would", () => {
    const instants = arrivalsOf(workload([{ perHour: 60 }]), week, 1, 100_000);
    // 10,080 are expected, with a standard deviation of 100.
    assert.ok(Math.abs(instants.length - 10_080) < 400, String(instants.length));
    const gaps = instants.slice(1).map((at, index) => at - (instants[index] as number));
    // Of exponential gaps e^-2 = 13.5 % are over twice the mean.
    const long = gaps.filter((gap) => gap > 120_000).length / gaps.length;
    assert.ok(Math.abs(long - 0.135) < 0.02, String(long));
  });

  it("perHour is the rate within the hours, too", () => {
    const instants = arrivalsOf(workload([{ perHour: 60, during: { from: "09:00", to: "17:00" } }]), week, 1, 100_000);
    // 56 hours: 3,360 with a standard deviation of 58.
    assert.ok(Math.abs(instants.length - 3360) < 240, String(instants.length));
    assert.ok(instants.every((at) => new Date(at).getUTCHours() >= 9 && new Date(at).getUTCHours() < 17));
  });

  it("a longer simulation begins with the same arrivals, another seed or another pattern has others", () => {
    const made = workload([{ perHour: 5 }]);
    const day = arrivalsOf(made, span, 7, 1000);
    assert.deepEqual(arrivalsOf(made, week, 7, 10_000).slice(0, day.length), day);
    assert.notDeepEqual(arrivalsOf(made, span, 8, 1000), day);
    const [first = [], second = []] = [
      [{ perHour: 5 }, { at: ["1h"] }],
      [{ at: ["1h"] }, { perHour: 5 }],
    ].map((arrivals) => arrivalsOf(workload(arrivals), span, 7, 1000));
    assert.notDeepEqual(first, second);
  });

  it("too many are refused, with the workload and what would be right", () => {
    assert.throws(() => arrivalsOf(workload([{ every: "1s" }]), week, 1, 1000), {
      name: "UsageError",
      message: "Workload shop/w: brings more than 1000 arrivals; simulate a shorter time (--for), or make fewer and larger ones",
    });
  });

  const problems: readonly {
    readonly name: string;
    readonly spec: Partial<WorkloadSpec>;
    readonly want: readonly (readonly [string, RegExp])[];
  }[] = [
    { name: "no length at all", spec: { duration: { fixed: "0s" } }, want: [["spec.duration.fixed", /^must be more than 0s$/]] },
    {
      name: "bounds the wrong way round",
      spec: { duration: { uniform: { min: "2h", max: "90m" } } },
      want: [["spec.duration.uniform.min", /^must not be over max, which is 90m$/]],
    },
    { name: "an unknown zone", spec: { timeZone: "Mars/Base" }, want: [["spec.timeZone", /unknown time zone "Mars\/Base"/]] },
    { name: "a step of nothing", spec: { arrivals: [{ every: "0s" }] }, want: [["spec.arrivals[0].every", /^must be at least 1s$/]] },
    {
      name: "a cron expression that cannot be read",
      spec: { arrivals: [{ every: "1h" }, { cron: "61 * * * *" }] },
      want: [["spec.arrivals[1].cron", /minute, character 1/]],
    },
    {
      name: "times that are none",
      spec: { arrivals: [{ at: ["1h", "noon", "2026-02-30"] }] },
      want: [
        ["spec.arrivals[0].at[1]", /^"noon" is no time; write how long after the beginning \(90m\), or an instant/],
        ["spec.arrivals[0].at[2]", /^"2026-02-30" is no time/],
      ],
    },
    {
      name: "hours that are empty",
      spec: { arrivals: [{ every: "1h", during: { from: "09:00", to: "09:00" } }] },
      want: [["spec.arrivals[0].during.to", /^must differ from from/]],
    },
  ];
  for (const { name, spec, want } of problems)
    it(`refuses ${name}`, () => {
      const found = workloadProblems(workload([{ every: "1h" }], spec), span);
      assert.deepEqual(
        found.map(({ path }) => path),
        want.map(([path]) => path),
      );
      for (const [index, [, message]] of want.entries()) assert.match(found[index]?.message ?? "", message);
    });
});

describe("cli/simulate item durations", () => {
  const lengths = (duration: WorkloadSpec["duration"]) =>
    Array.from({ length: 4000 }, (_, item) => itemDurationMs(workload([], { duration }), 1, "shop/w-1", String(item)));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it("fixed: all the same", () => {
    assert.deepEqual([...new Set(lengths({ fixed: "1h30m" }))], [5_400_000]);
  });

  it("uniform: within the bounds, with the mean in the middle", () => {
    const all = lengths({ uniform: { min: "10m", max: "20m" } });
    assert.ok(Math.min(...all) >= 600_000 && Math.max(...all) <= 1_200_000);
    // 15 min, with a standard deviation of the mean of 2.7 s.
    assert.ok(Math.abs(mean(all) - 900_000) < 12_000, String(mean(all)));
  });

  it("exponential: the mean, and a cut", () => {
    // 10 min, with a standard deviation of the mean of 9.5 s; the cut at ten times the mean takes nothing that could be seen.
    assert.ok(Math.abs(mean(lengths({ exponential: { mean: "10m" } })) - 600_000) < 40_000);
    assert.equal(Math.max(...lengths({ exponential: { mean: "10m", max: "15m" } })), 900_000);
  });

  it("the same item of the same job takes as long each time, whatever else there is", () => {
    const made = workload([], { duration: { exponential: { mean: "10m" } } });
    assert.equal(itemDurationMs(made, 1, "shop/w-3", "2"), itemDurationMs(made, 1, "shop/w-3", "2"));
    assert.notEqual(itemDurationMs(made, 1, "shop/w-3", "2"), itemDurationMs(made, 1, "shop/w-4", "2"));
    assert.notEqual(itemDurationMs(made, 1, "shop/w-3", "2"), itemDurationMs(made, 2, "shop/w-3", "2"));
  });
});
