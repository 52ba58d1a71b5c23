import type { Lease } from "../api/core.ts";
import type { Logger } from "../api/logger.ts";
import { leases } from "../api/resource.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { AlreadyExists, Conflict, NotFound } from "../kube/errors.ts";
import { counted } from "./action-handlers.ts";
import {
  clockOffMessage,
  defaultLeaseTimings,
  fenceOpen,
  initialLeaseState,
  isClockOff,
  type LeaseCommand,
  type LeaseInput,
  type LeaseRules,
  type LeaseState,
  type LeaseTimings,
  type Moment,
  releasedLease,
  stepLease,
} from "./lease-protocol.ts";
import type { Metrics } from "./metrics.ts";

export interface LeaderLeaseOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Told each request that failed; it is tried again. */
  readonly onError: (error: unknown) => void;
  readonly namespace: string;
  readonly name: string;
  /** Unique for each start of a process: host name and something random. */
  readonly identity: string;
  /** {@link defaultLeaseTimings} when absent. */
  readonly timings?: LeaseTimings;
  /** In milliseconds what to add to our wall time to have the server's; undefined while unknown. */
  readonly clockOffsetMs: () => number | undefined;
  /** 0 = any offset will do. */
  readonly maxClockSkewMs: number;
}

/** One replica's part in the election. It is used once: lost or released is the end. */
export interface LeaderLease {
  /** Tries until it leads; rejects with the signal's reason when aborted before. To be called once. */
  acquire(signal: AbortSignal): Promise<void>;
  /** Whether this process may write in this very moment. */
  fence(): boolean;
  /**
   * The same, but closed after half of that time without a renewal: for decisions that no name in the API keeps a second leader from making
   * too (decision 61).
   */
  earlyFence(): boolean;
  /** Resolves with the reason when the lease, once held, is lost; never after a release. Nothing may be written from then on. */
  readonly lost: Promise<string>;
  /** Whether it was taken from another process that had not given it up: what that sent before may still be executed. */
  readonly wasTaken: boolean;
  /** Closes the fence for good and tells nobody: others wait until the lease ends. For a stop with writes that may still be under way. */
  stop(): void;
  /** Stops and gives the lease up, so that another replica need not wait. Call when all writes have ended. Never rejects. */
  release(): Promise<void>;
  readonly state: LeaseState;
}

/** Drives the lease protocol: sends what it commands, one request at a time, and tells it what came of it. */
export function createLeaderLease(options: LeaderLeaseOptions): LeaderLease {
  const { client, clock, random, logger, metrics } = options;
  const timings = options.timings ?? defaultLeaseTimings;
  const now = (): Moment => ({ wall: clock.now(), monotonic: clock.monotonic() });
  const lost = Promise.withResolvers<string>();
  const led = Promise.withResolvers<void>();
  let state = initialLeaseState(now());
  let stopped = false;
  let timer: Timer | undefined;
  let deadline: Timer | undefined;
  let saidClockOff = false;
  let wasTaken = false;
  /** Answers of requests that were given up are of no more use. */
  let turn = 0;
  metrics.set("nuptse_leader", {}, 0);

  function rules(): LeaseRules {
    const clockOffsetMs = options.clockOffsetMs();
    if (clockOffsetMs !== undefined) metrics.set("nuptse_clock_offset_seconds", {}, clockOffsetMs / 1000);
    const { identity, namespace, name, maxClockSkewMs } = options;
    return { identity, namespace, name, timings, clockOffsetMs, maxClockSkewMs, chance: random.next() };
  }

  function advance(input: LeaseInput): void {
    if (stopped) return;
    turn += 1;
    const before = state;
    const known = rules();
    const step = stepLease(state, input, now(), known);
    state = step.state;
    tell(before, known);
    if (state.kind === "leading") watchDeadline(state.renewedAt.monotonic + timings.renewDeadlineMs);
    obey(step.command);
  }

  function tell(before: LeaseState, known: LeaseRules): void {
    const off = isClockOff(known);
    if (off && !saidClockOff) logger.error("the clock is off, this replica does not lead", { reason: clockOffMessage(known) });
    if (saidClockOff && !off) logger.info("the clock is right again");
    saidClockOff = off;
    const holder = state.kind === "standby" ? (state.record?.holder ?? "") : "";
    if (holder !== "" && before.kind === "standby" && holder !== before.record?.holder) logger.info("waiting for the lease", { holder });
    if (before.kind === "standby" && state.kind === "leading") {
      wasTaken = !["", options.identity].includes(before.record?.holder ?? "");
      metrics.set("nuptse_leader", {}, 1);
      logger.info("leading", { identity: options.identity });
      led.resolve();
    }
    if (before.kind === "leading" && state.kind === "lost") {
      metrics.set("nuptse_leader", {}, 0);
      deadline?.cancel();
      logger.error("the lease is lost", { reason: state.reason });
      lost.resolve(state.reason);
    }
  }

  /** The deadline counts also while a request hangs. */
  function watchDeadline(due: number): void {
    deadline?.cancel();
    deadline = clock.after(due - clock.monotonic(), () => advance({ kind: "failed" }));
  }

  function obey(command: LeaseCommand): void {
    timer?.cancel();
    if (command.kind === "stop") return;
    if (command.kind === "wait") {
      timer = clock.after(command.delayMs, () => advance({ kind: "due" }));
      return;
    }
    const mine = turn;
    const answer = (input: LeaseInput) => {
      if (mine === turn) advance(input);
    };
    timer = clock.after(timings.renewDeadlineMs / 2, () => answer({ kind: "failed" }));
    send(command).then(answer, (error: unknown) => {
      options.onError(error);
      answer({ kind: "failed" });
    });
  }

  async function send(command: LeaseCommand & { readonly kind: "read" | "create" | "update" }): Promise<LeaseInput> {
    const { namespace, name } = options;
    try {
      if (command.kind === "read") return { kind: "read", lease: await client.get<Lease>(leases, { namespace, name }) };
      return await write(command.kind, command.lease);
    } catch (error) {
      if (command.kind === "read" && error instanceof NotFound && !error.isUnknownKind) return { kind: "read", lease: undefined };
      if (command.kind === "create" && error instanceof AlreadyExists) return { kind: "refused" };
      if (command.kind === "update" && (error instanceof Conflict || error instanceof NotFound)) return { kind: "refused" };
      throw error;
    }
  }

  async function write(verb: "create" | "update", lease: Lease): Promise<LeaseInput> {
    const how = { lane: "lease", fence: () => !stopped && state.kind !== "lost" } as const;
    const sentAt = now();
    const sending = verb === "create" ? client.create(leases, lease, how) : client.replace(leases, lease, how);
    return { kind: "written", lease: await counted(metrics, verb, leases, sending), sentAt };
  }

  function stop(): void {
    stopped = true;
    timer?.cancel();
    deadline?.cancel();
    metrics.set("nuptse_leader", {}, 0);
  }

  /** A renewal of ours may still be on its way, and then the version that was just read is no longer the stored one. */
  async function giveUp(): Promise<void> {
    const { namespace, name } = options;
    for (let tries = 3; tries > 0; tries--) {
      const stored = await client.get<Lease>(leases, { namespace, name });
      if (stored.spec?.holderIdentity !== options.identity) return;
      try {
        await counted(metrics, "update", leases, client.replace(leases, releasedLease(stored, now()), { lane: "lease" }));
        logger.info("the lease is released");
        return;
      } catch (error) {
        if (!(error instanceof Conflict) || tries === 1) throw error;
      }
    }
  }

  return {
    get state() {
      return state;
    },
    lost: lost.promise,
    get wasTaken() {
      return wasTaken;
    },
    fence: () => !stopped && fenceOpen(state, now(), timings),
    earlyFence: () => !stopped && fenceOpen(state, now(), { ...timings, renewDeadlineMs: timings.renewDeadlineMs / 2 }),
    acquire(signal) {
      const onAbort = () => {
        if (state.kind !== "standby") return;
        stop();
        led.reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      else advance({ kind: "due" });
      return led.promise.finally(() => signal.removeEventListener("abort", onAbort));
    },
    stop,
    async release() {
      const last = stopped ? undefined : state;
      stop();
      if (last?.kind !== "leading") return;
      try {
        await giveUp();
      } catch (error) {
        logger.warn("the lease could not be released, others wait until it ends", { error });
      }
    },
  };
}
