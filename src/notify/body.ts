import { createHmac } from "node:crypto";
import type { Notification } from "../api/notification.ts";
import { formatMillis, formatSeconds } from "../base/time.ts";

/** What is the same for a notification however often it comes: the object, the run, the event (decision 77). */
export function notificationKey({ of, run, event, at }: Notification): string {
  return `${of.uid}/${run?.id ?? formatMillis(at)}/${event}`;
}

/** The body for a receiver's format, as JSON. */
export function bodyOf(notification: Notification, format: "JSON" | "Slack"): string {
  return JSON.stringify(format === "Slack" ? slackBody(notification) : genericBody(notification));
}

function genericBody(notification: Notification): object {
  const { event, of, run, revision, nodes, at, reason, message, consecutiveFailures } = notification;
  const { kind, ...named } = of;
  return {
    version: 1,
    key: notificationKey(notification),
    event,
    [kind === "RunnerApp" ? "app" : "job"]: named,
    ...(run !== undefined && { run: run.id, fireTime: formatSeconds(run.fireTime) }),
    ...(revision !== undefined && { revision }),
    ...(nodes !== undefined && { nodes }),
    at: formatMillis(at),
    reason,
    message,
    ...(consecutiveFailures !== undefined && { consecutiveFailures }),
  };
}

const titles: Readonly<Record<Notification["event"], string>> = {
  Failed: ":red_circle: failed",
  Recovered: ":large_green_circle: recovered",
  Misfired: ":large_yellow_circle: misfired",
  Late: ":hourglass: late",
  Degraded: ":red_circle: degraded",
  RolloutPaused: ":double_vertical_bar: roll-out stopped",
  NodeExcluded: ":no_entry: node left out",
};

function slackBody({ event, of, message, consecutiveFailures = 0 }: Notification): object {
  const count = event === "Failed" && consecutiveFailures > 1 ? ` (${consecutiveFailures} in a row)` : "";
  return { text: `*${of.namespace}/${of.name}* ${titles[event]}${count}\n${escaped(message)}` };
}

/** Slack reads these three signs as marks. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The header in which a signature stands. */
export const signatureHeader = "nuptse-signature";

/**
 * "t=1795280400,v1=5257a869...": HMAC-SHA-256 with the key over the time, a dot and the body, in hexadecimal. The time is in seconds, so that a
 * receiver can refuse what somebody recorded and sends again later.
 */
export function signature(key: string, body: string, now: number): string {
  const time = Math.floor(now / 1000);
  return `t=${time},v1=${createHmac("sha256", key).update(`${time}.${body}`).digest("hex")}`;
}
