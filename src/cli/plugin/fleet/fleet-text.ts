import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { IntervalSet } from "../../../base/interval-set.ts";
import { formatSeconds } from "../../../base/time.ts";
import { utc } from "../../../cron/zone.ts";
import { alignColumns } from "../../cron-output.ts";
import { eventTime } from "../job-picture.ts";
import { oneLine } from "../status-text.ts";
import type { Style } from "../style.ts";
import { spanText, timeText } from "../time-text.ts";
import type { FleetPicture } from "./fleet-picture.ts";
import { type Fleet, type Instance, instanceView } from "./instances.ts";
import { revisionText, revisionViews } from "./revision-view.ts";

/** What the picture of one fleet is made of. */
export interface FleetInput {
  readonly picture: FleetPicture;
  readonly fleet: Fleet;
  readonly style: Style;
  /** All instances and more of each, instead of those that tell something. */
  readonly wide: boolean;
}

/** Instances of one fleet that are shown unless all are asked for. */
const mostInstances = 20;
const mostEvents = 8;

/** A fleet with its revisions, instances, moves and retries, for people. */
export function fleetText(input: FleetInput): readonly string[] {
  return [
    ...headLines(input),
    ...revisionLines(input),
    ...instanceLines(input),
    ...moveLines(input),
    ...retryLines(input),
    ...excludedLines(input),
    ...conditionLines(input),
    ...eventLines(input),
  ];
}

function headLines({ picture, fleet, style }: FleetInput): readonly string[] {
  const { app, now } = picture;
  const { spec, status, metadata } = app;
  const rows: [string, string][] = [
    ["RunnerApp", style.bold(metadata.name)],
    ["Namespace", metadata.namespace ?? "default"],
    ["Instances", countsText(fleet, style)],
    ["Roll-out", rolloutText(app, fleet, now, style)],
    ["Budgets", `${fleet.spec.maxUnavailable} may be missing, ${fleet.spec.maxSurge} may run besides`],
  ];
  const { admitted } = status ?? {};
  if (admitted !== undefined || spec.queue?.name !== undefined) {
    const granted = admitted === undefined ? "nothing admitted" : `${admitted.replicas ?? 0} admitted, ${admitted.surge ?? 0} for a surge`;
    rows.push(["Queue", `${spec.queue?.name ?? "the default of the namespace"}: ${granted}`]);
  }
  if (spec.suspend === true) rows.push(["Suspended", style.bad("by spec.suspend")]);
  if (spec.restartedAt !== undefined) rows.push(["Restarted", timeText(spec.restartedAt, utc, now)]);
  return rows.map(([name, value]) => `${`${name}:`.padEnd(17)}${value}`);
}

function countsText({ available, ready, living, desired, spec }: Fleet, style: Style): string {
  const enough = available >= desired - spec.maxUnavailable;
  const parts = [`${available} of ${desired} available`];
  if (ready > available) parts.push(`${ready - available} ready for less than minReadySeconds`);
  if (living > ready) parts.push(`${living - ready} not ready`);
  if (living > desired) parts.push(`${living - desired} besides`);
  if (desired < spec.replicas) parts.push(`spec.replicas is ${spec.replicas}`);
  return enough ? parts.join(", ") : style.bad(parts.join(", "));
}

const phases: Readonly<Record<string, string>> = {
  Rolling: "under way",
  Held: "held at its share",
  Paused: "paused by spec.paused",
  AutoPaused: "stands still, since instances failed",
  RolledBack: "taken back, since instances failed",
};

/** Where the roll-out stands, in a sentence without its full stop. */
export function rolloutText(app: RunnerApp, { updated, living, spec }: Fleet, now: number, style?: Style): string {
  const { canary, updateRevision } = app.status ?? {};
  if (updateRevision === undefined) return "the operator has not seen the app yet";
  if (canary?.phase === undefined)
    return updated >= living ? "all have what spec.template says" : `${updated} of ${living} have what spec.template says`;
  const far = `${updated} of ${spec.replicas} have the change`;
  const failed = (canary.failed ?? 0) > 0 ? `, ${canary.failed} failed` : "";
  const words = `${phases[canary.phase] ?? canary.phase}: ${far}${failed}`;
  const bad = canary.phase === "AutoPaused" || canary.phase === "RolledBack";
  const since = canary.since === undefined ? "" : `, for ${spanText(canary.since, now)}`;
  return `${bad && style !== undefined ? style.bad(words) : words}${since}`;
}

function revisionLines({ picture, fleet, style }: FleetInput): readonly string[] {
  const { app, revisions, now } = picture;
  const living = fleet.instances.flatMap(({ has }) => (has === undefined || has.facts.isDeleting ? [] : has.facts));
  const shown = revisionViews(app, revisions, living)
    .filter(({ instances, marks }) => instances > 0 || marks.length > 0)
    .map(({ revision, createdAt, instances, images, marks }) => [
      String(revision),
      marks.join(","),
      String(instances),
      createdAt === undefined ? "-" : spanText(createdAt, now),
      images.join(","),
    ]);
  return table("Revisions", ["REVISION", "IS", "INSTANCES", "AGE", "IMAGES"], shown, style);
}

/** What is out of the ordinary comes first. */
const isOrdinary = ({ reason, has }: Instance): boolean => reason === "None" && has?.facts.isDeleting === false;

function instanceLines({ picture, fleet, style, wide }: FleetInput): readonly string[] {
  const { revisions, now } = picture;
  const seen = fleet.instances.filter(({ has }) => has !== undefined);
  const few = wide || seen.length <= mostInstances;
  const order = few ? seen : seen.toSorted((a, b) => Number(isOrdinary(a)) - Number(isOrdinary(b)));
  const shown = few ? order : order.slice(0, mostInstances);
  const heads = ["INSTANCE", "REASON", "POD", "NODE", "REVISION", "RESTARTS", "AGE", ...(wide ? ["IP", "IMAGE"] : []), "LAST-EXIT"];
  const rows = shown.map((instance) => {
    const view = instanceView(instance);
    return [
      view.instance,
      reasonText(instance),
      view.pod ?? "-",
      view.node ?? "-",
      revisionText(revisions, view.revision),
      String(view.restarts),
      view.createdAt === undefined ? "-" : spanText(view.createdAt, now),
      ...(wide ? [view.podIP ?? "-", view.image ?? "-"] : []),
      view.lastExit ?? "",
    ];
  });
  // The reason is coloured after the columns are aligned: colours have a length and no width.
  const lines = table("Instances", heads, [...rows, ...missingRows(fleet)], style).map((line, index) =>
    index < 3 ? line : line.replace(/(?<=^ {2}\S+ +)\S+/, (reason) => paint(reason, style)),
  );
  const rest = seen.length - shown.length;
  return rest > 0 ? [...lines, `  and ${rest} more; -o wide shows all`] : lines;
}

/** Instances without a pod, those with the same reason in one line. */
function missingRows({ instances }: Fleet): readonly (readonly string[])[] {
  const missing = instances.filter(({ has }) => has === undefined);
  return [...Map.groupBy(missing, ({ reason }) => reason)].map(([reason, all]) => {
    const numbers = new IntervalSet(all.map(({ number }) => Number(number)));
    return [numbers.toString(), reason, "-", "-", "-", "-", "-", ""];
  });
}

const reasonText = ({ reason, has }: Instance): string =>
  has?.facts.isDeleting === true
    ? "Ending"
    : reason !== "None"
      ? reason
      : has?.isAvailable === true
        ? "Serving"
        : has?.facts.readySince === undefined
          ? "NotReady"
          : "Ready";

function paint(reason: string, style: Style): string {
  if (reason === "Serving") return style.good(reason);
  return ["Ready", "NotStarted", "Evacuating", "Ending", "Suspended"].includes(reason) ? style.busy(reason) : style.bad(reason);
}

function moveLines({ picture, fleet, style }: FleetInput): readonly string[] {
  const names = new Map(picture.pods.map(({ metadata }) => [metadata.uid, metadata.name]));
  const rows = fleet.records.evacuations.map(({ instance, node, cause, phase, replacement, since }) => [
    instance,
    phase,
    node,
    cause,
    replacement === undefined ? "-" : (names.get(replacement) ?? "gone"),
    spanText(formatSeconds(since), picture.now),
  ]);
  return table("Moves", ["INSTANCE", "PHASE", "LEAVES", "BECAUSE", "REPLACEMENT", "FOR"], rows, style);
}

function retryLines({ picture, fleet, style }: FleetInput): readonly string[] {
  const { retry } = fleet.spec;
  const rows = fleet.records.series.map(({ instance, sameNodeUsed, otherNodesUsed, nodes, move, exhaustedAt }) => {
    const next =
      exhaustedAt !== undefined
        ? `none: used up; anew ${timeText(formatSeconds(exhaustedAt + retry.resetAfterMs), utc, picture.now)}`
        : move === undefined
          ? "-"
          : move.granted
            ? `${move.kind}, ${timeText(formatSeconds(move.notBefore), utc, picture.now)}`
            : `${move.kind}, when retry.storm lets it`;
    return [instance, usedText(sameNodeUsed, retry.sameNode), usedText(otherNodesUsed, retry.otherNodes), nodes.join(",") || "-", next];
  });
  return table("Retries", ["INSTANCE", "SAME-NODE", "OTHER-NODES", "FAILED-ON", "NEXT"], rows, style);
}

/** What fails beyond the limit is the kubelet's to start again. */
const usedText = (used: number, limit: number): string => `${Math.min(used, limit)}/${limit}`;

function excludedLines({ picture, fleet, style }: FleetInput): readonly string[] {
  const learnt = fleet.records.exclusion.exclusions
    .filter(({ until }) => until > picture.now)
    .map(({ node, failures, until, reason }) => [
      node,
      timeText(formatSeconds(until), utc, picture.now),
      `${failures} failures: ${reason}`,
    ]);
  const told = fleet.spec.nodeRules
    .filter(({ effect, expiresAt }) => effect === "Exclude" && (expiresAt === undefined || Date.parse(expiresAt) > picture.now))
    .map(({ node, expiresAt, reason }) => [
      node,
      expiresAt === undefined ? "for good" : timeText(expiresAt, utc, picture.now),
      `spec.nodeRules${reason === undefined ? "" : `: ${oneLine(reason)}`}`,
    ]);
  return table("Nodes left out", ["NODE", "UNTIL", "BECAUSE"], [...told, ...learnt], style);
}

function conditionLines({ picture, style }: FleetInput): readonly string[] {
  const conditions = picture.app.status?.conditions ?? [];
  if (conditions.length === 0) return ["", "The operator has not seen the app yet; kubectl nuptse why tells more."];
  const rows = conditions
    .filter(({ type, status }) => status === "True" || type === "Ready" || type === "Available")
    .map(({ type, status, reason, message, lastTransitionTime }) => [
      type,
      status,
      reason,
      timeText(lastTransitionTime, utc, picture.now),
      oneLine(message),
    ]);
  return ["", style.bold("Conditions"), ...indented(alignColumns(rows))];
}

function eventLines({ picture, style }: FleetInput): readonly string[] {
  const rows = picture.events
    .slice(-mostEvents)
    .map((event) => [timeText(new Date(eventTime(event)).toISOString(), utc, picture.now), event.reason ?? "", oneLine(event.message)]);
  return rows.length === 0 ? [] : ["", style.bold("Events"), ...indented(alignColumns(rows))];
}

function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[], style: Style): readonly string[] {
  return rows.length === 0 ? [] : ["", style.bold(title), ...indented(alignColumns([heads, ...rows]))];
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line.trimEnd()}`);
