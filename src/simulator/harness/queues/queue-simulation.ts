import { createHash } from "node:crypto";
import { customResourceDefinitions } from "../../../api/resource.ts";
import { createKubeClient } from "../../../kube/kube-client.ts";
import { inProcessTransport } from "../../apiserver/in-process-transport.ts";
import { disturbed, scheduleFaults } from "../../world/fault-schedule.ts";
import { annotatedScript } from "../../world/pod-script.ts";
import { createWorld } from "../../world/world.ts";
import { ApiHistory } from "../api-history.ts";
import { readCrds } from "../crds.ts";
import { createFrame, letTimePass } from "../frame.ts";
import { type OperatorFleet, startOperatorFleet } from "../operator-process.ts";
import type { SimulationOptions, SimulationResult } from "../simulation.ts";
import { completedFailovers } from "../work-invariants.ts";
import { watchQueueInvariants } from "./invariants.ts";
import { makeQueues, type QueueMix } from "./mix.ts";
import { QueuePeople } from "./people.ts";

export interface QueueSimulationOptions
  extends Pick<
    SimulationOptions,
    "seed" | "faultyMs" | "rounds" | "without" | "aimed" | "wrapTransport" | "onWrite" | "fingerprint" | "untilProblem"
  > {
  /** Queues and work in place of those that the seed makes up. */
  readonly mix?: QueueMix;
}

const start = Date.UTC(2026, 10, 21, 12, 0, 0);
const minuteMs = 60_000;
/** From the last fault until everything must be as if there had been none. */
const recoveryMs = 6 * minuteMs;
/** What waits then is admitted, and ends: firm work item by item where others' guarantees leave no more room, so it is given time while it goes on. */
const drainMs = 24 * 60 * minuteMs;
/** Longer than any item takes. */
const quietMs = 4 * minuteMs;
/** The same with all its attempts. */
const stuckMs = 30 * minuteMs;
const lookMs = 10_000;
const warmUpMs = 2 * minuteMs;
const samples = 10;
const sampleMs = 6_000;
const restMs = 5 * minuteMs;
const coresEach = 3;
const nodeCount = 4;
/** A run has some thousands. */
const mostWrites = 40_000;

/**
 * Runs one seed of queues on virtual time: random trees with all sorts of work and edits while faults strike; then everything is made good
 * and what waits must be admitted and end; then every leaf has endless demand, and gets its share; then one pod in each stays, and all is at rest.
 */
export async function simulateQueues(options: QueueSimulationOptions): Promise<SimulationResult> {
  const { seed, faultyMs = 13 * minuteMs, rounds = 1 } = options;
  const { clock, chance, server, faults, client } = createFrame(seed, start);
  const now = () => clock.now();
  let fleet: OperatorFleet | undefined;
  const history = new ApiHistory({
    now,
    clocksOff: () => fleet?.processes().some((process) => process.clock.now() !== clock.now()) ?? false,
  });
  const watch = watchQueueInvariants({ server, history, now, delayedWrites: () => faults.countOf("delayedWrite") });
  const hash = options.fingerprint ? createHash("sha256") : undefined;
  if (hash !== undefined) server.onCommit(({ type, object, userAgent }) => hash.update(JSON.stringify([now(), type, userAgent, object])));
  const random = chance();
  const mix = options.mix ?? makeQueues(random, { startAt: start, busyMs: faultyMs - minuteMs });
  const people = new QueuePeople({ client, clock, server, mix });
  const life = live();
  // Its rejection is met below, when time has run.
  life.catch(() => undefined);
  let ended = false;
  const isOver = () => ended || watch.writesAt.length > mostWrites || (options.untilProblem === true && watch.problems.length > 0);
  await letTimePass(clock, start + faultyMs + recoveryMs + drainMs + 3_600_000, isOver);
  return ended ? life : cutShort();

  /** What there is to tell when it did not come to its end. */
  function cutShort(): SimulationResult {
    const runaway = watch.writesAt.length > mostWrites ? [`more than ${mostWrites} writes`] : [];
    return { ...summary(), problems: [...watch.problems, ...runaway], failovers: 0, counts: false };
  }

  function summary() {
    const all = [...watch.reclaims.all];
    return {
      seed,
      problems: watch.problems,
      faults: faults.counts(),
      missing: faults.missing().filter((name) => !options.without?.includes(name)),
      pods: history.pods.size,
      processes: fleet?.started ?? 0,
      terms: history.terms.filter((term) => term.holder !== "").length,
      strays: [...history.pods.values()].filter((pod) => pod.stray).length,
      people: { ...people.counts, reclaims: all.length, released: all.filter(({ state }) => state === "Released").length },
      answers: fleet?.answers ?? { conflict: 0, alreadyExists: 0, quotaExceeded: 0, fenced: 0 },
    };
  }

  async function live(): Promise<SimulationResult> {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    const world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random: chance(),
      nodes: Array.from({ length: nodeCount }, (_, index) => {
        const pool = mix.pools[index % mix.pools.length];
        const capacity = { cpu: String(coresEach), memory: "64Gi", pods: "40", "ephemeral-storage": "100Gi" };
        return { name: `n${index + 1}`, capacity, ...(pool !== undefined && { labels: { pool } }) };
      }),
      kubelet: { kind: "stages", behaviour: disturbed(faults, chance(), annotatedScript) },
    });
    for (const fault of options.aimed ?? []) faults.arm(fault);
    fleet = startOperatorFleet({
      server,
      faults,
      clock,
      random: chance(),
      replicas: 2,
      ...(options.wrapTransport !== undefined && { wrapTransport: options.wrapTransport }),
      ...(options.onWrite !== undefined && { onWrite: options.onWrite }),
    });
    await people.begin();
    if (rounds > 0) {
      const without = options.without ?? [];
      const { processes } = fleet;
      await scheduleFaults({ faults, world, clock, random: chance(), processes, durationMs: faultyMs, rounds, without }).finished;
    } else await clock.sleep(start + faultyMs - clock.now());
    await people.makeGood();
    await clock.sleep(recoveryMs);
    await drained();
    if (watch.waiting().length === 0) await shareEndlessly();
    await people.settle();
    await clock.sleep(restMs + 2 * minuteMs);
    const restless = watch.writesAt.filter((at) => at > clock.now() - restMs).length;
    watch.judge(world.ledger);
    const problems = restless === 0 ? watch.problems : [...watch.problems, `${restless} writes at rest`];
    const failovers = completedFailovers(history, world.ledger);
    const told = summary();
    await fleet.stop();
    await world.close();
    ended = true;
    return {
      ...told,
      problems,
      failovers,
      counts: told.missing.length === 0 && failovers > 0,
      ...(hash !== undefined && { fingerprint: hash.digest("hex") }),
    };
  }

  /** Until nothing waits and all that was begun has ended, or nothing has begun for long. */
  async function drained(): Promise<void> {
    const since = clock.now();
    const isStuck = () => clock.now() - Math.max(since, watch.begunAt) > stuckMs || clock.now() - since > drainMs;
    // What fits by a hair may be at work, though nobody expects that it is ever admitted.
    const isQuiet = () => clock.now() - watch.begunAt > quietMs;
    while ((!isQuiet() || watch.waiting().length > 0) && !isStuck()) await clock.sleep(lookMs);
  }

  async function shareEndlessly(): Promise<void> {
    await people.demandEndlessly(300);
    await clock.sleep(warmUpMs);
    for (let sample = 0; sample < samples; sample++) {
      watch.sample();
      await clock.sleep(sampleMs);
    }
    watch.judgeShares();
    await people.endDemand();
    await clock.sleep(minuteMs);
  }
}
