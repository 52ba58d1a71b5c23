import { createSeededRandom, type Random } from "../../base/random.ts";
import { settle, VirtualClock } from "../../base/virtual-clock.ts";
import { TimedOutError, UnreachableError } from "../../kube/errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import { type ApiServer, createApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { Faults } from "../world/faults.ts";

/** What every simulation with faults stands on: virtual time, chance, an API server, people's client, and the faults of the operators. */
export interface Frame {
  readonly clock: VirtualClock;
  /** A chance of its own for each part, so that one part's dice do not move those of another. */
  readonly chance: () => Random;
  readonly server: ApiServer;
  readonly faults: Faults;
  /** As people use it: it meets no faults. */
  readonly client: KubeClient;
}

export function createFrame(seed: number, start: number): Frame {
  const clock = new VirtualClock(start);
  const random = createSeededRandom(seed);
  const chance = () => createSeededRandom(Math.floor(random.next() * 2 ** 32));
  const server = createApiServer({ clock, random: chance(), managedFields: false });
  const faults = new Faults({
    clock,
    random: chance(),
    errors: {
      timedOut: (what) => new TimedOutError(`${what}: no answer in time`),
      unreachable: (what) => new UnreachableError(`${what}: connection refused`),
    },
  });
  return { clock, chance, server, faults, client: createKubeClient(inProcessTransport(server, { userAgent: "people" })) };
}

/** Lets virtual time run until it is over, or `until` has come. */
export async function letTimePass(clock: VirtualClock, until: number, isOver: () => boolean): Promise<void> {
  await settle();
  while (!isOver() && clock.step(until)) await settle();
}
