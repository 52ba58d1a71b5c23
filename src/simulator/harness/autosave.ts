import type { Logger } from "../../api/logger.ts";
import type { Clock, Timer } from "../../base/clock.ts";

export interface AutosaveOptions {
  /** The version of what is saved: nothing is written while it stays the same. */
  readonly revision: () => number;
  readonly save: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Saves a playground now and then, so that a power cut costs little. */
export interface Autosave {
  /** Saves for the last time what has changed since. Rejects when that cannot be written. */
  close(): Promise<void>;
}

const everyMs = 60_000;

/** Saves at once, and then once a minute when something has changed. Rejects when the first time fails: better than to learn of it at the end. */
export async function startAutosave({ revision, save, clock, logger }: AutosaveOptions): Promise<Autosave> {
  let saved: number | undefined;
  let writing: Promise<void> = Promise.resolve();
  let timer: Timer | undefined;
  const saveChanges = async (): Promise<void> => {
    const now = revision();
    if (now === saved) return;
    await save();
    saved = now;
  };
  const arm = (): void => {
    timer = clock.after(everyMs, () => {
      writing = saveChanges()
        .catch((error: unknown) => logger.error("the playground could not be saved", { error }))
        .then(arm);
    });
  };
  await saveChanges();
  arm();
  return {
    async close() {
      timer?.cancel();
      await writing;
      timer?.cancel();
      await saveChanges();
    },
  };
}
