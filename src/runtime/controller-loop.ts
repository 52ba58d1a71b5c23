/**
 * The loop of one controller: a name comes out of the queue, is observed and planned, the plan is carried out, and how that ended decides
 * what comes next. It alone logs, counts and backs off:
 *
 *   nothing was written             done; woken at the plan's instant, if it has one
 *   something was written           again at once, since a plan never holds both a record and what the record allows; after mere
 *                                   deletions when the watch shows them, or in a few seconds
 *   a precondition failed           again after a moment, from what is true now
 *   an action failed, or a throw    again after the object's own back-off
 *   TerminalError                   given up until the object changes
 *   the fence is closed             again in a second; nothing is logged, whoever closed it says why
 */
import type { ActionOutcome, Plan } from "../api/action.ts";
import type { Logger } from "../api/logger.ts";
import type { ObjectRef } from "../api/meta.ts";
import type { BackoffPolicy } from "../base/backoff.ts";
import { backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { FencedError } from "../kube/errors.ts";
import type { Applied, Applier } from "./applier.ts";
import { type Controller, keyOf, refOf, TerminalError } from "./controller.ts";
import { HotLoopGuard, signatureOf } from "./hot-loop-guard.ts";
import type { Metrics } from "./metrics.ts";
import { type AddOptions, createWorkQueue, type Wake } from "./work-queue.ts";

export interface ControllerLoopOptions<Observed> {
  readonly controller: Controller<Observed>;
  readonly applier: Applier;
  /** Whether this process may write; false holds all work back. */
  readonly isLeading: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** How many objects may be worked on at once; 64 when absent. */
  readonly concurrency?: number;
  /** Waits after failures; 0.2 s to 5 min when absent. */
  readonly backoff?: BackoffPolicy;
}

/** A controller at work. */
export interface ControllerLoop {
  readonly name: string;
  /** An event or an instant may concern this root. Before {@link ControllerLoop.start} it does nothing: the start looks at every root. */
  enqueue(ref: ObjectRef, options?: AddOptions): void;
  /** Begins to work, with a look at each of `roots` at low priority. May be called once. */
  start(roots: Iterable<ObjectRef>): void;
  /** Resolves when every root of the start has been looked at once. */
  readonly swept: Promise<void>;
  /** Takes up nothing more; resolves when the reconciles under way have ended. */
  drain(): Promise<void>;
  /** Objects that are due and not taken, being worked on, and waiting for a time. */
  readonly load: { readonly depth: number; readonly running: number; readonly waiting: number };
}

/** How a reconcile ended, as the metric's label says it. */
type Result = "done" | "again" | "conflict" | "failed" | "fenced" | "terminal" | "gone" | "held";

const defaultBackoff: BackoffPolicy = { initialMs: 200, factor: 2, maxMs: 300_000, jitter: 0.2 };
/** 5 to 50 ms for the first conflict of an object: whoever wrote before us may well be about to write once more. */
const conflictBackoff: BackoffPolicy = { initialMs: 27.5, factor: 2, maxMs: 2000, jitter: 0.8 };
const fencedWaitMs = 1000;
/** Caches show a deletion within milliseconds; by then it is asked for once more if they do not. */
const deletionWaitMs = 5000;

/** Builds a loop that is not started yet. */
export function createControllerLoop<Observed>(options: ControllerLoopOptions<Observed>): ControllerLoop {
  const { controller, applier, clock, random, metrics } = options;
  const logger = options.logger.child({ controller: controller.name });
  const labels = { controller: controller.name };
  const guard = new HotLoopGuard();
  const conflicts = new Map<string, number>();
  const swept = Promise.withResolvers<void>();
  /** Roots of the start that have not been looked at yet. */
  const unseen = new Set<string>();
  let started = false;

  const queue = createWorkQueue({
    clock,
    random,
    concurrency: options.concurrency ?? 64,
    backoff: options.backoff ?? defaultBackoff,
    run: reconcile,
    onError: (error) => logger.error("reconcile ended in an error of the loop itself", { error }),
    onDepth: (depth) => metrics.set("nuptse_workqueue_depth", labels, depth),
  });

  async function reconcile(key: string, wake: Wake): Promise<void> {
    const begun = clock.monotonic();
    metrics.observe("nuptse_workqueue_queue_seconds", labels, wake.waitedMs / 1000);
    const result = await attempt(key, wake);
    if (result !== "conflict") conflicts.delete(key);
    if (unseen.size > 0 && result !== "fenced" && result !== "held" && unseen.delete(key) && unseen.size === 0) swept.resolve();
    if (result === "done" || result === "again" || result === "terminal" || result === "gone") queue.forget(key);
    metrics.count("nuptse_reconcile_total", { ...labels, result });
    metrics.observe("nuptse_reconcile_seconds", labels, (clock.monotonic() - begun) / 1000);
  }

  async function attempt(key: string, wake: Wake): Promise<Result> {
    const heldMs = guard.heldMs(key, clock.monotonic());
    if (heldMs > 0) {
      queue.add(key, { afterMs: heldMs });
      return "held";
    }
    if (!options.isLeading()) {
      queue.add(key, { afterMs: fencedWaitMs });
      return "fenced";
    }
    try {
      return await observePlanApply(key, wake);
    } catch (error) {
      if (error instanceof TerminalError) {
        logger.warn("given up until the object changes", { object: key, error });
        return "terminal";
      }
      const waitMs = queue.retry(key);
      logger.error("reconcile failed", { object: key, error, retryInMs: Math.round(waitMs) });
      return "failed";
    }
  }

  async function observePlanApply(key: string, { priority }: Wake): Promise<Result> {
    const ref = refOf(key);
    const observed = controller.observe(ref);
    if (observed === undefined) {
      controller.forget?.(ref);
      guard.forget(key);
      return "gone";
    }
    const plan = controller.plan(observed);
    if (guard.note(key, signatureOf(plan, clock.now()), clock.monotonic()) === "hot") {
      metrics.count("nuptse_reconcile_hot_loops_total", labels);
      logger.warn("the same plan came again and again, the object is slowed down", { object: key, reasons: plan.reasons });
      queue.add(key, { afterMs: guard.heldMs(key, clock.monotonic()) });
      return "held";
    }
    if (plan.actions.length === 0 && plan.status === undefined) {
      wakeLater(key, plan);
      return "done";
    }
    logger.debug("carrying out a plan", {
      object: key,
      reasons: plan.reasons,
      actions: plan.actions.length,
      status: plan.status !== undefined,
    });
    const applied = await applier.apply(plan, priority === "high" ? "prompt" : "normal");
    controller.settle?.(ref, observed, applied.results, applied.status);
    return next(key, plan, applied);
  }

  function next(key: string, plan: Plan, applied: Applied): Result {
    const failures = outcomesOf(applied).flatMap((outcome) => (outcome.kind === "failed" ? [outcome.error] : []));
    const failure = failures.find((error) => !(error instanceof FencedError)) ?? failures[0];
    if (failure instanceof FencedError) {
      queue.add(key, { afterMs: fencedWaitMs });
      return "fenced";
    }
    // Its next instant may come before the wait is over, and is not to be missed.
    const soon = plan.wakeAt !== undefined && plan.wakeAt > clock.now() ? plan.wakeAt : undefined;
    if (failure !== undefined) {
      if (soon !== undefined) queue.add(key, { at: soon });
      const waitMs = queue.retry(key);
      logger.error("reconcile failed", {
        object: key,
        error: failure,
        failed: failures.length,
        reasons: plan.reasons,
        retryInMs: Math.round(waitMs),
      });
      return "failed";
    }
    // A status whose object is gone is the same: caches have not shown it yet.
    if (applied.status?.kind === "gone" || outcomesOf(applied).some((outcome) => outcome.kind === "conflict")) {
      const count = (conflicts.get(key) ?? 0) + 1;
      conflicts.set(key, count);
      if (soon !== undefined) queue.add(key, { at: soon });
      queue.add(key, { afterMs: backoffDelay(conflictBackoff, count, random) });
      return "conflict";
    }
    const acts = plan.actions.filter((action) => action.tag !== "event");
    const deletesOnly = acts.every((action) => action.tag === "delete" || action.tag === "deleteCollection");
    if (applied.status === undefined && deletesOnly) {
      wakeLater(key, plan);
      if (acts.length === 0) return "done";
      queue.add(key, { afterMs: deletionWaitMs });
      return "again";
    }
    queue.add(key);
    return "again";
  }

  function wakeLater(key: string, plan: Plan): void {
    if (plan.wakeAt !== undefined) queue.add(key, { at: plan.wakeAt });
  }

  return {
    name: controller.name,
    enqueue(ref, added = {}) {
      if (started) queue.add(keyOf(ref), added);
    },
    start(roots) {
      started = true;
      for (const ref of roots) {
        const key = keyOf(ref);
        unseen.add(key);
        queue.add(key, { priority: "low" });
      }
      if (unseen.size === 0) swept.resolve();
      queue.start();
    },
    swept: swept.promise,
    drain: () => queue.drain(),
    get load() {
      return { depth: queue.depth, running: queue.running, waiting: queue.waiting };
    },
  };
}

function outcomesOf(applied: Applied): readonly ActionOutcome[] {
  const outcomes = applied.results.map((result) => result.outcome);
  return applied.status === undefined ? outcomes : [...outcomes, applied.status];
}
