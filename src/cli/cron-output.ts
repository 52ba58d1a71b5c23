import { formatSeconds } from "../base/time.ts";
import type { Zone } from "../cron/zone.ts";

const weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const units = [
  { name: "d", seconds: 86_400 },
  { name: "h", seconds: 3600 },
  { name: "min", seconds: 60 },
  { name: "s", seconds: 1 },
] as const;

/** Fire times as a table: in the zone, in UTC, and how far they are from `now`. All in milliseconds. */
export function fireTimeTable(times: readonly number[], zone: Zone, now: number): readonly string[] {
  const rows = times.map((time) => [localTime(time, zone), formatSeconds(time), distance(time - now)]);
  return alignColumns([[`LOCAL (${zone.name})`, "UTC", "FROM NOW"], ...rows]);
}

/** "Wed 2026-11-21 17:00:00 +01:00". */
export function localTime(instant: number, zone: Zone): string {
  const { offset } = zone.segmentAt(instant);
  const wall = new Date(instant + offset);
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const sign = offset < 0 ? "-" : "+";
  return `${weekdays[wall.getUTCDay()]} ${wall.toISOString().slice(0, 19).replace("T", " ")} ${sign}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** "in 2 h 5 min", "3 d ago", "now": the two largest units. */
export function distance(milliseconds: number): string {
  let left = Math.round(Math.abs(milliseconds) / 1000);
  if (left === 0) return "now";
  const parts: string[] = [];
  for (const unit of units) {
    const count = Math.floor(left / unit.seconds);
    left -= count * unit.seconds;
    if (count > 0) parts.push(`${count} ${unit.name}`);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return milliseconds < 0 ? `${parts.join(" ")} ago` : `in ${parts.join(" ")}`;
}

/** Pads the cells of all columns but the last. */
export function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("   "));
}
