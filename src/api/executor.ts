/** How an executor is spoken to (`executor.protocol` of a RunnerApp). */
export type ExecutorProtocol = "HTTP" | "XxlJob";

/** One instance of a fleet as a target of dispatches. */
export interface ExecutorTarget {
  readonly protocol: ExecutorProtocol;
  /** "namespace/name" of the RunnerApp. */
  readonly app: string;
  /** UID of the pod, or the address where there is none: what an assignment names. */
  readonly instance: string;
  /** Such as "http://10.0.0.7:9999/base", without a slash at its end. */
  readonly baseUrl: string;
  /** Of `executor.tokenSecretRef`, as it is now. Never to be logged or told. */
  readonly token: string | undefined;
}

/** One item of a run, given to one instance. Equal ids are the same work: an executor that remembers does it once. */
export interface ExecutorTask {
  /** Made of the job's UID, run, item and attempt: a new leader makes the same one again. */
  readonly id: string;
  readonly job: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly run: string;
  /** Of the run, in milliseconds since the epoch. */
  readonly fireTime: number;
  readonly item: number;
  readonly total: number;
  readonly handler: string;
  /** `parameter` of the job. */
  readonly parameter: string;
  /** `sharding.parameters` of this item. */
  readonly itemParameter: string;
  /** From 1. */
  readonly attempt: number;
  /** Wall time in milliseconds after which nobody waits for it any more. */
  readonly deadline: number | undefined;
  readonly traceparent: string | undefined;
}

/** What an executor says, or what is known of its not saying it. */
export type TaskAnswer =
  /** It is at work, or waits at the executor. */
  | { readonly kind: "accepted" }
  | { readonly kind: "progress"; readonly percent: number | undefined; readonly message: string | undefined }
  | {
      readonly kind: "ended";
      readonly outcome: "Succeeded" | "Failed";
      readonly message: string | undefined;
      readonly result: string | undefined;
      /** There is more of the same: `repeatWhileContinue`. */
      readonly continue: boolean;
    }
  /** It will never do this task (4xx): the item fails, on this instance as on others. */
  | { readonly kind: "refused"; readonly message: string }
  /** It may take it later (busy: capacity, a queue that is full). Nothing was begun. */
  | { readonly kind: "busy"; readonly message: string }
  /** No answer that can be read: the task may be at work there or not (connection errors, 5xx, time-outs, garbage). */
  | {
      readonly kind: "unclear";
      readonly message: string;
      /** No connection came about: this call at least has begun nothing. */
      readonly neverSent?: true;
    }
  /** It answers, and knows nothing of the task. */
  | { readonly kind: "unknown" };

/** What a task has written, as its executor keeps it. Lines are numbered from 1. */
export interface TaskLog {
  readonly fromLine: number;
  /** The last line that was read, or that there is; 0 = none was read. */
  readonly toLine: number;
  readonly text: string;
}

/** Speaks one protocol with executors. No method throws or rejects: what the signal ends is "unclear". */
export interface ExecutorClient {
  /** Why no executor is to be given anything, a sentence without its full stop; undefined, or absent, when nothing is in the way. */
  hindrance?(): string | undefined;
  /**
   * Hands a task over. May be called again for the same task: the answer is then that of the first time, or its result. A task that a former
   * leader may have handed over is waited for first, and started when nobody knows it.
   */
  start(target: ExecutorTarget, task: ExecutorTask, signal: AbortSignal): Promise<TaskAnswer>;
  /** Waits for news of a task that was accepted: returns at the first, and "accepted" if there was none for as long as one waits. */
  wait(target: ExecutorTarget, task: ExecutorTask, signal: AbortSignal): Promise<TaskAnswer>;
  /** Asks it to end a task. That it was asked is all this tells: the end is told by `wait`. */
  cancel(target: ExecutorTarget, task: ExecutorTask, signal: AbortSignal): Promise<void>;
  /**
   * The status says that the task is over, by its end or by being given up: what is kept of it here may go, and who told of it may forget it too.
   * Only then: whoever ceases to lead leaves it to the next leader to say.
   */
  recorded(task: ExecutorTask): void;
  /**
   * What a task has written, from a line on; the problem is a sentence without its full stop, "absent" says that the executor has nothing of the task.
   * Also long after its end. Absent = the protocol knows no logs.
   */
  log?(
    target: ExecutorTarget,
    task: Pick<ExecutorTask, "id" | "fireTime">,
    fromLine: number,
    signal: AbortSignal,
  ): Promise<TaskLog | "absent" | { readonly problem: string }>;
}
