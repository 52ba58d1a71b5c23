import type { KubeObject } from "../api/meta.ts";
import { type Resource, resourceName } from "../api/resource.ts";

/** The side of a store that takes the answers of our own writes, so that the next observation sees them (decision 2.1). */
export interface OwnWriteStore {
  /** Takes an object that the store selects, as the server answered it, unless it holds a newer version or knows of its deletion. */
  observeWrite(object: KubeObject): void;
}

/** The stores by {@link resourceName}; writes to kinds without one are not kept. */
export type OwnWriteStores = ReadonlyMap<string, OwnWriteStore>;

/** Keeps the answer of a write, or of a consistent read of an object that the store selects. */
export function keepWrite(stores: OwnWriteStores, resource: Resource, object: KubeObject): void {
  stores.get(resourceName(resource))?.observeWrite(object);
}
