import type { ActionOutcome, ActionResult } from "../api/action.ts";
import { nextRefusal, type Refusal, retriedNow, templatePath } from "../api/refusal.ts";
import { pods, resourceName } from "../api/resource.ts";
import type { AppMemory } from "./rules/observed.ts";
import { isPrefetch } from "./rules/prefetch.ts";

/** What one process remembers of one app, and may forget at any time. */
export class AppNotes implements AppMemory {
  readonly templates = new Map<string, { readonly accepted: boolean; readonly message: string }>();
  readonly deleted = new Set<string>();
  readonly namesTaken = new Set<string>();
  readonly notInPlace = new Set<string>();
  prefetchRefused = false;
  refusal?: Refusal;
  wroteAt?: number;
  /** The generation for which the namespace refused everything. */
  #terminating: number | undefined;
  #generation = 0;

  get namespaceTerminating(): boolean {
    return this.#terminating === this.#generation;
  }

  /** A new generation voids what was learnt about the old one. */
  seeGeneration(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.namesTaken.clear();
    this.notInPlace.clear();
    this.prefetchRefused = false;
    for (const [name, verdict] of this.templates) if (!verdict.accepted) this.templates.delete(name);
  }

  /** A quota of the namespace has changed. Returns whether the app waits for one. */
  quotaChanged(now: number): boolean {
    if (this.refusal === undefined) return false;
    this.refusal = retriedNow(this.refusal, now);
    return true;
  }

  /** Forgets deletions that are seen. */
  prune(living: ReadonlySet<string>): void {
    for (const uid of this.deleted) if (!living.has(uid)) this.deleted.delete(uid);
  }

  /** Learns how actions and the status write ended. */
  learn(results: readonly ActionResult[], status: ActionOutcome | undefined, now: number): void {
    if (status?.kind === "done") this.wroteAt = now;
    let created = 0;
    let refused: { message: string; quota: boolean } | undefined;
    for (const { action, outcome } of results) {
      if (outcome.kind === "forbidden" && outcome.namespaceTerminating) this.#terminating = this.#generation;
      if (action.tag === "dryRun") this.#learnTemplate(action.object.metadata.name, outcome);
      else if (action.tag === "delete" && outcome.kind === "done") this.deleted.add(action.uid);
      else if (action.tag === "merge" && (outcome.kind === "forbidden" || outcome.kind === "invalid")) this.notInPlace.add(action.uid);
      else if (action.tag === "create" && isPrefetch(action.object))
        this.prefetchRefused ||= outcome.kind === "forbidden" || outcome.kind === "invalid" || outcome.kind === "nameTaken";
      else if (action.tag === "create" && resourceName(action.resource) === resourceName(pods)) {
        if (outcome.kind === "done" || outcome.kind === "exists") created++;
        else if (outcome.kind === "nameTaken") this.namesTaken.add(action.object.metadata.name);
        else if (outcome.kind === "forbidden") refused = outcome;
        else if (outcome.kind === "invalid") refused = { message: outcome.message, quota: false };
      }
    }
    const next = nextRefusal(this.refusal, refused, created, now);
    if (next === undefined) delete this.refusal;
    else this.refusal = next;
  }

  #learnTemplate(name: string, outcome: ActionOutcome): void {
    // A refusal by policy may be gone tomorrow, and is none of the template's fault.
    if (outcome.kind === "done" || outcome.kind === "forbidden") this.templates.set(name, { accepted: true, message: "" });
    else if (outcome.kind === "invalid") this.templates.set(name, { accepted: false, message: templatePath(outcome.message) });
  }
}
