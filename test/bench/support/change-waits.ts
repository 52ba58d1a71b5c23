/** Whoever waits for what a watch is going to show: each condition is looked at anew whenever something has changed. */
export class ChangeWaits {
  readonly #checks = new Set<() => void>();

  /** Something has changed. */
  changed(): void {
    for (const check of this.#checks) check();
  }

  /** Resolves as soon as it is so; rejects after `withinMs` with what `missing` says then. */
  async until(isSo: () => boolean, withinMs: number, missing: () => string): Promise<void> {
    const done = Promise.withResolvers<void>();
    const check = () => {
      if (isSo()) done.resolve();
    };
    const timer = setTimeout(() => done.reject(new Error(`${missing()} after ${withinMs} ms`)), withinMs);
    this.#checks.add(check);
    check();
    try {
      await done.promise;
    } finally {
      clearTimeout(timer);
      this.#checks.delete(check);
    }
  }
}
