import assert from "node:assert/strict";
import fc from "fast-check";
import { exceedsWhole, formatPercentage, parsePercentage, proportionOf, shareOf } from "../../../src/base/percentage.ts";

describe("percentages", () => {
  const texts: readonly { readonly name: string; readonly text: string; readonly want: number | undefined }[] = [
    { name: "a whole one", text: "50%", want: 50_000 },
    { name: "with decimals", text: "12.5%", want: 12_500 },
    { name: "a third, as exactly as can be said", text: "33.333%", want: 33_333 },
    { name: "nothing", text: "0%", want: 0 },
    { name: "more than the whole is read, too", text: "150%", want: 150_000 },
    { name: "four decimals are none", text: "33.3333%", want: undefined },
    { name: "a quantity is none", text: "50", want: undefined },
    { name: "a negative one is none", text: "-5%", want: undefined },
    { name: "blanks are none", text: "5 %", want: undefined },
  ];
  for (const tc of texts) it(`${tc.name}: ${tc.text}`, () => assert.equal(parsePercentage(tc.text), tc.want));

  it("are written as they were read", () => {
    for (const text of ["50%", "12.5%", "33.333%", "0%"]) assert.equal(formatPercentage(parsePercentage(text) ?? Number.NaN), text);
  });

  it("the whole does not exceed itself", () => {
    assert.deepEqual([exceedsWhole(100_000), exceedsWhole(100_001)], [false, true]);
  });

  it("a share is rounded down", () => {
    assert.equal(shareOf(10_000, 33_333), 3333);
    assert.equal(shareOf(1, 99_999), 0);
  });

  it("shares and proportions are exact beyond 2^53", () => {
    // 2^48 x 66,667 / 100,000 = 187,650,805,937,821.86...; as a product of floating point numbers it would have been rounded first.
    assert.equal(shareOf(2 ** 48, 66_667), Number((2n ** 48n * 66_667n) / 100_000n));
    assert.equal(proportionOf(2 ** 47, 2 ** 47, 2 ** 48), 2 ** 46);
  });

  it("shares of one whole that add up to 100% never come to more than it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 }), fc.integer({ min: 0, max: 100_000 }), (units, share) => {
        assert.ok(shareOf(units, share) + shareOf(units, 100_000 - share) <= units);
      }),
    );
  });
});
