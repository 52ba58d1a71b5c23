import type { ActionResult } from "../api/action.ts";
import { labels } from "../api/names.ts";
import { nextRefusal, type Refusal, retriedNow, templatePath } from "../api/refusal.ts";
import { configMaps, controllerRevisions, nodes, podTemplates, pods, resourceName } from "../api/resource.ts";
import { mayHaveHappened } from "../runtime/outcome.ts";
import { type AttemptPod, endedBeforeDeletion } from "./rules/attempt.ts";
import type { JobMemory, NotBegun, VanishedPod } from "./rules/observed.ts";

/** What one process remembers of one job, and may forget at any time. */
export class JobNotes implements JobMemory {
  readonly refusals = new Map<string, Refusal>();
  readonly nameTaken = new Map<string, string>();
  readonly invalid = new Map<string, string>();
  readonly templates = new Map<string, { readonly accepted: boolean; readonly message: string }>();
  readonly unsure = new Set<string>();
  readonly cleanups = new Map<string, number>();
  readonly endedUndeleted = new Set<string>();
  readonly vanished = new Map<string, VanishedPod>();
  readonly instances = new Map<string, { readonly at: number; readonly isGone: boolean }>();
  notBegun: NotBegun | undefined;
  /** Shared by all jobs. */
  readonly goneNodes: ReadonlyMap<string, number>;
  /** The generation for which the namespace refused everything. */
  #terminating: number | undefined;
  #generation = 0;

  constructor(goneNodes: ReadonlyMap<string, number>) {
    this.goneNodes = goneNodes;
  }

  get namespaceTerminating(): boolean {
    return this.#terminating === this.#generation;
  }

  /** A new generation voids what was learnt about the old one. */
  seeGeneration(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.invalid.clear();
    for (const [name, verdict] of this.templates) if (!verdict.accepted) this.templates.delete(name);
  }

  /** A quota of the namespace has changed: what waits for it may try again at once. */
  quotaChanged(now: number): boolean {
    for (const [run, refusal] of this.refusals) this.refusals.set(run, retriedNow(refusal, now));
    return this.refusals.size > 0;
  }

  seePod(type: "added" | "modified" | "deleted", pod: AttemptPod, now: number): void {
    const uid = pod.metadata.uid as string;
    if (type === "deleted") {
      this.vanished.set(pod.metadata.name, { pod, at: now });
      if (!this.endedUndeleted.has(uid)) return;
      // Kept for judging the vanished pod; forgotten with it.
      return;
    }
    this.vanished.delete(pod.metadata.name);
    // Later versions of it may not tell any more.
    if (endedBeforeDeletion(pod)) this.endedUndeleted.add(uid);
  }

  /** What is known of an instance of a fleet that no cache shows. That it is gone stays true, and stays known since the same instant. */
  seeInstance(id: string, isGone: boolean, now: number): void {
    if (this.instances.get(id)?.isGone !== true) this.instances.set(id, { at: now, isGone });
  }

  /** Forgets instances on which nothing of the job is any more. */
  keepInstances(ids: ReadonlySet<string>): void {
    for (const id of this.instances.keys()) if (!ids.has(id)) this.instances.delete(id);
  }

  /** Nothing has vanished later than now: the machine's clock may have been set back. */
  vanishedBy(now: number): readonly VanishedPod[] {
    for (const [name, { pod, at }] of this.vanished) if (at > now) this.vanished.set(name, { pod, at: now });
    return [...this.vanished.values()];
  }

  /** Forgets vanished pods that no rule asks about any more. */
  prune(isNeeded: (pod: AttemptPod) => boolean): void {
    for (const [name, { pod }] of this.vanished) {
      if (isNeeded(pod)) continue;
      this.vanished.delete(name);
      this.endedUndeleted.delete(pod.metadata.uid as string);
    }
  }

  /** Learns how actions ended. Returns nodes that are surely gone. */
  learn(results: readonly ActionResult[], now: number): readonly string[] {
    const gone: string[] = [];
    const runs = new Map<string, { refused?: { message: string; quota: boolean }; created: number }>();
    for (const { action, outcome } of results) {
      if (outcome.kind === "forbidden" && outcome.namespaceTerminating) this.#terminating = this.#generation;
      switch (action.tag) {
        case "create":
        case "replace": {
          if (resourceName(action.resource) === resourceName(controllerRevisions)) break;
          const run = action.object.metadata.labels?.[labels.run];
          if (run === undefined || !ofRuns.has(resourceName(action.resource))) break;
          const seen = runs.get(run) ?? { created: 0 };
          runs.set(run, seen);
          if (outcome.kind === "done" || outcome.kind === "exists") seen.created++;
          else if (outcome.kind === "forbidden") seen.refused = outcome;
          else if (outcome.kind === "failed" && mayHaveHappened(outcome.error)) this.unsure.add(run);
          else if (outcome.kind === "nameTaken")
            this.nameTaken.set(
              run,
              `a ${action.object.kind === "Pod" ? "pod" : action.object.kind} named ${action.object.metadata.name} exists and is not of this job`,
            );
          else if (outcome.kind === "invalid") this.invalid.set(run, outcome.message);
          break;
        }
        case "dryRun":
          if (resourceName(action.resource) !== resourceName(podTemplates)) break;
          if (outcome.kind === "done") this.templates.set(action.object.metadata.name, { accepted: true, message: "" });
          // A refusal by policy may be gone tomorrow, and is none of the template's fault.
          else if (outcome.kind === "forbidden")
            this.templates.set(action.object.metadata.name, { accepted: true, message: outcome.message });
          else if (outcome.kind === "invalid")
            this.templates.set(action.object.metadata.name, { accepted: false, message: templatePath(outcome.message, action.path) });
          break;
        case "probe":
          if (resourceName(action.resource) === resourceName(nodes) && outcome.kind === "gone") gone.push(action.ref.name);
          if (action.uid !== undefined && (outcome.kind === "gone" || outcome.kind === "done"))
            this.seeInstance(action.uid, outcome.kind === "gone", now);
          break;
        case "deleteCollection":
          if (outcome.kind === "done") this.cleanups.set(action.labelSelector, now);
          break;
        default:
      }
    }
    for (const [run, { refused, created }] of runs) this.#settleRefusal(run, refused, created, now);
    this.#forgetCleanups(now);
    return gone;
  }

  /** Forgets what was remembered of a run that has ended. */
  forgetRun(run: string): void {
    this.refusals.delete(run);
    this.unsure.delete(run);
    this.nameTaken.delete(run);
    this.invalid.delete(run);
  }

  #settleRefusal(run: string, refused: { message: string; quota: boolean } | undefined, created: number, now: number): void {
    const next = nextRefusal(this.refusals.get(run), refused, created, now);
    if (next === undefined) this.refusals.delete(run);
    else this.refusals.set(run, next);
  }

  #forgetCleanups(now: number): void {
    for (const [selector, at] of this.cleanups) if (at + 120_000 < now) this.cleanups.delete(selector);
  }
}

/** Kinds of objects that runs are made of: a refusal of one is a refusal of the run. */
const ofRuns: ReadonlySet<string> = new Set([resourceName(pods), resourceName(configMaps)]);
