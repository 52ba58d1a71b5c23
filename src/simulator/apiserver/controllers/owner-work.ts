import type { Clock, Timer } from "../../../base/clock.ts";
import type { Resource } from "../../../api/resource.ts";
import type { ApiServer, Commit } from "../api-server.ts";
import { keyOf } from "../collection.ts";
import type { StoredObject } from "../json.ts";
import { KeyedWork, Rechecks } from "./keyed-work.ts";
import { ControllerClient, controllerOf } from "./owned.ts";

/** What a controller works with. */
export interface ControllerContext {
  readonly server: ApiServer;
  readonly clock: Clock;
  /** Does something after the time that a controller takes to notice a change. */
  readonly later: (action: () => void) => Timer;
  readonly agent: string;
}

/** The frame of a controller of workloads: an owner is looked at a moment after it, or something that it controls, has changed or gone. */
export class OwnerWork {
  readonly client: ControllerClient;
  readonly #server: ApiServer;
  readonly #owners: Resource;
  readonly #dependents: Resource;
  readonly #work: KeyedWork;
  readonly #rechecks: Rechecks;

  /** @param look is given the key of an owner, and the owner itself unless it is gone */
  constructor(
    { server, clock, later, agent }: ControllerContext,
    owners: Resource,
    dependents: Resource,
    look: (key: string, owner: StoredObject | undefined) => void,
  ) {
    this.client = new ControllerClient(server, agent);
    this.#server = server;
    this.#owners = owners;
    this.#dependents = dependents;
    this.#work = new KeyedWork(later, (key) => look(key, this.#collection()?.get(key)), this.client);
    this.#rechecks = new Rechecks(clock, (key) => this.enqueue(key));
  }

  observe({ resource, object }: Commit): void {
    const { namespace, name } = object.metadata;
    if (resource === this.#owners) this.enqueue(keyOf(namespace, name));
    else if (resource === this.#dependents) {
      const owner = controllerOf(object, this.#owners);
      if (owner !== undefined) this.enqueue(keyOf(namespace, owner.name));
    }
  }

  enqueue(key: string): void {
    this.#work.enqueue(key);
  }

  /** See {@link Rechecks.at}. */
  enqueueAt(key: string, due: number): void {
    this.#rechecks.at(key, due);
  }

  enqueueAll(): void {
    for (const { metadata } of this.#collection()?.all() ?? []) this.enqueue(keyOf(metadata.namespace, metadata.name));
  }

  /** Ends what it would look at later. */
  close(): void {
    this.#rechecks.close();
  }

  #collection() {
    return this.#server.typeOf(this.#owners.group, this.#owners.version, this.#owners.plural)?.collection;
  }
}
