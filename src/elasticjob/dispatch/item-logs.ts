import type { ExecutorTarget, TaskLog } from "../../api/executor.ts";
import type { ElasticJob, ElasticJobRun } from "../../api/elastic-job.gen.ts";
import { type Fleet, type Fleets, hasNoPod } from "../../api/fleet.ts";
import type { ItemLog } from "../../api/item-log.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { parseTime } from "../../base/time.ts";
import { recordsOf, taskId } from "../rules/resident/dispatch-record.ts";
import { targetAt } from "../rules/resident/task-actions.ts";
import type { DispatcherOptions } from "./dispatcher.ts";
import type { ReadToken } from "./token-source.ts";

export interface ItemLogsOptions {
  readonly job: (ref: ObjectRef) => ElasticJob | undefined;
  readonly fleets: Fleets;
  readonly clients: DispatcherOptions["clients"];
  readonly readToken: ReadToken;
}

/** Which log is wanted. */
export interface LogQuestion {
  readonly job: ObjectRef;
  readonly uid: string;
  readonly run: string;
  readonly item: number;
  /** Absent = the newest that an instance has. */
  readonly attempt?: number;
  /** From 1. */
  readonly fromLine: number;
}

/** Why there is none: a sentence without its full stop, and the status of HTTP that says the same. */
export interface NoLog {
  readonly status: 404 | 409 | 502;
  readonly problem: string;
}

/** Finds what an item has written at the executor that worked on it. */
export type ReadItemLog = (question: LogQuestion, signal: AbortSignal) => Promise<ItemLog | NoLog>;

/** Calls that one question may cost: instances times attempts. */
const mostCalls = 60;
const mostAttempts = 10;
/** Of one answer. */
const mostBytes = 1024 * 1024;

/**
 * Status tells where an item is, and not where it was: of one that has ended every instance is asked, those first that have such items now. The log that is
 * found is that of the task itself, since its number is made of run, item and attempt.
 */
export function createItemLogs({ job: jobOf, fleets, clients, readToken }: ItemLogsOptions): ReadItemLog {
  return async ({ job: ref, uid, run, item, attempt, fromLine }, signal) => {
    const { namespace, name } = ref;
    const job = jobOf(ref);
    // The same words whether there is none, or the UID is another's: who does not know it learns nothing.
    if (job?.metadata.uid !== uid) return none(404, `there is no ElasticJob ${namespace}/${name} of that UID`);
    const entry = [...(job.status?.active ?? []), ...(job.status?.history ?? [])].find((each) => each.run === run);
    if (entry === undefined) return none(404, `the status of ${name} tells of no run ${run}`);
    if (!IntervalSet.parse(entry.items).has(item)) return none(404, `run ${run} has no item ${item}`);
    const { runner } = entry;
    if (runner === undefined) return none(409, `run ${run} is of pods, whose logs are read without the operator`);
    const fleet = fleets.fleet({ namespace: namespace as string, name: runner });
    if (typeof fleet === "string") return none(409, `the RunnerApp ${runner} has no executors that could be asked`);
    const { protocol, tokenSecretRef } = fleet.executor;
    const client = clients[protocol];
    if (client?.log === undefined)
      return none(
        409,
        `executors of the protocol ${protocol} have no logs of items: see those of the instances, kubectl nuptse logs ra/${runner}`,
      );
    const given = await readToken(namespace as string, tokenSecretRef);
    if ("trouble" in given) return none(502, given.trouble);
    const problems = new Set<string>();
    let calls = 0;
    for (const number of attempt === undefined ? attemptsOf(entry, item) : [attempt])
      for (const instance of instancesToAsk(fleet, job, entry, item)) {
        const target = targetAt(fleet, instance);
        if (target === undefined || ++calls > mostCalls) continue;
        const task = { id: taskId(job, run, { item, attempt: number, round: 1 }), fireTime: parseTime(entry.fireTime) ?? 0 };
        const said = await client.log({ ...target, token: given.token } satisfies ExecutorTarget, task, fromLine, signal);
        if (said === "absent") continue;
        const called = fleet.instances.find(({ id }) => id === instance)?.name ?? instance;
        if ("problem" in said) problems.add(`${called}: ${said.problem}`);
        else return { item, attempt: number, instance: called, ...page(said, fromLine) };
      }
    const asked = attempt === undefined ? "" : `, attempt ${attempt},`;
    const unclear = problems.size === 0 ? "" : `; ${[...problems].slice(0, 3).join("; ")}`;
    return none(problems.size === 0 ? 404 : 502, `no instance of ${runner} has a log of item ${item}${asked} of run ${run}${unclear}`);
  };
}

const none = (status: NoLog["status"], problem: string): NoLog => ({ status, problem });

/** The attempt that is at work or that failed last; of one that succeeded it is not recorded how many it took: the highest that there can be, and all below. */
function attemptsOf(entry: ElasticJobRun, item: number): readonly number[] {
  const known =
    recordsOf(entry).find((record) => record.item === item)?.attempt ?? entry.failures?.find((failure) => failure.item === item)?.attempt;
  if (known !== undefined) return [known];
  const highest = Math.max(1, (entry.attempts ?? 1) - (IntervalSet.parse(entry.items).size - 1));
  return Array.from({ length: Math.min(mostAttempts, highest) }, (_, index) => highest - index);
}

/** The instance of an item that is at work, else all, beginning with that which such items are assigned to. */
function instancesToAsk({ instances, name }: Fleet, { status }: ElasticJob, entry: ElasticJobRun, item: number): readonly string[] {
  const record = recordsOf(entry).find((each) => each.item === item);
  if (record !== undefined) return [record.instance];
  const { runner, instances: assigned = [] } = status?.assignments ?? {};
  const likely = assigned.filter(({ id, items }) => runner === name && id !== undefined && IntervalSet.parse(items).has(item));
  const left = likely.flatMap(({ id = "" }) => (hasNoPod(id) || instances.some((each) => each.id === id) ? [id] : []));
  return [...new Set([...left, ...instances.map(({ id }) => id)])];
}

/** Cut at the end of a line where it is too long for one answer. */
function page({ fromLine, text }: TaskLog, asked: number): Pick<ItemLog, "text" | "nextLine"> {
  if (text.length <= mostBytes) return { text };
  const end = text.lastIndexOf("\n", mostBytes);
  // A line that is longer than an answer is told in part.
  const part = end < 0 ? `${text.slice(0, mostBytes)}\n` : text.slice(0, end + 1);
  return { text: part, nextLine: Math.max(fromLine, asked) + (part.match(/\n/g) ?? []).length };
}
