import assert from "node:assert/strict";
import { jobIdOf, logIdOf } from "../../../../src/executor/xxl/ids.ts";

describe("numbers for XXL-JOB", () => {
  // Wants: `printf %s 'u-1/2' | sha256sum`, the first 4 bytes without the last bit, and the first 21 and the next 32 bits.
  it("are those of the first bytes of a digest", () => {
    assert.equal(jobIdOf("u-1", 2), 1754146201);
    assert.equal(logIdOf("u-1.20261120t160000z.2.1"), 7886178926816890);
  });

  it("fit into an int32, and into the integers of JavaScript, and are never 0", () => {
    for (let item = 0; item < 10_000; item++) {
      const jobId = jobIdOf("0d9a5c3e-7a3e-4f0e-9d55-2d4f0c1f8b77", item);
      assert.ok(Number.isInteger(jobId) && jobId >= 1 && jobId < 2 ** 31, `${item}: ${jobId}`);
      const logId = logIdOf(`task.${item}`);
      assert.ok(Number.isSafeInteger(logId) && logId >= 1, `${item}: ${logId}`);
    }
  });

  it("differ for the items of a job, and for the attempts of an item", () => {
    const items = Array.from({ length: 1000 }, (_, item) => jobIdOf("u-1", item));
    assert.equal(new Set(items).size, items.length);
    assert.notEqual(logIdOf("u-1.20261120t160000z.2.1"), logIdOf("u-1.20261120t160000z.2.2"));
  });
});
