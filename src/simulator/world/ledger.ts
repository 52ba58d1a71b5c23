import type { Pod } from "../../api/core.ts";
import { itemOfLabel } from "../../api/names.ts";
import { parseTime } from "../../base/time.ts";
import type { ContainerExit } from "./container-runtime.ts";
import type { WorkObserver } from "./pod-worker.ts";

/** What one pod of a run really did. Instants are milliseconds since the epoch. */
export interface WorkRecord {
  readonly podUid: string;
  readonly pod: string;
  readonly namespace: string;
  readonly jobUid: string;
  readonly job: string;
  readonly run: string;
  /** The logical fire time of the run; undefined when the pod does not tell. */
  readonly fireTime: number | undefined;
  readonly item: number;
  readonly attempt: number;
  /** When the object appeared. */
  readonly createdAt: number | undefined;
  readonly node: string | undefined;
  readonly startedAt: number | undefined;
  /** Undefined while it runs. */
  readonly endedAt: number | undefined;
  /** NodeDied: the machine stopped under it. */
  readonly outcome: "Succeeded" | "Failed" | "NodeDied" | undefined;
  /** When the object vanished from the API. */
  readonly goneAt: number | undefined;
}

/** Two pods that worked on the same item at the same time. */
export interface Overlap {
  readonly first: WorkRecord;
  readonly second: WorkRecord;
  readonly from: number;
  /**
   * The first one's object had been taken away before the second started, though its program ran on (a partitioned node, a forced
   * deletion): nobody could know it from the API.
   */
  readonly unknowable: boolean;
}

/**
 * What the world saw of the runs of ElasticJobs, told by the pods' labels: the witness of "exactly once". It is fed by kubelets (what
 * really ran, on which node, from when to when) and by the pods' watch (what was created), and never reads a status of ours.
 */
export class Ledger implements WorkObserver {
  readonly #records = new Map<string, WorkRecord>();

  /** Every record, in the order in which the pods appeared. */
  records(): readonly WorkRecord[] {
    return [...this.#records.values()];
  }

  /** What the pod of this UID did. */
  ofPod(uid: string): WorkRecord | undefined {
    return this.#records.get(uid);
  }

  /** A pod object appeared. */
  created(pod: Pod, at: number): void {
    this.#change(pod, (record) => ({ ...record, createdAt: record.createdAt ?? at }));
  }

  /** A pod object vanished. */
  gone(pod: Pod, at: number): void {
    if (this.#records.has(pod.metadata.uid ?? "")) this.#change(pod, (record) => ({ ...record, goneAt: at }));
  }

  started(pod: Pod, node: string, at: number): void {
    this.#change(pod, (record) => ({ ...record, node, startedAt: record.startedAt ?? at, endedAt: undefined, outcome: undefined }));
  }

  ended(pod: Pod, _node: string, at: number, exits: Readonly<Record<string, ContainerExit>>): void {
    const all = Object.values(exits);
    const outcome = all.length === 0 ? "NodeDied" : all.every((exit) => exit.exitCode === 0) ? "Succeeded" : "Failed";
    this.#change(pod, (record) => ({ ...record, endedAt: at, outcome }));
  }

  /** The pods that began to work on an item of a run, first start first. */
  startsOf(jobUid: string, run: string, item: number): readonly WorkRecord[] {
    return this.records()
      .filter((record) => record.jobUid === jobUid && record.run === run && record.item === item && record.startedAt !== undefined)
      .sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
  }

  /** The run ids of a job by logical fire time; runs whose pods tell none are under NaN. */
  runsOf(jobUid: string): ReadonlyMap<number, ReadonlySet<string>> {
    const runs = new Map<number, Set<string>>();
    for (const record of this.#records.values()) {
      if (record.jobUid !== jobUid) continue;
      const key = record.fireTime ?? Number.NaN;
      const ids = runs.get(key) ?? new Set<string>();
      runs.set(key, ids.add(record.run));
    }
    return runs;
  }

  /** Items that two pods worked on at once, in the order of the later start. */
  itemsAtWorkTwice(): readonly Overlap[] {
    const byItem = new Map<string, WorkRecord[]>();
    for (const record of this.#records.values()) {
      if (record.startedAt === undefined) continue;
      const key = `${record.jobUid}/${record.run}/${record.item}`;
      const list = byItem.get(key);
      if (list === undefined) byItem.set(key, [record]);
      else list.push(record);
    }
    const overlaps: Overlap[] = [];
    for (const list of byItem.values()) {
      const sorted = list.sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
      sorted.forEach((second, index) => {
        const from = second.startedAt ?? 0;
        for (const first of sorted.slice(0, index)) {
          if ((first.endedAt ?? Number.POSITIVE_INFINITY) <= from) continue;
          overlaps.push({ first, second, from, unknowable: first.goneAt !== undefined && first.goneAt <= from });
        }
      });
    }
    return overlaps.sort((a, b) => a.from - b.from);
  }

  /** Items that ended well more than once in one run: work done twice, one after the other. */
  itemsDoneTwice(): readonly (readonly WorkRecord[])[] {
    const byItem = new Map<string, WorkRecord[]>();
    for (const record of this.#records.values()) {
      if (record.outcome !== "Succeeded") continue;
      const key = `${record.jobUid}/${record.run}/${record.item}`;
      byItem.set(key, [...(byItem.get(key) ?? []), record]);
    }
    return [...byItem.values()].filter((list) => list.length > 1);
  }

  #change(pod: Pod, change: (record: WorkRecord) => WorkRecord): void {
    const uid = pod.metadata.uid ?? "";
    const record = this.#records.get(uid) ?? recordOf(pod);
    if (record !== undefined) this.#records.set(uid, change(record));
  }
}

/** A fresh record, or undefined for a pod that belongs to no run. */
function recordOf(pod: Pod): WorkRecord | undefined {
  const labels = pod.metadata.labels ?? {};
  const jobUid = labels["nuptse.dev/job-uid"];
  const run = labels["nuptse.dev/run"];
  if (jobUid === undefined || run === undefined) return undefined;
  return {
    podUid: pod.metadata.uid ?? "",
    pod: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "",
    jobUid,
    job: labels["nuptse.dev/job"] ?? "",
    run,
    fireTime: fireTimeOf(run, pod.metadata.annotations?.["nuptse.dev/run"]),
    item: itemOfLabel(labels["nuptse.dev/item"] ?? "0"),
    attempt: Number(labels["nuptse.dev/attempt"] ?? 0),
    createdAt: undefined,
    node: undefined,
    startedAt: undefined,
    endedAt: undefined,
    outcome: undefined,
    goneAt: undefined,
  };
}

/** From the run's annotation, else from the run id, which begins with the fire time: 20261120t160000z. */
function fireTimeOf(run: string, annotation: string | undefined): number | undefined {
  if (annotation !== undefined) {
    try {
      const { fireTime } = JSON.parse(annotation) as { readonly fireTime?: unknown };
      if (typeof fireTime === "string") return parseTime(fireTime);
      if (typeof fireTime === "number") return fireTime;
    } catch {
      // Not ours to judge: the run id tells as well.
    }
  }
  const match = /^(\d{4})(\d\d)(\d\d)t(\d\d)(\d\d)(\d\d)z/.exec(run);
  return match === null ? undefined : parseTime(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`);
}
