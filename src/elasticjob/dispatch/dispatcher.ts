import type { ActionOutcome, DispatchAction, RecallAction } from "../../api/action.ts";
import type { ExecutorClient, ExecutorProtocol } from "../../api/executor.ts";
import type { ObjectRef } from "../../api/meta.ts";
import type { Clock } from "../../base/clock.ts";
import { getOrMake } from "../../base/map.ts";
import type { Random } from "../../base/random.ts";
import type { TaskState } from "../rules/resident/dispatch-record.ts";
import { TaskFlow } from "./task-flow.ts";
import type { ReadToken } from "./token-source.ts";

export interface DispatcherOptions {
  /** By protocol; a task of another one waits, and says so. */
  readonly clients: Readonly<Partial<Record<ExecutorProtocol, ExecutorClient>>>;
  readonly readToken: ReadToken;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether this process leads at this moment. */
  readonly fence: () => boolean;
  /** What is known of tasks of a job has changed: it is to be looked at, at once or so much later. */
  readonly onChange: (job: ObjectRef, afterMs: number) => void;
}

/** The ends of many tasks of one job are looked at together. */
const gatheringMs = (tasks: number): number => (tasks <= 2 ? 0 : Math.min(250, 10 + tasks));
/** So long executors are told that nobody wants their work any more. */
const abandonedMs = 30_000;
/** News for people. */
const newsMs = 1000;

/** The tasks that this process follows at executors. All that it knows may be forgotten: status has what is needed to take them up again. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  /** By the job's UID, then by the key of the attempt. */
  readonly #tasks = new Map<string, Map<string, TaskFlow>>();
  #running = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** The handlers of the actions that a plan asks it for. */
  readonly handlers = {
    dispatch: async (action: DispatchAction): Promise<ActionOutcome> => this.#take(action),
    recall: async (action: RecallAction): Promise<ActionOutcome> => this.#take(action),
  };

  /** Why no executor of a protocol is to be given anything; undefined when nothing is in the way. */
  hindrance(protocol: ExecutorProtocol): string | undefined {
    const client = this.#options.clients[protocol];
    return client === undefined ? unspoken(protocol) : client.hindrance?.();
  }

  /** What is known of the tasks of a job, by the key of the attempt. */
  state(jobUid: string, key: string): TaskState | undefined {
    return this.#tasks.get(jobUid)?.get(key)?.state;
  }

  /** Lets go of all tasks of a job but these: what is recorded of the others says that nobody waits for them. */
  keep(jobUid: string, keys: ReadonlySet<string>): void {
    const tasks = this.#tasks.get(jobUid);
    if (tasks === undefined) return;
    for (const [key, flow] of tasks) {
      if (keys.has(key)) continue;
      this.#clientOf(flow)?.recorded(flow.task);
      flow.stop();
      tasks.delete(key);
    }
    if (tasks.size === 0) this.#tasks.delete(jobUid);
  }

  /** The job is gone: its executors are told to end what they have of it, as long as somebody can be told. */
  abandon(jobUid: string): void {
    const tasks = this.#tasks.get(jobUid);
    this.#tasks.delete(jobUid);
    for (const flow of tasks?.values() ?? []) {
      flow.recall();
      this.#options.clock.after(abandonedMs, () => {
        this.#clientOf(flow)?.recorded(flow.task);
        flow.stop();
      });
    }
  }

  /** Lets go of everything; executors go on. */
  stop(): void {
    for (const tasks of this.#tasks.values()) for (const flow of tasks.values()) flow.stop();
    this.#tasks.clear();
  }

  /** Tasks that are being followed. */
  get running(): number {
    return this.#running;
  }

  #clientOf({ protocol }: TaskFlow): ExecutorClient | undefined {
    return this.#options.clients[protocol];
  }

  #take(action: DispatchAction | RecallAction): ActionOutcome {
    const tasks = getOrMake(this.#tasks, action.jobUid, () => new Map<string, TaskFlow>());
    const known = tasks.get(action.key);
    if (known !== undefined) {
      if (action.tag === "recall") known.recall();
      return { kind: "done" };
    }
    const { clients, readToken, clock, random, fence, onChange } = this.#options;
    const { protocol } = action.target;
    const client = clients[protocol] ?? speechless(protocol);
    const flow = new TaskFlow(
      {
        client,
        clock,
        random,
        fence,
        token: ({ job, tokenSecretRef }) => readToken(job.namespace as string, tokenSecretRef),
        onChange: (isUrgent) => onChange(action.job, isUrgent ? gatheringMs(tasks.size) : newsMs),
      },
      action,
    );
    tasks.set(action.key, flow);
    this.#running++;
    void flow.follow().finally(() => this.#running--);
    return { kind: "done" };
  }
}

const unspoken = (protocol: ExecutorProtocol): string => `nothing here speaks the protocol ${protocol}`;

/** Its tasks wait, and say why. */
function speechless(protocol: ExecutorProtocol): ExecutorClient {
  const answer = { kind: "unclear", message: unspoken(protocol), neverSent: true } as const;
  return { start: async () => answer, wait: async () => answer, cancel: async () => undefined, recorded: () => undefined };
}
