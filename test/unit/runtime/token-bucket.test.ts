import assert from "node:assert/strict";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { TokenBucket } from "../../../src/runtime/token-bucket.ts";

describe("token bucket", () => {
  it("lets a burst through, then so many a second, and saves up no more than the burst", async () => {
    const clock = new VirtualClock(0);
    const bucket = new TokenBucket(clock, { burst: 3, perSecond: 2 });
    const takeAll = () => {
      let taken = 0;
      while (bucket.take()) taken += 1;
      return taken;
    };
    assert.equal(takeAll(), 3);
    await clock.runUntil(499);
    assert.equal(takeAll(), 0);
    await clock.runUntil(500);
    assert.equal(takeAll(), 1);
    assert.equal(bucket.full, false);
    await clock.runUntil(60_000);
    assert.equal(bucket.full, true);
    assert.equal(takeAll(), 3);
  });
});
