import { parseCron } from "../cron/expression.ts";
import { parseZone } from "../cron/zone.ts";

const dayMs = 86_400_000;

/** Whether the clocks of a zone change in the year that follows. Throws ZoneError for an unknown zone. */
export function changesClocks(timeZone: string, now: number): boolean {
  const zone = parseZone(timeZone);
  const { offset } = zone.segmentAt(now);
  return Array.from({ length: 26 }, (_, index) => now + (index + 1) * 14 * dayMs).some((at) => zone.segmentAt(at).offset !== offset);
}

/** Whether an expression names fixed times of day, which is where the rules for changing clocks differ. Throws CronError. */
export function firesAtFixedTimes(expression: string): boolean {
  const parsed = parseCron(expression);
  return parsed.kind === "Fields" && !parsed.periodic;
}
