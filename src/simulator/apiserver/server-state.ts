import type { StoredObject } from "./json.ts";

/** One stored object, at the kind that it is stored as. */
export interface StateEntry {
  readonly group: string;
  readonly plural: string;
  readonly object: StoredObject;
}

/** All that a server stores, at one instant. The objects are shared with the server: nobody may change them. */
export interface ServerState {
  /** The version of the last change. */
  readonly revision: number;
  /** In the order in which they are to be restored: definitions of kinds before objects of these. */
  readonly entries: readonly StateEntry[];
}

/**
 * How far a restored server's versions are ahead of those that it was saved with, as `etcdutl snapshot restore --bump-revision` does it:
 * what was written after the state was saved is lost, and nobody who saw it may mistake a new version for one of those.
 */
export const restoredRevisions = 1_000_000;
