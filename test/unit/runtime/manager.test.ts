import assert from "node:assert/strict";
import { silentLogger } from "../../../src/api/logger.ts";
import { elasticJobs, pods } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createManager, type ManagedInformer, type ManagerOptions } from "../../../src/runtime/manager.ts";

const start = 1_000_000;

interface Script {
  /** When the lease is won, in milliseconds after the start; absent = never. */
  readonly wonAfter?: number;
  readonly lostAfter?: number;
  readonly syncMs?: number;
  /** Of the first lists: pods, then jobs; absent = as they were begun. */
  readonly listVersions?: readonly [string, string];
  readonly refillMs?: number;
  /** How many refills of pods fail first. */
  readonly failedRefills?: number;
  readonly drainTakesMs?: number;
  readonly options?: Partial<ManagerOptions>;
}

function bench(script: Script) {
  const clock = new VirtualClock(start);
  const log: string[] = [];
  const say = (what: string) => log.push(`${what}@${clock.now() - start}`);
  let failing = script.failedRefills ?? 0;
  const informer = (resource: typeof pods): ManagedInformer => {
    const synced = Promise.withResolvers<void>();
    const fixed = Promise.withResolvers<void>();
    let listVersion: string | undefined;
    return {
      resource,
      start: (signal) => {
        say(`start ${resource.plural}`);
        signal.addEventListener("abort", () => say(`end ${resource.plural}`));
        const version = script.listVersions?.[resource === pods ? 0 : 1] ?? String(clock.now() - start);
        clock.after((script.syncMs ?? 10) / 2, fixed.resolve);
        clock.after(script.syncMs ?? 10, () => {
          listVersion = version;
          synced.resolve();
        });
      },
      synced: synced.promise,
      fixed: fixed.promise,
      get listVersion() {
        return listVersion;
      },
      refill: async () => {
        say(`refill ${resource.plural}`);
        await clock.sleep(script.refillMs ?? 10);
        listVersion = String(clock.now() - start);
        if (resource === pods && failing-- > 0) throw new Error("unreachable");
      },
    };
  };
  const lost = Promise.withResolvers<string>();
  const manager = createManager({
    clock,
    random: createSeededRandom(1),
    logger: silentLogger,
    fillOrder: [[informer(pods)], [informer(elasticJobs)]],
    controllers: [
      {
        loop: {
          name: "elasticjob",
          start: (roots) => say(`work on ${[...roots].map((ref) => ref.name).join()}`),
          drain: async () => {
            say("drain");
            await clock.sleep(script.drainTakesMs ?? 0);
          },
        },
        roots: () => [{ namespace: "shop", name: "etl" }],
      },
    ],
    lease: {
      acquire: async (signal) => {
        await clock.sleep(script.wonAfter === undefined ? 1e9 : start + script.wonAfter - clock.now(), signal);
        say("won");
        if (script.lostAfter !== undefined) clock.after(start + script.lostAfter - clock.now(), () => lost.resolve("other has taken it"));
      },
      lost: lost.promise,
      fence: () => true,
      earlyFence: () => true,
      wasTaken: false,
      stop: () => say("stop lease"),
      release: async () => {
        say("release");
      },
      state: { kind: "lost", reason: "" },
    },
    recorder: {
      drain: async () => {
        say("events");
      },
    },
    onLeading: () => say("leading"),
    ...script.options,
  });
  let end: unknown;
  void manager.run().then((reached) => {
    end = reached;
    say(`over: ${reached.kind}`);
  });
  return { clock, manager, log, end: () => end };
}

/** Resolves with nothing once it is told to stop. */
const undecided = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));

describe("manager", () => {
  it("fills caches, waits for the lease, refills children before roots, then lets controllers work", async () => {
    const { clock, manager, log } = bench({ wonAfter: 1500 });
    await clock.runUntil(start + 509);
    assert.equal(manager.phase, "syncing");
    assert.equal(manager.notReady(), "waiting for caches: pods, elasticjobs.nuptse.dev");
    await clock.runUntil(start + 1400);
    assert.equal(manager.phase, "standby");
    assert.equal(manager.notReady(), undefined);
    await clock.runUntil(start + 2000);
    assert.equal(manager.phase, "leading");
    assert.deepEqual(log, [
      "start pods@500",
      "start elasticjobs@500",
      "won@1500",
      "refill pods@1500",
      "refill elasticjobs@1510",
      "leading@1520",
      "work on etl@1520",
    ]);
  });

  it("fills caches once, side by side once the children's version is settled, when nobody else holds the lease", async () => {
    const { clock, manager, log } = bench({ wonAfter: 20 });
    await clock.runUntil(start + 25);
    assert.equal(manager.notReady(), "waiting for caches: pods, elasticjobs.nuptse.dev");
    await clock.runUntil(start + 1000);
    assert.equal(manager.notReady(), undefined);
    assert.deepEqual(log, ["won@20", "start pods@20", "start elasticjobs@25", "leading@35", "work on etl@35"]);
  });

  it("fills roots again when the list of their children had to be begun again and is newer than theirs", async () => {
    const { clock, log } = bench({ wonAfter: 20, listVersions: ["100", "99"] });
    await clock.runUntil(start + 1000);
    assert.deepEqual(log.slice(2), ["start elasticjobs@25", "refill elasticjobs@35", "leading@45", "work on etl@45"]);
  });

  it("ends in order when it is asked to stop", async () => {
    const { clock, manager, log, end } = bench({ wonAfter: 100, drainTakesMs: 300 });
    await clock.runUntil(start + 1000);
    log.length = 0;
    manager.stop();
    await clock.runUntil(start + 1100);
    assert.equal(manager.phase, "draining");
    assert.equal(manager.notReady(), "the process is about to end: draining");
    await clock.runUntil(start + 2000);
    assert.deepEqual(log, ["drain@1000", "events@1300", "release@1300", "end pods@1300", "end elasticjobs@1300", "over: stopped@1300"]);
    assert.deepEqual(end(), { kind: "stopped" });
    assert.equal(clock.nextDue(), undefined);
  });

  it("keeps the lease from others when work does not end in time", async () => {
    const { clock, manager, log } = bench({ wonAfter: 100, drainTakesMs: 60_000 });
    await clock.runUntil(start + 1000);
    log.length = 0;
    manager.stop();
    await clock.runUntil(start + 30_000);
    assert.deepEqual(log, [
      "drain@1000",
      "events@21000",
      "stop lease@21000",
      "end pods@21000",
      "end elasticjobs@21000",
      "over: stopped@21000",
    ]);
  });

  it("ends at once when the lease is lost", async () => {
    const { clock, manager, log, end } = bench({ wonAfter: 100, lostAfter: 1000 });
    await clock.runUntil(start + 5000);
    assert.deepEqual(log.slice(-5), ["stop lease@1000", "drain@1000", "end pods@1000", "end elasticjobs@1000", "over: lost@1000"]);
    assert.equal(log.includes("release@1000"), false);
    assert.deepEqual(end(), { kind: "lost", reason: "other has taken it" });
    assert.equal(manager.phase, "lost");
  });

  it("waits for nothing when it is killed", async () => {
    const { clock, manager, end, log } = bench({ wonAfter: 100, drainTakesMs: 60_000 });
    await clock.runUntil(start + 1000);
    manager.kill("out of patience");
    await clock.runUntil(start + 1000);
    assert.deepEqual(end(), { kind: "lost", reason: "out of patience" });
    assert.equal(log.includes("release@1000"), false);
  });

  it("never works when the lease is lost while caches are refilled", async () => {
    const { clock, log, end } = bench({ wonAfter: 700, lostAfter: 1000, refillMs: 2000 });
    await clock.runUntil(start + 10_000);
    assert.deepEqual(end(), { kind: "lost", reason: "other has taken it" });
    assert.equal(
      log.some((line) => line.startsWith("work") || line.startsWith("leading")),
      false,
    );
  });

  it("ends without leading where it may not lead, and reads nothing", async () => {
    const { clock, log, end } = bench({ wonAfter: 20, options: { mayLead: async () => "another installation" } });
    await clock.runUntil(start + 1000);
    assert.deepEqual(end(), { kind: "lost", reason: "another installation" });
    assert.deepEqual(log, ["won@20", "stop lease@20", "drain@20", "over: lost@20"]);
  });

  it("fills caches while it is being found out whether it may lead, and stops meanwhile when asked to", async () => {
    const { clock, manager, log, end } = bench({ wonAfter: 20, options: { mayLead: undecided } });
    await clock.runUntil(start + 1000);
    assert.equal(manager.phase, "standby");
    manager.stop();
    await clock.runUntil(start + 2000);
    assert.deepEqual(end(), { kind: "stopped" });
    assert.ok(log.includes("release@1000") && !log.some((line) => line.startsWith("leading")), log.join());
  });

  it("stops while it waits for the lease", async () => {
    const { clock, manager, log, end } = bench({});
    await clock.runUntil(start + 1000);
    manager.stop();
    await clock.runUntil(start + 2000);
    assert.deepEqual(end(), { kind: "stopped" });
    assert.equal(log.includes("won@1000"), false);
  });

  it("stops while it waits for caches", async () => {
    const { clock, manager, end } = bench({ syncMs: 1e6 });
    await clock.runUntil(start + 1000);
    manager.stop();
    await clock.runUntil(start + 2000);
    assert.deepEqual(end(), { kind: "stopped" });
  });

  it("refills again until it works, and keeps the order", async () => {
    const { clock, log, manager } = bench({ wonAfter: 700, failedRefills: 2 });
    await clock.runUntil(start + 10_000);
    assert.deepEqual(
      log.filter((line) => line.startsWith("refill")).map((line) => line.split("@")[0]),
      ["refill pods", "refill pods", "refill pods", "refill elasticjobs"],
    );
    assert.equal(manager.phase, "leading");
  });
});
