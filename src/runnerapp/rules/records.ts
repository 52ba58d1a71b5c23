import type {
  RunnerAppStatus,
  RunnerAppStatusEvacuation,
  RunnerAppStatusNodeFailure,
  RunnerAppStatusRecovery,
} from "../../api/runner-app.gen.ts";
import { formatMillis, formatSeconds, parseTime } from "../../base/time.ts";
import type { Evacuation } from "./evacuation.ts";
import type { ExclusionState } from "./node-exclusion.ts";
import type { OptionTry } from "./resource-options.ts";
import type { RetrySeries } from "./retry-series.ts";
import type { NodeBlame } from "./retry-step.ts";
import type { BrakeState } from "./storm-brake.ts";

/** What is remembered of failures and moves, as rules use it: instants in milliseconds. */
export interface Records {
  readonly series: readonly RetrySeries[];
  readonly brake: BrakeState;
  readonly exclusion: ExclusionState;
  readonly evacuations: readonly Evacuation[];
  readonly options: readonly OptionTry[];
}

/** A patch must stay below 200 KiB (decision 46): what is not recorded is not acted on either. */
const mostRecoveries = 200;
const mostEvacuations = 100;
const mostOptions = 200;

/** Reads the records of a status. What somebody wrote there by hand and cannot be read is as if it were not there. */
export function recordsOf(status: RunnerAppStatus): Records {
  return {
    series: (status.recoveries ?? []).flatMap((row) => seriesOf(row) ?? []),
    brake: (status.recentMoves ?? []).flatMap((text) => parseTime(text) ?? []),
    exclusion: {
      blames: (status.nodeFailures ?? []).flatMap((row) => blameOf(row) ?? []),
      exclusions: (status.nodeRules ?? []).flatMap(({ node, expiresAt, failures, reason }) => {
        const until = parseTime(expiresAt);
        return until === undefined ? [] : { node, until, failures: failures ?? 0, reason: reason ?? "" };
      }),
    },
    evacuations: (status.evacuations ?? []).flatMap((row) => evacuationOf(row) ?? []),
    options: status.optionTries ?? [],
  };
}

/** The same as it stands in status; lists that are empty are left out. */
export function recordsStatus({ series, brake, exclusion, evacuations, options }: Records): Partial<RunnerAppStatus> {
  const first = series.toSorted((a, b) => Number(b.move !== undefined) - Number(a.move !== undefined)).slice(0, mostRecoveries);
  const kept = new Set(first);
  return {
    ...some("recoveries", series.filter((each) => kept.has(each)).map(recoveryRow)),
    ...some("recentMoves", brake.map(formatMillis)),
    ...some(
      "nodeFailures",
      exclusion.blames.map((blame) => ({ ...blame, at: formatMillis(blame.at) })),
    ),
    ...some(
      "nodeRules",
      exclusion.exclusions.map(({ node, until, failures, reason }) => ({
        node,
        effect: "Exclude",
        failures,
        expiresAt: formatSeconds(until),
        reason,
      })),
    ),
    ...some("optionTries", options.slice(0, mostOptions)),
    ...some("evacuations", evacuations.slice(0, mostEvacuations).map(evacuationRow)),
  };
}

const some = <Field extends keyof RunnerAppStatus>(field: Field, rows: readonly unknown[]): Partial<RunnerAppStatus> =>
  rows.length === 0 ? {} : ({ [field]: rows } as Partial<RunnerAppStatus>);

function seriesOf(row: RunnerAppStatusRecovery): RetrySeries | undefined {
  const { instance, revision, pod, pinned, rounds, move } = row;
  const restartedAt = parseTime(row.restartedAt);
  const exhaustedAt = parseTime(row.exhaustedAt);
  const [decidedAt, notBefore] = [parseTime(move?.decidedAt), parseTime(move?.notBefore)];
  const isMoved = move !== undefined && decidedAt !== undefined && notBefore !== undefined;
  return {
    instance,
    revision,
    ...(restartedAt !== undefined && { restartedAt }),
    pod,
    seen: row.seen ?? [],
    sameNodeUsed: row.sameNodeUsed ?? 0,
    otherNodesUsed: row.otherNodesUsed ?? 0,
    nodes: row.nodes ?? [],
    ...(pinned !== undefined && { pinned }),
    ...(isMoved && {
      move: {
        kind: move.kind,
        pod: move.pod,
        ...(move.node !== undefined && { node: move.node }),
        decidedAt,
        notBefore,
        granted: move.granted ?? false,
      },
    }),
    ...(exhaustedAt !== undefined && { exhaustedAt }),
    ...(rounds !== undefined && { rounds }),
  };
}

function recoveryRow({ move, restartedAt, exhaustedAt, seen, ...rest }: RetrySeries): RunnerAppStatusRecovery {
  return {
    ...rest,
    ...(restartedAt !== undefined && { restartedAt: formatSeconds(restartedAt) }),
    ...(seen.length > 0 && { seen: [...seen] }),
    ...(move !== undefined && { move: { ...move, decidedAt: formatMillis(move.decidedAt), notBefore: formatMillis(move.notBefore) } }),
    ...(exhaustedAt !== undefined && { exhaustedAt: formatMillis(exhaustedAt) }),
  } as RunnerAppStatusRecovery;
}

function blameOf({ node, at, revision = "", reason = "" }: RunnerAppStatusNodeFailure): NodeBlame | undefined {
  const instant = parseTime(at);
  return instant === undefined ? undefined : { node, at: instant, revision, reason };
}

function evacuationOf(row: RunnerAppStatusEvacuation): Evacuation | undefined {
  const [since, phaseSince] = [parseTime(row.since), parseTime(row.phaseSince)];
  if (since === undefined || phaseSince === undefined || row.cause === undefined) return undefined;
  const { instance, pod, node, cause, phase, replacement } = row;
  return {
    instance,
    pod,
    node,
    cause,
    phase,
    ...(replacement !== undefined && { replacement }),
    ...(row.granted === true && { granted: true as const }),
    since,
    phaseSince,
  };
}

const evacuationRow = ({ since, phaseSince, ...rest }: Evacuation): RunnerAppStatusEvacuation => ({
  ...rest,
  since: formatMillis(since),
  phaseSince: formatMillis(phaseSince),
});
