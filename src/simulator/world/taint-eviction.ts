import type { Node, Pod, Taint } from "../../api/core.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { parseTime } from "../../base/time.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Mirror } from "./mirror.ts";
import { tolerates } from "../apiserver/controllers/node-fit.ts";
import { disruptPod } from "./pod-write.ts";

export interface TaintEvictionOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly pods: Mirror<Pod>;
  readonly nodes: Mirror<Node>;
  /**
   * What the API server's admission gives to pods that say nothing of the taints not-ready and unreachable, in seconds; absent = 300.
   * The embedded API server leaves that admission out.
   */
  readonly defaultTolerationSeconds?: number;
}

const defaulted = new Set(["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]);

/**
 * The taint manager: a pod that does not tolerate a NoExecute taint of its node is marked and deleted, at once or when the shortest of its
 * tolerations is over. One timer a pod; a taint that goes takes the timer with it.
 */
export class TaintEviction {
  readonly #options: TaintEvictionOptions;
  readonly #timers = new Map<string, { readonly due: number; readonly timer: Timer }>();
  #stopped = false;

  constructor(options: TaintEvictionOptions) {
    this.#options = options;
    options.nodes.subscribe((event) => {
      if (event.type === "gone" || sameTaints(event.previous, event.object)) return;
      for (const pod of options.pods.values()) if (pod.spec.nodeName === event.object.metadata.name) this.#consider(pod, event.object);
    });
    options.pods.subscribe((event) => {
      const pod = event.object;
      if (event.type === "gone") this.#cancel(pod);
      else if (pod.spec.nodeName !== event.previous?.spec.nodeName) {
        const node = options.nodes.get(undefined, pod.spec.nodeName ?? "");
        if (node !== undefined) this.#consider(pod, node);
      }
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #consider(pod: Pod, node: Node): void {
    const due = this.#dueOf(pod, node);
    const uid = pod.metadata.uid ?? "";
    const armed = this.#timers.get(uid);
    if (armed?.due === due) return;
    armed?.timer.cancel();
    this.#timers.delete(uid);
    if (due === undefined || this.#stopped) return;
    const { clock } = this.#options;
    const timer = clock.after(due - clock.now(), () => {
      this.#timers.delete(uid);
      void this.#evict(pod);
    });
    this.#timers.set(uid, { due, timer });
  }

  async #evict(seen: Pod): Promise<void> {
    const { client, clock, pods } = this.#options;
    const pod = pods.get(seen.metadata.namespace, seen.metadata.name);
    if (pod === undefined || pod.metadata.uid !== seen.metadata.uid || pod.metadata.deletionTimestamp !== undefined) return;
    const message = "Taint manager: deleting due to NoExecute taint";
    await disruptPod(client, clock, pod, { reason: "DeletionByTaintManager", message }).catch(() => {
      // An API error: tried again a second later, as its own queue would.
      const timer = clock.after(1_000, () => void this.#evict(seen));
      this.#timers.set(seen.metadata.uid ?? "", { due: clock.now() + 1_000, timer });
    });
  }

  #cancel(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    this.#timers.get(uid)?.timer.cancel();
    this.#timers.delete(uid);
  }

  /** The wall time at which the pod has to go; undefined = never. */
  #dueOf(pod: Pod, node: Node): number | undefined {
    const now = this.#options.clock.now();
    let due: number | undefined;
    for (const taint of node.spec?.taints ?? []) {
      if (taint.effect !== "NoExecute") continue;
      const seconds = this.#secondsTolerated(pod, taint);
      if (seconds === undefined) continue;
      const at = (parseTime(taint.timeAdded) ?? now) + Math.max(0, seconds) * 1_000;
      due = due === undefined ? at : Math.min(due, at);
    }
    return due;
  }

  /** Seconds for which the taint is tolerated; undefined = for ever. */
  #secondsTolerated(pod: Pod, taint: Taint): number | undefined {
    const matching = (pod.spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return defaulted.has(taint.key) ? (this.#options.defaultTolerationSeconds ?? 300) : 0;
    const limits = matching.flatMap((toleration) => (toleration.tolerationSeconds === undefined ? [] : [toleration.tolerationSeconds]));
    return limits.length === 0 ? undefined : Math.min(...limits);
  }
}

function sameTaints(before: Node | undefined, after: Node): boolean {
  return before !== undefined && JSON.stringify(before.spec?.taints ?? []) === JSON.stringify(after.spec?.taints ?? []);
}
