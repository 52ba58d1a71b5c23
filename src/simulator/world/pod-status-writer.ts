import { isDeepStrictEqual } from "node:util";
import type { Pod, PodStatus } from "../../api/core.ts";
import { pods } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import type { KubeClient } from "../../kube/client.ts";
import { statusOf } from "./failure.ts";
import { isNewer } from "./mirror.ts";
import { type PodStatusChange, patchPodStatus } from "./pod-write.ts";

export interface PodStatusWriterOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly pod: Pod;
  /** Whether the node can reach the API server now. */
  readonly connected: () => boolean;
  /** Every answer of the server to an own write. */
  readonly written: (pod: Pod) => void;
}

type StatusUpdate = (latest: Pod) => PodStatusChange;

const retryMs = 1_000;

/**
 * Writes the statuses of one pod one after another, in the order in which they came to be. While the node is cut off they wait, and only
 * the newest is sent afterwards, as a real kubelet does.
 */
export class PodStatusWriter {
  readonly #options: PodStatusWriterOptions;
  #latest: Pod;
  #queue: StatusUpdate[] = [];
  #remove = false;
  #stopped = false;
  #busy = false;

  constructor(options: PodStatusWriterOptions) {
    this.#options = options;
    this.#latest = options.pod;
  }

  /** A version of the pod that was seen. */
  observe(pod: Pod): void {
    if (isNewer(pod, this.#latest)) this.#latest = pod;
  }

  write(update: StatusUpdate): void {
    this.#queue.push(update);
    void this.#pump();
  }

  /** Takes the object away, with grace 0, after all that waits was written. */
  remove(): void {
    this.#remove = true;
    void this.#pump();
  }

  /** Nothing is written any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** The node reaches the API server again. */
  reconnected(): void {
    this.#queue = this.#queue.slice(-1);
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (!this.#stopped && this.#options.connected() && (this.#queue.length > 0 || this.#remove)) {
      try {
        await this.#next();
      } catch {
        await this.#options.clock.sleep(retryMs);
      }
    }
    this.#busy = false;
  }

  async #next(): Promise<void> {
    const { client, written } = this.#options;
    const update = this.#queue[0];
    if (update !== undefined) {
      let same = false;
      const stored = await patchPodStatus(client, this.#latest, (latest) => {
        const change = update(latest);
        same = isContained(change, latest.status ?? {});
        return same ? undefined : change;
      });
      // The queue may have been cut down to its newest entry meanwhile.
      if (this.#queue[0] === update) this.#queue.shift();
      if (stored !== undefined) {
        this.observe(stored);
        written(stored);
      } else if (!same) this.#stopped = true;
      return;
    }
    const { name, namespace = "default", uid } = this.#latest.metadata;
    try {
      await client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { uid }) });
    } catch (error) {
      const code = statusOf(error);
      if (code !== 404 && code !== 409) throw error;
    }
    this.#remove = false;
    this.#stopped = true;
  }
}

/** Whether writing the change would change nothing: a kubelet does not even ask then. */
function isContained(change: PodStatusChange, status: PodStatus): boolean {
  return Object.entries(change).every(([field, value]) => isDeepStrictEqual(value, status[field as keyof PodStatus]));
}
