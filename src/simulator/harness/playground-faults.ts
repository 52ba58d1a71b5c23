import type { Clock } from "../../base/clock.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import type { World } from "../world/world.ts";
import { operatorAgent } from "./operator-agent.ts";
import type { PlaygroundFault } from "./playground-fault.ts";
import type { PlaygroundOperator } from "./playground-operator.ts";

export interface FaultOptions {
  readonly server: ApiServer;
  readonly world: World;
  readonly clock: Clock;
  /** Undefined where there is none in this process. */
  readonly operator: () => PlaygroundOperator | undefined;
  /** The playground ends: nothing more is broken or mended. */
  readonly signal: AbortSignal;
}

/** Breaks something; tells each step in a sentence, and resolves when it is whole again, or when the playground ends. */
export type BreakPlayground = (fault: PlaygroundFault, tell: Tell) => Promise<void>;

type Tell = (sentence: string) => void;

/** A cluster needs 40 to 45 s to notice that a node is silent. All times are the cluster's. */
const nodeAwayMs = 90_000;
const deafMs = 20_000;

/** Makes a playground breakable; nothing is broken before it is asked for. To be called before the operator opens its watches. */
export function createPlaygroundFaults(options: FaultOptions): BreakPlayground {
  const hearing: Hearing = { deaf: false };
  options.server.interceptWatches(({ userAgent }) => {
    if (userAgent !== operatorAgent) return undefined;
    return (event, deliver) => {
      if (!hearing.deaf) deliver(event);
    };
  });
  const faults: Readonly<Record<PlaygroundFault, (tell: Tell) => Promise<void>>> = {
    "kill-node": (tell) => killNode(options, tell),
    "lose-watch": (tell) => loseWatch(options, hearing, tell),
    "crash-operator": (tell) => crashOperator(options, tell),
  };
  return async (fault, tell) => {
    try {
      await faults[fault](tell);
    } catch (error) {
      if (!options.signal.aborted) throw error;
    }
  };
}

/** Whether the operator's watches say nothing. */
interface Hearing {
  deaf: boolean;
}

async function killNode({ world, clock, signal }: FaultOptions, tell: Tell): Promise<void> {
  const name = busiestNode(world);
  if (name === undefined) return tell("kill-node: all nodes are dead already");
  const pods = podsOn(world, name);
  world.loseNode(name);
  tell(
    `kill-node: ${name} is dead, with ${count(pods, "pod")}; the cluster notices in 40 s, and the node is back in ${seconds(nodeAwayMs)}`,
  );
  await clock.sleep(nodeAwayMs, signal);
  await world.returnNode(name);
  tell(`kill-node: ${name} is back; what ran on it has ended`);
}

async function loseWatch({ server, clock, signal }: FaultOptions, hearing: Hearing, tell: Tell): Promise<void> {
  const watches = () => server.openWatches().filter(({ userAgent }) => userAgent === operatorAgent);
  hearing.deaf = true;
  tell(
    `lose-watch: the operator's ${count(watches().length, "watch", "watches")} say nothing for ${seconds(deafMs)}, and what happens meanwhile is lost`,
  );
  await clock.sleep(deafMs, signal);
  // whoever goes on from where it stopped is answered with 410 then, as after a compaction of etcd
  server.compact();
  hearing.deaf = false;
  for (const watch of watches()) watch.close();
  tell("lose-watch: the watches are broken off, and their past is forgotten: the operator has to list anew");
}

async function crashOperator({ operator, signal }: FaultOptions, tell: Tell): Promise<void> {
  const fleet = operator();
  if (fleet === undefined) return tell("crash-operator: there is no operator in this process");
  const before = fleet.current;
  fleet.kill();
  tell("crash-operator: the operator is killed as by kill -9; another one begins, and waits until the lease of 15 s has run out");
  await fleet.leading(before);
  if (!signal.aborted) tell("crash-operator: another operator leads");
}

/** The healthy node with the most pods at work. */
function busiestNode(world: World): string | undefined {
  return [...world.healthyNodes()].sort((one, other) => podsOn(world, other) - podsOn(world, one))[0];
}

function podsOn(world: World, node: string): number {
  let pods = 0;
  for (const { spec, status } of world.pods.values()) if (spec.nodeName === node && status?.phase === "Running") pods++;
  return pods;
}

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;
const seconds = (milliseconds: number): string => `${milliseconds / 1_000} s`;
