import type { ControllerRevision } from "../api/core.ts";
import type { RunnerApp } from "../api/runner-app.gen.ts";
import type { Store } from "../kube/store.ts";
import type { CachedNode } from "./node-state.ts";
import type { StoredBudget } from "./rules/disruption-budget-step.ts";
import type { InstancePod } from "./rules/instance.ts";
import type { PrefetchPod } from "./rules/prefetch.ts";

/** What the controller reads. All stores are filled by informers; nothing here is written by it. */
export interface RunnerAppCaches {
  readonly apps: Store<RunnerApp>;
  /** "app": by the app's UID; "node": by the node's name. */
  readonly pods: Store<InstancePod, "app" | "node">;
  /** By the app's UID. */
  readonly revisions: Store<ControllerRevision, "app">;
  /** Pods that pull images, by the app's UID. */
  readonly prefetches: Store<PrefetchPod, "app">;
  readonly budgets: Store<StoredBudget>;
  readonly nodes: Store<CachedNode>;
}
