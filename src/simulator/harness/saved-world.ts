import type { Node } from "../../api/core.ts";
import { leases } from "../../api/resource.ts";
import type { ServerState, StateEntry } from "../apiserver/server-state.ts";
import { containerRuntimeVersion, type NodeSpec } from "../world/node-life.ts";
import { operatorLease } from "./playground-operator.ts";
import { readStateFile, type SavedPlayground } from "./state-file.ts";

/** A saved playground, as one begins with it. */
export interface LoadedPlayground extends SavedPlayground {
  /** The nodes that had a kubelet. */
  readonly nodes: readonly NodeSpec[];
}

/** Reads a saved playground. Rejects with StateFileError. */
export async function loadPlayground(path: string, program: string): Promise<LoadedPlayground> {
  const saved = await readStateFile(path, program);
  return { ...saved, state: withoutLease(saved.state), nodes: saved.state.entries.flatMap(nodeOf) };
}

/** Whoever held it is gone for certain: nobody has to wait until it has run out. */
function withoutLease(state: ServerState): ServerState {
  const isLease = ({ group, plural, object: { metadata } }: StateEntry) =>
    group === leases.group &&
    plural === leases.plural &&
    metadata.namespace === operatorLease.namespace &&
    metadata.name === operatorLease.name;
  return { ...state, entries: state.entries.filter((entry) => !isLease(entry)) };
}

/** A node that somebody only wrote down gets no kubelet by being loaded. */
function nodeOf({ group, plural, object }: StateEntry): readonly NodeSpec[] {
  if (group !== "" || plural !== "nodes") return [];
  const { metadata, status } = object as unknown as Node;
  if (status?.nodeInfo?.containerRuntimeVersion !== containerRuntimeVersion) return [];
  return [{ name: metadata.name, ...(status.capacity !== undefined && { capacity: status.capacity }) }];
}
