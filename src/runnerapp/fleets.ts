import type { ExecutorSettings, Fleet, FleetInstance, Fleets, FoundFleet } from "../api/fleet.ts";
import type { LabelSelector } from "../api/label-selector.ts";
import type { ObjectRef } from "../api/meta.ts";
import type { RunnerApp, RunnerAppSpecExecutor } from "../api/runner-app.gen.ts";
import { equalJson } from "../base/diff.ts";
import type { Change, Store } from "../kube/store.ts";
import { keyOf } from "../runtime/controller.ts";
import type { AppStore } from "./services/app-index.ts";
import { type FleetSlice, instancesIn } from "./rules/fleet-slice.ts";
import type { InstancePod } from "./rules/instance.ts";

export interface FleetDirectoryOptions {
  readonly apps: () => AppStore;
  readonly pods: () => Store<InstancePod, "app" | "node">;
  /** Of all Services; empty and not synced until some fleet that somebody else runs takes tasks. */
  readonly slices: () => Store<FleetSlice, "service">;
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

  fleet(ref: ObjectRef): FoundFleet {
    const app = this.#options.apps().get(ref.namespace, ref.name);
    if (app === undefined) return "missing";
    if (app.spec.executor === undefined) return "noExecutor";
    const key = keyOf(ref);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const instances = this.#instancesOf(app);
    if (instances === undefined) return "unread";
    const fleet = {
      namespace: ref.namespace as string,
      name: ref.name,
      executor: settingsOf(app.spec.executor),
      instances,
      ...(app.spec.endpoints !== undefined && { isForeign: true as const }),
    };
    this.#known.set(key, fleet);
    return fleet;
  }

  /** Undefined while they are not known. */
  #instancesOf({ metadata, spec }: RunnerApp): readonly FleetInstance[] | undefined {
    if (spec.endpoints === undefined)
      return this.#options
        .pods()
        .byIndex("app", metadata.uid as string)
        .map(instanceOf);
    const slices = this.#options.slices();
    return slices.synced ? instancesIn(slices.byIndex("service", `${metadata.namespace}/${spec.endpoints.serviceName}`)) : undefined;
  }

  seePod({ type, object, previous }: Change<InstancePod>): void {
    const { namespace } = object.metadata;
    const isSame = type === "modified" && previous !== undefined && equalJson(instanceOf(object), instanceOf(previous));
    if (object.app !== "" && !isSame) this.#changed({ namespace: namespace as string, name: object.app });
  }

  seeSlice({ type, object, previous }: Change<FleetSlice>): void {
    const isSame = type === "modified" && object.service === previous?.service && equalJson(object.instances, previous.instances);
    if (isSame) return;
    for (const service of new Set([object.service, previous?.service]))
      for (const { metadata } of service === undefined ? [] : this.#options.apps().byIndex("instances", service))
        this.#changed({ namespace: metadata.namespace as string, name: metadata.name });
  }

  /** The slices are there for the first time, also of Services that have none. */
  slicesRead(): void {
    for (const { metadata, spec } of this.#options.apps().all())
      if (spec.endpoints !== undefined) this.#changed({ namespace: metadata.namespace as string, name: metadata.name });
  }

  seeApp({ type, object, previous }: Change<RunnerApp>): void {
    const { namespace, name, uid } = object.metadata;
    const isSame =
      type === "modified" &&
      uid === previous?.metadata.uid &&
      equalJson(object.spec.executor, previous?.spec.executor) &&
      equalJson(object.spec.endpoints, previous?.spec.endpoints);
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
