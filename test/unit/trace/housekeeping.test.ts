import assert from "node:assert/strict";
import { silentLogger } from "../../../src/api/logger.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { startHousekeeping } from "../../../src/trace/housekeeping.ts";

const retention = { maxAgeMs: 1000, maxRows: 10 };

/** Seconds at which a store was asked to remove rows in an hour, given what it answers in turn. */
async function asked(answers: readonly (number | Error)[], stopAfterMs = Number.POSITIVE_INFINITY): Promise<readonly number[]> {
  const clock = new VirtualClock(0);
  const seconds: number[] = [];
  const housekeeping = startHousekeeping({
    store: {
      prune(_, now) {
        seconds.push(now / 1000);
        const answer = answers[seconds.length - 1] ?? 0;
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
    retention,
    clock,
    logger: silentLogger,
  });
  if (stopAfterMs < 2_000_000) {
    await clock.runUntil(stopAfterMs);
    housekeeping.stop();
  }
  await clock.runUntil(2_000_000);
  return seconds;
}

describe("trace/housekeeping", () => {
  const cases = [
    { name: "looks ten seconds after the start, then every ten minutes", answers: [], want: [10, 610, 1210, 1810] },
    { name: "goes on in ten seconds while there is more to remove", answers: [100, 100, 3], want: [10, 20, 30, 40, 640, 1240, 1840] },
    { name: "tries again at the next look after a failure", answers: [new Error("locked")], want: [10, 610, 1210, 1810] },
  ];
  for (const tc of cases) it(tc.name, async () => assert.deepEqual(await asked(tc.answers), tc.want));

  it("ends when it is told to", async () => assert.deepEqual(await asked([], 700_000), [10, 610]));
});
