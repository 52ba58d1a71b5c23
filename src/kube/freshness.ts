import { compareVersions } from "./resource-version.ts";

/** A proof each tenth of a second is enough; while a watch stands still the oldest ones wait for it. */
const spacingMs = 100;
const mostAwaited = 64;

interface Proof {
  readonly version: string;
  readonly sentAt: number;
}

/**
 * How old a cache is at most, as our own writes tell: a server carries a write out no sooner than it was sent, and a watch brings what is selected in the
 * order of versions. So one that has come to the version of the answer has brought everything until then. That something has just come tells nothing by
 * itself: a watch that was held up brings old news first.
 */
export class Freshness {
  #awaited: Proof[] = [];
  #provenAt: number | undefined;

  /**
   * A write of an object that the watch selects was answered.
   * @param version the object's, which this very write gave it
   * @param sentAt monotonic milliseconds
   */
  note(version: string, sentAt: number): void {
    const last = this.#awaited.at(-1);
    if (this.#awaited.length >= mostAwaited || (last !== undefined && sentAt < last.sentAt + spacingMs)) return;
    this.#awaited.push({ version, sentAt });
  }

  /** Monotonic milliseconds of which everything is there now that the watch has come to `version`; undefined = nobody knows. */
  provenAt(version: string | undefined): number | undefined {
    if (version === undefined) return this.#provenAt;
    const awaited: Proof[] = [];
    for (const proof of this.#awaited) {
      if (compareVersions(proof.version, version) > 0) awaited.push(proof);
      else this.#provenAt = Math.max(proof.sentAt, this.#provenAt ?? proof.sentAt);
    }
    this.#awaited = awaited;
    return this.#provenAt;
  }
}
