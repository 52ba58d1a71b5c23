import assert from "node:assert/strict";
import type { Lease } from "../../../src/api/core.ts";
import {
  defaultLeaseTimings,
  fenceOpen,
  initialLeaseState,
  isClockOff,
  type LeaseInput,
  type LeaseRules,
  type LeaseState,
  type LeaseStep,
  type Moment,
  releasedLease,
  stepLease,
} from "../../../src/runtime/lease-protocol.ts";
import { microTime } from "../../../src/runtime/micro-time.ts";

const epoch = Date.UTC(2026, 10, 21, 9, 0, 0);
/** So many milliseconds after the start, by both clocks. */
const later = (ms: number, wallAhead = 0): Moment => ({ monotonic: ms, wall: epoch + ms + wallAhead });

const rules: LeaseRules = {
  identity: "me",
  namespace: "nuptse",
  name: "operator",
  timings: defaultLeaseTimings,
  clockOffsetMs: 0,
  maxClockSkewMs: 30_000,
  chance: 0,
};

const lease = (
  holder: string,
  renewedMs: number,
  more: { readonly version?: string; readonly seconds?: number; readonly transitions?: number } = {},
): Lease => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "operator", namespace: "nuptse", uid: "lease-1", resourceVersion: more.version ?? "5" },
  spec: {
    holderIdentity: holder,
    leaseDurationSeconds: more.seconds ?? 15,
    acquireTime: microTime(epoch),
    renewTime: microTime(epoch + renewedMs),
    leaseTransitions: more.transitions ?? 3,
  },
});

const standby = initialLeaseState(later(0));
const sawOther = (at: number): LeaseState => ({
  kind: "standby",
  record: { holder: "other", durationMs: 15_000, renewTime: microTime(epoch), transitions: 3 },
  unchangedSince: at,
});
const leading = (renewedMs: number): LeaseState => ({ kind: "leading", lease: lease("me", renewedMs), renewedAt: later(renewedMs) });

describe("lease protocol", () => {
  const cases: readonly {
    readonly name: string;
    readonly state: LeaseState;
    readonly input: LeaseInput;
    readonly now: Moment;
    readonly rules?: Partial<LeaseRules>;
    readonly want: LeaseStep;
  }[] = [
    {
      name: "a standby reads when its time has come",
      state: standby,
      input: { kind: "due" },
      now: later(0),
      want: { state: standby, command: { kind: "read" } },
    },
    {
      name: "a standby creates a lease that does not exist",
      state: standby,
      input: { kind: "read", lease: undefined },
      now: later(20),
      want: {
        state: standby,
        command: {
          kind: "create",
          lease: {
            apiVersion: "coordination.k8s.io/v1",
            kind: "Lease",
            metadata: { name: "operator", namespace: "nuptse" },
            spec: {
              holderIdentity: "me",
              leaseDurationSeconds: 15,
              acquireTime: "2026-11-21T09:00:00.020000Z",
              renewTime: "2026-11-21T09:00:00.020000Z",
              leaseTransitions: 0,
            },
          },
        },
      },
    },
    {
      name: "a standby leaves a lease alone that it sees for the first time, however old its times look",
      state: standby,
      input: { kind: "read", lease: lease("other", -3_600_000) },
      now: later(20),
      want: {
        state: {
          kind: "standby",
          record: { holder: "other", durationMs: 15_000, renewTime: "2026-11-21T08:00:00.000000Z", transitions: 3 },
          unchangedSince: 20,
        },
        command: { kind: "wait", delayMs: 2000 },
      },
    },
    {
      name: "a standby spreads its tries",
      state: sawOther(0),
      input: { kind: "read", lease: lease("other", 0) },
      now: later(100),
      rules: { chance: 0.5 },
      want: { state: sawOther(0), command: { kind: "wait", delayMs: 3200 } },
    },
    {
      name: "a standby comes back in the moment when the lease runs out",
      state: sawOther(0),
      input: { kind: "read", lease: lease("other", 0) },
      now: later(14_500),
      want: { state: sawOther(0), command: { kind: "wait", delayMs: 500 } },
    },
    {
      name: "a standby starts to count anew when the holder has renewed",
      state: sawOther(0),
      input: { kind: "read", lease: lease("other", 14_000) },
      now: later(15_000),
      want: {
        state: {
          kind: "standby",
          record: { holder: "other", durationMs: 15_000, renewTime: "2026-11-21T09:00:14.000000Z", transitions: 3 },
          unchangedSince: 15_000,
        },
        command: { kind: "wait", delayMs: 2000 },
      },
    },
    {
      name: "a standby takes a lease that was not renewed for its duration, in the version that it read",
      state: sawOther(0),
      input: { kind: "read", lease: lease("other", 0, { version: "9" }) },
      now: later(15_000),
      want: {
        state: sawOther(0),
        command: {
          kind: "update",
          lease: {
            ...lease("me", 15_000, { version: "9", transitions: 4 }),
            spec: { ...lease("me", 15_000, { transitions: 4 }).spec, acquireTime: "2026-11-21T09:00:15.000000Z" },
          },
        },
      },
    },
    {
      name: "a standby goes by the duration that the holder wrote",
      state: {
        kind: "standby",
        record: { holder: "other", durationMs: 60_000, renewTime: microTime(epoch), transitions: 3 },
        unchangedSince: 0,
      },
      input: { kind: "read", lease: lease("other", 0, { seconds: 60 }) },
      now: later(59_000),
      want: {
        state: {
          kind: "standby",
          record: { holder: "other", durationMs: 60_000, renewTime: microTime(epoch), transitions: 3 },
          unchangedSince: 0,
        },
        command: { kind: "wait", delayMs: 1000 },
      },
    },
    {
      name: "a standby leads from the moment before its write was sent",
      state: sawOther(0),
      input: { kind: "written", lease: lease("me", 15_000), sentAt: later(15_000) },
      now: later(15_080),
      want: { state: { kind: "leading", lease: lease("me", 15_000), renewedAt: later(15_000) }, command: { kind: "wait", delayMs: 2000 } },
    },
    {
      name: "a standby does not lead by a write whose answer took longer than the deadline",
      state: sawOther(0),
      input: { kind: "written", lease: lease("me", 15_000), sentAt: later(15_000) },
      now: later(25_000),
      want: { state: sawOther(0), command: { kind: "wait", delayMs: 2000 } },
    },
    {
      name: "a standby waits when another was faster",
      state: standby,
      input: { kind: "refused" },
      now: later(10),
      want: { state: standby, command: { kind: "wait", delayMs: 2000 } },
    },
    {
      name: "a standby waits when there is no answer",
      state: standby,
      input: { kind: "failed" },
      now: later(10),
      want: { state: standby, command: { kind: "wait", delayMs: 2000 } },
    },
    {
      name: "a standby whose clock is off does not take a lease that is free",
      state: standby,
      input: { kind: "read", lease: undefined },
      now: later(0),
      rules: { clockOffsetMs: -3_600_000 },
      want: { state: standby, command: { kind: "wait", delayMs: 2000 } },
    },
    {
      name: "the holder renews in the version of its last write, and keeps its time of acquisition",
      state: leading(1000),
      input: { kind: "due" },
      now: later(3000),
      want: { state: leading(1000), command: { kind: "update", lease: lease("me", 3000) } },
    },
    {
      name: "the holder's deadline starts over with a renewal",
      state: leading(1000),
      input: { kind: "written", lease: lease("me", 3000, { version: "6" }), sentAt: later(3000) },
      now: later(3050),
      want: {
        state: { kind: "leading", lease: lease("me", 3000, { version: "6" }), renewedAt: later(3000) },
        command: { kind: "wait", delayMs: 2000 },
      },
    },
    {
      name: "the holder looks who it was when its renewal is refused",
      state: leading(1000),
      input: { kind: "refused" },
      now: later(3050),
      want: { state: { kind: "leading", lease: undefined, renewedAt: later(1000) }, command: { kind: "read" } },
    },
    {
      name: "the holder renews again when it still stands in the lease",
      state: { kind: "leading", lease: undefined, renewedAt: later(1000) },
      input: { kind: "read", lease: lease("me", 3000, { version: "7" }) },
      now: later(3100),
      want: {
        state: { kind: "leading", lease: undefined, renewedAt: later(1000) },
        command: { kind: "update", lease: lease("me", 3100, { version: "7" }) },
      },
    },
    {
      name: "the holder has lost when another stands in the lease",
      state: leading(1000),
      input: { kind: "read", lease: lease("other", 3000) },
      now: later(3100),
      want: { state: { kind: "lost", reason: "other has taken the lease" }, command: { kind: "stop" } },
    },
    {
      name: "the holder has lost when somebody took its name off the lease",
      state: leading(1000),
      input: { kind: "read", lease: lease("", 3000) },
      now: later(3100),
      want: { state: { kind: "lost", reason: "the lease was taken away from us" }, command: { kind: "stop" } },
    },
    {
      name: "the holder reads before it tries again after a renewal without an answer",
      state: { kind: "leading", lease: undefined, renewedAt: later(1000) },
      input: { kind: "due" },
      now: later(5000),
      want: { state: { kind: "leading", lease: undefined, renewedAt: later(1000) }, command: { kind: "read" } },
    },
    {
      name: "the holder tries again after a failure, at its deadline at the latest",
      state: leading(1000),
      input: { kind: "failed" },
      now: later(10_500),
      want: { state: { kind: "leading", lease: undefined, renewedAt: later(1000) }, command: { kind: "wait", delayMs: 500 } },
    },
    {
      name: "the holder has lost at its deadline",
      state: leading(1000),
      input: { kind: "due" },
      now: later(11_000),
      want: { state: { kind: "lost", reason: "the lease was not renewed for 10 s" }, command: { kind: "stop" } },
    },
    {
      name: "the holder creates a lease anew that somebody deleted",
      state: { kind: "leading", lease: undefined, renewedAt: later(1000) },
      input: { kind: "read", lease: undefined },
      now: later(3000),
      want: {
        state: { kind: "leading", lease: undefined, renewedAt: later(1000) },
        command: {
          kind: "create",
          lease: {
            apiVersion: "coordination.k8s.io/v1",
            kind: "Lease",
            metadata: { name: "operator", namespace: "nuptse" },
            spec: {
              holderIdentity: "me",
              leaseDurationSeconds: 15,
              acquireTime: "2026-11-21T09:00:03.000000Z",
              renewTime: "2026-11-21T09:00:03.000000Z",
              leaseTransitions: 0,
            },
          },
        },
      },
    },
    {
      name: "the holder gives up when its clock is found to be off",
      state: leading(1000),
      input: { kind: "due" },
      now: later(3000),
      rules: { clockOffsetMs: 45_000 },
      want: {
        state: { kind: "lost", reason: "this machine's clock is 45 s behind the API server's, more than the 30 s allowed" },
        command: { kind: "stop" },
      },
    },
    {
      name: "the holder leads on with a clock that is off when it is told not to mind",
      state: leading(1000),
      input: { kind: "due" },
      now: later(3000),
      rules: { clockOffsetMs: 45_000, maxClockSkewMs: 0 },
      want: { state: leading(1000), command: { kind: "update", lease: lease("me", 3000) } },
    },
    {
      name: "who has lost stays so",
      state: { kind: "lost", reason: "x" },
      input: { kind: "written", lease: lease("me", 0), sentAt: later(0) },
      now: later(1),
      want: { state: { kind: "lost", reason: "x" }, command: { kind: "stop" } },
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      assert.deepEqual(stepLease(tc.state, tc.input, tc.now, { ...rules, ...tc.rules }), tc.want);
    });
  }

  const fences: readonly { readonly name: string; readonly state: LeaseState; readonly now: Moment; readonly want: boolean }[] = [
    { name: "is closed for a standby", state: standby, now: later(0), want: false },
    { name: "is open right after a renewal", state: leading(1000), now: later(1000), want: true },
    { name: "is open just before ten seconds have passed", state: leading(1000), now: later(10_999), want: true },
    { name: "is closed after ten seconds", state: leading(1000), now: later(11_000), want: false },
    {
      name: "is closed when the machine was suspended: wall time has passed, monotonic time has not",
      state: leading(1000),
      now: later(1500, 20_000),
      want: false,
    },
    { name: "does not mind a clock that is set back", state: leading(1000), now: later(1500, -20_000), want: true },
    { name: "is closed for who has lost", state: { kind: "lost", reason: "x" }, now: later(0), want: false },
  ];
  for (const tc of fences) {
    it(`the fence ${tc.name}`, () => assert.equal(fenceOpen(tc.state, tc.now, defaultLeaseTimings), tc.want));
  }

  it("leaves a lease behind that anybody may take at once", () => {
    assert.deepEqual(releasedLease(lease("me", 0), later(500)).spec, {
      holderIdentity: "",
      leaseDurationSeconds: 1,
      acquireTime: "2026-11-21T09:00:00.500000Z",
      renewTime: "2026-11-21T09:00:00.500000Z",
      leaseTransitions: 3,
    });
  });

  it("knows a clock that is off from one that may be", () => {
    assert.equal(isClockOff({ clockOffsetMs: 30_000, maxClockSkewMs: 30_000 }), false);
    assert.equal(isClockOff({ clockOffsetMs: -30_001, maxClockSkewMs: 30_000 }), true);
    assert.equal(isClockOff({ clockOffsetMs: undefined, maxClockSkewMs: 30_000 }), false);
  });
});
