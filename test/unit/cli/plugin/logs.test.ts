import assert from "node:assert/strict";
import { createTerminal, cut, showsColours } from "../../../../src/cli/plugin/terminal.ts";
import { mergeLogs, type StampedLine, stampedLine } from "../../../../src/cli/plugin/log-merge.ts";
import { makePod } from "../../../support/builders/attempt-pod.ts";
import { makeJob } from "../../../support/builders/elastic-job.ts";
import { residentSpec } from "../../../support/builders/resident-world.ts";
import { kubectlNuptse } from "./plugin-double.ts";

describe("cli/plugin logs", () => {
  const split = [
    { line: "2026-11-21T18:30:00.000000000Z one two", want: { time: "2026-11-21T18:30:00.000000000Z", text: "one two" } },
    { line: "2026-11-21T18:30:00.5Z ", want: { time: "2026-11-21T18:30:00.5Z", text: "" } },
    { line: "unable to retrieve container logs", want: { time: "", text: "unable to retrieve container logs" } },
    { line: "2026-11-21T18:30:00Z  indented", want: { time: "2026-11-21T18:30:00Z", text: " indented" } },
  ];
  for (const tc of split) it(`reads "${tc.line}"`, () => assert.deepEqual(stampedLine(tc.line), tc.want));

  it("lines of several logs come in the order of their instants, each log in its own", async () => {
    async function* lines(...times: readonly string[]): AsyncGenerator<StampedLine> {
      for (const time of times) yield { time, text: time };
    }
    const merged: string[] = [];
    const logs = [
      { source: "a", lines: lines("1", "4", "5") },
      { source: "b", lines: lines() },
      { source: "c", lines: lines("2", "4", "6") },
    ];
    for await (const { source, line } of mergeLogs(logs)) merged.push(`${source}${line.text}`);
    assert.deepEqual(merged, ["a1", "c2", "a4", "c4", "a5", "c6"]);
  });

  const objects = {
    "elasticjobs.nuptse.dev": [makeJob({ sharding: { total: 60 } })],
    pods: Array.from({ length: 60 }, (_, item) =>
      makePod({ item, node: "n1", scheduled: "12:00:01", started: "12:00:02", history: { items: "0-59" } }),
    ),
  };
  const refused = [
    {
      name: "more logs than can be open at once",
      args: [],
      want: "error: 60 items of run 20261121t120000z have logs: choose at most 50 with -i, such as -i 0-9",
    },
    {
      name: "a run without pods",
      args: ["--run", "20261120t120000z"],
      want: "error: run 20261120t120000z has no pods; there are those of 20261121t120000z (spec.podRetention says how many are kept)",
    },
    {
      name: "an attempt that is not there",
      args: ["-i", "0", "--attempt", "2"],
      want: /^error: run 20261121t120000z has no pod of item 0, attempt 2; there are \(item\/attempt\): 0\/1 /,
    },
  ];
  for (const tc of refused) {
    it(`says of ${tc.name} what can be done`, async () => {
      const { code, notes } = await kubectlNuptse(["logs", "report", ...tc.args], { objects });
      assert.deepEqual([code, notes.length], [1, 1]);
      assert.match(notes[0] ?? "", typeof tc.want === "string" ? new RegExp(`^${tc.want.replaceAll(/[().]/g, "\\$&")}$`) : tc.want);
    });
  }

  describe("of items that were given to executors", () => {
    const entry = (name: string, items: string, more: object = {}) => ({ run: name, runner: "workers", phase: "Running", items, ...more });
    const resident = {
      "elasticjobs.nuptse.dev": [
        makeJob(residentSpec(), {
          status: { active: [entry("r2", "0-1")], history: [entry("r1", "0", { endedAt: "2026-11-21T12:00:00Z" })] },
        } as never),
      ],
    };
    const leader = (path: string, query: Readonly<Record<string, string>>) => {
      assert.equal(path, "/v1/log");
      const { run, item, from = "1", attempt = "3" } = query;
      if (item === "1") return { status: 404, body: { error: "no instance of workers has a log of item 1" } };
      const page = { item: Number(item), attempt: Number(attempt), instance: "a" };
      if (from === "1") return { status: 200, body: { logs: [{ ...page, text: `${run}: one\ntwo\n`, nextLine: 3 }] } };
      return { status: 200, body: { logs: [{ ...page, text: `attempt ${attempt} from line ${from}\n` }] } };
    };

    it("the leader is asked, page by page, and of each item that has none it is said", async () => {
      const { code, results, notes } = await kubectlNuptse(["logs", "report"], { objects: resident, leader });
      assert.deepEqual([code, results], [0, ["[0] r2: one", "[0] two", "[0] attempt 3 from line 3"]]);
      assert.deepEqual(notes, ["item 1: no instance of workers has a log of item 1"]);
    });

    it("a run, an item and the last lines can be chosen", async () => {
      const { results } = await kubectlNuptse(["logs", "report", "--run", "r1", "-i", "0", "--tail", "2"], { objects: resident, leader });
      assert.deepEqual(results, ["two", "attempt 3 from line 3"]);
    });

    it("an operator that cannot be asked, or has nothing, is an error", async () => {
      const silent = await kubectlNuptse(["logs", "report", "-i", "0"], { objects: resident });
      assert.equal(silent.code, 1);
      assert.match(silent.notes[0] ?? "", /nuptse-explain/);
      const none = await kubectlNuptse(["logs", "report", "-i", "1"], { objects: resident, leader });
      assert.deepEqual([none.code, none.notes], [1, ["error: no instance of workers has a log of item 1"]]);
    });

    it("what only logs of containers can do is refused", async () => {
      const { code, notes } = await kubectlNuptse(["logs", "report", "-f"], { objects: resident, leader });
      assert.equal(code, 2);
      assert.match(notes.join("\n"), /--follow is for pods/);
    });
  });

  it("says of a job without pods where to ask", async () => {
    const { code, notes } = await kubectlNuptse(["logs", "report"], { objects: { "elasticjobs.nuptse.dev": [makeJob()] } });
    assert.equal(code, 1);
    assert.match(notes[0] ?? "", /report has no pods, so there are no logs: kubectl nuptse why report tells/);
  });
});

describe("cli/plugin terminal", () => {
  const cases = [
    { name: "a short line stays", line: "abc", width: 5, want: "abc" },
    { name: "a long one is cut", line: "abcdef", width: 3, want: "abc" },
    { name: "colours have no width, and end", line: "a\u001b[31mbcd\u001b[39m", width: 2, want: "a\u001b[31mb\u001b[39m" },
    { name: "letters beyond 16 bits are whole", line: "\u{1f600}\u{1f600}", width: 1, want: "\u{1f600}" },
  ];
  for (const tc of cases) it(tc.name, () => assert.equal(cut(tc.line, tc.width), tc.want));

  it("draws over what it drew before, and takes a width of 0 for unknown", () => {
    const written: string[] = [];
    const terminal = createTerminal({ isTTY: true, columns: 0, rows: 0, write: (text: string) => written.push(text) }, {});
    terminal?.draw(["a", "b"]);
    terminal?.draw(["c"]);
    assert.deepEqual(written, ["a\nb\n", "\u001b[2A\u001b[0Jc\n"]);
    assert.deepEqual([terminal?.columns, terminal?.rows], [80, 24]);
  });

  const streams = [
    { name: "a file", isTTY: false, environment: {}, wantDraws: false, wantColours: false },
    { name: "a terminal", isTTY: true, environment: {}, wantDraws: true, wantColours: true },
    { name: "a terminal with NO_COLOR", isTTY: true, environment: { NO_COLOR: "1" }, wantDraws: true, wantColours: false },
    { name: "a terminal that can do nothing", isTTY: true, environment: { TERM: "dumb" }, wantDraws: false, wantColours: false },
  ];
  for (const { name, isTTY, environment, wantDraws, wantColours } of streams) {
    it(`${name} is ${wantDraws ? "" : "not "}drawn on, and gets ${wantColours ? "" : "no "}colours`, () => {
      const stream = { isTTY, write() {} };
      assert.deepEqual([createTerminal(stream, environment) !== undefined, showsColours(stream, environment)], [wantDraws, wantColours]);
    });
  }
});
