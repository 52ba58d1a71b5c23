/** What one gateway answers about one instance (GET /v1/state). */
export interface GatewayAnswer {
  /**
   * Up: it gets new connections. Drain: it keeps those that it has. Maint: it has none and gets none. Down: its check fails. Unknown: the gateway has
   * no server for it, not yet or no more.
   */
  readonly state: "Up" | "Drain" | "Maint" | "Down" | "Unknown";
  /** Open connections; 0 where the state is Unknown. */
  readonly sessions: number;
  /** When it began to say so, milliseconds since the epoch. */
  readonly since: number;
}

/** What the gateways say of the instances of an app, as far as they answered within 5 s (decision 8). */
export interface DrainView {
  /** Gateway pods that are Ready. 0 = nobody is waited for, neither to take an instance in nor to let go of it. */
  readonly gateways: number;
  /** When one of them began to answer, or ceased to, the last time, milliseconds since the epoch. */
  readonly heardSince: number;
  /** One answer of each gateway that answered; fewer than {@link DrainView.gateways} while some are silent. */
  answersOn(podUid: string): readonly GatewayAnswer[];
}

/** So long is a gateway waited for that does not take an instance in; then things go on without it (condition GatewayLagging). */
export const gatewayPatienceMs = 10_000;

const isUpAtAll = (answers: readonly GatewayAnswer[]): boolean => answers.length > 0 && answers.every(({ state }) => state === "Up");

/**
 * From when on an instance that is ready counts as one that gets traffic: when it is up at all gateways that answer, at most gatewayPatienceMs after it
 * became ready (decision 8). Undefined = from now on.
 * @param view absent = the app publishes nothing
 * @param readySince milliseconds since the epoch
 */
export function upFrom(view: DrainView | undefined, podUid: string, readySince: number, now: number): number | undefined {
  if (view === undefined || view.gateways === 0 || isUpAtAll(view.answersOn(podUid))) return undefined;
  // After the clock was set back, what became ready in what is now the future became so now.
  const until = Math.min(readySince, now) + gatewayPatienceMs;
  return until <= now ? undefined : until;
}

/**
 * From when on the gateways lag behind with an instance that is ready: gatewayPatienceMs after it became so, or after one of them said the last time that it is
 * not up there. A gateway that is replaced, and a check that fails once, come and go within that. Undefined = they do not.
 * @param view absent = the app publishes nothing
 * @param readySince milliseconds since the epoch
 */
export function lagsFrom(view: DrainView | undefined, podUid: string, readySince: number): number | undefined {
  if (view === undefined || view.gateways === 0) return undefined;
  const answers = view.answersOn(podUid);
  if (isUpAtAll(answers)) return undefined;
  const said = answers.flatMap(({ state, since }) => (state === "Up" ? [] : [since]));
  return Math.max(readySince, ...(said.length === 0 ? [view.heardSince] : said)) + gatewayPatienceMs;
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
