import { createHmac } from "node:crypto";
import type { Notification } from "../api/notification.ts";
import { formatMillis, formatSeconds } from "../base/time.ts";

/** What is the same for a notification however often it comes: the job, the run, the event (decision 77). */
export function notificationKey({ job, run, event, at }: Notification): string {
  return `${job.uid}/${run?.id ?? formatMillis(at)}/${event}`;
}

/** The body for a receiver's format, as JSON. */
export function bodyOf(notification: Notification, format: "JSON" | "Slack"): string {
  return JSON.stringify(format === "Slack" ? slackBody(notification) : genericBody(notification));
}

function genericBody(notification: Notification): object {
  const { event, job, run, at, reason, message, consecutiveFailures } = notification;
  return {
    version: 1,
    key: notificationKey(notification),
    event,
    job,
    ...(run !== undefined && { run: run.id, fireTime: formatSeconds(run.fireTime) }),
    at: formatMillis(at),
    reason,
    message,
    consecutiveFailures,
  };
}

const titles: Readonly<Record<Notification["event"], string>> = {
  Failed: ":red_circle: failed",
  Recovered: ":large_green_circle: recovered",
  Misfired: ":large_yellow_circle: misfired",
  Late: ":hourglass: late",
};

function slackBody({ event, job, message, consecutiveFailures }: Notification): object {
  const count = event === "Failed" && consecutiveFailures > 1 ? ` (${consecutiveFailures} in a row)` : "";
  return { text: `*${job.namespace}/${job.name}* ${titles[event]}${count}\n${escaped(message)}` };
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
