import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { deployments } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { NotFound } from "../kube/errors.ts";
import { keyOf } from "../runtime/controller.ts";
import { type Rollout, rolloutOf } from "./rules/rollout.ts";

export interface RolloutsOptions {
  readonly client: Pick<KubeClient, "get">;
  readonly clock: Pick<Clock, "monotonic">;
  readonly onError: (error: unknown) => void;
  /** What was asked for is known now. */
  readonly onKnown: (key: ObjectRef) => void;
}

/** A Deployment that is read is not read again for so long: pods of it change many times in one roll-out. */
const freshMs = 5_000;

/**
 * What Deployments say of their roll-outs, read one by one and only when somebody asks: those whose pods wait while others of them run. A cache of
 * all Deployments of a cluster would cost memory for nothing.
 */
export class Rollouts {
  readonly #options: RolloutsOptions;
  readonly #known = new Map<string, { readonly rollout: Rollout | undefined; readonly readAt: number }>();
  readonly #reading = new Set<string>();

  constructor(options: RolloutsOptions) {
    this.#options = options;
  }

  /** undefined = there is none, or it is being read: then `onKnown` is told the key. */
  of(key: ObjectRef, deployment: string): Rollout | undefined {
    const ref: ObjectRef = { namespace: key.namespace as string, name: deployment };
    const known = this.#known.get(keyOf(ref));
    if (known !== undefined && this.#options.clock.monotonic() - known.readAt < freshMs) return known.rollout;
    this.#known.delete(keyOf(ref));
    void this.#read(ref, key);
    return undefined;
  }

  async #read(ref: ObjectRef, key: ObjectRef): Promise<void> {
    const { client, onError, onKnown } = this.#options;
    const name = keyOf(ref);
    if (this.#reading.has(name)) return;
    this.#reading.add(name);
    try {
      const deployment = await client.get<KubeObject & { readonly spec?: Parameters<typeof rolloutOf>[0] }>(deployments, ref);
      this.#learn(name, rolloutOf(deployment.spec ?? {}));
      onKnown(key);
    } catch (error) {
      // It stays unknown for as long as an answer would stay fresh; its pods wait like any others.
      this.#learn(name, undefined);
      if (!(error instanceof NotFound)) onError(error);
    } finally {
      this.#reading.delete(name);
    }
  }

  #learn(name: string, rollout: Rollout | undefined): void {
    const now = this.#options.clock.monotonic();
    for (const [other, { readAt }] of this.#known) if (now - readAt >= freshMs) this.#known.delete(other);
    this.#known.set(name, { rollout, readAt: now });
  }
}
