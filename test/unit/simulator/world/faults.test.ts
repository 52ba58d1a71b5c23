import assert from "node:assert/strict";
import { pods } from "../../../../src/api/resource.ts";
import { createSeededRandom } from "../../../../src/base/random.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { FencedError, TimedOutError, UnreachableError } from "../../../../src/kube/errors.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../../../src/kube/transport.ts";
import { createFaultProcess, type FaultProcess } from "../../../../src/simulator/world/fault-process.ts";
import { disturbed, scheduleFaults } from "../../../../src/simulator/world/fault-schedule.ts";
import { type ArmedFault, CrashSignal, type FaultClass, Faults } from "../../../../src/simulator/world/faults.ts";
import { resourceOf } from "../../../../src/simulator/world/faulty-transport.ts";
import { createWorld } from "../../../../src/simulator/world/world.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

const start = Date.parse("2026-11-20T16:00:00Z");
const podPath = "/api/v1/namespaces/shop/pods";
const post: TransportRequest = { method: "POST", path: podPath, body: {} };
const patch: TransportRequest = { method: "PATCH", path: `${podPath}/p`, body: {} };
const list: TransportRequest = { method: "GET", path: "/api/v1/pods" };
const renew: TransportRequest = { method: "PATCH", path: "/apis/coordination.k8s.io/v1/namespaces/nuptse/leases/nuptse", body: {} };

/** A server that does what it is told and remembers it; its watches say what `emit` says. */
class ScriptedServer implements Transport {
  readonly executed: string[] = [];
  readonly #clock: VirtualClock;
  readonly #watches = new Set<{ readonly path: string; readonly queue: unknown[]; wake: () => void }>();
  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  emit(path: string, type: string, name: string): void {
    for (const watch of this.#watches) {
      if (watch.path !== path) continue;
      watch.queue.push({ type, object: { metadata: { name } } });
      watch.wake();
    }
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    if (request.fence?.() === false) throw new FencedError(request.path);
    this.executed.push(`${request.method} ${resourceOf(request.path)} ${this.#clock.now() - start}`);
    return { status: 200, headers: {}, body: { executed: true } };
  }

  async stream(request: TransportRequest, signal: AbortSignal) {
    const watch = { path: request.path, queue: [] as unknown[], wake: () => {} };
    this.#watches.add(watch);
    signal.addEventListener("abort", () => watch.wake());
    const lines = async function* () {
      while (!signal.aborted) {
        if (watch.queue.length > 0) yield watch.queue.shift();
        else
          await new Promise<void>((resolve) => {
            watch.wake = resolve;
          });
      }
    };
    return { status: 200, headers: {}, lines: lines() };
  }
}

function setUp(seed = 1) {
  const clock = new VirtualClock(start);
  const random = createSeededRandom(seed);
  const errors = { timedOut: (what: string) => new TimedOutError(what), unreachable: (what: string) => new UnreachableError(what) };
  const faults = new Faults({ clock, random, errors, latencyMs: 0, watchLagMs: 0 });
  const server = new ScriptedServer(clock);
  const crashes: string[] = [];
  const process = createFaultProcess(faults, "a", server, (signal) => crashes.push(signal.message));
  return { clock, random, faults, server, process, crashes };
}

/** "200", "409 Conflict", or the name of the error. */
async function outcomeOf(request: Promise<TransportResponse>): Promise<string> {
  try {
    const { status, body } = await request;
    const reason = (body as { readonly reason?: string }).reason;
    return typeof body === "string" ? `${status} text` : `${status}${reason === undefined ? "" : ` ${reason}`}`;
  } catch (error) {
    return (error as Error).name;
  }
}

interface Case {
  readonly name: string;
  readonly fault: ArmedFault;
  readonly request: TransportRequest;
  readonly want: string;
  readonly wantExecuted: number;
  readonly wantCounted?: boolean;
}

const cases: readonly Case[] = [
  { name: "a crash before the write", fault: { class: "crashBeforeWrite" }, request: post, want: "CrashSignal", wantExecuted: 0 },
  { name: "a crash after the write", fault: { class: "crashAfterWrite" }, request: post, want: "CrashSignal", wantExecuted: 1 },
  { name: "a conflict", fault: { class: "conflict409" }, request: patch, want: "409 Conflict", wantExecuted: 0 },
  { name: "no conflict for a create", fault: { class: "conflict409" }, request: post, want: "200", wantExecuted: 1, wantCounted: false },
  { name: "a 429 is plain text", fault: { class: "throttled429" }, request: post, want: "429 text", wantExecuted: 0 },
  { name: "a 500", fault: { class: "internal500" }, request: patch, want: "500 InternalError", wantExecuted: 0 },
  { name: "a refused connection", fault: { class: "connectionRefused" }, request: post, want: "UnreachableError", wantExecuted: 0 },
  {
    name: "a time-out whose write did not happen",
    fault: { class: "timedOutNotDone" },
    request: post,
    want: "TimedOutError",
    wantExecuted: 0,
  },
  { name: "a time-out whose write happened", fault: { class: "timedOutDone" }, request: post, want: "TimedOutError", wantExecuted: 1 },
  { name: "reads are spared", fault: { class: "internal500" }, request: list, want: "200", wantExecuted: 1, wantCounted: false },
  {
    name: "unless they are meant",
    fault: { class: "internal500", scope: "reads" },
    request: list,
    want: "500 InternalError",
    wantExecuted: 0,
  },
  { name: "leases are spared", fault: { class: "internal500" }, request: renew, want: "200", wantExecuted: 1, wantCounted: false },
  {
    name: "unless they are meant",
    fault: { class: "internal500", scope: "leases" },
    request: renew,
    want: "500 InternalError",
    wantExecuted: 0,
  },
  {
    name: "another process is spared",
    fault: { class: "internal500", process: "b" },
    request: post,
    want: "200",
    wantExecuted: 1,
    wantCounted: false,
  },
  {
    name: "another kind is spared",
    fault: { class: "internal500", resource: "nodes" },
    request: post,
    want: "200",
    wantExecuted: 1,
    wantCounted: false,
  },
  { name: "an old list", fault: { class: "listsApart" }, request: list, want: "200", wantExecuted: 1 },
];

describe("faults of requests", () => {
  for (const tc of cases) {
    it(`${tc.name}: ${tc.fault.class}${tc.fault.scope === undefined ? "" : ` of ${tc.fault.scope}`}`, async () => {
      const { clock, faults, server, process } = setUp();
      faults.arm(tc.fault);
      const outcome = outcomeOf(process.transport.request(tc.request));
      await clock.runUntil(start + 120_000);
      assert.equal(await outcome, tc.want);
      assert.equal(server.executed.length, tc.wantExecuted);
      assert.equal(faults.counts()[tc.fault.class], tc.wantCounted === false ? 0 : 1);
    });
  }

  it("a crash is aimed by the number of the write, and after it nothing passes", async () => {
    const { clock, faults, server, process, crashes } = setUp();
    faults.arm({ class: "crashBeforeWrite", process: "a", write: 3 });
    const outcomes = [];
    for (const request of [post, list, patch, renew, post, list]) {
      const outcome = outcomeOf(process.transport.request(request));
      await clock.runUntil(clock.now() + 1_000);
      outcomes.push(await outcome);
    }
    assert.deepEqual(outcomes, ["200", "200", "200", "CrashSignal", "CrashSignal", "CrashSignal"]);
    assert.deepEqual([server.executed.length, process.writes, process.dead], [3, 3, true]);
    assert.deepEqual(crashes, [`process a crashed before write 3 (PATCH ${renew.path})`]);
  });

  it("a delayed write is executed after its fence was closed", async () => {
    const { clock, faults, server, process } = setUp();
    let leading = true;
    faults.arm({ class: "delayedWrite" });
    const outcome = outcomeOf(process.transport.request({ ...post, fence: () => leading }));
    await clock.runUntil(start + 1_000);
    leading = false;
    await clock.runUntil(start + 60_000);
    assert.match(await outcome, /^(200|TimedOutError)$/);
    const [when] = server.executed.map((line) => Number(line.split(" ").at(-1)));
    assert.ok(when !== undefined && when >= 5_000 && when <= 40_000);
  });

  it("a write whose fence is closed is neither sent nor hit", async () => {
    const { clock, faults, server, process } = setUp();
    faults.arm({ class: "timedOutDone" });
    const outcome = outcomeOf(process.transport.request({ ...post, fence: () => false }));
    await clock.runUntil(start + 1_000);
    assert.deepEqual([await outcome, server.executed], ["FencedError", []]);
  });

  it("a paused process neither sends nor hears nor sees its timers, and its clocks go on", async () => {
    const { clock, server, process } = setUp();
    const seen: number[] = [];
    process.clock.after(5_000, () => seen.push(process.clock.now() - start));
    process.pause(20_000);
    const outcome = outcomeOf(process.transport.request(post));
    await clock.runUntil(start + 19_000);
    assert.deepEqual([seen, server.executed], [[], []]);
    await clock.runUntil(start + 30_000);
    assert.deepEqual([seen, server.executed, await outcome], [[20_000], ["POST pods 20000"], "200"]);
  });

  it("a clock that is off shows another wall time; timers and monotonic time are right", async () => {
    const { clock, process } = setUp();
    process.setClockOffset(3_600_000);
    let fired = 0;
    process.clock.after(1_000, () => fired++);
    await clock.runUntil(start + 1_000);
    assert.deepEqual([process.clock.now() - start, process.clock.monotonic(), fired], [3_601_000, 1_000, 1]);
  });
});

interface WatchCase {
  readonly name: string;
  readonly fault?: FaultClass;
  /** What the reader has seen at these times, in seconds, after a, b and c were sent one second apart from second 1. */
  readonly want: Readonly<Record<number, string>>;
}

const watchCases: readonly WatchCase[] = [
  { name: "without a fault every event comes once, in order", want: { 5: "a b c" } },
  { name: "duplicated", fault: "watchDuplicated", want: { 5: "a a b c" } },
  { name: "reordered with the next one", fault: "watchReordered", want: { 5: "b a c" } },
  { name: "stalled for 120 or 200 s, then all at once", fault: "watchStalled", want: { 119: "", 202: "a b c" } },
  { name: "broken", fault: "watchBroken", want: { 5: "UnreachableError" } },
  { name: "expired: 410 in the stream, or when it is opened", fault: "watchExpired", want: { 5: "410" } },
];

describe("faults of watches", () => {
  const watch: TransportRequest = { method: "GET", path: "/api/v1/pods", query: { watch: "true", resourceVersion: "1" } };

  async function follow(process: FaultProcess, seen: string[], request = watch, signal = new AbortController().signal): Promise<void> {
    try {
      const { lines } = await process.transport.stream(request, signal);
      for await (const line of lines) {
        const { object, code } = line as {
          readonly object?: { readonly metadata?: { readonly name?: string }; readonly code?: number };
          readonly code?: number;
        };
        seen.push(object?.metadata?.name ?? String(object?.code ?? code));
      }
    } catch (error) {
      seen.push((error as Error).name);
    }
  }

  for (const tc of watchCases) {
    it(tc.name, async () => {
      const { clock, faults, server, process } = setUp();
      if (tc.fault !== undefined) faults.arm({ class: tc.fault });
      const seen: string[] = [];
      void follow(process, seen);
      for (const [index, name] of ["a", "b", "c"].entries()) {
        clock.after(1_000 * (index + 1), () => server.emit("/api/v1/pods", "MODIFIED", name));
      }
      for (const [second, want] of Object.entries(tc.want)) {
        await clock.runUntil(start + Number(second) * 1_000);
        assert.equal(seen.join(" "), want);
      }
    });
  }

  it("a dropped event is missed, and 410 makes the reader list anew within 20 s", async () => {
    const { clock, faults, server, process } = setUp();
    faults.arm({ class: "watchDropped" });
    const seen: string[] = [];
    void follow(process, seen);
    clock.after(1_000, () => server.emit("/api/v1/pods", "MODIFIED", "lost"));
    clock.after(1_500, () => server.emit("/api/v1/pods", "MODIFIED", "b"));
    await clock.runUntil(start + 30_000);
    assert.deepEqual(seen, ["b", "410"]);
  });

  it("a reader that goes away before the 410 gets it when it opens the watch again, once", async () => {
    const { clock, faults, server, process } = setUp();
    faults.arm({ class: "watchDropped" });
    const seen: string[] = [];
    const gone = new AbortController();
    void follow(process, seen, watch, gone.signal);
    clock.after(1_000, () => server.emit("/api/v1/pods", "MODIFIED", "lost"));
    clock.after(1_100, () => gone.abort());
    await clock.runUntil(start + 1_500);
    void follow(process, seen, { ...watch, query: { watch: "true", resourceVersion: "7" } });
    await clock.runUntil(start + 2_000);
    void follow(process, seen);
    await clock.runUntil(start + 3_000);
    assert.deepEqual(seen, ["AbortError", "410"]);
  });

  it("one kind's watch stalls alone", async () => {
    const { clock, faults, server, process } = setUp();
    faults.arm({ class: "watchStalled", resource: "pods" });
    const podsSeen: string[] = [];
    const nodesSeen: string[] = [];
    void follow(process, podsSeen);
    void follow(process, nodesSeen, { ...watch, path: "/api/v1/nodes" });
    clock.after(1_000, () => {
      server.emit("/api/v1/pods", "MODIFIED", "p");
      server.emit("/api/v1/nodes", "MODIFIED", "n");
    });
    await clock.runUntil(start + 100_000);
    assert.deepEqual([podsSeen, nodesSeen], [[], ["n"]]);
  });

  it("a crash ends the watches of the process", async () => {
    const { clock, faults, process } = setUp();
    const seen: string[] = [];
    void follow(process, seen);
    await clock.runUntil(start + 1_000);
    faults.arm({ class: "crashAfterWrite" });
    const outcome = outcomeOf(process.transport.request(post));
    await clock.runUntil(start + 2_000);
    assert.deepEqual([await outcome, seen], ["CrashSignal", ["CrashSignal"]]);
  });
});

describe("the schedule of faults", () => {
  /** A toy operator that writes, lists and watches for ever, and is started again when it crashed. */
  async function play(seed: number) {
    const { clock, random, faults, server } = setUp(seed);
    const cluster = new SimulatedCluster(clock);
    const world = await createWorld({
      client: cluster.client,
      clock,
      random,
      nodes: ["n1", "n2", "n3"].map((name) => ({ name })),
      kubelet: { kind: "stages", behaviour: disturbed(faults, random, () => ({ runMs: [5_000, 60_000] })) },
    });
    let generation = 0;
    let current: FaultProcess | undefined;
    const begin = () => {
      const process = createFaultProcess(faults, `a${++generation}`, server, () => clock.after(5_000, begin));
      current = process;
      const again = (request: TransportRequest, everyMs: number) => {
        if (process.dead) return;
        void process.transport.request(request).catch(() => undefined);
        process.clock.after(everyMs, () => again(request, everyMs));
      };
      for (const request of [post, patch]) again(request, 1_000);
      again(renew, 2_000);
      again(list, 30_000);
      const read = async () => {
        while (!process.dead) {
          try {
            const request = { method: "GET", path: "/api/v1/pods", query: { watch: "true" } } as const;
            const { lines } = await process.transport.stream(request, new AbortController().signal);
            for await (const _ of lines);
          } catch (error) {
            if (error instanceof CrashSignal) return;
          }
          await process.clock.sleep(1_000);
        }
      };
      void read();
    };
    begin();
    let number = 0;
    const work = () => {
      server.emit("/api/v1/pods", "MODIFIED", "x");
      if (++number % 10 === 0) {
        const labels = { "nuptse.dev/run": "r", "nuptse.dev/job-uid": "j", "nuptse.dev/item": String(number), "nuptse.dev/attempt": "0" };
        const spec = { restartPolicy: "Never", containers: [{ name: "main", image: "x" }] };
        void cluster.client.create(pods, { metadata: { namespace: "shop", name: `p${number}`, labels }, spec } as never);
      }
      clock.after(1_000, work);
    };
    work();
    const processes = () => (current === undefined || current.dead ? [] : [current]);
    let finished = false;
    void scheduleFaults({ faults, world, clock, random, processes, durationMs: 5_400_000 }).finished.then(() => {
      finished = true;
    });
    await clock.runUntil(start + 5_400_000 + 60_000);
    assert.ok(finished);
    assert.deepEqual(world.healthyNodes().toSorted(), ["n1", "n2", "n3"]);
    const summary = {
      counts: faults.counts(),
      executed: server.executed.length,
      log: cluster.log.length,
      ends: world.ledger.records().map((each) => each.endedAt),
    };
    await world.close();
    return { missing: faults.missing(), summary };
  }

  it("lets every class strike, and mends what it broke", async () => {
    assert.deepEqual((await play(3)).missing, []);
  });

  it("is the same for the same seed", async () => {
    assert.deepEqual((await play(4)).summary, (await play(4)).summary);
  });
});
