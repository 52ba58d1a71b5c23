import { TimerGroup } from "../../base/timer-group.ts";
import { isDeepStrictEqual } from "node:util";
import type { Pod } from "../../api/core.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { ContainerExit, ContainerHandle, ContainerRuntime } from "./container-runtime.ts";
import { type Demand, demandOf } from "./pod-demand.ts";
import { allocatedPod, needsRestart, type ResizeRefusal, wantedResources } from "./pod-resize.ts";
import type { PodStatusWriter } from "./pod-status-writer.ts";
import { type ContainerSlot, containerSlots, podStatusOf } from "./pod-status.ts";
import { draw, type Range } from "./range.ts";
import { formatDelay, RestartBackoff } from "./restart-backoff.ts";

/** The pace of a kubelet's own steps. */
export interface KubeletTiming {
  /** From the binding to the first status. */
  readonly admitMs: Range;
  /** From there to the pod's sandbox. */
  readonly sandboxMs: Range;
  /** From the end of a container to its report: a real kubelet looks once a second. */
  readonly observeExitMs: Range;
  /** From the last container's report to the phase: the sandbox is taken down between. */
  readonly teardownMs: Range;
}

/** Who wants to know what really runs: the ledger. Instants are those of the fact, not of its report. */
export interface WorkObserver {
  started(pod: Pod, node: string, at: number): void;
  /** None of the pod's ordinary containers runs any longer. `exits` by container name; empty when the machine died. */
  ended(pod: Pod, node: string, at: number, exits: Readonly<Record<string, ContainerExit>>): void;
}

export interface PodWorkerOptions {
  readonly pod: Pod;
  readonly node: string;
  readonly hostIP: string;
  readonly podIP: string;
  readonly runtime: ContainerRuntime;
  readonly writer: PodStatusWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: KubeletTiming;
  readonly observer?: WorkObserver | undefined;
  /** A reason to refuse the pod before anything starts. */
  readonly refusal?: { readonly reason: string; readonly message: string } | undefined;
  /** The pod was started by a kubelet that nobody remembers: its containers are lost. */
  readonly adopted?: boolean;
  /** Whether the node has no room for the pod as it is to be; absent = it has. */
  readonly resizeRefusal?: ((pod: Pod) => ResizeRefusal | undefined) | undefined;
  /** All containers are ended, all is written, and the object is gone or terminal. */
  readonly done: () => void;
}

/**
 * One pod on one node, from admission to its end. The order of things is the real kubelet's: sandbox, init containers one by one,
 * ordinary containers side by side; a container's end is reported first and the pod's phase a teardown later; a pod that is being
 * deleted gets TERM, its grace and KILL, then its last statuses, and only then is its object taken away. What really runs (the runtime)
 * and what is reported (the writer) are kept apart, so that a silent kubelet goes on working.
 */
export class PodWorker {
  readonly #options: PodWorkerOptions;
  #pod: Pod;
  readonly #slots: ContainerSlot[];
  readonly #handles = new Map<ContainerSlot, ContainerHandle>();
  readonly #timers: TimerGroup;
  /** Containers whose end is a fact that was not reported yet. */
  readonly #unreported = new Set<ContainerSlot>();
  /** Containers that run as a matter of fact, for the observer. */
  readonly #atWork = new Set<ContainerSlot>();
  readonly #exits: Record<string, ContainerExit> = {};
  /** Containers that are ended to come again with other resources. */
  readonly #resizing = new Set<ContainerSlot>();
  /** Containers that are ended to come again with another image. */
  readonly #renewing = new Set<ContainerSlot>();
  #resize: ResizeRefusal | undefined;
  readonly #restarts: RestartBackoff;
  #phase: "Pending" | "Running" | "Succeeded" | "Failed" = "Pending";
  #sandboxReady = false;
  #startedAt = 0;
  #reason: string | undefined;
  #message: string | undefined;
  #ending: "finished" | "deleted" | "deadline" | "gone" | undefined;
  #concluded = false;
  #over = false;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#timers = new TimerGroup(options.clock);
    this.#restarts = new RestartBackoff(this.#timers);
    this.#pod = options.pod;
    this.#slots = containerSlots(options.pod);
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** What the pod holds of the node, which is not what it asks for while a resize waits. */
  get demand(): Demand {
    if (this.#resize === undefined) return demandOf(this.#pod);
    return demandOf(allocatedPod(this.#pod, new Map(this.#slots.map((slot) => [slot.container.name, slot.resources]))));
  }

  start(): void {
    const { clock, refusal, timing } = this.#options;
    this.#startedAt = clock.now();
    if (this.#options.adopted) {
      this.#takeOver();
      return;
    }
    this.#timers.after(this.#draw(timing.admitMs), () => {
      if (refusal !== undefined) {
        this.#phase = "Failed";
        this.#reason = refusal.reason;
        this.#message = refusal.message;
        this.#options.writer.write(() => ({ phase: "Failed", reason: refusal.reason, message: refusal.message }));
        this.#finish();
        return;
      }
      this.#publish();
      this.#armDeadline();
      this.#timers.after(this.#options.runtime.sandboxMs?.(this.#pod) ?? this.#draw(timing.sandboxMs), () => {
        this.#sandboxReady = true;
        this.#publish();
        this.#advance();
      });
    });
  }

  /** A newer version of the object was seen. */
  update(pod: Pod): void {
    const changed = pod.metadata.generation !== this.#pod.metadata.generation;
    this.#pod = pod;
    if (pod.metadata.deletionTimestamp === undefined) {
      if (changed) this.#changeImages();
      if (changed) this.#tryResize();
      // Whether a pod is ready is told anew when somebody writes a condition that it waits for.
      if (pod.spec.readinessGates !== undefined) this.resync();
      return;
    }
    // The end may have been written when the deletion was already decided: then only the object is left to take away.
    if (this.#over) this.#options.writer.remove();
    else this.#end("deleted");
  }

  /** Room became free on the node. */
  retryResize(): void {
    if (this.#resize !== undefined) this.#tryResize();
  }

  /** Containers whose image is another one by now are ended and come again, without a wait: to a kubelet those are new containers. */
  #changeImages(): void {
    if (this.#ending !== undefined || this.#over) return;
    const wanted = new Map([...(this.#pod.spec.initContainers ?? []), ...this.#pod.spec.containers].map((one) => [one.name, one]));
    for (const slot of this.#slots) {
      const container = wanted.get(slot.container.name);
      if (container === undefined || container.image === slot.container.image || slot.role === "init") continue;
      slot.container = container;
      const isUp = slot.state.kind === "running" || this.#unreported.has(slot);
      if (isUp) {
        this.#renewing.add(slot);
        this.#handles.get(slot)?.terminate(this.#graceMs());
      } else if (this.#handles.has(slot) || this.#restarts.isWaiting(slot)) {
        this.#handles.get(slot)?.vanish();
        this.#handles.delete(slot);
        this.#restarts.forget(slot);
        slot.state = { kind: "waiting", reason: "ContainerCreating" };
        this.#startSlot(slot);
      }
    }
  }

  /** Gives the containers what the spec asks for by now, if there is room. */
  #tryResize(): void {
    if (this.#ending !== undefined || this.#over) return;
    const wanted = new Map(this.#slots.map((slot) => [slot, wantedResources(this.#pod, slot.container.name)]));
    const changed = this.#slots.filter((slot) => !isDeepStrictEqual(wanted.get(slot), slot.resources));
    const before = this.#resize;
    this.#resize = changed.length === 0 ? undefined : this.#options.resizeRefusal?.(this.#pod);
    if (this.#resize === undefined) for (const slot of changed) this.#grant(slot, wanted.get(slot) ?? {});
    if ((changed.length > 0 && this.#resize === undefined) || !isDeepStrictEqual(before, this.#resize)) this.#publish();
  }

  #grant(slot: ContainerSlot, resources: ContainerSlot["resources"]): void {
    const restarts = slot.state.kind === "running" && needsRestart(slot.container, slot.resources, resources);
    slot.resources = resources;
    if (!restarts) return;
    this.#resizing.add(slot);
    this.#handles.get(slot)?.terminate(this.#graceMs());
  }

  /** Says again what is true: others (the node controller) may have written that the pod is not ready. */
  resync(): void {
    if (this.#sandboxReady && !this.#over) this.#publish();
  }

  /** The object is gone while something may still run here. */
  objectGone(): void {
    this.#options.writer.stop();
    this.#end("gone");
  }

  /** The kubelet ends, and nothing that is due later happens. */
  close(): void {
    this.#timers.close();
  }

  /** The machine died: whatever ran is dead, and nobody is there to say so. */
  machineLost(): void {
    this.#timers.cancel();
    for (const handle of this.#handles.values()) handle.vanish();
    this.#handles.clear();
    this.#unreported.clear();
    if (this.#atWork.size > 0) {
      this.#atWork.clear();
      this.#options.observer?.ended(this.#pod, this.#options.node, this.#options.clock.now(), {});
    }
  }

  /** The machine is up again after `machineLost`: what ran has ended by no fault of its own, what had not started never will. */
  machineBack(pod: Pod = this.#pod): void {
    this.#pod = pod;
    if (this.#over) {
      if (pod.metadata.deletionTimestamp !== undefined) this.#options.writer.remove();
      return;
    }
    if (this.#ending === "gone") {
      this.#finish();
      return;
    }
    this.#takeOver();
  }

  #takeOver(): void {
    const { clock } = this.#options;
    const now = clock.now();
    const known = new Map((this.#pod.status?.containerStatuses ?? []).map((status) => [status.name, status]));
    for (const slot of this.#slots) {
      const status = known.get(slot.container.name);
      const ended = status?.state?.terminated;
      slot.restartCount = Math.max(slot.restartCount, status?.restartCount ?? 0);
      if (slot.state.kind === "terminated") continue;
      slot.created ||= status?.containerID !== undefined && status.containerID !== "";
      if (slot.role === "init" && slot.state.kind === "waiting" && this.#pod.status?.phase === "Running") {
        slot.state = { kind: "terminated", exit: { exitCode: 0, reason: "Completed" }, startedAt: now, finishedAt: now };
        continue;
      }
      const exit =
        ended === undefined
          ? { exitCode: 255, reason: "Unknown" }
          : { ...ended, reason: ended.reason ?? "Error", exitCode: ended.exitCode };
      const startedAt = slot.state.kind === "running" ? slot.state.startedAt : undefined;
      slot.state = { kind: "terminated", exit, startedAt, finishedAt: now };
    }
    this.#sandboxReady = false;
    if (this.#pod.metadata.deletionTimestamp !== undefined) this.#ending = "deleted";
    const policy = this.#pod.spec.restartPolicy ?? "Always";
    const again = (slot: ContainerSlot) =>
      slot.role !== "init" &&
      slot.state.kind === "terminated" &&
      (policy === "Always" || (policy === "OnFailure" && slot.state.exit.exitCode !== 0));
    if (this.#ending === undefined && this.#slots.some(again)) {
      this.#sandboxReady = true;
      this.#armDeadline();
      for (const slot of this.#slots) if (again(slot)) this.#restart(slot);
      return;
    }
    this.#ending ??= "finished";
    this.#conclude();
  }

  #advance(): void {
    if (this.#ending !== undefined) return;
    for (const slot of this.#slots) {
      if (slot.role === "ordinary") break;
      const { state } = slot;
      if (slot.role === "sidecar" ? state.kind !== "waiting" : state.kind === "terminated" && state.exit.exitCode === 0) continue;
      if (!this.#handles.has(slot) && !this.#restarts.isWaiting(slot) && state.kind === "waiting") this.#startSlot(slot);
      return;
    }
    for (const slot of this.#slots) {
      if (slot.role === "ordinary" && slot.state.kind === "waiting" && !this.#handles.has(slot) && !this.#restarts.isWaiting(slot)) {
        this.#startSlot(slot);
      }
    }
  }

  #startSlot(slot: ContainerSlot): void {
    const { runtime, node, podIP, clock } = this.#options;
    const start = { pod: this.#pod, container: slot.container, role: slot.role, restartCount: slot.restartCount, node, podIP };
    // A runtime may have a word under way when the container is given up.
    const current = () => this.#handles.get(slot) === handle;
    const handle: ContainerHandle = runtime.start(start, {
      waiting: (reason, message) => {
        if (!current()) return;
        slot.state = { kind: "waiting", reason, message };
        this.#publish();
      },
      started: () => {
        if (!current()) return;
        slot.state = { kind: "running", startedAt: clock.now() };
        slot.created = true;
        slot.image = start.container.image ?? "";
        if (slot.role === "ordinary") {
          this.#phase = "Running";
          this.#atWork.add(slot);
          if (this.#atWork.size === 1) this.#options.observer?.started(this.#pod, node, clock.now());
        }
        this.#publish();
        this.#advance();
      },
      exited: (exit) => {
        if (current()) this.#exited(slot, exit);
      },
    });
    this.#handles.set(slot, handle);
  }

  #exited(slot: ContainerSlot, exit: ContainerExit): void {
    const { clock, observer, node, timing } = this.#options;
    const finishedAt = clock.now();
    const startedAt = slot.state.kind === "running" ? slot.state.startedAt : undefined;
    this.#handles.delete(slot);
    if (slot.role === "ordinary") {
      this.#exits[slot.container.name] = exit;
      // A container that never ran (StartError) has done no work: nothing to tell.
      if (this.#atWork.delete(slot) && this.#atWork.size === 0) observer?.ended(this.#pod, node, finishedAt, { ...this.#exits });
    }
    this.#unreported.add(slot);
    this.#timers.after(this.#draw(timing.observeExitMs), () => {
      this.#unreported.delete(slot);
      slot.state = { kind: "terminated", exit, startedAt, finishedAt };
      slot.created = true;
      this.#settle(slot);
    });
  }

  /** What follows from the reported end of a container. */
  #settle(slot: ContainerSlot): void {
    if (this.#ending !== undefined) {
      this.#concludeWhenIdle();
      return;
    }
    const { state } = slot;
    if (state.kind !== "terminated") return;
    const policy = slot.role === "sidecar" ? "Always" : (this.#pod.spec.restartPolicy ?? "Always");
    const failed = state.exit.exitCode !== 0;
    const again = policy === "Always" ? slot.role !== "init" || failed : policy === "OnFailure" && failed;
    if (this.#renewing.delete(slot)) this.#restarts.forget(slot);
    if (this.#resizing.delete(slot) || again) {
      this.#restart(slot);
      return;
    }
    if (slot.role === "init" && !failed) {
      this.#publish();
      this.#advance();
      return;
    }
    const ordinary = this.#slots.filter((each) => each.role === "ordinary");
    if (slot.role === "init" || ordinary.every((each) => each.state.kind === "terminated")) this.#end("finished");
    else this.#publish();
  }

  #restart(slot: ContainerSlot): void {
    const { state } = slot;
    if (state.kind !== "terminated") return;
    const ranMs = state.startedAt === undefined ? 0 : state.finishedAt - state.startedAt;
    slot.last = state;
    slot.restartCount++;
    const delayMs = this.#restarts.next(slot, ranMs);
    if (delayMs === 0) {
      slot.state = { kind: "waiting", reason: slot.role === "ordinary" ? "ContainerCreating" : "PodInitializing" };
      this.#startSlot(slot);
      return;
    }
    const pod = `${this.#pod.metadata.name}_${this.#pod.metadata.namespace}(${this.#pod.metadata.uid})`;
    const message = `back-off ${formatDelay(delayMs)} restarting failed container=${slot.container.name} pod=${pod}`;
    slot.state = { kind: "waiting", reason: "CrashLoopBackOff", message };
    this.#publish();
    this.#restarts.wait(slot, () => this.#startSlot(slot));
  }

  #end(why: "finished" | "deleted" | "deadline" | "gone"): void {
    if (this.#over) return;
    const first = this.#ending === undefined;
    const strengthens = why === "gone" || (why === "deleted" && this.#ending !== "gone");
    if (!first && !strengthens) return;
    const wasConcluded = this.#concluded;
    this.#ending = why;
    if (first) this.#restarts.cancel();
    for (const [slot, handle] of [...this.#handles]) {
      handle.terminate(this.#graceMs());
      // What had not begun to run ends without a word.
      if (slot.state.kind === "waiting") this.#handles.delete(slot);
    }
    if (why === "deadline" || (why === "finished" && this.#handles.size > 0)) this.#publish();
    if (wasConcluded) {
      if (why !== "gone") return;
      this.#timers.cancel();
      this.#finish();
      return;
    }
    this.#concludeWhenIdle();
  }

  #graceMs(): number {
    const { metadata, spec } = this.#pod;
    return (metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30) * 1_000;
  }

  #concludeWhenIdle(): void {
    if (this.#handles.size === 0 && this.#unreported.size === 0 && !this.#concluded) this.#conclude();
  }

  /** Nothing runs any more: the last statuses, then the end of the object if it is being deleted. */
  #conclude(): void {
    this.#concluded = true;
    this.#timers.cancel();
    if (this.#ending === "gone") {
      this.#finish();
      return;
    }
    const now = this.#options.clock.now();
    if (this.#ending !== "finished") {
      for (const slot of this.#slots) {
        if (slot.state.kind !== "waiting") continue;
        const exit = {
          exitCode: 137,
          reason: "ContainerStatusUnknown",
          message: "The container could not be located when the pod was terminated",
        };
        slot.state = { kind: "terminated", exit, startedAt: undefined, finishedAt: now };
      }
    }
    this.#publish();
    this.#timers.after(this.#draw(this.#options.timing.teardownMs), () => {
      const ordinary = this.#slots.filter((slot) => slot.role === "ordinary");
      const succeeded =
        this.#reason === undefined && ordinary.every((slot) => slot.state.kind === "terminated" && slot.state.exit.exitCode === 0);
      this.#phase = succeeded ? "Succeeded" : "Failed";
      this.#sandboxReady = false;
      this.#publish();
      this.#finish();
    });
  }

  #phaseIsFinal(): boolean {
    return this.#phase === "Succeeded" || this.#phase === "Failed";
  }

  #finish(): void {
    this.#over = true;
    if (this.#ending === "deleted") this.#options.writer.remove();
    this.#options.done();
  }

  #armDeadline(): void {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    if (seconds === undefined) return;
    this.#timers.after(seconds * 1_000, () => {
      if (this.#ending !== undefined) return;
      this.#reason = "DeadlineExceeded";
      this.#message = "Pod was active on the node longer than the specified deadline";
      this.#end("deadline");
    });
  }

  #publish(): void {
    if (this.#ending === "gone") return;
    // A snapshot: the writer may send it later, after the slots went on.
    const slots = this.#slots.map((slot) => ({ ...slot }));
    const { hostIP, podIP, clock } = this.#options;
    const final = this.#phaseIsFinal();
    const facts = {
      slots,
      phase: this.#phase,
      sandboxReady: this.#sandboxReady,
      startedAt: this.#startedAt,
      podIP,
      hostIP,
      // The reason comes with the final phase: until then the deadline shows only in the conditions.
      ...(final && this.#reason !== undefined ? { reason: this.#reason } : {}),
      ...(final && this.#message !== undefined ? { message: this.#message } : {}),
      deadline: this.#ending === "deadline",
      ...(this.#resize === undefined || final ? {} : { resize: this.#resize }),
      now: clock.now(),
    };
    this.#options.writer.write((latest) => podStatusOf(latest, facts));
  }

  #draw(range: Range): number {
    return draw(range, this.#options.random);
  }
}
