import type { Zone } from "../../cron/zone.ts";
import { distance, localTime } from "../cron-output.ts";

/** "Sat 2026-11-21 17:00:00 +01:00 (in 2 h)". */
export function instantText(instant: number, zone: Zone, now: number): string {
  return `${localTime(instant, zone)} (${distance(instant - now)})`;
}

/** The same of a text as it stands in an object; "-" when there is none. */
export function timeText(text: string | null | undefined, zone: Zone, now: number): string {
  const instant = Date.parse(text ?? "");
  return Number.isNaN(instant) ? "-" : instantText(instant, zone, now);
}

/** "2 h 5 min": how long something took, or goes on. */
export function spanText(from: string | undefined, to: string | number | undefined): string {
  const start = Date.parse(from ?? "");
  const end = typeof to === "number" ? to : Date.parse(to ?? "");
  if (Number.isNaN(start) || Number.isNaN(end)) return "-";
  const length = Math.max(0, end - start);
  return length < 500 ? "0 s" : distance(length).replace(/^in /, "");
}
