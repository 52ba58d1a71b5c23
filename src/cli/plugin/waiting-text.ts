import type { RoomLack, Standing, WaitingWork } from "../../api/queue-explanation.ts";
import type { Zone } from "../../cron/zone.ts";
import { timeText } from "./time-text.ts";
import { workText } from "./work-names.ts";

/** Counts workloads, where the number that may run is limited. */
const workloads = "nuptse.dev/workloads";

/** Why a workload waits, for people: a word and a sentence each. */
export function waitingLines(work: WaitingWork, zone: Zone, now: number): readonly (readonly [string, string])[] {
  const { queue, position, allowed, wanted, neverFits, stoppedBy, loses, gives } = work;
  const lines: (readonly [string, string])[] = [];
  const items = wanted === 1 ? "" : `; it has ${allowed} of ${wanted} items`;
  if (position !== undefined) lines.push(["place", `number ${position} of those that wait in ${queue}${items}`]);
  if (gives !== undefined)
    lines.push(["gives", `it is asked to give back for ${gives.claimant} itself, by ${timeText(gives.deadline, zone, now)}`]);
  if (neverFits !== undefined)
    lines.push([
      "never",
      `${amount(neverFits.resource, neverFits.requested)} at once are more than ${neverFits.queue} can ever have: ${neverFits.most}`,
    ]);
  if (stoppedBy !== undefined)
    lines.push([
      "held",
      stoppedBy.reason === "Held"
        ? `${stoppedBy.queue} admits nothing new: its stopPolicy`
        : `${stoppedBy.queue} admits nothing new before it has given back what is overdue`,
    ]);
  if (loses !== undefined) lines.push(["behind", losesText(loses)]);
  for (const lack of work.lacks) lines.push(["lacks", lackText(lack)]);
  for (const { resource, lentSeconds, over } of work.lacksConsent)
    lines.push([
      "lacks",
      `${amount(resource, over)} too much is guaranteed to others, lent only to work that leaves within ${lentSeconds} s of being asked`,
    ]);
  if (work.passed > 0) lines.push(["passed", `room is held for it; ${work.passed} of 64 have been used up by others that passed it`]);
  for (const { from, resources, deadline, overdue } of work.reclaims) {
    const what = Object.entries(resources).map(([resource, text]) => amount(resource, text));
    const when = `${overdue ? "was to" : "is asked to"} give back ${what.join(", ")} by ${timeText(deadline, zone, now)}`;
    lines.push(["reclaim", `${workText(from)} ${when}${overdue ? ", and has not" : ""}`]);
  }
  return lines;
}

function losesText({ to, under, own, other }: NonNullable<WaitingWork["loses"]>): string {
  const who = workText(to);
  if (own === undefined || other === undefined) return `${who} comes first in ${under}, by priority and age`;
  return `under ${under} the queue ${other.queue} comes first, ${standingText(other)}; ${own.queue} is ${standingText(own)}. Next is ${who}`;
}

const tiers: Readonly<Record<Standing["tier"], string>> = {
  Guarantee: "of its guarantee",
  Share: "of the capacity, by weight",
  Rest: "of the capacity, with weight 0",
};

function standingText({ resource, tier, level, used }: Standing): string {
  return `at ${Math.round(level * 1000) / 10} % ${tiers[tier]} (${amount(resource, used)})`;
}

function lackText({ queue, resource, requested, free, holders }: RoomLack): string {
  const held = holders.map((holder) => {
    const borrowed = resource === workloads || holder.borrowed === "0" ? "" : ` (${holder.borrowed} borrowed)`;
    return `${holder.queue} ${holder.used}${borrowed}`;
  });
  const most = held.length === 0 ? "" : `; it is with ${held.join(", ")}`;
  return `${amount(resource, requested)}, of which ${free} ${free === "1" ? "is" : "are"} free in ${queue}${most}`;
}

const amount = (resource: string, text: string): string => `${text} ${resource === workloads ? "running workloads" : resource}`;
