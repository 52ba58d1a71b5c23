import { createHash } from "node:crypto";
import { customResourceDefinitions } from "../../api/resource.ts";
import { createSeededRandom } from "../../base/random.ts";
import type { planElasticJob } from "../../elasticjob/rules/plan.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import type { Transport } from "../../kube/transport.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import type { FaultProcess } from "../world/fault-process.ts";
import { disturbed, scheduleFaults } from "../world/fault-schedule.ts";
import type { ArmedFault, FaultClass } from "../world/faults.ts";
import { annotatedScript } from "../world/pod-script.ts";
import { createWorld, type World } from "../world/world.ts";
import { ApiHistory } from "./api-history.ts";
import { addBystanders } from "./bystanders.ts";
import { readCrds } from "./crds.ts";
import { createFrame, letTimePass } from "./frame.ts";
import { watchInvariants } from "./invariants.ts";
import { makeJobs, type SimulatedJob } from "./job-mix.ts";
import { type OperatorAnswers, type OperatorFleet, type OperatorWrite, startOperatorFleet } from "./operator-process.ts";
import { nightOf } from "./schedule-mix.ts";
import { noPeople, type PeopleCounts, playObservation, playPeople, playQuota } from "./people.ts";
import { makeRequests, playRequests, type SimulatedRequest } from "./simulated-requests.ts";
import { completedFailovers } from "./work-invariants.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** How long faults strike, in milliseconds of virtual time. Absent = 25 min. */
  readonly faultyMs?: number;
  /** How long the jobs go on firing after that. Absent = 10 min. */
  readonly firingMs?: number;
  /** How long everything is given to come to rest then, and must be at rest at last. Absent = 90 min. */
  readonly calmMs?: number;
  /** How many jobs are made up, or the jobs themselves. Absent = 3. */
  readonly jobs?: number | readonly SimulatedJob[];
  /** What people ask for by JobRequests, or "any" = all sorts of things; absent = with faults every other seed has any, without them none. */
  readonly requests?: readonly SimulatedRequest[] | "any";
  readonly nodes?: number;
  readonly replicas?: number;
  /** How often each class of faults is dealt; 0 = none is. Absent = once. */
  readonly rounds?: number;
  readonly without?: readonly FaultClass[];
  /** Faults that lie in wait from the beginning. */
  readonly aimed?: readonly ArmedFault[];
  /** What happens to the world when, in milliseconds from the start. */
  readonly events?: readonly { readonly atMs: number; readonly act: (world: World) => void }[];
  /** Broken rules, to see that they are caught. */
  readonly plan?: typeof planElasticJob;
  /** Stands between the operator and its faults: a broken client, to see that it is caught. */
  readonly wrapTransport?: (inner: Transport) => Transport;
  /** Told of every write that an operator sends. */
  readonly onWrite?: (write: OperatorWrite) => void;
  /** Whether all commits are hashed: equal for equal histories. */
  readonly fingerprint?: boolean;
  /** Ends with the first problem. */
  readonly untilProblem?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  /** Broken invariants; empty is good. */
  readonly problems: readonly string[];
  /** How often each class of faults struck. */
  readonly faults: Readonly<Record<FaultClass, number>>;
  /** Classes that were dealt and never struck. */
  readonly missing: readonly FaultClass[];
  readonly failovers: number;
  /** Whether the seed saw every class of faults and one completed failover. */
  readonly counts: boolean;
  readonly pods: number;
  /** Operators that were started. */
  readonly processes: number;
  /** Changes of leadership. */
  readonly terms: number;
  /** Pods that a deposed leader, or a write that was late, left behind. */
  readonly strays: number;
  /** What people did meanwhile, by kind. */
  readonly people: Readonly<Record<string, number>>;
  /** What the operators were answered. */
  readonly answers: OperatorAnswers;
  readonly fingerprint?: string;
}

const usualStart = Date.UTC(2026, 10, 21, 12, 0, 0);
const restMs = 5 * 60_000;
/** The second that the rule allows, half a second of the estimate, and a round trip. */
const dateHeaderErrorMs = 1_600;
/** From the last fault until everything must be as if there had been none. */
const recoveryMs = 6 * 60_000;
const lookMs = 60_000;
/** A run has some thousands. */
const mostWrites = 30_000;

/** Runs one seed on virtual time: operators, an API server, people and a world with faults, then calm; a function of its options alone. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed, faultyMs = 25 * 60_000, firingMs = 10 * 60_000, calmMs = 90 * 60_000, rounds = 1 } = options;
  // Jobs that are given know nothing of nights.
  const night = typeof options.jobs === "object" ? undefined : nightOf(seed);
  const start = night?.start ?? usualStart;
  const { clock, chance, server, faults, client } = createFrame(seed, start);
  const now = () => clock.now();
  let processes: () => readonly FaultProcess[] = () => [];
  const clocksOff = () => processes().some((process) => process.clock.now() !== clock.now());
  const history = new ApiHistory({ now, clocksOff });
  const watch = watchInvariants({
    server,
    history,
    now,
    // What was decided by a wrong clock may be on its way when that is put right.
    earlinessMs: () => (clocksOff() || processes().some(({ clockSetAt }) => now() - clockSetAt < 2000) ? dateHeaderErrorMs : 0),
    delayedWrites: () => faults.countOf("delayedWrite"),
  });
  const hash = options.fingerprint ? createHash("sha256") : undefined;
  if (hash !== undefined) server.onCommit(({ type, object, userAgent }) => hash.update(JSON.stringify([now(), type, userAgent, object])));
  const firingEnd = start + faultyMs + firingMs;
  const end = firingEnd + calmMs;
  let fleet: OperatorFleet | undefined;
  let did: PeopleCounts = noPeople;
  const life = live();
  // Its rejection is met below, when time has run.
  life.catch(() => undefined);
  const isOver = () => watch.writesAt.length > mostWrites || (options.untilProblem === true && watch.problems.length > 0);
  await letTimePass(clock, end + lookMs, isOver);
  return isOver() ? cutShort() : life;

  /** What there is to tell when it did not come to its end. */
  function cutShort(): SimulationResult {
    const runaway = watch.writesAt.length > mostWrites ? [`more than ${mostWrites} writes`] : [];
    return { ...summary(), problems: [...watch.problems, ...runaway], failovers: 0, counts: false };
  }

  function summary() {
    return {
      seed,
      problems: watch.problems,
      faults: faults.counts(),
      missing: faults.missing().filter((name) => !options.without?.includes(name)),
      pods: history.pods.size,
      processes: fleet?.started ?? 0,
      terms: history.terms.filter((term) => term.holder !== "").length,
      strays: [...history.pods.values()].filter((pod) => pod.stray).length,
      people: did,
      answers: fleet?.answers ?? { conflict: 0, alreadyExists: 0, quotaExceeded: 0, fenced: 0 },
    };
  }

  async function live(): Promise<SimulationResult> {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    const world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random: chance(),
      nodes: Array.from({ length: options.nodes ?? 5 }, (_, index) => ({ name: `n${index + 1}` })),
      kubelet: { kind: "stages", behaviour: disturbed(faults, chance(), annotatedScript) },
    });
    watch.attach(world.ledger);
    for (const fault of options.aimed ?? []) faults.arm(fault);
    fleet = startOperatorFleet({
      server,
      faults,
      clock,
      random: chance(),
      replicas: options.replicas ?? 2,
      ...(options.plan !== undefined && { plan: options.plan }),
      ...(options.wrapTransport !== undefined && { wrapTransport: options.wrapTransport }),
      ...(options.onWrite !== undefined && { onWrite: options.onWrite }),
    });
    processes = fleet.processes;
    const people = { client, clock, random: chance(), history, strangerUid: await addBystanders(client) };
    const made =
      typeof options.jobs === "object"
        ? options.jobs
        : makeJobs(chance(), { count: options.jobs ?? 3, startAt: start, night, endAt: firingEnd, editsMs: faultyMs + firingMs / 2 });
    did = await playPeople(people, made);
    if (rounds > 0 && people.random.next() < 0.4)
      playQuota(people, Math.floor(people.random.next() * (faultyMs - 300_000)), 60_000 + Math.floor(people.random.next() * 200_000), did);
    // Of its own, so that a seed's other dice fall as they did without it. What is stored of calendars stands still meanwhile.
    const dice = createSeededRandom(seed + 7919);
    if (rounds > 0 && dice.next() < 0.25 && made.every(({ calendar }) => calendar === undefined))
      playObservation(people, Math.floor(dice.next() * (faultyMs - 600_000)), 120_000 + Math.floor(dice.next() * 400_000), did);
    // Of their own chance, so that what else a seed holds does not depend on them.
    const asks = createSeededRandom((seed ^ 0x5eed) >>> 0);
    const names = made.map(({ manifest }) => manifest.metadata.name).filter((name) => name.startsWith("job-"));
    const any = options.requests === "any" || (options.requests === undefined && rounds > 0 && asks.next() < 0.5);
    const requests = any
      ? makeRequests(asks, names, faultyMs + firingMs / 2)
      : typeof options.requests === "object"
        ? options.requests
        : [];
    playRequests({ client, clock, random: asks, history }, requests);
    did.asked = requests.length;
    for (const event of options.events ?? []) clock.after(event.atMs, () => event.act(world));
    if (rounds > 0) {
      const without = options.without ?? [];
      await scheduleFaults({ faults, world, clock, random: chance(), processes, durationMs: faultyMs, rounds, without }).finished;
    } else await clock.sleep(faultyMs);
    const calmFrom = start + faultyMs + recoveryMs;
    await clock.sleep(calmFrom - clock.now());
    for (; clock.now() < end - lookMs; await clock.sleep(lookMs)) watch.look();
    await clock.sleep(end - clock.now());
    const restless = watch.writesAt.filter((at) => at > clock.now() - restMs).length;
    watch.judge(calmFrom);
    const problems = restless === 0 ? watch.problems : [...watch.problems, `${restless} writes at rest`];
    const failovers = completedFailovers(history, world.ledger);
    const told = summary();
    await fleet.stop();
    await world.close();
    return {
      ...told,
      problems,
      failovers,
      counts: told.missing.length === 0 && failovers > 0,
      ...(hash !== undefined && { fingerprint: hash.digest("hex") }),
    };
  }
}
