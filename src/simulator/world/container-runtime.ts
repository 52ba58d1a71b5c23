import type { Container, Pod } from "../../api/core.ts";
import type { LogSource } from "../apiserver/http/log-source.ts";
import type { StreamSource } from "../apiserver/http/stream-source.ts";

/** How a container ended. */
export interface ContainerExit {
  /** 128 + n for a program that died of signal n. */
  readonly exitCode: number;
  readonly signal?: number;
  /** Completed, Error, OOMKilled, StartError, ... */
  readonly reason: string;
  /** The termination message; absent = none. */
  readonly message?: string;
}

/** One start of one container. */
export interface ContainerStart {
  readonly pod: Pod;
  readonly container: Container;
  readonly role: "init" | "sidecar" | "ordinary";
  /** How often it was started before in this pod. */
  readonly restartCount: number;
  readonly node: string;
  readonly podIP: string;
}

/** What a runtime tells the kubelet about one start; never within the call of `start` itself, and nothing after `exited`. */
export interface ContainerListener {
  /** Not running yet, and why: ErrImagePull, ImagePullBackOff, CreateContainerConfigError. The runtime goes on trying. */
  waiting(reason: string, message: string): void;
  started(): void;
  exited(exit: ContainerExit): void;
}

/** A container that was started, or is being started. */
export interface ContainerHandle {
  /** TERM now, KILL after the grace. Called again, the shorter grace counts. What is not running yet ends at once without `exited`. */
  terminate(graceMs: number): void;
  /** Ends it without any report: its machine is gone. */
  vanish(): void;
}

/** What carries out containers for a kubelet: plays them on a clock, or runs processes. */
export interface ContainerRuntime {
  start(start: ContainerStart, listener: ContainerListener): ContainerHandle;
  /** Why the node refuses the pod before anything starts (OutOfcpu, UnexpectedAdmissionError), or undefined. */
  admit?(pod: Pod): { readonly reason: string; readonly message: string } | undefined;
  /** A time for the kubelet's own steps with this pod, in milliseconds, in place of its usual one. */
  sandboxMs?(pod: Pod): number | undefined;
  /** The address of a pod on the node; absent = one is made up. */
  podIP?(pod: Pod): string;
  /** The pod's object is gone and none of its containers runs: what is kept of it may go. */
  forget(pod: Pod): void;
  readonly logs: LogSource;
  /** Commands beside containers, and containers attached to; absent where containers are no programs. */
  readonly streams?: StreamSource;
  /** Ends all that still runs. */
  close(): Promise<void>;
}
