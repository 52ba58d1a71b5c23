import type { WorkloadOwner } from "../../api/admission.ts";
import { workRef } from "../../api/queue-explanation.ts";
import { elasticJobs, runnerApps } from "../../api/resource.ts";

/**
 * A workload as the status of a TenantQueue tells of it. Whoever may read queues may read this, and need not be allowed to know what other tenants
 * run (decision 27): so it has neither a name nor a UID, which would prove that one may know.
 */
export interface ToldWorkload {
  readonly kind?: string;
  /** Empty while its namespace is not known: then nobody finds it again. */
  readonly ref: string;
  /** Which of the owner's workloads it is: the run of an ElasticJob. */
  readonly part: string;
}

/**
 * Whether the UID of an owner is one of Kubernetes, which only those know who may get the object. What stands for a workload of pods is made of its
 * name: anybody could guess it.
 */
export const hasRandomUid = ({ kind }: Pick<WorkloadOwner, "kind">): boolean => kind === elasticJobs.kind || kind === runnerApps.kind;

/**
 * The same at any time, so that a new leader finds the workload again.
 * @param namespaceUid of the owner's namespace: with it nobody who may not get the namespace finds a name by trying hashes
 */
export function toldWorkload(owner: WorkloadOwner, part: string, namespaceUid: string | undefined): ToldWorkload {
  const { kind, uid } = owner;
  if (hasRandomUid(owner)) return { kind, ref: workRef(uid), part };
  if (namespaceUid === undefined) return { kind, ref: "", part: "" };
  return { kind, ref: workRef(`${namespaceUid} ${uid}`), part: workRef(`${namespaceUid} ${uid} ${part}`) };
}
