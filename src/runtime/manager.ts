/**
 * The life of an operator, from start to end, in this order:
 *
 *   syncing     informers fill their stores, since somebody else leads
 *   standby     ready, and waiting for the lease, and then whether it may lead
 *   refilling   the lease is won: every store is filled (anew) by a consistent list, children before roots (decision 2)
 *   leading     controllers work
 *   draining    asked to stop: nothing new is taken up, what runs ends
 *   stopped     the lease is released; the end
 *   lost        the lease is lost: the end, and the process must end with it
 *
 * All parts are given, so that the same file runs in a process and in the simulator on virtual time.
 */
import type { Logger } from "../api/logger.ts";
import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { resourceName } from "../api/resource.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Informer } from "../kube/informer.ts";
import { compareVersions, laterVersion } from "../kube/resource-version.ts";
import type { ControllerLoop } from "./controller-loop.ts";
import type { LeaderLease } from "./leader-lease.ts";

/** The side of an informer that its life needs. */
export type ManagedInformer = Pick<Informer<KubeObject>, "resource" | "start" | "fixed" | "listVersion" | "synced" | "refill">;

/** A controller and the names of its roots, read when it starts. */
export interface ManagedController {
  readonly loop: Pick<ControllerLoop, "start" | "drain" | "name">;
  readonly roots: () => Iterable<ObjectRef>;
}

export interface ManagerOptions {
  /** By stages, children before roots: no list of a stage tells of an older version than any of the stages before it. */
  readonly fillOrder: readonly (readonly ManagedInformer[])[];
  readonly controllers: readonly ManagedController[];
  readonly lease: LeaderLease;
  readonly recorder: { drain(): Promise<void> };
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Asked once the lease is won: why this process must not lead after all, which is its end, or undefined. Resolves as soon as the signal is aborted. */
  readonly mayLead?: (signal: AbortSignal) => Promise<string | undefined>;
  /** Told when all stores are refilled, before the first look at any root: the beginning of this leader's term. */
  readonly onLeading?: () => void;
  /** How long reconciles under way may take to end when asked to stop; 20 s when absent. */
  readonly drainMs?: number;
}

export type ManagerPhase = "new" | "syncing" | "standby" | "refilling" | "leading" | "draining" | "stopped" | "lost";

/** How an operator's life ended. */
export type ManagerEnd = { readonly kind: "stopped" } | { readonly kind: "lost"; readonly reason: string };

export interface Manager {
  /** Lives until {@link Manager.stop} or until the lease is lost. Rejects only for errors that nothing here expects. To be called once. */
  run(): Promise<ManagerEnd>;
  /** Asks for a clean end; `run` resolves when it is reached. */
  stop(): void;
  /** Ends as if the lease were lost: nothing is waited for, nothing is released. */
  kill(reason: string): void;
  readonly phase: ManagerPhase;
  /** Why this replica is not ready, or undefined: caches not filled yet, or about to end. */
  notReady(): string | undefined;
}

const refillBackoff: BackoffPolicy = { initialMs: 500, factor: 2, maxMs: 10_000, jitter: 0.3 };
const defaultDrainMs = 20_000;
const lastWordsMs = 2000;
/** A lease that nobody holds is won by one read and one write. */
const headStartMs = 500;

/** Builds a manager that has not begun to live. */
export function createManager(options: ManagerOptions): Manager {
  const { fillOrder, controllers, lease, recorder, clock, random, logger, drainMs = defaultDrainMs } = options;
  /** Ends the wait for caches and for the lease. */
  const stopping = new AbortController();
  /** Ends the informers. */
  const ending = new AbortController();
  const informers = fillOrder.flat();
  const unsynced = new Set(informers.map((informer) => resourceName(informer.resource)));
  let phase: ManagerPhase = "new";
  let lostReason: string | undefined;
  let leads = false;

  const over = () => stopping.signal.aborted || lostReason !== undefined;

  function lose(reason: string): void {
    lostReason ??= reason;
    phase = "lost";
    stopping.abort(new Error(reason));
  }

  async function sync(): Promise<void> {
    phase = "syncing";
    for (const informer of informers) informer.start(ending.signal);
    const all = informers.map((informer) => informer.synced.then(() => unsynced.delete(resourceName(informer.resource))));
    await untilStopped(Promise.all(all));
  }

  /** Resolves with the promise, or when asked to stop. */
  async function untilStopped(promise: Promise<unknown>): Promise<void> {
    const stop = Promise.withResolvers<void>();
    const onAbort = () => stop.resolve();
    stopping.signal.addEventListener("abort", onAbort, { once: true });
    if (stopping.signal.aborted) onAbort();
    try {
      await Promise.race([promise, stop.promise]);
    } finally {
      stopping.signal.removeEventListener("abort", onAbort);
    }
  }

  /** Resolves when the lease is won, or when asked to stop. */
  async function win(): Promise<void> {
    try {
      await lease.acquire(stopping.signal);
      const refusal = await options.mayLead?.(stopping.signal);
      if (refusal !== undefined) lose(refusal);
      leads = !over();
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    }
  }

  /**
   * The first fill of the caches, begun after the lease was won and in order, is as good as a second one. A stage is begun when the versions of
   * the lists before it are settled, and they come in side by side. A list that had to be begun again may tell of a newer version than those
   * after it, which then are begun again too.
   */
  async function fillAsLeader(): Promise<void> {
    phase = "refilling";
    for (const stage of fillOrder) {
      if (over()) return;
      for (const informer of stage) informer.start(ending.signal);
      await untilStopped(Promise.all(stage.map((informer) => informer.fixed)));
    }
    await untilStopped(
      Promise.all(informers.map((informer) => informer.synced.then(() => unsynced.delete(resourceName(informer.resource))))),
    );
    let newest: string | undefined;
    for (const stage of fillOrder) {
      const isOlder = ({ listVersion }: ManagedInformer) =>
        newest !== undefined && listVersion !== undefined && compareVersions(listVersion, newest) < 0;
      await Promise.all(stage.filter(isOlder).map(refillOne));
      for (const { listVersion } of stage) newest = laterVersion(newest, listVersion);
    }
  }

  async function fillAsStandby(won: Promise<void>): Promise<void> {
    await sync();
    if (over()) return;
    phase = "standby";
    if (!leads) logger.info("caches are filled, waiting for the lease");
    await won;
    if (!over()) await refill();
  }

  async function refill(): Promise<void> {
    phase = "refilling";
    for (const stage of fillOrder) await Promise.all(stage.map(refillOne));
  }

  async function refillOne(informer: ManagedInformer): Promise<void> {
    for (let failures = 0; !over(); ) {
      try {
        await untilStopped(informer.refill());
        return;
      } catch (error) {
        failures += 1;
        const waitMs = backoffDelay(refillBackoff, failures, random);
        logger.warn("a cache could not be refilled", { cache: resourceName(informer.resource), error, retryInMs: Math.round(waitMs) });
        await pause(waitMs);
      }
    }
  }

  async function pause(waitMs: number): Promise<void> {
    try {
      await clock.sleep(waitMs, stopping.signal);
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
    }
  }

  /** Resolves with whether the promise came within the time. */
  async function within(waitMs: number, promise: Promise<unknown>): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = clock.after(waitMs, () => late.resolve(false));
    try {
      return await Promise.race([promise.then(() => true), late.promise]);
    } finally {
      timer.cancel();
    }
  }

  async function end(): Promise<ManagerEnd> {
    if (lostReason !== undefined) {
      phase = "lost";
      // Nobody waits for what still runs: its fence is closed, and the process is about to end.
      lease.stop();
      for (const { loop } of controllers) void loop.drain();
      ending.abort();
      return { kind: "lost", reason: lostReason };
    }
    phase = "draining";
    const drained = await within(drainMs, Promise.all(controllers.map((controller) => controller.loop.drain())));
    if (!drained) logger.warn("not all work ended in time", { waitedMs: drainMs });
    await within(lastWordsMs, recorder.drain());
    // What was sent may yet be executed: then nobody may take over before the lease has run out.
    if (drained) await within(lastWordsMs, lease.release());
    else lease.stop();
    ending.abort();
    phase = lostReason === undefined ? "stopped" : "lost";
    return lostReason === undefined ? { kind: "stopped" } : { kind: "lost", reason: lostReason };
  }

  return {
    get phase() {
      return phase;
    },
    async run() {
      const lost = lease.lost.then(lose);
      const won = over() ? Promise.resolve() : win();
      await within(headStartMs, won);
      if (!over()) await (leads ? fillAsLeader() : fillAsStandby(won));
      if (!over()) {
        phase = "leading";
        logger.info("caches are filled, controllers begin");
        options.onLeading?.();
        for (const { loop, roots } of controllers) loop.start(roots());
        await untilStopped(lost);
      }
      return end();
    },
    kill: lose,
    stop() {
      stopping.abort(new Error("asked to stop"));
    },
    notReady() {
      if (unsynced.size > 0 && ["new", "syncing", "refilling"].includes(phase)) return `waiting for caches: ${[...unsynced].join(", ")}`;
      if (phase === "draining" || phase === "stopped" || phase === "lost") return `the process is about to end: ${phase}`;
      return undefined;
    },
  };
}
