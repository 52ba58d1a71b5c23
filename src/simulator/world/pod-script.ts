import type { Pod } from "../../api/core.ts";
import type { Range } from "./range.ts";

/**
 * The annotation by which a pod says itself how it is to be played: a {@link PodScript} as JSON. Not below nuptse.dev/, since the operator
 * takes such annotations of templates for its own and leaves them out.
 */
export const simulateAnnotation = "simulate.nuptse.dev/script";

/** How one container is played. All times are milliseconds. */
export interface ContainerScript {
  /** How long it runs; absent = 500 to 2,000, or for ever where the pod restarts its containers. "forever" = until it is ended. */
  readonly runMs?: Range | "forever";
  /** Absent = 0. */
  readonly exitCode?: number;
  /** The termination message. */
  readonly message?: string;
  /** The lines of its log, spread evenly over its run. */
  readonly log?: readonly string[];
  /** Ends with OOMKilled(137) in place of `exitCode`. */
  readonly outOfMemory?: boolean;
  /** Never runs: StartError(128) with this message, as for a command that does not exist. */
  readonly startError?: string;
  /** How often the pull of the image fails before it works, 10 s and more apart; "forever" = it never works. */
  readonly pullFailures?: number | "forever";
  /** Never runs: CreateContainerConfigError with this message, as for a missing ConfigMap. */
  readonly configError?: string;
  /** From the sandbox, or the end of the step before, to the running container; absent = 50 to 150. A large value is a slow pull. */
  readonly startMs?: Range;
  /** What it does on TERM: dies of it (143), ends well (0) after `termMs`, or goes on until it is killed (137). Absent = dies. */
  readonly onTerm?: "dies" | "exitsZero" | "ignores";
  /** How long it takes to heed TERM; absent = 10. */
  readonly termMs?: Range;
}

/** How a pod is played: one script for its containers, with exceptions. */
export interface PodScript extends ContainerScript {
  /** From the first status to the sandbox; absent = the kubelet's usual pace. */
  readonly sandboxMs?: Range;
  /** The kubelet refuses the pod: phase Failed without any container state, as for OutOfcpu or UnexpectedAdmissionError. */
  readonly reject?: { readonly reason: string; readonly message: string };
  /** Scripts of single containers by name, over those of the pod. */
  readonly containers?: Readonly<Record<string, ContainerScript>>;
  /** Scripts by number of restarts (0 = the first start), over all others; the last one holds for all later starts. */
  readonly starts?: readonly ContainerScript[];
  /** Scripts for some items or attempts of a run, over the pod's; the first that matches counts. */
  readonly cases?: readonly (Omit<PodScript, "cases"> & { readonly item?: number | "reduce"; readonly attempt?: number })[];
}

/** The script that the pod's own annotation holds; an empty one when there is none. Throws SyntaxError when it is not JSON. */
export function annotatedScript(pod: Pod): PodScript {
  const text = pod.metadata.annotations?.[simulateAnnotation];
  return text === undefined ? {} : (JSON.parse(text) as PodScript);
}

/** The script with the case for the pod's item and attempt (labels nuptse.dev/item and nuptse.dev/attempt) laid over it. */
export function scriptFor(pod: Pod, script: PodScript): PodScript {
  const label = (name: string) => pod.metadata.labels?.[`nuptse.dev/${name}`];
  const match = script.cases?.find(
    (each) =>
      (each.item === undefined || String(each.item) === label("item")) &&
      (each.attempt === undefined || String(each.attempt) === label("attempt")),
  );
  return match === undefined ? script : { ...script, ...match };
}

/** What holds for one start of one container. */
export function containerScriptOf(script: PodScript, container: string, restartCount: number): ContainerScript {
  const starts = script.starts ?? [];
  const start = starts[Math.min(restartCount, starts.length - 1)];
  return { ...script, ...script.containers?.[container], ...start };
}
