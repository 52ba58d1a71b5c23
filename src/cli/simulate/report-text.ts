import { formatDuration } from "../../base/duration.ts";
import { alignColumns } from "../cron-output.ts";
import { branch } from "../plugin/queue-tree-text.ts";
import type { QueueReport, SimulationReport } from "./report.ts";
import type { WaitSeconds } from "./waiting.ts";

/** Eighths of a cell: a blank is nothing at all. */
const levels = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** A report as tables; lines of at most 100 columns while names are not long and there are at most {@link mostCells} buckets. */
export function reportText(report: SimulationReport, resource: string | undefined): readonly string[] {
  const { queues, workloads } = report;
  return [
    `${report.from} to ${report.to}, seed ${report.seed}, ${report.nodes} nodes`,
    "",
    ...shareTable(report, resource),
    "",
    ...waitTable(queues),
    ...reclaimTable(queues),
    "",
    ...workloadTable(workloads),
    ...troubles(report),
  ];
}

/** Buckets that a line of 100 columns has room for. */
export const mostCells = 56;

function shareTable({ queues, bucketSeconds }: SimulationReport, resource: string | undefined): readonly string[] {
  const rows = queues.map((queue, index) => {
    const shown = resource ?? shownOf(queue);
    const share = queue.share[shown];
    return [
      `${branch(queues, index)}${queue.name}`,
      shown,
      share === undefined ? "-" : percent(share.mean),
      share === undefined ? "-" : percent(share.peak),
      share === undefined || queue.parent === undefined ? "-" : percent(share.guaranteed),
      share === undefined ? "" : sparkline(share.series),
    ];
  });
  const head = `SHARE, ${formatDuration(bucketSeconds * 1000)} A CELL`;
  return table([["QUEUE", "RESOURCE", "MEAN", "PEAK", "GUAR.", head], ...rows]);
}

function waitTable(queues: readonly QueueReport[]): readonly string[] {
  const rows = queues.map(({ name, runs, waitSeconds, starvedSeconds, mostWaiting }, index) => [
    `${branch(queues, index)}${name}`,
    String(runs.arrived),
    ...waits(waitSeconds),
    String(runs.waiting),
    String(mostWaiting),
    formatDuration(starvedSeconds.longest * 1000),
  ]);
  return table([["QUEUE", "RUNS", "P50", "P90", "P99", "MAX", "STILL", "MOST", "STARVED"], ...rows]);
}

/** Nothing where nobody was ever asked. */
function reclaimTable(queues: readonly QueueReport[]): readonly string[] {
  if (queues.every(({ reclaims }) => reclaims.asked === 0)) return ["", "Nobody was asked to give anything back."];
  const rows = queues.map(({ name, reclaims }, index) => [
    `${branch(queues, index)}${name}`,
    String(reclaims.claimed),
    String(reclaims.asked),
    String(reclaims.released),
    String(reclaims.declined),
    String(reclaims.withdrawn),
    String(reclaims.overdue),
    String(reclaims.open),
  ]);
  return ["", ...table([["QUEUE", "CLAIMED", "ASKED", "RELEASED", "DECLINED", "WITHDRAWN", "OVERDUE", "OPEN"], ...rows])];
}

function workloadTable(workloads: SimulationReport["workloads"]): readonly string[] {
  const rows = workloads.map(({ name, queue, runs, waitSeconds }) => [
    name,
    queue ?? "-",
    String(runs.arrived),
    ...waits(waitSeconds),
    String(runs.waiting),
    String(runs.failed),
  ]);
  return table([["WORKLOAD", "QUEUE", "RUNS", "P50", "P90", "P99", "MAX", "STILL", "FAILED"], ...rows]);
}

function troubles({ queues, workloads }: SimulationReport): readonly string[] {
  const lines = [
    ...queues.flatMap(({ name, trouble }) => (trouble === undefined ? [] : [`${name}: ${trouble}`])),
    ...workloads.flatMap(({ name, reasons }) =>
      reasons.map(({ reason, runs, message }) => `${name}: ${runs} ${reason}${message === "" ? "" : `: ${message}`}`),
    ),
  ];
  return lines.length === 0 ? [] : ["", ...lines];
}

function waits(wait: WaitSeconds | undefined): readonly string[] {
  if (wait === undefined) return ["-", "-", "-", "-"];
  return [wait.p50, wait.p90, wait.p99, wait.max].map((each) => formatDuration(each * 1000));
}

/** One cell each, an eighth of it for each eighth of the capacity that was begun. */
export function sparkline(shares: readonly number[]): string {
  return shares.map((share) => levels[Math.min(8, Math.max(0, Math.ceil(share * 8 - 1e-9)))]).join("");
}

function shownOf({ share }: QueueReport): string {
  const names = Object.keys(share);
  return names.includes("cpu") ? "cpu" : (names.find((name) => name !== "pods") ?? "cpu");
}

const percent = (share: number): string => `${Math.round(share * 100)}%`;

const table = (rows: readonly (readonly string[])[]): readonly string[] => alignColumns(rows).map((line) => line.trimEnd());
