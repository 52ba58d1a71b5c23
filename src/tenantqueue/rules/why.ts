import type { NamedWork, Standing, WaitingWork } from "../../api/queue-explanation.ts";
import { formatSeconds } from "../../base/time.ts";
import type { Explanation, Level } from "../../quota/explain.ts";
import { formatAmount, formatResources, type ResourceVector } from "../../quota/resource-vector.ts";

/** A workload that waits, or waits for more, as the ledger and the tree know it. Instants in milliseconds. */
export interface WaitingView {
  readonly part: string;
  readonly queue: string;
  readonly priority: number;
  readonly since: number;
  readonly allowed: number;
  readonly wanted: number;
  readonly waits?: { readonly reason: string; readonly message: string };
  /** Absent: it has no place in a tree. */
  readonly explanation?: Explanation;
  /** Open requests to others on its behalf. */
  readonly reclaims: readonly {
    readonly donor: string;
    readonly resources: ResourceVector;
    readonly state: string;
    readonly deadline: number;
    readonly isOverdue: boolean;
  }[];
  /** What it is asked itself. */
  readonly asked?: { readonly claimant: string; readonly deadline: number };
}

/** Names a workload by its id, as far as whoever asks may know. */
export type NameOf = (workload: string) => NamedWork;

/** Why a workload waits, in amounts and names for people. */
export function waitingWork(view: WaitingView, nameOf: NameOf): WaitingWork {
  const { explanation, waits, asked } = view;
  return {
    part: view.part,
    queue: view.queue,
    priority: view.priority,
    since: formatSeconds(view.since),
    allowed: view.allowed,
    wanted: view.wanted,
    ...(waits !== undefined && { reason: waits.reason, message: waits.message }),
    ...(explanation?.position !== undefined && { position: explanation.position }),
    ...(explanation?.stoppedBy !== undefined && { stoppedBy: explanation.stoppedBy }),
    ...neverFits(explanation),
    ...loses(explanation, nameOf),
    lacks: (explanation?.lacks ?? []).map(({ queue, resource, requested, free, holders }) => ({
      queue,
      resource,
      requested: formatAmount(resource, requested),
      // More may be in use than there is, when nodes are lost.
      free: formatAmount(resource, Math.max(0, free)),
      holders: holders.map((holder) => ({
        queue: holder.queue,
        used: formatAmount(resource, holder.used),
        borrowed: formatAmount(resource, holder.borrowed),
      })),
    })),
    lacksConsent: (explanation?.lacksConsent ?? []).map(({ resource, lentSeconds, over }) => ({
      resource,
      lentSeconds,
      over: formatAmount(resource, over),
    })),
    passed: explanation?.passed ?? 0,
    reclaims: view.reclaims.map(({ donor, resources, state, deadline, isOverdue }) => ({
      from: nameOf(donor),
      resources: formatResources(resources),
      state: state === "Requested" ? "Requested" : "Acknowledged",
      deadline: formatSeconds(deadline),
      overdue: isOverdue,
    })),
    ...(asked !== undefined && { gives: { claimant: asked.claimant, deadline: formatSeconds(asked.deadline) } }),
  };
}

function neverFits(explanation: Explanation | undefined): Pick<WaitingWork, "neverFits"> {
  if (explanation?.neverFits === undefined) return {};
  const { queue, resource, requested, most } = explanation.neverFits;
  return { neverFits: { queue, resource, requested: formatAmount(resource, requested), most: formatAmount(resource, most) } };
}

function loses(explanation: Explanation | undefined, nameOf: NameOf): Pick<WaitingWork, "loses"> {
  if (explanation?.loses === undefined) return {};
  const { to, under, own, other } = explanation.loses;
  return {
    loses: {
      to: nameOf(to),
      under,
      ...(own !== undefined && { own: standing(own) }),
      ...(other !== undefined && { other: standing(other) }),
    },
  };
}

function standing({ used, ...level }: Level): Standing {
  return { ...level, used: formatAmount(level.resource, used) };
}
