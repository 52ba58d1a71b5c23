import type { Pod } from "../../../api/core.ts";
import type { ExecutorClient, ExecutorTarget, ExecutorTask, TaskAnswer } from "../../../api/executor.ts";
import { labels } from "../../../api/names.ts";
import type { Clock, Timer } from "../../../base/clock.ts";
import { type Random, randomInteger } from "../../../base/random.ts";
import type { FaultProcess } from "../../world/fault-process.ts";
import type { WorkObserver } from "../../world/pod-worker.ts";
import { draw } from "../../world/range.ts";

/** What an executor really did: its own log. Instants are milliseconds since the epoch. */
export interface ExecutorWork {
  readonly task: ExecutorTask;
  /** UID of the pod, or address of the machine. */
  readonly instance: string;
  readonly from: number;
  to: number | undefined;
  /** Died: the process ended under it. */
  outcome: "Succeeded" | "Failed" | "Died" | undefined;
}

interface Job {
  readonly work: ExecutorWork;
  readonly timer: Timer;
  answer: TaskAnswer | undefined;
  readonly waiting: Set<() => void>;
}

/** One start of an executor's program: what it knows ends with it. */
interface Program {
  readonly uid: string;
  /** Absent = a machine of its own, which can always be reached. */
  readonly node?: string;
  readonly jobs: Map<string, Job>;
}

export interface SimulatedExecutorsOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Nodes that can be reached over the network. */
  readonly reachable: () => readonly string[];
  /** Whether a task was told of in a status that the API server has had. */
  readonly isRecorded: (task: ExecutorTask, instance: string) => boolean;
  /** Told of each task when it begins. */
  readonly begins: (work: ExecutorWork) => void;
  readonly say: (problem: string) => void;
  readonly capacity: number;
}

const pollMs = 30_000;
/** So long it remembers what has ended. */
const rememberedMs = 900_000;

/**
 * Executors in the pods of simulated fleets, and on machines without pods: they honour task ids, remember results for as long as their program
 * lives, stop at a task's deadline and begin none after it. While faults are on, words get lost on either way, or come late.
 */
export class SimulatedExecutors implements WorkObserver {
  readonly log: ExecutorWork[] = [];
  /** What befell words between operators and executors. */
  readonly counts = { requestsLost: 0, answersLost: 0, late: 0, busy: 0, refusedCancels: 0, repeated: 0 };
  faulty = true;
  readonly #options: SimulatedExecutorsOptions;
  readonly #programs = new Map<string, Program>();

  constructor(options: SimulatedExecutorsOptions) {
    this.#options = options;
  }

  started(pod: Pod, node: string): void {
    if (pod.metadata.labels?.[labels.app] === undefined) return;
    const uid = pod.metadata.uid as string;
    this.#end(uid);
    this.#programs.set(uid, { uid, node, jobs: new Map() });
  }

  ended(pod: Pod): void {
    this.#end(pod.metadata.uid as string);
  }

  /** A machine starts, for the first time or anew: what it knew is forgotten, and what it worked on has died. */
  boot(address: string): void {
    this.#end(address);
    this.#programs.set(address, { uid: address, jobs: new Map() });
  }

  /** How a process of the operator speaks with them: what is dead hears nothing, what stands still hears it later. */
  clientFor(process: FaultProcess): ExecutorClient {
    const ask = async (target: ExecutorTarget, signal: AbortSignal, act: (program: Program) => TaskAnswer | Promise<TaskAnswer>) => {
      const answer = process.dead ? undefined : await this.#ask(target, signal, act);
      if (answer === undefined || process.dead) return new Promise<never>(() => undefined);
      await process.clock.sleep(1);
      return answer;
    };
    return {
      start: (target, task, signal) => ask(target, signal, (program) => this.#start(program, task)),
      wait: (target, task, signal) => ask(target, signal, (program) => this.#wait(program, task, signal)),
      cancel: async (target, task, signal) => {
        await ask(target, signal, (program) => this.#cancel(program, task));
      },
      recorded: () => undefined,
    };
  }

  /** Tasks at work on an instance. */
  atWork(instance: string): number {
    return [...(this.#programs.get(instance)?.jobs.values() ?? [])].filter(({ answer }) => answer === undefined).length;
  }

  async #ask(
    target: ExecutorTarget,
    signal: AbortSignal,
    act: (program: Program) => TaskAnswer | Promise<TaskAnswer>,
  ): Promise<TaskAnswer> {
    const { clock, random, reachable } = this.#options;
    const program = this.#programs.get(target.instance);
    if (program === undefined || (program.node !== undefined && !reachable().includes(program.node))) {
      await clock.sleep(draw([1, 50], random));
      return { kind: "unclear", message: "connection refused", neverSent: true };
    }
    const dice = this.faulty ? random.next() : 1;
    if (dice < 0.03) {
      this.counts.requestsLost++;
      await this.#pass([1_000, 10_000], signal);
      return { kind: "unclear", message: "no answer in time" };
    }
    if (dice < 0.06) this.counts.late++;
    await this.#pass(dice < 0.06 ? [5_000, 60_000] : [1, 20], new AbortController().signal);
    // A connection does not outlive the program that it was made to.
    if (this.#programs.get(target.instance) !== program) return { kind: "unclear", message: "connection reset" };
    const answer = await act(program);
    if (dice < 0.12 && dice >= 0.06) {
      this.counts.answersLost++;
      return { kind: "unclear", message: "the connection broke before the answer" };
    }
    await this.#pass([1, 20], signal);
    return answer;
  }

  #pass(range: readonly [number, number], signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    return clock.sleep(draw(range, random), signal).catch(() => undefined);
  }

  #start(program: Program, task: ExecutorTask): TaskAnswer {
    const { clock, random, isRecorded, say, capacity } = this.#options;
    const known = program.jobs.get(task.id);
    if (known !== undefined) {
      this.counts.repeated++;
      return known.answer ?? { kind: "accepted" };
    }
    if (!isRecorded(task, program.uid)) say(`${task.id} was handed to ${program.uid} before it stood in any status`);
    if (this.faulty && random.next() < 0.03) {
      this.counts.busy++;
      return { kind: "busy", message: "the queue is full" };
    }
    const leftMs = (task.deadline ?? Number.POSITIVE_INFINITY) - clock.now();
    if (leftMs <= 0) return { kind: "refused", message: "its deadline is over" };
    if (this.atWork(program.uid) >= capacity) say(`${program.uid} got ${task.id} beyond its capacity of ${capacity}`);
    const work: ExecutorWork = { task, instance: program.uid, from: clock.now(), to: undefined, outcome: undefined };
    this.#options.begins(work);
    this.log.push(work);
    const succeeds = random.next() < 0.9;
    const usualMs = random.next() < 0.2 ? draw([20_000, 120_000], random) : draw([50, 8_000], random);
    const timer = clock.after(Math.min(usualMs, leftMs), () => this.#done(program, task.id, succeeds && usualMs <= leftMs));
    program.jobs.set(task.id, { work, timer, answer: undefined, waiting: new Set() });
    return { kind: "accepted" };
  }

  async #wait(program: Program, task: ExecutorTask, signal: AbortSignal): Promise<TaskAnswer> {
    const job = program.jobs.get(task.id);
    if (job === undefined) return { kind: "unknown" };
    if (job.answer === undefined) {
      const { clock } = this.#options;
      await new Promise<void>((resolve) => {
        const over = () => {
          timer.cancel();
          job.waiting.delete(over);
          signal.removeEventListener("abort", over);
          resolve();
        };
        const timer = clock.after(pollMs, over);
        job.waiting.add(over);
        signal.addEventListener("abort", over, { once: true });
      });
    }
    if (this.#programs.get(program.uid) !== program) return { kind: "unclear", message: "connection reset" };
    return job.answer ?? { kind: "accepted" };
  }

  #cancel(program: Program, task: ExecutorTask): TaskAnswer {
    const { clock, random } = this.#options;
    const job = program.jobs.get(task.id);
    if (job !== undefined && job.answer === undefined) {
      // Some handlers do not co-operate.
      if (random.next() < 0.3) this.counts.refusedCancels++;
      else clock.after(draw([0, 5_000], random), () => this.#done(program, task.id, false));
    }
    return { kind: "accepted" };
  }

  #done(program: Program, id: string, success: boolean): void {
    const job = program.jobs.get(id);
    if (job === undefined || job.answer !== undefined || this.#programs.get(program.uid) !== program) return;
    const { clock, random } = this.#options;
    job.timer.cancel();
    job.work.to = clock.now();
    job.work.outcome = success ? "Succeeded" : "Failed";
    const result = success ? String(randomInteger(random, 1000)) : undefined;
    job.answer = { kind: "ended", outcome: job.work.outcome, message: success ? undefined : "failed", result, continue: false };
    for (const wake of [...job.waiting]) wake();
    clock.after(rememberedMs, () => program.jobs.delete(id));
  }

  /** The program is gone, and with it all that it worked on and knew. */
  #end(uid: string): void {
    const program = this.#programs.get(uid);
    if (program === undefined) return;
    this.#programs.delete(uid);
    for (const job of program.jobs.values()) {
      job.timer.cancel();
      if (job.answer === undefined) {
        job.work.to = this.#options.clock.now();
        job.work.outcome = "Died";
      }
      for (const wake of [...job.waiting]) wake();
    }
  }
}
