/**
 * Notices an object whose plan comes again and again without getting anywhere: a bug of ours, a webhook that undoes what we write, a
 * second writer. Twenty times the same plan within ten seconds, and the object is held: looked at again after 1, 2, 4 ... 30 s, whatever
 * else happens to it, until its plan is another one or a minute has passed.
 */
import type { Action, DispatchAction, EventAction, Plan, RecallAction } from "../api/action.ts";
import { resourceName } from "../api/resource.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";

/** What the guard says to a plan: carry it out, or (once, when the loop is discovered) leave it and look again after the hold. */
export type Verdict = "go" | "hot";

interface Seen {
  readonly signature: string;
  count: number;
  since: number;
  last: number;
  /** How often it was held; 0 = not hot. */
  level: number;
}

interface Watched {
  /** The few newest plans, so that two that alternate are noticed too. */
  readonly seen: Seen[];
  heldUntil: number;
}

const repetitions = 20;
const windowMs = 10_000;
const coolMs = 60_000;
const remembered = 4;
const holds: BackoffPolicy = { initialMs: 1000, factor: 2, maxMs: 30_000 };
/** A plan that does nothing and wants to be woken sooner than this is a loop as well. */
const atOnceMs = 100;

/** All instants are monotonic milliseconds. */
export class HotLoopGuard {
  readonly #watched = new Map<string, Watched>();

  /** For how many milliseconds the key must still be left alone. */
  heldMs(key: string, monotonic: number): number {
    const watched = this.#watched.get(key);
    return watched === undefined ? 0 : Math.max(0, watched.heldUntil - monotonic);
  }

  /** Notes a plan that is about to be carried out. A plan without a signature is never hot. */
  note(key: string, signature: string | undefined, monotonic: number): Verdict {
    if (signature === undefined) return "go";
    const watched = this.#watched.get(key) ?? { seen: [], heldUntil: 0 };
    this.#watched.set(key, watched);
    const seen = recall(watched.seen, signature, monotonic);
    seen.last = monotonic;
    if (seen.level > 0) {
      seen.level += 1;
      watched.heldUntil = monotonic + backoffDelay(holds, seen.level);
      return "go";
    }
    if (monotonic - seen.since > windowMs) {
      seen.since = monotonic;
      seen.count = 0;
    }
    seen.count += 1;
    if (seen.count < repetitions) return "go";
    seen.level = 1;
    watched.heldUntil = monotonic + backoffDelay(holds, seen.level);
    return "hot";
  }

  forget(key: string): void {
    this.#watched.delete(key);
  }
}

function recall(plans: Seen[], signature: string, monotonic: number): Seen {
  const at = plans.findIndex((seen) => seen.signature === signature);
  const known = at < 0 ? undefined : plans.splice(at, 1)[0];
  const fresh = known === undefined || monotonic - known.last > coolMs;
  const seen = fresh ? { signature, count: 0, since: monotonic, last: monotonic, level: 0 } : known;
  plans.push(seen);
  if (plans.length > remembered) plans.shift();
  return seen;
}

/**
 * What two plans must have in common to count as the same: their writes, of large plans the first and the last, and the status as it is
 * wanted. undefined for a plan that neither writes nor wants to be woken at once; telling people is no write.
 */
export function signatureOf(plan: Plan, now: number): string | undefined {
  const writes: string[] = [];
  for (const action of plan.actions) {
    if (action.tag === "event") continue;
    const content = action.tag === "status" ? ` ${fingerprint(JSON.stringify(action.status))}` : "";
    if (action.tag === "dispatch" || action.tag === "recall") writes.push(`${action.tag} ${action.key}`);
    else writes.push(`${action.tag} ${resourceName(action.resource)} ${subjectOf(action)}${content}`);
  }
  if (plan.status !== undefined) writes.push(`status ${fingerprint(JSON.stringify(plan.status.status))}`);
  if (writes.length > 0) return `${writes.length}:${writes.slice(0, 8).join()}:${writes.at(-1)}`;
  return plan.wakeAt !== undefined && plan.wakeAt < now + atOnceMs ? "wake" : undefined;
}

function subjectOf(action: Exclude<Action, EventAction | DispatchAction | RecallAction>): string {
  if (action.tag === "deleteCollection") return `${action.namespace} ${action.labelSelector}`;
  const { namespace = "", name } = "object" in action ? action.object.metadata : action.ref;
  return `${namespace}/${name}`;
}

/** FNV-1a of 32 bits with the length: a status may be large, and is only compared. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return `${text.length}-${hash >>> 0}`;
}
