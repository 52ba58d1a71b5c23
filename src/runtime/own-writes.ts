import type { KubeObject } from "../api/meta.ts";
import { type Resource, resourceName } from "../api/resource.ts";

/** The side of a store that takes the answers of our own writes, so that the next observation sees them (decision 2.1). */
export interface OwnWriteStore {
  /**
   * Takes an object that the store selects, as the server answered it, unless it holds a newer version or knows of its deletion.
   * @param sentAt when the write was sent that gave the object its version, in monotonic milliseconds; absent = that may be another one's
   */
  observeWrite(object: KubeObject, sentAt?: number): void;
}

/** The stores by {@link resourceName}; writes to kinds without one are not kept. */
export type OwnWriteStores = ReadonlyMap<string, OwnWriteStore>;

/** Keeps the answer of a write, or of a consistent read of an object that the store selects. `sentAt` as in {@link OwnWriteStore.observeWrite}. */
export function keepWrite(stores: OwnWriteStores, resource: Resource, object: KubeObject, sentAt?: number): void {
  stores.get(resourceName(resource))?.observeWrite(object, sentAt);
}
