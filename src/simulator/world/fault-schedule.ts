import { labels } from "../../api/names.ts";
import type { Pod } from "../../api/core.ts";
import type { Clock } from "../../base/clock.ts";
import { type Random, randomInteger } from "../../base/random.ts";
import type { FaultProcess } from "./fault-process.ts";
import { type ArmedFault, type FaultClass, faultClasses, type Faults } from "./faults.ts";
import type { PodScript } from "./pod-script.ts";
import { draw, type Range } from "./range.ts";
import type { World } from "./world.ts";

export interface FaultScheduleOptions {
  readonly faults: Faults;
  readonly world: World;
  readonly clock: Clock;
  readonly random: Random;
  /** The operator's processes that live now. */
  readonly processes: () => readonly FaultProcess[];
  /** Faults come evenly spread over so many milliseconds from now. */
  readonly durationMs: number;
  /** How often each class is dealt; absent = once. */
  readonly rounds?: number;
  /** Classes that are not dealt. */
  readonly without?: readonly FaultClass[];
}

/** How long a lost or cut-off node stays away: at times below the 40 s of the node controller, at times beyond the 300 s of tolerations. */
const nodeAwayMs: readonly Range[] = [
  [5_000, 30_000],
  [60_000, 200_000],
  [350_000, 700_000],
];
const pauseMs: readonly number[] = [10_000, 20_000, 100_000];
/** Within what the operator bears (30 s), beyond, one hour, one year. */
const clockOffsetsMs: readonly number[] = [-20_000, 20_000, -120_000, 120_000, 3_600_000, 31_536_000_000];
const clockWrongMs: Range = [60_000, 600_000];
const opportunityMs = 5_000;
const podFaults: ReadonlySet<FaultClass> = new Set(["slowStart", "itemCrashed", "outOfMemory", "imagePull"]);

/**
 * Deals faults over time like a shuffled deck, so that every class gets its turn in each round: those of the transport and of pods are
 * armed, those of nodes, clocks and processes are carried out, and waited with while there is nothing to strike. When the time is over,
 * what is broken is mended and nothing strikes any more: `finished` resolves then.
 */
export function scheduleFaults(options: FaultScheduleOptions): { readonly finished: Promise<void> } {
  const { clock, random, durationMs, rounds = 1, without = [] } = options;
  const end = clock.monotonic() + durationMs;
  const state: ScheduleState = { ...options, end, away: new Set(), wrong: new Set() };
  for (let round = 0; round < rounds; round++) {
    const deck = shuffled(
      faultClasses.filter((name) => name !== "nodeReturned" && !without.includes(name)),
      random,
    );
    // Lists are made when somebody takes over or a watch breaks: it lies in wait from early on.
    const lists = deck.indexOf("listsApart");
    const early = Math.floor(lists / 2);
    if (lists >= 0) [deck[early], deck[lists]] = [deck[lists] as FaultClass, deck[early] as FaultClass];
    deck.forEach((name, index) => {
      // The last tenth is kept free, so that what is dealt late still finds its opportunity.
      const at = (0.9 * durationMs * (round + (index + random.next()) / deck.length)) / rounds;
      clock.after(at, () => deal(state, name));
    });
  }
  const finished = clock.sleep(durationMs).then(() => mend(state));
  return { finished };
}

interface ScheduleState extends FaultScheduleOptions {
  readonly end: number;
  /** Nodes that are lost or cut off. */
  readonly away: Set<string>;
  /** Processes whose clock is off. */
  readonly wrong: Set<FaultProcess>;
}

function deal(state: ScheduleState, name: FaultClass): void {
  const { clock, random, faults } = state;
  if (clock.monotonic() >= state.end) return;
  const struck = strike(state, name);
  if (struck === "armed") return;
  if (struck) faults.count(name);
  else clock.after(opportunityMs * (0.5 + random.next()), () => deal(state, name));
}

/** Carries the fault out, or arms it; false when there is nothing to strike now. */
function strike(state: ScheduleState, name: FaultClass): boolean | "armed" {
  switch (name) {
    case "nodeLost":
    case "nodePartitioned":
    case "nodeDeleted":
      return strikeNode(state, name);
    case "evicted": {
      const running = [...state.world.pods.values()].filter(
        (pod) => pod.status?.phase === "Running" && pod.metadata.deletionTimestamp === undefined && isOurs(pod),
      );
      const pod = pick(running, state.random);
      if (pod === undefined) return false;
      void state.world.evict(pod).catch(() => undefined);
      return true;
    }
    case "paused": {
      const process = pick(state.processes(), state.random);
      process?.pause(pick(pauseMs, state.random) ?? 0);
      return process !== undefined;
    }
    case "clockOffset": {
      const process = pick(state.processes(), state.random);
      if (process === undefined) return false;
      process.setClockOffset(pick(clockOffsetsMs, state.random) ?? 0);
      state.wrong.add(process);
      state.clock.after(draw(clockWrongMs, state.random), () => {
        state.wrong.delete(process);
        process.setClockOffset(0);
      });
      return true;
    }
    default:
      state.faults.arm({ class: name, ...scopeOf(name, state.random) });
      return "armed";
  }
}

/** Most faults strike writes of objects, some the lease, some reads; a delayed write is mostly a pod's, and its process is mostly deposed. */
function scopeOf(name: FaultClass, random: Random): Pick<ArmedFault, "scope" | "resource" | "thenPausedMs"> {
  const dice = random.next();
  if (name === "delayedWrite") return { ...(dice < 0.7 && { resource: "pods" }), ...(dice % 0.1 < 0.07 && { thenPausedMs: 100_000 }) };
  if (name === "connectionRefused" || name === "throttled429" || name === "internal500") {
    if (dice < 0.2) return { scope: "leases" };
  } else if (name === "timedOutDone" || name === "timedOutNotDone" || name === "conflict409") {
    if (dice < 0.1) return { scope: "leases" };
  }
  return {};
}

function strikeNode(state: ScheduleState, name: "nodeLost" | "nodePartitioned" | "nodeDeleted"): boolean {
  const { world, clock, random, faults, away } = state;
  const healthy = world.healthyNodes();
  // One node is always left, so that work can go on.
  if (healthy.length < 2) return false;
  const busy = new Set(
    [...world.pods.values()].filter((pod) => isOurs(pod) && pod.status?.phase === "Running").map((pod) => pod.spec.nodeName),
  );
  const node = pick(
    healthy.filter((each) => busy.has(each)),
    random,
  );
  if (node === undefined) return false;
  if (name === "nodeDeleted") {
    const labels = world.nodes.get(undefined, node)?.metadata.labels ?? {};
    const capacity = world.nodes.get(undefined, node)?.status?.allocatable ?? {};
    void world.deleteNode(node).catch(() => undefined);
    clock.after(draw([30_000, 120_000], random), () => void world.addNode({ name: node, labels, capacity }).catch(() => undefined));
    return true;
  }
  if (name === "nodeLost") world.loseNode(node);
  else world.partitionNode(node);
  away.add(node);
  clock.after(draw(pick(nodeAwayMs, random) ?? 0, random), () => {
    if (!away.delete(node)) return;
    faults.count("nodeReturned");
    void world.returnNode(node).catch(() => undefined);
  });
  return true;
}

async function mend(state: ScheduleState): Promise<void> {
  state.faults.stop();
  for (const process of state.wrong) process.setClockOffset(0);
  state.wrong.clear();
  for (const node of [...state.away]) {
    state.away.delete(node);
    state.faults.count("nodeReturned");
    await state.world.returnNode(node);
  }
}

/**
 * Lets armed faults of pods strike what a pod does: a slow start, a crash, no memory, an image that cannot be pulled at first. A pod's
 * fate is decided once, at its first step on its node.
 */
export function disturbed(faults: Faults, random: Random, behaviour: (pod: Pod) => PodScript): (pod: Pod) => PodScript {
  const fates = new Map<string, Partial<PodScript>>();
  return (pod) => {
    const script = behaviour(pod);
    if (!isOurs(pod)) return script;
    const uid = pod.metadata.uid ?? "";
    let fate = fates.get(uid);
    if (fate === undefined) {
      const fault = faults.isArmed ? faults.take((each) => podFaults.has(each.class)) : undefined;
      fate = fault === undefined ? {} : fateOf(fault.class, random);
      fates.set(uid, fate);
    }
    return { ...script, ...fate };
  };
}

function fateOf(name: FaultClass, random: Random): Partial<PodScript> {
  switch (name) {
    case "slowStart":
      return { sandboxMs: draw([20_000, 90_000], random) };
    case "itemCrashed":
      return { exitCode: 1 + randomInteger(random, 100), runMs: draw([0, 500], random) };
    case "outOfMemory":
      return { outOfMemory: true, runMs: draw([100, 1_000], random) };
    case "imagePull":
      return { pullFailures: 1 + randomInteger(random, 2) };
    default:
      return {};
  }
}

/** Pods of runs and of fleets, and pods of others that take part in a queue. */
function isOurs({ metadata: { labels: own } }: Pod): boolean {
  return [labels.run, labels.app, labels.queue].some((label) => own?.[label] !== undefined);
}

function pick<T>(values: readonly T[], random: Random): T | undefined {
  return values[randomInteger(random, values.length)];
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const result = [...values];
  for (let at = result.length - 1; at > 0; at--) {
    const other = randomInteger(random, at + 1);
    const held = result[at] as T;
    result[at] = result[other] as T;
    result[other] = held;
  }
  return result;
}
