import type { GatewayQuestion, GatewayState, ServerReport } from "../api/gateway-state.ts";
import type { Clock } from "../base/clock.ts";
import type { ServerBoard } from "./server-board.ts";

/** Answers what the operator asks, of what HAProxy has. Rejects when HAProxy does not answer. */
export interface StateWatch {
  answer(question: GatewayQuestion, gone: AbortSignal): Promise<GatewayState>;
  /** Whoever waits is answered now. */
  close(): void;
}

export interface StateWatchOptions {
  readonly board: ServerBoard;
  readonly lagSeconds: () => number;
  readonly clock: Clock;
}

/** HAProxy is looked at again so often while somebody waits for a change. */
const lookEveryMs = 250;
const longestWaitMs = 25_000;

export function createStateWatch({ board, lagSeconds, clock }: StateWatchOptions): StateWatch {
  const ending = new AbortController();
  let version = clock.now();
  let last = "";
  let servers: readonly ServerReport[] = [];
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const found = await board.servers();
    const text = JSON.stringify(found);
    if (text === last) return;
    last = text;
    servers = found;
    version++;
  }
  /** All who wait share one look. */
  const lookOnce = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
  const lag = () => Math.round(lagSeconds() * 1000) / 1000;

  return {
    async answer({ after, figures }, gone) {
      if (figures !== undefined) return { version, lagSeconds: lag(), ...(await board.figures(figures)) };
      const until = clock.monotonic() + longestWaitMs;
      await lookOnce();
      while (version === after && clock.monotonic() < until && !gone.aborted && !ending.signal.aborted) {
        await clock.sleep(lookEveryMs, ending.signal).catch(() => undefined);
        await lookOnce();
      }
      return { version, lagSeconds: lag(), servers };
    },
    close: () => ending.abort(),
  };
}
