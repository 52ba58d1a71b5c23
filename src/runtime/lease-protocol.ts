/**
 * Who may write is decided by a Lease object, as client-go does it. This file is the whole of the thinking; it holds no timer and sends
 * nothing:
 *
 *   standby --the lease is free, released, or was not renewed for its duration--> CAS write acknowledged --> leading
 *   leading --CAS write acknowledged--> leading (the deadline starts over)
 *   leading --no acknowledged renewal for `renewDeadlineMs`, or another holder, or a clock that is off--> lost, for good
 *
 * Rules that keep two writers apart:
 * - Every write carries the resourceVersion that was read: whoever took the lease meanwhile makes ours fail.
 * - Others' clocks are never trusted. A standby measures on its own monotonic clock for how long the record has not changed.
 * - The holder counts from the moment before it sent the renewal, since that is the earliest at which others may have seen it.
 * - A virtual machine that is suspended loses wall time but no monotonic time, so the fence looks at both (decision 81).
 */
import type { Lease } from "../api/core.ts";
import { microTime } from "./micro-time.ts";

export interface LeaseTimings {
  /** For how long others leave a lease alone after its last renewal. */
  readonly durationMs: number;
  /** The holder gives up after this long without a renewal; below `durationMs` by more than a write may take. */
  readonly renewDeadlineMs: number;
  /** Between two tries. */
  readonly retryMs: number;
}

/** What client-go, and so the whole of Kubernetes, uses. */
export const defaultLeaseTimings: LeaseTimings = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2000 };

/** Both clocks at one moment, in milliseconds. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

export type LeaseState =
  /** Somebody else leads, or nobody does yet. `unchangedSince` is monotonic. */
  | { readonly kind: "standby"; readonly record: LeaseRecord | undefined; readonly unchangedSince: number }
  /** `lease` is the version of our last acknowledged write, undefined when we no longer know the stored one. */
  | { readonly kind: "leading"; readonly lease: Lease | undefined; readonly renewedAt: Moment }
  /** The end: a process that led and lost must not write again. */
  | { readonly kind: "lost"; readonly reason: string };

/** What of a stored lease tells whether its holder is alive. */
export interface LeaseRecord {
  readonly holder: string;
  readonly durationMs: number;
  readonly renewTime: string;
  readonly transitions: number;
}

export type LeaseInput =
  /** The time of the next try has come. */
  | { readonly kind: "due" }
  /** The stored lease, read consistently; undefined = there is none. */
  | { readonly kind: "read"; readonly lease: Lease | undefined }
  /** Our write was acknowledged. */
  | { readonly kind: "written"; readonly lease: Lease; readonly sentAt: Moment }
  /** Our write met another version, another object, or none: surely not done. */
  | { readonly kind: "refused" }
  /** A read or a write without a usable answer; a write may have been done. */
  | { readonly kind: "failed" };

export type LeaseCommand =
  | { readonly kind: "read" }
  | { readonly kind: "create"; readonly lease: Lease }
  /** Replaces the stored lease of exactly this resourceVersion. */
  | { readonly kind: "update"; readonly lease: Lease }
  | { readonly kind: "wait"; readonly delayMs: number }
  | { readonly kind: "stop" };

export interface LeaseRules {
  /** Unique for each start of a process. */
  readonly identity: string;
  readonly namespace: string;
  readonly name: string;
  readonly timings: LeaseTimings;
  /** In milliseconds what to add to our wall time to have the server's; undefined while unknown. */
  readonly clockOffsetMs: number | undefined;
  /** Beyond this the lease is neither taken nor kept (decision 11); 0 = any offset will do. */
  readonly maxClockSkewMs: number;
  /** In [0, 1): spreads the tries of several standbys. */
  readonly chance: number;
}

export interface LeaseStep {
  readonly state: LeaseState;
  readonly command: LeaseCommand;
}

/** A replica that has seen nothing yet. */
export function initialLeaseState(now: Moment): LeaseState {
  return { kind: "standby", record: undefined, unchangedSince: now.monotonic };
}

/** What follows from an input. Total: any input is allowed in any state. */
export function stepLease(state: LeaseState, input: LeaseInput, now: Moment, rules: LeaseRules): LeaseStep {
  switch (state.kind) {
    case "standby":
      return stepStandby(state, input, now, rules);
    case "leading":
      return stepLeading(state, input, now, rules);
    case "lost":
      return { state, command: { kind: "stop" } };
  }
}

/** Whether the holder may write at this moment: leading, and renewed a short while ago by either clock. */
export function fenceOpen(state: LeaseState, now: Moment, timings: LeaseTimings): boolean {
  if (state.kind !== "leading") return false;
  const { monotonic, wall } = state.renewedAt;
  return now.monotonic - monotonic < timings.renewDeadlineMs && now.wall - wall < timings.renewDeadlineMs;
}

/** Whether this machine's clock is further off than the rules allow. */
export function isClockOff(rules: Pick<LeaseRules, "clockOffsetMs" | "maxClockSkewMs">): boolean {
  return rules.maxClockSkewMs > 0 && rules.clockOffsetMs !== undefined && Math.abs(rules.clockOffsetMs) > rules.maxClockSkewMs;
}

/** The lease as it is left behind on a clean stop: the next holder need not wait. */
export function releasedLease(lease: Lease, now: Moment): Lease {
  const time = microTime(now.wall);
  return { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: time, renewTime: time } };
}

function stepStandby(state: LeaseState & { readonly kind: "standby" }, input: LeaseInput, now: Moment, rules: LeaseRules): LeaseStep {
  const pause: LeaseStep = { state, command: { kind: "wait", delayMs: standbyPause(rules) } };
  switch (input.kind) {
    case "due":
      return { state, command: { kind: "read" } };
    case "read": {
      const seen = observe(state, input.lease, now);
      // Looked at after the read: its answer is what tells the server's time.
      if (isClockOff(rules)) return { state: seen, command: pause.command };
      if (input.lease === undefined) return { state: seen, command: { kind: "create", lease: newLease(now, rules) } };
      const freeIn = freeInMs(seen, now, rules);
      if (freeIn <= 0) return { state: seen, command: { kind: "update", lease: takenLease(input.lease, now, rules) } };
      return { state: seen, command: { kind: "wait", delayMs: Math.min(standbyPause(rules), freeIn) } };
    }
    case "written": {
      const leading: LeaseState = { kind: "leading", lease: input.lease, renewedAt: input.sentAt };
      // An answer that took longer than the deadline proves nothing about now.
      if (!fenceOpen(leading, now, rules.timings)) return pause;
      return { state: leading, command: { kind: "wait", delayMs: rules.timings.retryMs } };
    }
    case "refused":
    case "failed":
      return pause;
  }
}

function stepLeading(state: LeaseState & { readonly kind: "leading" }, input: LeaseInput, now: Moment, rules: LeaseRules): LeaseStep {
  const { renewDeadlineMs, retryMs } = rules.timings;
  if (input.kind === "written") {
    const renewed: LeaseState = { kind: "leading", lease: input.lease, renewedAt: input.sentAt };
    if (now.monotonic - input.sentAt.monotonic < renewDeadlineMs) return { state: renewed, command: { kind: "wait", delayMs: retryMs } };
  }
  const left = state.renewedAt.monotonic + renewDeadlineMs - now.monotonic;
  if (left <= 0) return lost(`the lease was not renewed for ${renewDeadlineMs / 1000} s`);
  if (isClockOff(rules)) return lost(clockOffMessage(rules));
  switch (input.kind) {
    case "due":
      if (state.lease === undefined) return { state, command: { kind: "read" } };
      return { state, command: { kind: "update", lease: renewedLease(state.lease, now, rules) } };
    case "read": {
      if (input.lease === undefined) return { state, command: { kind: "create", lease: newLease(now, rules) } };
      const holder = input.lease.spec?.holderIdentity ?? "";
      if (holder !== rules.identity) return lost(holder === "" ? "the lease was taken away from us" : `${holder} has taken the lease`);
      return { state, command: { kind: "update", lease: renewedLease(input.lease, now, rules) } };
    }
    case "refused":
      return { state: { ...state, lease: undefined }, command: { kind: "read" } };
    case "failed":
    case "written":
      return { state: { ...state, lease: undefined }, command: { kind: "wait", delayMs: Math.min(retryMs, left) } };
  }
}

function lost(reason: string): LeaseStep {
  return { state: { kind: "lost", reason }, command: { kind: "stop" } };
}

/** What to tell people about a clock that is off. */
export function clockOffMessage(rules: Pick<LeaseRules, "clockOffsetMs" | "maxClockSkewMs">): string {
  const offset = Math.round((rules.clockOffsetMs ?? 0) / 1000);
  const direction = offset < 0 ? "ahead of" : "behind";
  return `this machine's clock is ${Math.abs(offset)} s ${direction} the API server's, more than the ${rules.maxClockSkewMs / 1000} s allowed`;
}

function observe(
  state: LeaseState & { readonly kind: "standby" },
  lease: Lease | undefined,
  now: Moment,
): LeaseState & { readonly kind: "standby" } {
  const record = lease === undefined ? undefined : recordOf(lease);
  return sameRecord(state.record, record) ? state : { kind: "standby", record, unchangedSince: now.monotonic };
}

/** For how long the lease must still be left to its holder; 0 or less = it may be taken. */
function freeInMs(state: LeaseState & { readonly kind: "standby" }, now: Moment, rules: LeaseRules): number {
  const { record } = state;
  // Our own name on it is a write of ours whose answer was lost.
  if (record === undefined || record.holder === "" || record.holder === rules.identity) return 0;
  return state.unchangedSince + record.durationMs - now.monotonic;
}

/** client-go's jitter: once to 2.2 times the time between two tries. */
function standbyPause(rules: LeaseRules): number {
  return rules.timings.retryMs * (1 + 1.2 * rules.chance);
}

function newLease(now: Moment, rules: LeaseRules): Lease {
  const { name, namespace } = rules;
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace }, spec: holding(now, rules, 0) };
}

function takenLease(lease: Lease, now: Moment, rules: LeaseRules): Lease {
  return { ...lease, spec: { ...lease.spec, ...holding(now, rules, (lease.spec?.leaseTransitions ?? 0) + 1) } };
}

function renewedLease(lease: Lease, now: Moment, rules: LeaseRules): Lease {
  const { leaseDurationSeconds, renewTime } = holding(now, rules, 0);
  return { ...lease, spec: { ...lease.spec, leaseDurationSeconds, renewTime } };
}

function holding(now: Moment, rules: LeaseRules, leaseTransitions: number) {
  const time = microTime(now.wall);
  return {
    holderIdentity: rules.identity,
    // Whole seconds, and at least one, are all that the API takes.
    leaseDurationSeconds: Math.max(1, Math.ceil(rules.timings.durationMs / 1000)),
    acquireTime: time,
    renewTime: time,
    leaseTransitions,
  };
}

function recordOf(lease: Lease): LeaseRecord {
  return {
    holder: lease.spec?.holderIdentity ?? "",
    durationMs: (lease.spec?.leaseDurationSeconds ?? 0) * 1000,
    renewTime: lease.spec?.renewTime ?? "",
    transitions: lease.spec?.leaseTransitions ?? 0,
  };
}

function sameRecord(a: LeaseRecord | undefined, b: LeaseRecord | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.holder === b.holder && a.durationMs === b.durationMs && a.renewTime === b.renewTime && a.transitions === b.transitions;
}
