import assert from "node:assert/strict";
import fc from "fast-check";
import type { Lease } from "../../../src/api/core.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { skewedClock, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { TimedOutError, UnreachableError } from "../../../src/kube/errors.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { TransportRequest } from "../../../src/kube/transport.ts";
import { createLeaderLease, type LeaderLease } from "../../../src/runtime/leader-lease.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { type Answer, failure, ok, scriptedTransport } from "./scripted-transport.ts";

const start = Date.UTC(2026, 10, 21, 9, 0, 0);

/** What happens to one request on its way. Delays in milliseconds. */
interface Fault {
  readonly toServer: number;
  readonly toClient: number;
  /** `before`: never arrives; `after`: is executed, the answer is lost. */
  readonly loss: "none" | "before" | "after" | "hang";
}
const noFault: Fault = { toServer: 1, toClient: 1, loss: "none" };

/** A server that knows one Lease. */
class LeaseServer {
  stored: Lease | undefined;
  version = 1;
  readonly writes: string[] = [];

  answer(request: TransportRequest): Answer {
    const body = request.body as Lease;
    switch (request.method) {
      case "GET":
        return this.stored === undefined ? failure(404, "NotFound", "not found", { name: "operator" }) : ok(this.stored);
      case "POST":
        return this.stored === undefined ? this.#store(body) : failure(409, "AlreadyExists");
      case "PUT":
        if (this.stored === undefined) return failure(404, "NotFound", "not found", { name: "operator" });
        return body.metadata.resourceVersion === this.stored.metadata.resourceVersion ? this.#store(body) : failure(409, "Conflict");
      default:
        return failure(405, "MethodNotAllowed");
    }
  }

  #store(lease: Lease): Answer {
    this.version += 1;
    this.stored = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(this.version) } };
    this.writes.push(lease.spec?.holderIdentity ?? "");
    return ok(this.stored);
  }
}

function replica(
  identity: string,
  server: LeaseServer,
  clock: VirtualClock,
  options: {
    readonly fault?: (request: TransportRequest) => Fault;
    readonly own?: Clock;
    readonly clockOffsetMs?: () => number | undefined;
    readonly seed?: number;
  } = {},
) {
  const { transport, sent } = scriptedTransport(async (request) => {
    const fault = options.fault?.(request) ?? noFault;
    await clock.sleep(fault.toServer);
    if (fault.loss === "hang") return new Promise<Answer>(() => {});
    if (fault.loss === "before") return new UnreachableError("refused");
    const answer = server.answer(request);
    await clock.sleep(fault.toClient);
    return fault.loss === "after" ? new TimedOutError("lost") : answer;
  });
  const lease = createLeaderLease({
    client: createKubeClient(transport),
    clock: options.own ?? clock,
    random: createSeededRandom(options.seed ?? 1),
    logger: silentLogger,
    metrics: noMetrics,
    onError: () => undefined,
    namespace: "nuptse",
    name: "operator",
    identity,
    clockOffsetMs: options.clockOffsetMs ?? (() => 0),
    maxClockSkewMs: 30_000,
  });
  const abort = new AbortController();
  const log: string[] = [];
  const begin = () =>
    lease.acquire(abort.signal).then(
      () => log.push(`leading@${clock.now() - start}`),
      () => log.push(`given up@${clock.now() - start}`),
    );
  void lease.lost.then((reason) => log.push(`lost@${clock.now() - start}: ${reason}`));
  return { lease, begin, abort, log, sent };
}

describe("leader lease", () => {
  it("takes a lease that does not exist at once, and renews it every two seconds with one write", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    const a = replica("a", server, clock);
    void a.begin();
    await clock.runUntil(start + 10_000);
    assert.deepEqual(a.log, ["leading@4"]);
    assert.equal(a.lease.fence(), true);
    assert.deepEqual(
      a.sent.map((request) => request.method),
      ["GET", "POST", "PUT", "PUT", "PUT", "PUT"],
    );
    assert.equal(a.sent[1]?.lane, "lease");
    assert.equal(server.stored?.spec?.renewTime, "2026-11-21T09:00:08.010000Z");
  });

  it("lets a standby wait for the full duration after the holder has died", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    let dead = false;
    const a = replica("a", server, clock, { fault: () => (dead ? { ...noFault, loss: "hang" } : noFault) });
    const b = replica("b", server, clock, { seed: 7 });
    void a.begin();
    await clock.runUntil(start + 1000);
    void b.begin();
    await clock.runUntil(start + 5000);
    dead = true;
    await clock.runUntil(start + 60_000);
    const took = Number(/^leading@([\d.]+)$/.exec(b.log[0] ?? "")?.[1]);
    // The last renewal was executed 4,007 ms after the start and was seen at b's next look.
    assert.ok(took > 19_000 && took < 24_000, `${took}`);
    assert.deepEqual(a.log, ["leading@4", "lost@14006: the lease was not renewed for 10 s"]);
    assert.equal(a.lease.fence(), false);
    assert.deepEqual([a.lease.wasTaken, b.lease.wasTaken], [false, true]);
    assert.equal(server.stored?.spec?.leaseTransitions, 1);
  });

  it("hands over at once after a release", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    const a = replica("a", server, clock);
    const b = replica("b", server, clock);
    void a.begin();
    await clock.runUntil(start + 1000);
    void b.begin();
    await clock.runUntil(start + 5000);
    void a.lease.release();
    await clock.runUntil(start + 9500);
    assert.equal(server.stored?.spec?.holderIdentity, "b");
    assert.deepEqual(
      server.writes.slice(-4).filter((holder) => holder === ""),
      [""],
    );
    assert.deepEqual(a.log, ["leading@4"]);
    assert.equal(a.lease.fence(), false);
    assert.equal(b.lease.fence(), true);
    assert.equal(b.lease.wasTaken, false);
  });

  it("tells nobody when it is only stopped", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    const a = replica("a", server, clock);
    void a.begin();
    await clock.runUntil(start + 1000);
    a.lease.stop();
    await clock.runUntil(start + 60_000);
    assert.equal(a.lease.fence(), false);
    assert.deepEqual(server.writes, ["a"]);
    assert.deepEqual(a.log, ["leading@4"]);
  });

  it("takes over in the next version when its first write was executed and the answer lost", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    const losses: Fault["loss"][] = ["none", "after"];
    const a = replica("a", server, clock, { fault: () => ({ ...noFault, loss: losses.shift() ?? "none" }) });
    void a.begin();
    await clock.runUntil(start + 10_000);
    assert.equal(a.lease.fence(), true);
    assert.equal(a.log.length, 1);
  });

  it("survives failures that are shorter than its deadline", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    let down = false;
    const a = replica("a", server, clock, { fault: () => ({ ...noFault, loss: down ? "before" : "none" }) });
    void a.begin();
    await clock.runUntil(start + 3000);
    down = true;
    await clock.runUntil(start + 10_000);
    down = false;
    await clock.runUntil(start + 60_000);
    assert.deepEqual(a.log, ["leading@4"]);
    assert.equal(a.lease.fence(), true);
  });

  it("creates the lease anew when somebody deletes it", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    const a = replica("a", server, clock);
    void a.begin();
    await clock.runUntil(start + 3000);
    server.stored = undefined;
    await clock.runUntil(start + 10_000);
    assert.equal(a.lease.fence(), true);
    assert.deepEqual(a.log, ["leading@4"]);
  });

  it("neither takes nor keeps the lease with a clock that is off", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    let offset = -3_600_000;
    const a = replica("a", server, clock, { clockOffsetMs: () => offset });
    void a.begin();
    await clock.runUntil(start + 20_000);
    assert.deepEqual(server.writes, []);
    offset = 0;
    await clock.runUntil(start + 30_000);
    assert.equal(a.lease.fence(), true);
    offset = 31_000;
    await clock.runUntil(start + 35_000);
    assert.match(a.log[1] ?? "", /lost@[\d.]+: this machine's clock is 31 s behind the API server's/);
    assert.equal(a.lease.fence(), false);
  });

  it("closes the fence when the machine was suspended, and opens it with the next renewal that nobody forestalled", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    let slept = 0;
    const a = replica("a", server, clock, { own: skewedClock(clock, () => slept) });
    void a.begin();
    await clock.runUntil(start + 3000);
    slept = 60_000;
    assert.equal(a.lease.fence(), false);
    await clock.runUntil(start + 5000);
    assert.equal(a.lease.fence(), true);
  });

  it("gives up waiting when it is told to", async () => {
    const clock = new VirtualClock(start);
    const server = new LeaseServer();
    const a = replica("a", server, clock);
    const b = replica("b", server, clock);
    void a.begin();
    await clock.runUntil(start + 1000);
    void b.begin();
    await clock.runUntil(start + 2000);
    b.abort.abort(new Error("stop"));
    await clock.runUntil(start + 2001);
    assert.deepEqual(b.log, ["given up@2000"]);
    a.lease.stop();
    await clock.runUntil(start + 60_000);
    assert.equal(server.writes.includes("b"), false);
  });

  it("never has two open fences, whatever is delayed, lost, hung or stopped", async () => {
    const loss = fc.constantFrom<Fault["loss"]>("none", "none", "none", "none", "before", "after", "hang");
    const delay = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 12_000 }));
    const fault = fc.record({ toServer: delay, toClient: delay, loss });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { minLength: 3, maxLength: 60 }),
        fc.array(
          fc.record({
            at: fc.integer({ min: 0, max: 120_000 }),
            who: fc.integer({ min: 0, max: 2 }),
            what: fc.constantFrom("release", "stop", "suspend"),
          }),
          { maxLength: 6 },
        ),
        fc.integer(),
        async (faults, acts, seed) => {
          const clock = new VirtualClock(start);
          const server = new LeaseServer();
          let next = 0;
          // Nothing is late by more than a lease outlives its holder's deadline, but for what the version check must catch.
          const take = () => faults[next++ % faults.length] as Fault;
          const skews = [0, 0, 0];
          const replicas = [0, 1, 2].map((index) =>
            replica(`r${index}`, server, clock, { fault: take, seed: seed + index, own: skewedClock(clock, () => skews[index] as number) }),
          );
          for (const each of replicas) void each.begin();
          const open = () => replicas.filter((each) => each.lease.fence()).length;
          const pending = acts.toSorted((a, b) => a.at - b.at);
          for (let now = 0; now <= 150_000; now += 250) {
            await clock.runUntil(start + now);
            assert.ok(open() <= 1, `two leaders after ${now} ms`);
            while (pending[0] !== undefined && pending[0].at <= now) {
              const { who, what } = pending.shift() as (typeof acts)[number];
              const subject = replicas[who]?.lease as LeaderLease;
              if (what === "release") void subject.release();
              else if (what === "stop") subject.stop();
              else skews[who] = (skews[who] as number) + 20_000;
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("always has a leader again within 30 s once faults have ended", async () => {
    const loss = fc.constantFrom<Fault["loss"]>("none", "before", "after", "hang");
    await fc.assert(
      fc.asyncProperty(fc.array(loss, { minLength: 1, maxLength: 40 }), fc.integer(), async (losses, seed) => {
        const clock = new VirtualClock(start);
        const server = new LeaseServer();
        let faulty = true;
        let next = 0;
        const fault = () => (faulty ? { ...noFault, loss: losses[next++ % losses.length] as Fault["loss"] } : noFault);
        const replicas = [0, 1].map((index) => replica(`r${index}`, server, clock, { fault, seed: seed + index }));
        for (const each of replicas) void each.begin();
        await clock.runUntil(start + 40_000);
        faulty = false;
        await clock.runUntil(start + 70_000);
        // A replica that led and lost ends its process; with both ended there is nobody left to lead.
        const alive = replicas.filter((each) => each.lease.state.kind !== "lost");
        if (alive.length > 0) assert.equal(alive.filter((each) => each.lease.fence()).length, 1);
      }),
      { numRuns: 60 },
    );
  });
});
