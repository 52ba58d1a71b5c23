import type { WaitingWork } from "../../api/queue-explanation.ts";
import type { Zone } from "../../cron/zone.ts";
import type { Explanation } from "./cause.ts";
import type { Style } from "./style.ts";
import { timeText } from "./time-text.ts";
import { waitingLines } from "./waiting-text.ts";

const headlines: Readonly<Record<Explanation["state"], string>> = {
  Running: "is running",
  Stuck: "has a run that does not go on",
  Idle: "is not running",
  Stopped: "is not running, and nothing will fire",
};

/** An explanation for people: one paragraph a cause. */
export function explanationText(explanation: Explanation, style: Style, zone: Zone, now: number): readonly string[] {
  const { state, job, namespace, causes, nextFireTime } = explanation;
  const paint = state === "Running" ? style.good : state === "Stuck" ? style.bad : style.bold;
  const lines = [`ElasticJob ${job} in ${namespace} ${paint(headlines[state])}.`];
  lines.push(
    ...causeLines(
      causes.filter(({ cause }) => cause !== "NextFireTime"),
      style,
      zone,
      now,
    ),
  );
  if (nextFireTime === undefined) lines.push("Next fire time: none");
  else {
    if (causes.every((cause) => cause.cause === "NextFireTime")) lines.push("Nothing is wrong: it waits for its next fire time.");
    lines.push(`Next fire time: ${timeText(nextFireTime, zone, now)}`);
  }
  return lines;
}

/** A cause of whatever kind of work, as it is told to people. */
interface ToldCause {
  readonly cause: string;
  /** A sentence without its full stop. */
  readonly text: string;
  readonly since?: string;
  readonly advice?: string;
  readonly waiting?: WaitingWork;
}

/** Causes with what is known of each and what can be done. */
export function causeLines(causes: readonly ToldCause[], style: Style, zone: Zone, now: number): readonly string[] {
  return causes.flatMap(({ text, since, advice, cause, waiting }) => [
    `- ${style.bold(cause)}: ${text}`,
    ...(since === undefined ? [] : [`    since   ${timeText(since, zone, now)}`]),
    ...(waiting === undefined ? [] : waitingLines(waiting, zone, now).map(([word, said]) => `    ${word.padEnd(7)} ${said}`)),
    ...(advice === undefined ? [] : [`    to do   ${advice}`]),
  ]);
}
