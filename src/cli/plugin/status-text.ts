import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { itemLabel } from "../../api/names.ts";
import { conditionTypes } from "../../api/reasons.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import type { Zone } from "../../cron/zone.ts";
import { alignColumns } from "../cron-output.ts";
import { eventTime, type JobPicture, suspension } from "./job-picture.ts";
import { isOver } from "./request-text.ts";
import type { ItemView, RunView } from "./run-view.ts";
import { phaseStyle, type Style } from "./style.ts";
import { instantText, spanText, timeText } from "./time-text.ts";

/** What a status shows besides the job itself. */
export interface StatusInput {
  readonly picture: JobPicture;
  readonly runs: readonly RunView[];
  readonly fireTimes: readonly number[];
  readonly zone: Zone;
  readonly style: Style;
  /** All items and runs instead of those that tell something. */
  readonly wide: boolean;
}

/** Items of one run that are shown unless all are asked for. */
const mostItems = 20;
const mostEvents = 8;

/** A job, its newest runs and what they left, for people. */
export function statusText(input: StatusInput): readonly string[] {
  const { picture, runs, style, wide } = input;
  const { job } = picture;
  const lines = [...headLines(input)];
  const live = runs.filter((run) => run.live);
  const shown = live.length > 0 ? live : runs.slice(0, 1);
  for (const run of shown) lines.push("", ...runLines(run, input));
  const others = runs.filter((run) => !run.live && !shown.includes(run));
  if (wide) for (const run of others) lines.push("", ...runLines(run, input));
  else if (others.length > 0) {
    const rows = others.map((run) => [
      run.run,
      run.phase,
      `${run.succeeded}/${run.total}`,
      run.phase === "Succeeded" ? "" : oneLine(run.message),
    ]);
    lines.push("", style.bold("Ended runs"), ...indented(alignColumns(rows).map((line) => line.trimEnd())));
  }
  // The items of a run that is shown have their results beside them.
  if (!shown.some((run) => run.run === job.status?.results?.run)) lines.push(...resultLines(job, style));
  lines.push(...requestLines(input), ...conditionLines(input), ...eventLines(input));
  return lines;
}

function headLines({ picture, fireTimes, zone, style }: StatusInput): readonly string[] {
  const { job, now } = picture;
  const { spec, status, metadata } = job;
  const total = spec.sharding?.total ?? 1;
  const crons = spec.schedule?.crons.join(", ");
  const rows: [string, string][] = [
    ["Job", style.bold(metadata.name)],
    ["Namespace", metadata.namespace ?? "default"],
    ["Schedule", crons === undefined ? "none: it runs only when it is asked to" : `${crons} (${zone.name})`],
    ["Items", `${total}${spec.sharding?.disabledItems === undefined ? "" : `, disabled: ${spec.sharding.disabledItems}`}`],
    ["Concurrency", spec.concurrencyPolicy ?? "Forbid"],
  ];
  if (spec.suspend === true) rows.push(["Suspended", style.bad("by spec.suspend")]);
  const asked = suspension(picture.requests, metadata.name, now);
  if (asked !== undefined) {
    const { until } = asked.spec.suspend ?? {};
    rows.push([
      "Suspended",
      style.bad(`by request ${asked.metadata.name}${until === undefined ? "" : ` until ${timeText(until, zone, now)}`}`),
    ]);
  }
  rows.push(["Last success", timeText(status?.lastSuccessTime, zone, now)]);
  if ((status?.consecutiveFailures ?? 0) > 0) rows.push(["Failed in a row", style.bad(String(status?.consecutiveFailures))]);
  const [first, ...more] = fireTimes;
  rows.push(["Next", first === undefined ? "nothing fires by itself" : instantText(first, zone, now)]);
  for (const time of more) rows.push(["", instantText(time, zone, now)]);
  return rows.map(([name, value]) => `${`${name}${name === "" ? " " : ":"}`.padEnd(17)}${value}`);
}

function runLines(run: RunView, { picture, style, zone, wide }: StatusInput): readonly string[] {
  const { now } = picture;
  const kind = run.kind === undefined || run.kind === "Schedule" ? "" : `, ${run.kind}`;
  const lines = [
    `${style.bold(`Run ${run.run}`)}  ${phaseStyle(style, run.phase)}  ${run.succeeded + run.failed}/${run.total} ended${kind}`,
  ];
  if (run.reason !== undefined && run.reason !== "" && run.message !== undefined) lines.push(`  ${run.reason}: ${run.message}`);
  lines.push(`  Fire time  ${timeText(run.fireTime, zone, now)}`);
  if (run.startedAt !== undefined)
    lines.push(
      `  Started    ${timeText(run.startedAt, zone, now)}, ${run.live ? "for" : "took"} ${spanText(run.startedAt, run.endedAt ?? now)}`,
    );
  if (run.lost > 0) lines.push(`  Failovers  ${run.lost}`);
  return [...lines, ...itemLines(run, now, style, wide)];
}

/** What is out of the ordinary comes first. */
const order: Readonly<Record<ItemView["phase"], number>> = {
  Failed: 0,
  Retrying: 1,
  Starting: 2,
  Running: 3,
  Waiting: 4,
  Cancelled: 5,
  Succeeded: 6,
};

function itemLines(run: RunView, now: number, style: Style, wide: boolean): readonly string[] {
  const few = wide || run.items.length <= mostItems;
  const items = few ? run.items : [...run.items].sort((a, b) => order[a.phase] - order[b.phase] || a.item - b.item).slice(0, mostItems);
  const rows = items.map((item) => [
    itemLabel(item.item),
    item.phase,
    String(item.attempt ?? "-"),
    item.node ?? "-",
    item.startedAt === undefined ? "-" : spanText(item.startedAt, item.endedAt ?? now),
    item.exitCode === undefined ? "-" : String(item.exitCode),
    oneLine(
      item.phase === "Succeeded" ? item.result : [item.reason, item.message].filter((part) => part !== undefined && part !== "").join(": "),
    ),
  ]);
  const [head = "", ...body] = alignColumns([["ITEM", "PHASE", "ATTEMPT", "NODE", "TIME", "EXIT", "RESULT"], ...rows]);
  // Coloured after the columns are aligned: colours have a length and no width.
  const lines = [head, ...body.map((line) => line.replace(/(?<=^\S+ +)\S+/, (phase) => phaseStyle(style, phase)))];
  if (!few) lines.push(`the other ${run.items.length - items.length}: ${restText(run.items, items)}; -o wide shows all`);
  return indented(lines.map((line) => line.trimEnd()));
}

function restText(all: readonly ItemView[], shown: readonly ItemView[]): string {
  const known = new Set(shown);
  const byPhase = new Map<string, IntervalSet>();
  for (const item of all) if (!known.has(item)) byPhase.set(item.phase, (byPhase.get(item.phase) ?? new IntervalSet()).add(item.item));
  return [...byPhase].map(([phase, items]) => `${items.size} ${phase}`).join(", ");
}

function resultLines(job: ElasticJob, style: Style): readonly string[] {
  const { results } = job.status ?? {};
  if (results?.items === undefined || results.items.length === 0) return [];
  const rows = results.items.slice(0, mostItems).map(({ item, value }) => [String(item), oneLine(value)]);
  const more = results.items.length - rows.length + (results.omitted ?? 0);
  return ["", style.bold(`Results of ${results.run}`), ...indented(alignColumns(rows)), ...(more > 0 ? [`  and ${more} more`] : [])];
}

function conditionLines({ picture, style, zone }: StatusInput): readonly string[] {
  const conditions = picture.job.status?.conditions ?? [];
  if (conditions.length === 0) return ["", "The operator has not seen the job yet; kubectl nuptse why tells more."];
  const rows = conditions.map((condition) => [
    condition.type,
    condition.status,
    condition.reason,
    timeText(condition.lastTransitionTime, zone, picture.now),
    condition.type === conditionTypes.lastRunSucceeded && condition.status === "True" ? "" : oneLine(condition.message),
  ]);
  return ["", style.bold("Conditions"), ...indented(alignColumns(rows).map((line) => line.trimEnd()))];
}

/** What was asked of the job and has not ended. */
function requestLines({ picture, style }: StatusInput): readonly string[] {
  const open = picture.requests.filter((request) => !isOver(request));
  if (open.length === 0) return [];
  const rows = open.map(({ metadata, spec, status }) => {
    const { total, ended } = status?.backfill ?? {};
    const far = total === undefined ? (status?.run ?? "") : `${ended ?? 0}/${total}`;
    return [metadata.name, status?.phase ?? "Pending", far, spec.requestedBy ?? "", oneLine(status?.message)];
  });
  return ["", style.bold("Requests"), ...indented(alignColumns(rows).map((line) => line.trimEnd()))];
}

function eventLines({ picture, style, zone }: StatusInput): readonly string[] {
  const events = picture.events.slice(-mostEvents);
  if (events.length === 0) return [];
  const rows = events.map((event) => [
    timeText(new Date(eventTime(event)).toISOString(), zone, picture.now),
    event.reason ?? "",
    oneLine(event.message),
  ]);
  return ["", style.bold("Events"), ...indented(alignColumns(rows))];
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

/** A text of several lines as one, cut where a table would break. */
export function oneLine(text: string | undefined, longest = 160): string {
  const flat = (text ?? "").trim().replaceAll(/\s+/g, " ");
  return flat.length > longest ? `${flat.slice(0, longest - 3)}...` : flat;
}
