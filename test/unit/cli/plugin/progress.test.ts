import assert from "node:assert/strict";
import { bar, progressFrame, progressNews } from "../../../../src/cli/plugin/progress.ts";
import type { ItemView, RunView } from "../../../../src/cli/plugin/run-view.ts";
import { createStyle } from "../../../../src/cli/plugin/style.ts";
import { at, iso } from "../../../support/builders/elastic-job.ts";

const style = createStyle(false);
const view = (items: readonly ItemView[], differs: Partial<RunView> = {}): RunView => ({
  run: "20261121t120000z-r5d9c0000",
  phase: "Running",
  startedAt: iso("12:00:00"),
  total: items.length,
  succeeded: items.filter((item) => item.phase === "Succeeded").length,
  failed: items.filter((item) => item.phase === "Failed").length,
  attempts: 0,
  lost: 0,
  live: true,
  items,
  ...differs,
});
const done: ItemView = {
  item: 0,
  phase: "Succeeded",
  attempt: 1,
  node: "n1",
  startedAt: iso("12:00:00"),
  endedAt: iso("12:00:20"),
  exitCode: 0,
  result: "12 rows",
};
const busy: ItemView = { item: 1, phase: "Running", attempt: 2, node: "n2", startedAt: iso("12:00:20") };
const waiting: ItemView = { item: 2, phase: "Waiting" };

describe("cli/plugin progress", () => {
  const bars = [
    { share: 0, want: "[--------------------]" },
    { share: 0.5, want: "[##########----------]" },
    { share: 1.5, want: "[####################]" },
  ];
  for (const tc of bars) it(`a share of ${tc.share} is ${tc.want}`, () => assert.equal(bar(tc.share), tc.want));

  it("has a bar for the run and one for each item, which is measured by those that have ended", () => {
    assert.deepEqual(progressFrame(view([done, busy, waiting]), at("12:00:30"), 24, style), [
      "run 20261121t120000z-r5d9c0000  Running  [#######-------------] 1/3  30 s",
      "  0  [####################]  Succeeded  20 s        n1  12 rows",
      "  1  [##########----------]  Running    10 s        n2  attempt 2",
      "  2  [--------------------]  Waiting    -",
    ]);
  });

  it("an item that takes longer than the others is not full before it has ended", () => {
    const [, , line] = progressFrame(view([done, busy]), at("12:09:00"), 24, style);
    assert.match(line ?? "", /^ {2}1 {2}\[#{19}-\] {2}Running/);
  });

  it("where there is no room for all, those at work are shown", () => {
    const many = [...Array.from({ length: 40 }, (_, item): ItemView => ({ ...done, item })), { ...busy, item: 40 }];
    const lines = progressFrame(view(many), at("12:00:30"), 8, style);
    assert.deepEqual([lines.length, lines.at(-1)], [7, "  and 36 more"]);
    assert.match(lines[1] ?? "", /^ {2}40 .*Running/);
  });

  it("a run that waits says for what", () => {
    const run = view([waiting], { phase: "Waiting", message: "an earlier run is at work" });
    assert.equal(progressFrame(run, at("12:00:30"), 24, style)[1], "  waits: an earlier run is at work");
  });

  it("elsewhere a line is written for what is new", () => {
    const before = view([{ ...done, phase: "Running" }, busy, waiting]);
    const failed: ItemView = { ...busy, phase: "Failed", reason: "RetriesExhausted", exitCode: 3 };
    assert.deepEqual(progressNews(before, undefined), [
      "run 20261121t120000z-r5d9c0000: Running",
      "item 0: Running (on n1, attempt 1, exit 0)",
      "item 1: Running (on n2, attempt 2)",
    ]);
    assert.deepEqual(progressNews(view([done, failed, waiting]), before), [
      "item 0: Succeeded (on n1, attempt 1, 12 rows)",
      "item 1: Failed (on n2, attempt 2, RetriesExhausted exit 3)",
    ]);
  });

  it("of many items only what fails and each tenth is told", () => {
    const items = (ended: number) =>
      Array.from(
        { length: 100 },
        (_, item): ItemView =>
          item < ended
            ? { ...done, item }
            : item === 99
              ? { ...busy, item, phase: "Retrying", reason: "Error" }
              : { item, phase: "Waiting" },
      );
    assert.deepEqual(progressNews(view(items(25)), view(items(15))), ["run 20261121t120000z-r5d9c0000: 25 of 100 items have ended"]);
    assert.deepEqual(progressNews(view(items(9)), undefined), [
      "run 20261121t120000z-r5d9c0000: Running",
      "item 99: Retrying (on n2, attempt 2, Error)",
    ]);
  });
});
