import assert from "node:assert/strict";
import fc from "fast-check";
import { IntervalSet, IntervalSetError } from "../../../src/base/interval-set.ts";

const numbers = fc.uniqueArray(fc.nat(12_000), { maxLength: 400 });

describe("interval sets", () => {
  const texts: readonly { readonly text: string | undefined; readonly want: readonly number[] }[] = [
    { text: undefined, want: [] },
    { text: "", want: [] },
    { text: "0", want: [0] },
    { text: "3,7-9", want: [3, 7, 8, 9] },
    { text: "0-3,7", want: [0, 1, 2, 3, 7] },
    { text: "31-33", want: [31, 32, 33] },
    // Bits 0 and 9: bytes 01 02.
    { text: "b64:AQI=", want: [0, 9] },
  ];
  for (const tc of texts) it(`reads ${JSON.stringify(tc.text)}`, () => assert.deepEqual([...IntervalSet.parse(tc.text)], tc.want));

  const bad: readonly { readonly text: string; readonly largest?: number; readonly want: RegExp }[] = [
    { text: "a", want: /"a" is neither a number nor an interval such as 7-9/ },
    { text: "1, 2", want: /" 2" is neither/ },
    { text: "1,", want: /"" is neither/ },
    { text: "-1", want: /neither/ },
    { text: "1.5", want: /neither/ },
    { text: "7-7", want: /"7-7" must rise/ },
    { text: "9-7", want: /must rise/ },
    { text: "3,3", want: /ascending/ },
    { text: "5-8,7", want: /"7" must come after 8/ },
    { text: "1-12", largest: 9, want: /^12 must be no more than 9$/ },
    { text: "12345678", want: /neither/ },
  ];
  for (const tc of bad)
    it(`refuses ${JSON.stringify(tc.text)}`, () => {
      assert.throws(
        () => IntervalSet.parse(tc.text, tc.largest),
        (error) => error instanceof IntervalSetError && tc.want.test(error.message),
      );
    });

  const written: readonly { readonly of: readonly number[]; readonly want: string }[] = [
    { of: [], want: "" },
    { of: [5], want: "5" },
    { of: [1, 2], want: "1-2" },
    { of: [9, 7, 8, 3], want: "3,7-9" },
  ];
  for (const tc of written) it(`writes ${JSON.stringify(tc.want)}`, () => assert.equal(new IntervalSet(tc.of).toString(), tc.want));

  it("10,000 alternating numbers take 1.7 KB as a bit map", () => {
    const set = new IntervalSet(Array.from({ length: 5000 }, (_, index) => index * 2));
    assert.match(set.toString(), /^b64:/);
    assert.ok(set.toString().length <= 1700);
  });

  it("a text of 1,024 characters is still intervals, one of 1,025 is not", () => {
    // 205 numbers of four digits and a comma each: 1,024 characters.
    const set = new IntervalSet(Array.from({ length: 205 }, (_, index) => 1000 + index * 2));
    assert.equal(set.toString().length, 1024);
    assert.match(set.toString(), /^1000,/);
    assert.match(new IntervalSet([...set, 1]).toString(), /^b64:/);
  });

  it("what is written is read back, whatever the form", () => {
    fc.assert(
      fc.property(numbers, (list) =>
        assert.deepEqual(
          [...IntervalSet.parse(new IntervalSet(list).toString())],
          [...list].sort((a, b) => a - b),
        ),
      ),
    );
  });

  it("is a set", () => {
    fc.assert(
      fc.property(numbers, numbers, (a, b) => {
        const set = new IntervalSet(a);
        const model = new Set(a);
        assert.equal(set.size, model.size);
        for (const number of b) assert.equal(set.has(number), model.has(number));
        assert.deepEqual(
          [...set.minus(new IntervalSet(b))],
          [...model].filter((number) => !b.includes(number)).sort((x, y) => x - y),
        );
        assert.equal(set.addAll(b).size, new Set([...a, ...b]).size);
        assert.equal(new IntervalSet(a).size, model.size, "minus and addAll leave others alone");
      }),
    );
  });

  it("upTo counts from 0", () => {
    assert.deepEqual([...IntervalSet.upTo(3)], [0, 1, 2]);
    assert.equal(IntervalSet.upTo(0).size, 0);
  });
});
