import { readdirSync, readFileSync } from "node:fs";
import type { Clock, Timer } from "../../base/clock.ts";

/** The variable by which the processes of a container are known wherever they go: a program may leave its group (setsid), but not what it was born with. */
export const containerIdVariable = "NUPTSE_CONTAINER_ID";

/** A look at all processes costs some milliseconds: those of containers that end together are looked for together. */
const collectMs = 250;
/** Whoever is killed may have had children in the same moment. */
const mostLooks = 5;

/** Ends what containers left behind outside of their process groups. Works where there is /proc; elsewhere such processes stay. */
export class ProcessStrays {
  readonly #clock: Clock;
  readonly #ended = new Set<string>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The first process of a container has ended, and all others go with it, within a moment. */
  ended(containerId: string): void {
    this.#ended.add(containerId);
    this.#timer ??= this.#clock.after(collectMs, () => {
      this.#timer = undefined;
      const ids = new Set(this.#ended);
      this.#ended.clear();
      for (let look = 0; look < mostLooks && killWhere((id) => ids.has(id)) > 0; look++);
    });
  }

  /** Ends all that bears an id with this beginning, now. */
  close(prefix: string): void {
    this.#timer?.cancel();
    for (let look = 0; look < mostLooks && killWhere((id) => id.startsWith(prefix)) > 0; look++);
  }
}

/** Kills the processes of the containers; returns how many that were. */
function killWhere(isMeant: (containerId: string) => boolean): number {
  let killed = 0;
  for (const pid of processes()) {
    const id = containerIdOf(pid);
    if (id === undefined || !isMeant(id)) continue;
    try {
      process.kill(pid, "SIGKILL");
      killed++;
    } catch {
      // it is gone already
    }
  }
  return killed;
}

function processes(): readonly number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function containerIdOf(pid: number): string | undefined {
  let environment: string;
  try {
    environment = readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    // gone, or somebody else's
    return undefined;
  }
  const name = `${containerIdVariable}=`;
  const at = environment.startsWith(name) ? 0 : environment.indexOf(`\0${name}`) + 1;
  if (at === 0 && !environment.startsWith(name)) return undefined;
  return environment.slice(at + name.length).split("\0", 1)[0];
}
