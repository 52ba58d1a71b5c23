import { customResourceDefinitions, elasticJobs } from "../../api/resource.ts";
import { createSeededRandom } from "../../base/random.ts";
import { VirtualClock } from "../../base/virtual-clock.ts";
import type { planElasticJob } from "../../elasticjob/rules/plan.ts";
import { TimedOutError, UnreachableError } from "../../kube/errors.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import { createApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { disturbed, scheduleFaults } from "../world/fault-schedule.ts";
import type { FaultProcess } from "../world/fault-process.ts";
import { type FaultClass, Faults } from "../world/faults.ts";
import { annotatedScript } from "../world/pod-script.ts";
import { createWorld } from "../world/world.ts";
import { readCrds } from "./crds.ts";
import { watchInvariants } from "./invariants.ts";
import { makeJobs } from "./job-mix.ts";
import { startOperatorFleet } from "./operator-process.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** How long faults strike, in milliseconds of virtual time; the jobs fire as long. Absent = 40 min. */
  readonly faultyMs?: number;
  /** How long everything is given to come to rest, and then must be at rest. Absent = 45 min. */
  readonly calmMs?: number;
  readonly jobs?: number;
  readonly nodes?: number;
  /** How often each class of faults is dealt; 0 = no faults. Absent = once. */
  readonly rounds?: number;
  readonly without?: readonly FaultClass[];
  /** Broken rules, to see that they are caught. */
  readonly plan?: typeof planElasticJob;
}

export interface SimulationResult {
  readonly seed: number;
  /** Broken invariants; empty is good. */
  readonly problems: readonly string[];
  /** How often each class of faults struck. */
  readonly faults: Readonly<Record<string, number>>;
  /** Classes that never struck. */
  readonly missing: readonly FaultClass[];
  readonly failovers: number;
  /** Whether the seed saw every class of faults and one completed failover. */
  readonly counts: boolean;
  readonly pods: number;
  readonly processes: number;
}

const start = Date.UTC(2026, 10, 21, 12, 0, 0);
const restMs = 5 * 60_000;
/** The second that the rule allows, half a second of the estimate, and a round trip. */
const dateHeaderErrorMs = 1_600;

/** Runs one seed on virtual time: operators, an API server and a world with faults, then calm; a function of its options alone. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed, faultyMs = 40 * 60_000, calmMs = 45 * 60_000, rounds = 1 } = options;
  const clock = new VirtualClock(start);
  const random = createSeededRandom(seed);
  const chance = () => createSeededRandom(Math.floor(random.next() * 2 ** 32));
  const server = createApiServer({ clock, random: chance() });
  let processes: () => readonly FaultProcess[] = () => [];
  const clocksOff = () => processes().some((process) => process.clock.now() !== clock.now());
  const watch = watchInvariants(
    server,
    () => clock.now(),
    () => (clocksOff() ? dateHeaderErrorMs : 0),
  );
  const faults = new Faults({
    clock,
    random: chance(),
    errors: {
      timedOut: (what) => new TimedOutError(`${what}: no answer in time`),
      unreachable: (what) => new UnreachableError(`${what}: connection refused`),
    },
  });
  const client = createKubeClient(inProcessTransport(server, { userAgent: "nuptse-simulation" }));
  const end = start + faultyMs + calmMs;
  const life = live();
  // Its rejection is met below, when time has run.
  life.catch(() => undefined);
  await clock.runUntil(end + 60_000);
  return life;

  async function live(): Promise<SimulationResult> {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    const world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "nuptse-world" })),
      clock,
      random: chance(),
      nodes: Array.from({ length: options.nodes ?? 5 }, (_, index) => ({ name: `n${index + 1}` })),
      kubelet: { kind: "stages", behaviour: disturbed(faults, chance(), annotatedScript) },
    });
    const fleet = startOperatorFleet({
      server,
      faults,
      clock,
      random: chance(),
      replicas: 2,
      ...(options.plan !== undefined && { plan: options.plan }),
    });
    processes = fleet.processes;
    const jobs = makeJobs(chance(), options.jobs ?? 4, start + faultyMs);
    const created = new Map<string, number>();
    for (const { manifest } of jobs) {
      await client.create(elasticJobs, manifest);
      created.set(manifest.metadata.name, clock.now());
    }
    if (rounds > 0) {
      const without = options.without ?? [];
      const { finished } = scheduleFaults({
        faults,
        world,
        clock,
        random: chance(),
        processes: fleet.processes,
        durationMs: faultyMs,
        rounds,
        without,
      });
      await finished;
    } else await clock.sleep(faultyMs);
    await clock.sleep(end - clock.now());
    const restless = watch.writesAt.filter((at) => at > clock.now() - restMs).length;
    watch.judge(world.ledger, jobs, created, start + faultyMs);
    const problems = restless === 0 ? watch.problems : [...watch.problems, `${restless} writes at rest`];
    const missing = faults.missing();
    const failovers = watch.completedFailovers(world.ledger);
    await fleet.stop();
    await world.close();
    const records = world.ledger.records().length;
    return {
      seed,
      problems,
      faults: faults.counts(),
      missing,
      failovers,
      counts: missing.length === 0 && failovers > 0,
      pods: records,
      processes: fleet.started,
    };
  }
}
