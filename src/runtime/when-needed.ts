import type { KubeObject } from "../api/meta.ts";
import type { Informer } from "../kube/informer.ts";
import type { ManagedInformer } from "./manager.ts";

/** An informer that reads nothing before it is needed; to a manager it looks filled until then. */
export interface LateInformer extends ManagedInformer {
  need(): void;
  readonly isNeeded: boolean;
  /** Its first list is in; while nobody needs it there is none. */
  readonly isFilled: boolean;
}

/** Puts off the start of an informer until somebody needs it. */
export function whenNeeded<T extends KubeObject>(informer: Informer<T>): LateInformer {
  let isNeeded = false;
  let signal: AbortSignal | undefined;
  const go = () => {
    if (isNeeded && signal !== undefined) informer.start(signal);
  };
  return {
    resource: informer.resource,
    get synced() {
      return isNeeded ? informer.synced : Promise.resolve();
    },
    get fixed() {
      return isNeeded ? informer.fixed : Promise.resolve();
    },
    get listVersion() {
      return informer.listVersion;
    },
    get isNeeded() {
      return isNeeded;
    },
    get isFilled() {
      return informer.store.synced;
    },
    start(end) {
      signal = end;
      go();
    },
    refill: () => (isNeeded ? informer.refill() : Promise.resolve()),
    need() {
      if (isNeeded) return;
      isNeeded = true;
      go();
    },
  };
}
