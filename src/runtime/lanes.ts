/**
 * Carries out the actions of one plan side by side, a bounded number at once, so that one large plan does not stand before all others in
 * the client's line. Actions of one lane share a fate: the first refusal for quota withdraws those of the lane whose bytes have not been
 * sent, also the ones that already wait for a connection (their fence closes).
 */
import type { Action, ActionOutcome, ActionResult } from "../api/action.ts";
import { FencedError } from "../kube/errors.ts";
import { outcomeOfError } from "./outcome.ts";

/** Carries out one action; `fence` is false once the action is no longer wanted. */
export type Carry = (action: Action, fence: () => boolean) => Promise<ActionOutcome>;

interface Lane {
  readonly pending: number[];
  next: number;
  running: number;
  limit: number;
  refused: boolean;
}

/** The results in the order of the actions; never rejects. `concurrency` bounds all lanes together. */
export function carryOut(
  actions: readonly Action[],
  concurrency: number,
  fence: () => boolean,
  carry: Carry,
): Promise<readonly ActionResult[]> {
  if (actions.length === 0) return Promise.resolve([]);
  return new Promise((resolve) => {
    const outcomes = new Array<ActionOutcome>(actions.length);
    const lanes = lanesOf(actions);
    let running = 0;
    let left = actions.length;

    const settle = (index: number, outcome: ActionOutcome) => {
      outcomes[index] = outcome;
      left -= 1;
    };
    const withdrawRest = (lane: Lane) => {
      lane.refused = true;
      for (; lane.next < lane.pending.length; lane.next++) settle(lane.pending[lane.next] as number, { kind: "withdrawn" });
    };
    const begin = (lane: Lane) => {
      const index = lane.pending[lane.next++] as number;
      const action = actions[index] as Action;
      lane.running += 1;
      running += 1;
      const ended = (outcome: ActionOutcome) => {
        lane.running -= 1;
        running -= 1;
        settle(index, outcome);
        if (outcome.kind === "forbidden" && outcome.quota && action.tag === "create" && action.lane !== undefined) withdrawRest(lane);
        advance();
      };
      const attempt = async () => carry(action, () => !lane.refused && fence());
      attempt().then(ended, (error: unknown) => {
        ended(error instanceof FencedError && lane.refused ? { kind: "withdrawn" } : outcomeOfError(error));
      });
    };
    const advance = () => {
      // In turn over the lanes, so that a lane of thousands does not stand before the others.
      for (let progress = true; progress && running < concurrency; ) {
        progress = false;
        for (const lane of lanes) {
          if (lane.next >= lane.pending.length || lane.running >= lane.limit || running >= concurrency) continue;
          begin(lane);
          progress = true;
        }
      }
      if (left === 0) resolve(actions.map((action, index) => ({ action, outcome: outcomes[index] as ActionOutcome })));
    };
    advance();
  });
}

/** Actions without a lane are all in one of their own, which is never refused. */
function lanesOf(actions: readonly Action[]): readonly Lane[] {
  const lanes = new Map<string | undefined, Lane>();
  actions.forEach((action, index) => {
    const name = action.tag === "create" ? action.lane : undefined;
    const lane = lanes.get(name) ?? { pending: [], next: 0, running: 0, limit: Number.POSITIVE_INFINITY, refused: false };
    lanes.set(name, lane);
    lane.pending.push(index);
    if (action.tag === "create" && name !== undefined) lane.limit = Math.min(lane.limit, Math.max(1, action.laneLimit ?? lane.limit));
  });
  return [...lanes.values()];
}
