/** What one gateway answers about one instance (GET /v1/state). */
export interface GatewayAnswer {
  /**
   * Up: it gets new connections. Drain: it keeps those that it has. Maint: it has none and gets none. Down: its check fails. Unknown: the gateway has
   * no server for it, not yet or no more.
   */
  readonly state: "Up" | "Drain" | "Maint" | "Down" | "Unknown";
  /** Open connections; 0 where the state is Unknown. */
  readonly sessions: number;
}

/** What the gateways say of the instances of an app, as far as they answered within 5 s (decision 8). */
export interface DrainView {
  /** Gateway pods that are Ready. 0 = nobody is waited for, neither to take an instance in nor to let go of it. */
  readonly gateways: number;
  /** One answer of each gateway that answered; fewer than {@link DrainView.gateways} while some are silent. */
  answersOn(podUid: string): readonly GatewayAnswer[];
}

/** So long is a gateway waited for that does not take an instance in; then things go on without it (condition GatewayLagging). */
export const gatewayPatienceMs = 10_000;

/** Whether an instance that is ready gets traffic. */
export interface Uptake {
  readonly isUp: boolean;
  /** It counts as up although some gateway does not have it so. */
  readonly isLagging: boolean;
  /** When it counts as up in any case; absent = it does already. */
  readonly wakeAt?: number;
}

/**
 * Whether an instance is up at all gateways that answer, at most gatewayPatienceMs after it became ready (decision 8).
 * @param view absent = the app publishes nothing
 * @param readySince milliseconds since the epoch
 */
export function uptakeOf(view: DrainView | undefined, podUid: string, readySince: number, now: number): Uptake {
  if (view === undefined || view.gateways === 0) return { isUp: true, isLagging: false };
  const answers = view.answersOn(podUid);
  if (answers.length > 0 && answers.every(({ state }) => state === "Up")) return { isUp: true, isLagging: false };
  // After the clock was set back, what became ready in what is now the future became so now.
  const until = Math.min(readySince, now) + gatewayPatienceMs;
  return until <= now ? { isUp: true, isLagging: true } : { isUp: false, isLagging: false, wakeAt: until };
}

/** Whether every gateway that answers sends the instance nothing new and has no connection to it; false where nobody answers. */
export function isQuiet(view: DrainView | undefined, podUid: string): boolean {
  const answers = view === undefined || view.gateways === 0 ? [] : view.answersOn(podUid);
  return answers.length > 0 && answers.every(({ state, sessions }) => state !== "Up" && sessions === 0);
}

/**
 * When an instance whose gate is closed is drained: `now` when it is quiet, else when the drain time is over, which is all there is to go by where nobody answers (decision 8).
 * @param view absent = the app publishes nothing
 * @param closedAt when its gate was closed, milliseconds since the epoch
 */
export function drainedAt(view: DrainView | undefined, podUid: string, closedAt: number, drainMs: number, now: number): number {
  return isQuiet(view, podUid) ? now : Math.min(closedAt, now) + drainMs;
}
