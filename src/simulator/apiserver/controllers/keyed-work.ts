import type { Timer } from "../../../base/clock.ts";

/** Work by key: what is asked for many times before it is done is done once, a moment later. */
export class KeyedWork {
  readonly #later: (action: () => void) => Timer;
  readonly #act: (key: string) => void;
  readonly #waiting = new Set<string>();

  constructor(later: (action: () => void) => Timer, act: (key: string) => void) {
    this.#later = later;
    this.#act = act;
  }

  enqueue(key: string): void {
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#later(() => {
      this.#waiting.delete(key);
      this.#act(key);
    });
  }
}
