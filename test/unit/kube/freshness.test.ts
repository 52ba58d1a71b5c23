import assert from "node:assert/strict";
import { Freshness } from "../../../src/kube/freshness.ts";

type Step = readonly ["write", version: string, sentAt: number] | readonly ["watch", version: string];

const cases: readonly { readonly name: string; readonly steps: readonly Step[]; readonly want: number | undefined }[] = [
  { name: "a watch that goes on proves nothing by itself", steps: [["watch", "900"]], want: undefined },
  {
    name: "nor does a write that it has not come to",
    steps: [
      ["watch", "11"],
      ["write", "12", 5000],
    ],
    want: undefined,
  },
  {
    name: "a watch that has come to the version of a write has all until that was sent",
    steps: [
      ["write", "12", 5000],
      ["watch", "12"],
    ],
    want: 5000,
  },
  {
    name: "or to a later version",
    steps: [
      ["write", "12", 5000],
      ["watch", "15"],
    ],
    want: 5000,
  },
  {
    name: "versions are numbers",
    steps: [
      ["write", "100", 5000],
      ["watch", "99"],
    ],
    want: undefined,
  },
  {
    name: "of several writes the last one that it has come to counts",
    steps: [
      ["write", "12", 5000],
      ["write", "14", 5200],
      ["write", "19", 5400],
      ["watch", "14"],
    ],
    want: 5200,
  },
  {
    name: "answers may come in another order than versions",
    steps: [
      ["write", "14", 5000],
      ["write", "12", 5200],
      ["watch", "13"],
    ],
    want: 5200,
  },
  {
    name: "what was proved stays so",
    steps: [
      ["write", "12", 5000],
      ["watch", "12"],
      ["write", "20", 7000],
      ["watch", "15"],
    ],
    want: 5000,
  },
];

describe("how old a cache is at most", () => {
  for (const { name, steps, want } of cases)
    it(name, () => {
      const freshness = new Freshness();
      let reached: string | undefined;
      for (const step of steps) {
        if (step[0] === "write") freshness.note(step[1], step[2]);
        else reached = step[1];
      }
      assert.equal(freshness.provenAt(reached), want);
    });

  it("while a watch stands still a bounded number of writes is kept, and it proves itself again by later ones", () => {
    const freshness = new Freshness();
    for (let at = 0; at < 120_000; at += 10) freshness.note(String(1000 + at), at);
    assert.ok((freshness.provenAt("999999") as number) < 10_000);
    freshness.note("2000000", 130_000);
    assert.equal(freshness.provenAt("2000000"), 130_000);
  });
});
