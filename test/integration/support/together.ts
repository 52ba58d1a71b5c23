import { setTimeout as sleep } from "node:timers/promises";

/** One test of a group whose tests wait side by side. */
export interface Scenario {
  readonly name: string;
  run(): Promise<void>;
}

/** Between two begins, so that a machine of two cores is not asked for everything in one second. */
const staggerMs = 400;

/**
 * Called in a `describe`: makes a test of each scenario. All begin in a `before`, one shortly after the other, since they wait for real seconds and
 * each has objects of its own; each test then tells how its scenario ended.
 */
export function together(scenarios: readonly Scenario[]): void {
  const ends = new Map<string, Promise<void>>();
  before("begin all scenarios", () => {
    for (const [index, { name, run }] of scenarios.entries()) {
      const end = sleep(index * staggerMs).then(run);
      end.catch(() => undefined);
      ends.set(name, end);
    }
  });
  for (const { name } of scenarios) it(name, () => ends.get(name));
}
