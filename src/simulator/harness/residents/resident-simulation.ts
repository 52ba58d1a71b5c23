import { createHash } from "node:crypto";
import type { Pod } from "../../../api/core.ts";
import { type EndpointSlice, type SliceEndpoint, sliceServiceLabel } from "../../../api/endpoint-slice.ts";
import { labels } from "../../../api/names.ts";
import { customResourceDefinitions, elasticJobs, endpointSlices, pods, runnerApps } from "../../../api/resource.ts";
import type { planElasticJob } from "../../../elasticjob/rules/plan.ts";
import { ApiError } from "../../../kube/errors.ts";
import { createKubeClient } from "../../../kube/kube-client.ts";
import { inProcessTransport } from "../../apiserver/in-process-transport.ts";
import { disturbed, scheduleFaults } from "../../world/fault-schedule.ts";
import { annotatedScript } from "../../world/pod-script.ts";
import { createWorld, type World } from "../../world/world.ts";
import { ApiHistory } from "../api-history.ts";
import { readCrds } from "../crds.ts";
import { fleetNamespace } from "../fleets/mix.ts";
import { createFrame, letTimePass } from "../frame.ts";
import { type OperatorFleet, startOperatorFleet } from "../operator-process.ts";
import type { SimulationOptions, SimulationResult } from "../simulation.ts";
import { SimulatedExecutors } from "./executors.ts";
import {
  type ListedMachine,
  machineAddresses,
  machinesName,
  makeResidents,
  type ResidentEdit,
  type ResidentMix,
  runnerCapacity,
  runnerName,
  workersTemplate,
} from "./mix.ts";
import { ResidentWitness } from "./witness.ts";

export interface ResidentSimulationOptions
  extends Pick<SimulationOptions, "seed" | "faultyMs" | "calmMs" | "rounds" | "without" | "fingerprint" | "untilProblem"> {
  /** Fleet and jobs in place of those that the seed makes up. */
  readonly mix?: ResidentMix;
  /** Broken rules, to see that they are caught. */
  readonly plan?: typeof planElasticJob;
}

const start = Date.UTC(2026, 10, 21, 12, 0, 0);
const minuteMs = 60_000;
/** After the faults jobs go on firing for so long. */
const firingMs = 10 * minuteMs;
const restMs = 5 * minuteMs;
/** A run has some thousands. */
const mostWrites = 40_000;

/** Runs one seed of resident jobs on virtual time: a fleet under edits and faults, with executors of its own; then calm, and at last rest. */
export async function simulateResidents(options: ResidentSimulationOptions): Promise<SimulationResult> {
  const { seed, faultyMs = 30 * minuteMs, calmMs = 40 * minuteMs, rounds = 1 } = options;
  const { clock, chance, server, faults, client } = createFrame(seed, start);
  const now = () => clock.now();
  let fleet: OperatorFleet | undefined;
  let world: World | undefined;
  const clocksOff = () => fleet?.processes().some((process) => process.clock.now() !== clock.now()) ?? false;
  const history = new ApiHistory({ now, clocksOff });
  server.onCommit((commit) => history.observe(commit));
  const witness = new ResidentWitness(server, now);
  const hash = options.fingerprint ? createHash("sha256") : undefined;
  if (hash !== undefined) server.onCommit(({ type, object, userAgent }) => hash.update(JSON.stringify([now(), type, userAgent, object])));
  const executors = new SimulatedExecutors({
    clock,
    random: chance(),
    reachable: () => world?.healthyNodes() ?? [],
    isRecorded: (task, instance) => witness.isRecorded(task, instance),
    begins: (work) => witness.begins(work),
    say: (problem) => witness.say(problem),
    capacity: runnerCapacity,
  });
  const mix = options.mix ?? makeResidents(chance(), faultyMs, start + faultyMs + firingMs);
  let ended = false;
  const life = live();
  // Its rejection is met below, when time has run.
  life.catch(() => undefined);
  const isOver = () => ended || witness.writesAt.length > mostWrites || (options.untilProblem === true && witness.problems.length > 0);
  await letTimePass(clock, start + faultyMs + firingMs + calmMs + minuteMs, isOver);
  return ended ? life : cutShort();

  /** What there is to tell when it did not come to its end. */
  function cutShort(): SimulationResult {
    const runaway = witness.writesAt.length > mostWrites ? [`more than ${mostWrites} writes`] : [];
    return { ...summary(), problems: [...witness.problems, ...runaway], failovers: 0, counts: false };
  }

  function summary() {
    return {
      seed,
      problems: witness.problems,
      faults: faults.counts(),
      missing: faults.missing().filter((name) => !options.without?.includes(name)),
      pods: witness.pods,
      processes: fleet?.started ?? 0,
      terms: history.terms.filter((term) => term.holder !== "").length,
      strays: 0,
      people: { tasks: executors.log.length, ...executors.counts },
      answers: fleet?.answers ?? { conflict: 0, alreadyExists: 0, quotaExceeded: 0, fenced: 0 },
    };
  }

  async function live(): Promise<SimulationResult> {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random: chance(),
      nodes: Array.from({ length: 5 }, (_, index) => ({ name: `n${index + 1}` })),
      observer: executors,
      kubelet: { kind: "stages", behaviour: disturbed(faults, chance(), annotatedScript) },
    });
    fleet = startOperatorFleet({
      server,
      faults,
      clock,
      random: chance(),
      replicas: 2,
      executors: (process) => ({ HTTP: executors.clientFor(process) }),
      ...(options.plan !== undefined && { plan: options.plan }),
    });
    await client.create(runnerApps, mix.app);
    for (const address of machineAddresses) executors.boot(address);
    await client.create(endpointSlices, sliceOf(allReady));
    await client.create(runnerApps, mix.machines);
    for (const job of mix.jobs) await client.create(elasticJobs, job);
    for (const edit of mix.edits)
      clock.after(edit.atMs, () => {
        act(edit).catch((error: unknown) => {
          if (!(error instanceof ApiError)) throw error;
        });
      });
    if (rounds > 0) {
      const { processes } = fleet;
      const without = options.without ?? [];
      await scheduleFaults({ faults, world, clock, random: chance(), processes, durationMs: faultyMs, rounds, without }).finished;
    } else await clock.sleep(faultyMs);
    executors.faulty = false;
    await act({ atMs: 0, kind: "list", machines: allReady });
    const spec = { replicas: 3, template: workersTemplate("workers:last") };
    await client.patch(runnerApps, { namespace: fleetNamespace, name: runnerName }, { type: "merge", body: { spec } });
    await clock.sleep(firingMs + calmMs);
    witness.judgeEnd(executors.log);
    const restless = witness.writesAt.filter((at) => at > now() - restMs).length;
    if (restless > 0) witness.say(`${restless} writes at rest`);
    const told = summary();
    await fleet.stop();
    await world.close();
    ended = true;
    return {
      ...told,
      failovers: witness.failovers,
      counts: told.missing.length === 0 && witness.failovers > 0,
      ...(hash !== undefined && { fingerprint: hash.digest("hex") }),
    };
  }

  async function act(edit: ResidentEdit): Promise<void> {
    const ref = { namespace: fleetNamespace, name: runnerName };
    if (edit.kind === "spec") {
      await client.patch(runnerApps, ref, { type: "merge", body: { spec: edit.spec } });
      return;
    }
    if (edit.kind === "reboot") {
      executors.boot(edit.address);
      return;
    }
    if (edit.kind === "list") {
      const { metadata, endpoints } = sliceOf(edit.machines);
      await client.patch(endpointSlices, { namespace: fleetNamespace, name: metadata.name }, { type: "merge", body: { endpoints } });
      return;
    }
    const { items } = await client.list<Pod>(pods, { namespace: fleetNamespace, labelSelector: `${labels.app}=${runnerName}` });
    const pod = items[Math.floor(edit.dice * items.length)];
    if (pod !== undefined)
      await client.delete(pods, { namespace: fleetNamespace, name: pod.metadata.name }, { uid: pod.metadata.uid as string });
  }
}

const allReady: readonly ListedMachine[] = machineAddresses.map((address) => ({ address, isReady: true }));

/** The EndpointSlice that people keep for the machines. */
function sliceOf(machines: readonly ListedMachine[]): EndpointSlice & { readonly endpoints: readonly SliceEndpoint[] } {
  return {
    metadata: { name: machinesName, namespace: fleetNamespace, labels: { [sliceServiceLabel]: machinesName } },
    addressType: "IPv4",
    endpoints: machines.map(({ address, isReady }) => ({ addresses: [address], conditions: { ready: isReady } })),
    ports: [],
  };
}
