import type { Logger } from "../api/logger.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { TraceRetention, TraceStore } from "./store.ts";

/** Between two looks for rows that are no longer kept. */
const intervalMs = 10 * 60_000;
/** After one that removed something, since each removes only so much. */
const soonMs = 10_000;

/** Removes what is no longer kept, for as long as the process lives. A failure is tried again at the next look. */
export function startHousekeeping(options: {
  readonly store: Pick<TraceStore, "prune">;
  readonly retention: TraceRetention;
  readonly clock: Clock;
  readonly logger: Logger;
}): { stop(): void } {
  const { store, retention, clock, logger } = options;
  let stopped = false;
  let timer: Timer = clock.after(soonMs, look);

  function look(): void {
    store.prune(retention, clock.now()).then(
      (removed) => {
        if (removed > 0) logger.debug("rows of the event trace were removed", { removed });
        again(removed > 0 ? soonMs : intervalMs);
      },
      (error: unknown) => {
        logger.warn("old rows of the event trace could not be removed", { error });
        again(intervalMs);
      },
    );
  }

  function again(waitMs: number): void {
    if (!stopped) timer = clock.after(waitMs, look);
  }

  return {
    stop() {
      stopped = true;
      timer.cancel();
    },
  };
}
