import assert from "node:assert/strict";
import {
  type Dealt,
  dealAverage,
  dealBroadcast,
  dealNameHashRotation,
  dealOddEven,
  dealRendezvous,
  dealRoundRobin,
  javaStringHash,
  rotate,
} from "../../../../src/elasticjob/rules/resident/strategies.ts";

/** "a:0,1 b:2 c:" */
const told = (dealt: Dealt<string>): string => dealt.map(({ instance, items }) => `${instance}:${items.join(",")}`).join(" ");

describe("Java's String.hashCode", () => {
  // Each by hand from h = 31 h + c; the last three are known for their place at the edge.
  const cases: readonly (readonly [string, number])[] = [
    ["", 0],
    ["a", 97],
    ["Aa", 2112],
    ["BB", 2112],
    ["hello", 99_162_322],
    ["polygenelubricants", -2_147_483_648],
    ["GydZG_", -2_147_483_648],
    ["DESIGNING WORKHOUSES", -2_147_483_648],
  ];
  for (const [text, want] of cases) it(`of "${text}" is ${want}`, () => assert.equal(javaStringHash(text), want));

  it("is over UTF-16 units", () => assert.equal(javaStringHash("\u{1f600}"), 0xd83d * 31 + 0xde00));
});

describe("items dealt to instances", () => {
  const average: readonly { readonly name: string; readonly instances: string; readonly total: number; readonly want: string }[] = [
    { name: "what is left over goes behind the blocks of the first", instances: "abc", total: 10, want: "a:0,1,2,9 b:3,4,5 c:6,7,8" },
    { name: "two are left over", instances: "abc", total: 8, want: "a:0,1,6 b:2,3,7 c:4,5" },
    { name: "nothing is left over", instances: "abc", total: 9, want: "a:0,1,2 b:3,4,5 c:6,7,8" },
    { name: "one each", instances: "abc", total: 3, want: "a:0 b:1 c:2" },
    { name: "fewer items than instances", instances: "abc", total: 2, want: "a:0 b:1 c:" },
    { name: "one instance has all", instances: "a", total: 3, want: "a:0,1,2" },
  ];
  for (const { name, instances, total, want } of average)
    it(`Average: ${name}`, () => assert.equal(told(dealAverage([...instances], total)), want));

  const byName: readonly { readonly name: string; readonly deal: typeof dealOddEven; readonly job: string; readonly want: string }[] = [
    { name: "an odd hash leaves the order", deal: dealOddEven, job: "a", want: "a:0 b:1 c:" },
    { name: "an even hash reverses it", deal: dealOddEven, job: "Aa", want: "c:0 b:1 a:" },
    { name: "-2^31 is even", deal: dealOddEven, job: "GydZG_", want: "c:0 b:1 a:" },
    { name: "97 mod 3 = 1", deal: dealNameHashRotation, job: "a", want: "b:0 c:1 a:" },
    { name: "2112 mod 3 = 0", deal: dealNameHashRotation, job: "Aa", want: "a:0 b:1 c:" },
    {
      name: "2^31 mod 3 = 2, though |-2^31| has no place in 32 bits",
      deal: dealNameHashRotation,
      job: "polygenelubricants",
      want: "c:0 a:1 b:",
    },
  ];
  for (const { name, deal, job, want } of byName)
    it(`${deal.name}: ${name}`, () => assert.equal(told(deal(["a", "b", "c"], 2, job)), want));

  it("OddEven leaves the list of others as it was", () => {
    const instances = ["a", "b", "c"];
    dealOddEven(instances, 3, "Aa");
    assert.deepEqual(instances, ["a", "b", "c"]);
  });

  it("RoundRobin goes on by one at each fire time, and is the same for whoever asks again", () => {
    const minute = 60_000;
    const first = (fireTime: number) => dealRoundRobin(["a", "b", "c"], 1, "report", fireTime, minute)[0]?.instance as string;
    const noon = Date.UTC(2026, 10, 21, 12);
    const turns = [0, 1, 2, 3, 4].map((turn) => first(noon + turn * minute)).join("");
    assert.ok("abcabcabc".includes(turns), turns);
    assert.equal(first(noon), turns[0]);
  });

  it("Rendezvous moves only the items of an instance that goes", () => {
    const all = ["a", "b", "c", "d"];
    const holders = (instances: readonly string[]) => {
      const byItem = new Map<number, string>();
      for (const { instance, items } of dealRendezvous(instances, 200, "report", (id) => id))
        for (const item of items) byItem.set(item, instance);
      return byItem;
    };
    const before = holders(all);
    const after = holders(["a", "c", "d"]);
    assert.equal(after.size, 200);
    for (const [item, holder] of before) if (holder !== "b") assert.equal(after.get(item), holder, `item ${item}`);
    const shares = all.map((id) => [...before.values()].filter((holder) => holder === id).length);
    for (const share of shares) assert.ok(share >= 25 && share <= 75, `shares of 200 items: ${shares.join(", ")}`);
  });

  it("Broadcast: one item each", () => assert.equal(told(dealBroadcast(["a", "b"])), "a:0 b:1"));
  it("a list is rotated to the left", () => assert.deepEqual(rotate(["a", "b", "c"], 4), ["b", "c", "a"]));
  it("an empty one stays empty", () => assert.deepEqual(rotate([], 4), []));
});
