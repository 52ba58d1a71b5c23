import { createHash } from "node:crypto";
import { customResourceDefinitions } from "../../../api/resource.ts";
import { createSeededRandom } from "../../../base/random.ts";
import { createKubeClient } from "../../../kube/kube-client.ts";
import type { planRunnerApp } from "../../../runnerapp/rules/plan.ts";
import type { Commit } from "../../apiserver/api-server.ts";
import { inProcessTransport } from "../../apiserver/in-process-transport.ts";
import { disturbed, scheduleFaults } from "../../world/fault-schedule.ts";
import { annotatedScript } from "../../world/pod-script.ts";
import { createWorld } from "../../world/world.ts";
import { ApiHistory } from "../api-history.ts";
import { readCrds } from "../crds.ts";
import { createFrame, letTimePass } from "../frame.ts";
import { type OperatorFleet, startOperatorFleet } from "../operator-process.ts";
import type { SimulationOptions, SimulationResult } from "../simulation.ts";
import { ActJudge } from "./act-judge.ts";
import { watchFleets } from "./invariants.ts";
import { Knowledge } from "./knowledge.ts";
import { type FleetMix, makeFleets } from "./mix.ts";
import { FleetPeople, lastReplicas } from "./people.ts";
import { guaranteedPercent, rootQueue, withQueues } from "./queue-mix.ts";
import { judgeFleets, lookAtStatus } from "./status-judge.ts";

export interface FleetSimulationOptions
  extends Pick<
    SimulationOptions,
    "seed" | "faultyMs" | "calmMs" | "rounds" | "without" | "aimed" | "events" | "onWrite" | "fingerprint" | "untilProblem"
  > {
  /** Fleets in place of those that the seed makes up. */
  readonly mix?: FleetMix;
  /** Broken rules, to see that they are caught. */
  readonly plan?: typeof planRunnerApp;
  /** Told of every change at the API server, with the time. */
  readonly onCommit?: (now: number, commit: Commit) => void;
}

const start = Date.UTC(2026, 10, 21, 12, 0, 0);
const minuteMs = 60_000;
/** Before the last fault people stop. */
const quietMs = 2 * minuteMs;
/** From the last fault until everything must be as if there had been none. */
const recoveryMs = 8 * minuteMs;
const lookMs = 20_000;
const restartMs = 15 * minuteMs;
const restMs = 5 * minuteMs;
/** A fleet has grown, or has given back what another one asked for, within so long. */
const reclaimMs = 8 * minuteMs;
/** Thousandths of a core of an instance. */
const instanceCpu = 500;
/** More than there is room for. */
const endless = 40;
/** A run has some hundreds. */
const mostWrites = 20_000;

/**
 * Runs one seed of fleets on virtual time: fleets under edits while faults strike; then machines and specs are made good, and all must serve; then
 * every instance is restarted, each once; then all is at rest.
 */
export async function simulateFleets(options: FleetSimulationOptions): Promise<SimulationResult> {
  const { seed, faultyMs = 40 * minuteMs, calmMs = 40 * minuteMs, rounds = 1 } = options;
  const { clock, chance, server, faults, client } = createFrame(seed, start);
  const now = () => clock.now();
  let fleet: OperatorFleet | undefined;
  const clocksOff = () => fleet?.processes().some((process) => process.clock.now() !== clock.now()) ?? false;
  const history = new ApiHistory({ now, clocksOff });
  server.onCommit((commit) => {
    history.observe(commit);
    options.onCommit?.(now(), commit);
  });
  const watch = watchFleets({ server, now, delayedWrites: () => faults.countOf("delayedWrite"), clocksOff });
  const hash = options.fingerprint ? createHash("sha256") : undefined;
  if (hash !== undefined) server.onCommit(({ type, object, userAgent }) => hash.update(JSON.stringify([now(), type, userAgent, object])));
  const clocks = new Map<string, () => number>();
  const judge = new ActJudge({
    clock,
    processNow: (process) => clocks.get(process)?.() ?? now(),
    wasTaken: watch.wasTaken,
    stableImage: (uid) => {
      const stored = watch.fleets.get(uid);
      return stored?.isMeddled === true ? undefined : stored?.stable;
    },
    say: watch.say,
  });
  const mix = options.mix ?? mixOf(makeFleets(chance(), faultyMs - quietMs));
  let people: FleetPeople | undefined;
  let ended = false;
  const life = live();
  // Its rejection is met below, when time has run.
  life.catch(() => undefined);
  const isOver = () => ended || watch.writesAt.length > mostWrites || (options.untilProblem === true && watch.problems.length > 0);
  await letTimePass(clock, start + faultyMs + calmMs + restartMs + 3 * reclaimMs + 2 * recoveryMs, isOver);
  return ended ? life : cutShort();

  /** A third of all seeds have queues; the others are what they would be without them. */
  function mixOf(made: FleetMix): FleetMix {
    const random = createSeededRandom(seed ^ 0x71ee5);
    return random.next() < 1 / 3 ? withQueues(made, random, faultyMs - quietMs) : made;
  }

  /** What there is to tell when it did not come to its end. */
  function cutShort(): SimulationResult {
    const runaway = watch.writesAt.length > mostWrites ? [`more than ${mostWrites} writes`] : [];
    return { ...summary(), problems: [...watch.problems, ...runaway], failovers: 0, counts: false };
  }

  function summary() {
    const { pods, replaced, moves } = watch.counts;
    return {
      seed,
      problems: watch.problems,
      faults: faults.counts(),
      missing: faults.missing().filter((name) => !options.without?.includes(name)),
      pods,
      processes: fleet?.started ?? 0,
      terms: history.terms.filter((term) => term.holder !== "").length,
      strays: 0,
      people: { ...people?.counts, replaced, moves, reclaims: watch.queues.reclaims },
      answers: fleet?.answers ?? { conflict: 0, alreadyExists: 0, quotaExceeded: 0, fenced: 0 },
    };
  }

  async function live(): Promise<SimulationResult> {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    const world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random: chance(),
      nodes: mix.cores.map((cpu, index) => {
        const capacity = { cpu: String(cpu), memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" };
        return { name: `n${index + 1}`, capacity };
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
      tap(process, transport) {
        clocks.set(process.name, () => process.clock.now());
        return new Knowledge(process.name, now).tap(transport, judge);
      },
      ...(options.plan !== undefined && { planRunnerApp: options.plan }),
      ...(options.onWrite !== undefined && { onWrite: options.onWrite }),
    });
    people = new FleetPeople({ client, clock, world, mix });
    await people.begin();
    for (const event of options.events ?? []) clock.after(event.atMs, () => event.act(world));
    if (rounds > 0) {
      const { processes } = fleet;
      const without = options.without ?? [];
      await scheduleFaults({ faults, world, clock, random: chance(), processes, durationMs: faultyMs, rounds, without }).finished;
    } else await clock.sleep(start + faultyMs - now());
    await people.settle();
    await calmDown();
    const { replaced } = watch.counts;
    await people.restartAll();
    await clock.sleep(restartMs);
    const restarts = watch.counts.replaced - replaced;
    const wanted = lastReplicas * mix.apps.length;
    if (restarts !== wanted) watch.say(`${restarts} instances were restarted where ${wanted} should have been`);
    if (mix.queues?.[0]?.spec.capacity !== undefined) await compete();
    await judgeFleets(client, mix.apps, watch);
    watch.queues.judge();
    const restless = watch.writesAt.filter((at) => at > now() - restMs).length;
    if (restless > 0) watch.say(`${restless} writes at rest`);
    const told = summary();
    await fleet.stop();
    await world.close();
    ended = true;
    const { failovers } = watch.counts;
    return {
      ...told,
      failovers,
      counts: told.missing.length === 0 && failovers > 0,
      ...(hash !== undefined && { fingerprint: hash.digest("hex") }),
    };
  }

  /** One fleet takes all that is idle; another one wants what its queue is guaranteed, and gets it; then both are as before. */
  async function compete(): Promise<void> {
    const [donor = "", claimant] = mix.apps.map(({ metadata }) => metadata.name);
    if (claimant === undefined) return;
    const isFull = () => {
      const { used, most } = watch.queues.roomOf(rootQueue);
      return used <= most && used > most - instanceCpu;
    };
    const readyOf = (name: string) =>
      [...watch.fleets.values()].find(({ app }) => app.metadata.name === name)?.app.status?.readyReplicas ?? 0;
    await people?.yieldAll(donor);
    await people?.resize(donor, endless);
    await clock.sleep(reclaimMs);
    if (!isFull())
      watch.say(`${donor} has ${readyOf(donor)} instances, and ${JSON.stringify(watch.queues.roomOf(rootQueue))} is left idle`);
    const guaranteed = Math.floor((guaranteedPercent * watch.queues.roomOf(rootQueue).most) / 100 / instanceCpu);
    await people?.resize(claimant, guaranteed);
    await clock.sleep(reclaimMs);
    if (readyOf(claimant) !== guaranteed || !isFull())
      watch.say(
        `${claimant} has ${readyOf(claimant)} of the ${guaranteed} instances that its queue is guaranteed, and ${donor} ${readyOf(donor)}`,
      );
    for (const name of [donor, claimant]) await people?.resize(name, lastReplicas);
    await clock.sleep(reclaimMs);
  }

  async function calmDown(): Promise<void> {
    await clock.sleep(recoveryMs);
    for (const until = now() + calmMs - recoveryMs; now() < until; await clock.sleep(lookMs)) lookAtStatus(watch);
    await judgeFleets(client, mix.apps, watch);
  }
}
