import type { ExecutorSettings, Fleet, FleetInstance, Fleets } from "../api/fleet.ts";
import type { LabelSelector } from "../api/label-selector.ts";
import type { ObjectRef } from "../api/meta.ts";
import type { RunnerApp, RunnerAppSpecExecutor } from "../api/runner-app.gen.ts";
import { equalJson } from "../base/diff.ts";
import type { Change, Store } from "../kube/store.ts";
import { keyOf } from "../runtime/controller.ts";
import type { AppStore } from "./services/app-index.ts";
import type { InstancePod } from "./rules/instance.ts";

export interface FleetDirectoryOptions {
  readonly apps: () => AppStore;
  readonly pods: () => Store<InstancePod, "app" | "node">;
  /** Something has changed that tasks depend on. */
  readonly onChange: (fleet: ObjectRef) => void;
}

/** The fleets that take tasks, read from the caches of the kind; what was read is kept until something of it changes. */
export class FleetDirectory implements Fleets {
  readonly #options: FleetDirectoryOptions;
  readonly #known = new Map<string, Fleet>();

  constructor(options: FleetDirectoryOptions) {
    this.#options = options;
  }

  fleet(ref: ObjectRef): Fleet | "missing" | "noExecutor" {
    const app = this.#options.apps().get(ref.namespace, ref.name);
    if (app === undefined) return "missing";
    if (app.spec.executor === undefined) return "noExecutor";
    const key = keyOf(ref);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const fleet = {
      namespace: ref.namespace as string,
      name: ref.name,
      executor: settingsOf(app.spec.executor),
      instances: this.#options
        .pods()
        .byIndex("app", app.metadata.uid as string)
        .map(instanceOf),
    };
    this.#known.set(key, fleet);
    return fleet;
  }

  seePod({ type, object, previous }: Change<InstancePod>): void {
    const { namespace } = object.metadata;
    const isSame = type === "modified" && previous !== undefined && equalJson(instanceOf(object), instanceOf(previous));
    if (object.app !== "" && !isSame) this.#changed({ namespace: namespace as string, name: object.app });
  }

  seeApp({ type, object, previous }: Change<RunnerApp>): void {
    const { namespace, name, uid } = object.metadata;
    const isSame = type === "modified" && uid === previous?.metadata.uid && equalJson(object.spec.executor, previous?.spec.executor);
    if (!isSame) this.#changed({ namespace: namespace as string, name });
  }

  #changed(fleet: ObjectRef): void {
    this.#known.delete(keyOf(fleet));
    this.#options.onChange(fleet);
  }
}

/** Objects that were stored before a field had its default lack it. */
function settingsOf(executor: RunnerAppSpecExecutor): ExecutorSettings {
  const { protocol, port, path, capacity, remembers, tokenSecretRef, allowedJobs } = executor;
  return {
    protocol: protocol ?? "HTTP",
    port,
    path: (path ?? "").replace(/\/+$/, ""),
    capacity: capacity ?? 100,
    remembers: remembers ?? true,
    ...(tokenSecretRef !== undefined && { tokenSecretRef }),
    ...(allowedJobs !== undefined && { allowedJobs: (allowedJobs.selector ?? {}) as LabelSelector }),
  };
}

function instanceOf({ metadata, address, readySince, isDeleting, hasEnded }: InstancePod): FleetInstance {
  return {
    id: metadata.uid as string,
    name: metadata.name,
    ...(address !== undefined && { address }),
    isReady: readySince !== undefined && address !== undefined && !isDeleting,
    isOver: hasEnded,
  };
}
