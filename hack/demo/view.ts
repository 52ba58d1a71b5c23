import type { ElasticJob, ElasticJobRun } from "../../src/api/elastic-job.gen.ts";
import { reduceItem } from "../../src/api/names.ts";
import { type Attempt, type Attempts, attemptsOfRun } from "./attempts.ts";
import type { WordCount } from "./word-count.ts";

/** What a text is about, for its colour. */
export type Tone = "good" | "retry" | "failover" | "bad" | "busy" | "dim" | "strong";

/** Colours a text, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string;

/** What is known at one moment. */
export interface Snapshot {
  readonly jobs: readonly ElasticJob[];
  readonly attempts: Attempts;
}

const itemName = (item: number): string => (item === reduceItem ? "reduce" : `item ${item}`);

const endedPhases: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Cancelled", "Skipped"]);

/** One line for each thing that changed between two moments, in the order of items. */
export function changeLines(before: Snapshot, after: Snapshot, paint: Paint): readonly string[] {
  const lines: string[] = [];
  const begun = new Set([...before.attempts.values()].map(runKey));
  for (const attempt of after.attempts.values()) {
    if (!begun.has(runKey(attempt))) {
      begun.add(runKey(attempt));
      lines.push(`${attempt.job}: ${paint("strong", `run ${attempt.run} begins`)}`);
    }
    const known = before.attempts.get(attempt.pod);
    if (known?.state === attempt.state) continue;
    const line = attemptLine(attempt, known, after.attempts, paint);
    if (line !== undefined) lines.push(`${attempt.job}: ${line}`);
  }
  const ended = new Set(before.jobs.flatMap((job) => endedRuns(job).map((run) => `${job.metadata.name}/${run.run}`)));
  for (const job of after.jobs) {
    for (const run of endedRuns(job)) {
      if (!ended.has(`${job.metadata.name}/${run.run}`)) lines.push(`${job.metadata.name}: ${runLine(run, paint)}`);
    }
  }
  return lines;
}

function attemptLine(attempt: Attempt, known: Attempt | undefined, all: Attempts, paint: Paint): string | undefined {
  const what = `${itemName(attempt.item)}, attempt ${attempt.attempt}`;
  const where = `on ${attempt.node ?? "no node"}`;
  const start = startOf(attempt, all);
  switch (attempt.state) {
    case "Pending":
      return undefined;
    case "Running":
      return `${start === "first" ? "" : `${startWord(start, paint)} `}${what} ${paint("busy", "runs")} ${where}`;
    case "Leaving":
      return `${what} ${where} is told to go`;
    case "Succeeded":
      return `${what} ${paint("good", "is done")} ${where}${took(attempt)}`;
    case "Failed":
      return `${paint("bad", "FAILED")} ${what} ${where}: ${howFailed(attempt)}`;
    case "Lost":
      return known === undefined ? undefined : `${paint("failover", "LOST")} ${what}: its pod ${where} went before the work was done`;
  }
}

/** The state of every job, with the items of its newest run, to be drawn anew at each moment. */
export function blockLines(snapshot: Snapshot, now: number, paint: Paint): readonly string[] {
  return snapshot.jobs.flatMap((job) => jobLines(job, snapshot.attempts, now, paint));
}

function jobLines(job: ElasticJob, attempts: Attempts, now: number, paint: Paint): readonly string[] {
  const name = job.metadata.name;
  const run = newestRun(job, attempts);
  if (run === undefined) return [`${paint("strong", name)}  ${paint("dim", waitingWords(job, now))}`];
  const items = attemptsOfRun(attempts, name, run.id);
  const total = run.recorded?.total ?? job.spec.sharding?.total ?? 1;
  const done = [...items].filter(([item, own]) => item !== reduceItem && own.at(-1)?.state === "Succeeded").length;
  const phase = run.recorded?.phase ?? "Running";
  const tone = phase === "Succeeded" ? "good" : endedPhases.has(phase) ? "bad" : "busy";
  const head = `${paint("strong", name)}  run ${run.id}  ${bar(done, total)} ${done}/${total}  ${paint(tone, phase)}`;
  const rows = [...items].map(([item, own]) => itemLine(item, own, job.spec.sharding?.parameters?.[item] ?? "", attempts, now, paint));
  return [head, ...rows];
}

function itemLine(item: number, own: readonly Attempt[], parameter: string, all: Attempts, now: number, paint: Paint): string {
  const newest = own.at(-1) as Attempt;
  const start = startOf(newest, all);
  const cells = [
    `  ${itemName(item)}`,
    parameter.padEnd(14),
    `attempt ${newest.attempt}`,
    (newest.node ?? "").padEnd(8),
    stateWord(newest, now, paint),
    ...(start === "first" ? [] : [startWord(start, paint)]),
  ];
  const past = own
    .slice(0, -1)
    .map((attempt) => (attempt.state === "Lost" ? `lost on ${attempt.node}` : `${howFailed(attempt)} on ${attempt.node}`));
  return `${cells.join("  ")}${past.length === 0 ? "" : `  ${paint("dim", `before: ${past.join("; ")}`)}`}`;
}

function stateWord(attempt: Attempt, now: number, paint: Paint): string {
  const seconds =
    attempt.startedAt === undefined ? "" : ` ${Math.max(0, ((attempt.endedAt ?? now) - attempt.startedAt) / 1000).toFixed(0)} s`;
  const words: Readonly<Record<Attempt["state"], readonly [Tone, string]>> = {
    Pending: ["dim", "starting"],
    Running: ["busy", `running${seconds}`],
    Leaving: ["failover", "told to go"],
    Succeeded: ["good", `done${seconds}`],
    Failed: ["bad", "failed"],
    Lost: ["failover", "lost"],
  };
  const [tone, text] = words[attempt.state];
  return paint(tone, text.padEnd(12));
}

/** Why an attempt was started. */
function startOf(attempt: Attempt, all: Attempts): "first" | "retry" | "failover" {
  if (attempt.attempt === 1) return "first";
  const earlier = attemptsOfRun(all, attempt.job, attempt.run)
    .get(attempt.item)
    ?.find((other) => other.attempt === attempt.attempt - 1);
  return attempt.lostBefore > (earlier?.lostBefore ?? 0) ? "failover" : "retry";
}

function startWord(start: "retry" | "failover", paint: Paint): string {
  return start === "retry" ? paint("retry", "RETRY") : paint("failover", "FAILOVER");
}

function howFailed(attempt: Attempt): string {
  const message = attempt.message?.split("\n")[0] ?? "";
  return `exit ${attempt.exitCode ?? "?"}${message === "" ? "" : `, "${message}"`}`;
}

function took(attempt: Attempt): string {
  if (attempt.startedAt === undefined || attempt.endedAt === undefined) return "";
  const seconds = Math.round((attempt.endedAt - attempt.startedAt) / 1000);
  return seconds === 0 ? "" : ` after ${seconds} s`;
}

function runLine(run: ElasticJobRun, paint: Paint): string {
  const { total = 1, attempts = 0, lost = 0, phase = "ended", message = "" } = run;
  const reduced = run.reduce?.attempts === undefined ? 0 : 1;
  const retried = attempts - total - lost - reduced;
  const details = [
    ...(attempts === 0 ? [] : [`${counted(total, "item")} by ${counted(attempts, "pod")}`]),
    ...(retried > 0 ? [counted(retried, "retry")] : []),
    ...(lost > 0 ? [counted(lost, "failover")] : []),
    ...(message === "" ? [] : [message]),
  ];
  const outcome = paint(phase === "Succeeded" ? "good" : "bad", phase);
  return `${paint("strong", `run ${run.run}`)} ${outcome}${details.length === 0 ? "" : `: ${details.join(", ")}`}`;
}

function counted(count: number, what: string): string {
  return `${count} ${count === 1 ? what : what.replace(/y$/, "ie").concat("s")}`;
}

function waitingWords(job: ElasticJob, now: number): string {
  const next = job.status?.nextFireTime;
  if (next === undefined) return job.status === undefined ? "not seen by the operator yet" : "no fire time ahead";
  return `fires in ${Math.max(0, Math.ceil((Date.parse(next) - now) / 1000))} s`;
}

function endedRuns(job: ElasticJob): readonly ElasticJobRun[] {
  return job.status?.history ?? [];
}

/** Run ids begin with the fire time, so the greatest is the newest. */
function newestRun(job: ElasticJob, attempts: Attempts): { readonly id: string; readonly recorded?: ElasticJobRun } | undefined {
  const recorded = [...(job.status?.active ?? []), ...endedRuns(job)];
  const ids = recorded.map((run) => run.run);
  for (const attempt of attempts.values()) if (attempt.job === job.metadata.name) ids.push(attempt.run);
  const id = ids.sort().at(-1);
  if (id === undefined) return undefined;
  const entry = recorded.find((run) => run.run === id);
  return { id, ...(entry !== undefined && { recorded: entry }) };
}

function runKey(attempt: Attempt): string {
  return `${attempt.job}/${attempt.run}`;
}

/** "████████░░░░" */
function bar(done: number, total: number): string {
  const width = 12;
  const full = Math.floor((done / Math.max(1, total)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

/** The merged result: the most frequent words with bars, then the total. */
export function resultLines(count: WordCount, most: number, paint: Paint): readonly string[] {
  const top = count.top.slice(0, most);
  const greatest = top[0]?.count ?? 1;
  const longest = Math.max(...top.map(({ word }) => word.length), 5);
  const digits = String(Math.max(count.total, greatest)).length;
  const row = (label: string, value: number, rest = "") => `  ${label.padEnd(longest)}  ${String(value).padStart(digits)}${rest}`;
  return [
    ...top.map((entry) =>
      row(entry.word, entry.count, `  ${paint("busy", "█".repeat(Math.max(1, Math.round((entry.count / greatest) * 40))))}`),
    ),
    row("total", count.total, paint("dim", "  words")),
  ];
}
