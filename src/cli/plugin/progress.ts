import type { JobRequest } from "../../api/job-request.gen.ts";
import { itemLabel, reduceItem } from "../../api/names.ts";
import type { ItemView, RunView } from "./run-view.ts";
import { oneLine } from "./status-text.ts";
import { phaseStyle, type Style } from "./style.ts";
import { spanText } from "./time-text.ts";

const barWidth = 20;
/** Of runs with more items than this, lines are written for what fails and for each tenth, not for each item. */
const mostTalkative = 50;

/** A bar that is full to a share of 0 to 1. */
export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
  return `[${"#".repeat(full)}${"-".repeat(barWidth - full)}]`;
}

/** How far the items of a run have come, for a terminal: a line for the run, and one for each item as far as there is room. */
export function progressFrame(run: RunView, now: number, rows: number, style: Style): readonly string[] {
  const ended = run.succeeded + run.failed;
  const time = run.startedAt === undefined ? "" : `  ${spanText(run.startedAt, run.endedAt ?? now)}`;
  const lines = [
    `${style.bold(`run ${run.run}`)}  ${phaseStyle(style, run.phase)}  ${bar(ended / Math.max(1, run.total))} ${ended}/${run.total}${time}`,
  ];
  if (run.phase === "Waiting") lines.push(`  waits: ${oneLine(run.message ?? run.reason ?? "the operator has not said for what")}`);
  const expected = expectedMs(run.items);
  const room = Math.max(1, rows - 3);
  const shown =
    run.items.length <= room
      ? run.items
      : [...run.items].sort((a, b) => interest[a.phase] - interest[b.phase] || a.item - b.item).slice(0, room);
  const width = Math.max(0, ...shown.map(({ item }) => itemLabel(item).length));
  for (const item of shown) {
    const where = [item.node ?? "", (item.attempt ?? 1) > 1 ? `attempt ${item.attempt}` : "", wordsOf(item)]
      .filter((part) => part !== "")
      .join("  ");
    const took = item.startedAt === undefined ? "-" : spanText(item.startedAt, item.endedAt ?? now);
    const phase = phaseStyle(style, item.phase, item.phase.padEnd(9));
    lines.push(
      `  ${itemLabel(item.item).padStart(width)}  ${bar(shareOf(item, now, expected))}  ${phase}  ${took.padEnd(11)} ${where}`.trimEnd(),
    );
  }
  if (shown.length < run.items.length) lines.push(`  and ${run.items.length - shown.length} more`);
  return lines;
}

const interest: Readonly<Record<ItemView["phase"], number>> = {
  Retrying: 0,
  Running: 1,
  Starting: 2,
  Failed: 3,
  Waiting: 4,
  Cancelled: 5,
  Succeeded: 6,
};

/** How long an item takes, from those of the run that have succeeded; undefined while none has. */
function expectedMs(items: readonly ItemView[]): number | undefined {
  const times = items.flatMap(({ phase, startedAt, endedAt }) =>
    phase === "Succeeded" && startedAt !== undefined && endedAt !== undefined ? [Date.parse(endedAt) - Date.parse(startedAt)] : [],
  );
  return times.length === 0 ? undefined : times.reduce((sum, time) => sum + time, 0) / times.length;
}

/** An item says nothing of how far it is, so one at work is measured by how long the others took; without any it stands at the half. */
function shareOf(item: ItemView, now: number, expected: number | undefined): number {
  if (item.phase === "Succeeded" || item.phase === "Failed") return 1;
  if (item.phase !== "Running" || item.startedAt === undefined) return 0;
  return expected === undefined ? 0.5 : Math.min(0.95, (now - Date.parse(item.startedAt)) / Math.max(1, expected));
}

function wordsOf(item: ItemView): string {
  if (item.phase === "Succeeded") return oneLine(item.result, 60);
  const exit = item.exitCode === undefined ? "" : `exit ${item.exitCode}`;
  return oneLine([item.reason ?? "", exit, item.message ?? ""].filter((part) => part !== "").join(" "), 60);
}

/** A backfill in one line. */
export function backfillLine(request: JobRequest, style: Style): string {
  const { total = 0, ended = 0, failed = 0 } = request.status?.backfill ?? {};
  const wrong = failed === 0 ? "" : `, ${style.bad(`${failed} failed`)}`;
  return `${style.bold(`backfill ${request.metadata.name}`)}  ${bar(total === 0 ? 0 : ended / total)} ${ended}/${total} runs${wrong}`;
}

/** What is new in a run since it was looked at last, as lines for a log. */
export function progressNews(run: RunView, before: RunView | undefined): readonly string[] {
  const lines: string[] = [];
  if (before?.phase !== run.phase && !isEnded(run)) {
    const words = run.phase === "Waiting" ? `: ${oneLine(run.message ?? run.reason)}` : "";
    lines.push(`run ${run.run}: ${run.phase}${words === ": " ? "" : words}`);
  }
  const known = new Map((before?.items ?? []).map((item) => [item.item, item]));
  const few = run.total <= mostTalkative;
  for (const item of run.items) {
    const old = known.get(item.item);
    if (old?.phase === item.phase && old.attempt === item.attempt) continue;
    if (item.phase === "Waiting" || (!few && !["Failed", "Retrying"].includes(item.phase))) continue;
    const details = [item.node === undefined ? "" : `on ${item.node}`, `attempt ${item.attempt ?? 1}`, wordsOf(item)].filter(
      (part) => part !== "",
    );
    const which = item.item === reduceItem ? "reduce" : `item ${item.item}`;
    lines.push(`${which}: ${item.phase} (${details.join(", ")})`);
  }
  const tenth = (view: RunView | undefined) =>
    view === undefined ? 0 : Math.floor(((view.succeeded + view.failed) * 10) / Math.max(1, view.total));
  if (!few && tenth(run) > tenth(before)) lines.push(`run ${run.run}: ${run.succeeded + run.failed} of ${run.total} items have ended`);
  return lines;
}

const isEnded = (run: RunView): boolean => !run.live;
