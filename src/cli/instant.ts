import { parseZone, type Zone } from "../cron/zone.ts";
import { UsageError } from "./command-context.ts";

const form = /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(:\d{2}(?:\.\d{1,9})?)?(Z|z|[+-]\d{2}:\d{2})?)?$/;

/**
 * An instant in milliseconds, from RFC 3339 (`2026-11-21T16:00:00Z`) or a local time of the zone (`2026-11-21T16:00`, `2026-11-21`).
 * A local time that came twice means its first pass, one that was skipped the end of the gap. Throws UsageError, which names the flag.
 */
export function parseInstant(flag: string, text: string, zone: Zone): number {
  const [, date = "", time = "00:00", seconds = ":00", offset] = form.exec(text) ?? [];
  const wall = date === "" ? Number.NaN : Date.parse(`${date}T${time}${seconds.slice(0, 7)}Z`);
  // Date.parse takes 30 February for 2 March.
  if (Number.isNaN(wall) || new Date(wall).toISOString().slice(0, 16) !== `${date}T${time}`) {
    throw new UsageError(`${flag}: "${text}" is not a time; write 2026-11-21T16:00:00Z, or 2026-11-21T16:00 for local time in the zone`);
  }
  if (offset !== undefined) return wall - offsetOf(offset);
  const meaning = zone.meaningOf(wall);
  return meaning.kind === "Overlap" ? meaning.first : meaning.instant;
}

function offsetOf(text: string): number {
  if (/^z$/i.test(text)) return 0;
  return parseZone(`GMT${text}`).segmentAt(0).offset;
}
