import type { Pod } from "../../../api/core.ts";
import { annotations } from "../../../api/names.ts";
import type { FleetCounts, StoredFleet } from "./invariants.ts";
import { hasFailed, imageOf, inServiceGate, instancesOf, isLiving, isToRestart, readySince } from "./terms.ts";

export interface MoveJudgeOptions {
  readonly now: () => number;
  readonly say: (text: string) => void;
  readonly wasTaken: (node: string) => boolean;
  /** Whether some operator's clock is off: windows are measured by it. */
  readonly clocksOff: () => boolean;
  readonly counts: FleetCounts;
}

/** What a leader wrote before it crashed, and the next one had not seen. */
const toleranceMs = 2_000;
/** Clocks that differ by more than 30 s are found out; windows begin by one and end by another. */
const clockToleranceMs = 60_000;

/**
 * The storm brake (runnerapp.md 3.4): of instances that fail, and those of lost nodes, no more than retry.storm.moves are replaced in any window.
 * Counted is what can be nothing else: a pod that failed on a node with which nothing is wrong, and one that is made for a pod of a lost node.
 */
export class MoveJudge {
  readonly #options: MoveJudgeOptions;
  readonly #moves = new Map<string, number[]>();
  #clocksOffAt = Number.NEGATIVE_INFINITY;

  constructor(options: MoveJudgeOptions) {
    this.#options = options;
  }

  /** To be asked at every commit. */
  lookAtClocks(): void {
    if (this.#options.clocksOff()) this.#clocksOffAt = this.#options.now();
  }

  /** @param all the app's pods, this one among them */
  deleted(fleet: StoredFleet, pod: Pod, all: readonly Pod[]): void {
    const { now, wasTaken } = this.#options;
    const { recent, app } = fleet;
    const isDrained = pod.status?.conditions?.some(({ type, status }) => type === inServiceGate && status === "False") === true;
    if (
      isDrained ||
      readySince(pod) !== undefined ||
      !hasFailed(pod) ||
      pod.status?.phase === "Failed" ||
      wasTaken(pod.spec.nodeName ?? "")
    )
      return;
    const living = instancesOf(all.filter(isLiving)).length;
    const excluded = [...(app.status?.nodeRules ?? []), ...(app.spec.nodeRules ?? [])].some(({ node }) => node === pod.spec.nodeName);
    const isElse = recent.some(
      ({ terms }) => living > terms.floor || imageOf(pod) !== terms.image || isToRestart(pod, terms, now()) || terms.phase === "RolledBack",
    );
    const { [annotations.replaces]: replaces, [annotations.evacuate]: asked } = pod.metadata.annotations ?? {};
    if (excluded || isElse || replaces !== undefined || asked !== undefined) return;
    this.#note(fleet, pod);
  }

  made(fleet: StoredFleet, pod: Pod, stored: ReadonlyMap<string, { readonly pod: Pod }>): void {
    const old = stored.get(pod.metadata.annotations?.[annotations.replaces] ?? "")?.pod;
    const evacuation = fleet.app.status?.evacuations?.find((each) => each.pod === old?.metadata.uid);
    if (old !== undefined && readySince(old) === undefined && evacuation?.cause === "Lost") this.#note(fleet, pod);
  }

  #note({ terms, isMeddled, recent }: StoredFleet, pod: Pod): void {
    const { now, say, counts } = this.#options;
    counts.moves++;
    const wasOff = this.#clocksOffAt > now() - terms.windowMs;
    const from = now() - terms.windowMs + (wasOff ? clockToleranceMs : toleranceMs);
    const before = (this.#moves.get(terms.uid) ?? []).filter((at) => at > from);
    const moves = [...before, now()];
    this.#moves.set(terms.uid, moves);
    const most = Math.max(...recent.map((each) => each.terms.moves));
    if (moves.length > most && !isMeddled)
      say(`${pod.metadata.name} is move ${moves.length} within ${terms.windowMs / 1000} s, where ${most} may be`);
  }
}
