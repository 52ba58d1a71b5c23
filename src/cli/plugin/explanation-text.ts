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
  for (const { text, since, advice, cause, waiting } of causes) {
    if (cause === "NextFireTime") continue;
    lines.push(`- ${style.bold(cause)}: ${text}`);
    if (since !== undefined) lines.push(`    since   ${timeText(since, zone, now)}`);
    if (waiting !== undefined) for (const [word, said] of waitingLines(waiting, zone, now)) lines.push(`    ${word.padEnd(7)} ${said}`);
    if (advice !== undefined) lines.push(`    to do   ${advice}`);
  }
  if (nextFireTime === undefined) lines.push("Next fire time: none");
  else {
    if (causes.every((cause) => cause.cause === "NextFireTime")) lines.push("Nothing is wrong: it waits for its next fire time.");
    lines.push(`Next fire time: ${timeText(nextFireTime, zone, now)}`);
  }
  return lines;
}
