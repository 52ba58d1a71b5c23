import assert from "node:assert/strict";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { breakByMenu, breakByTurns } from "../../../src/cli/break-playground.ts";

describe("cli/break-playground", () => {
  const results: string[] = [];
  const notes: string[] = [];
  const output = { result: (line: string) => void results.push(line), note: (line: string) => void notes.push(line) };
  beforeEach(() => {
    results.length = 0;
    notes.length = 0;
  });

  it("breaks one after the other, 20 s after the one before is whole again, until the end", async () => {
    const clock = new VirtualClock(0);
    const stopped = new AbortController();
    const broken: string[] = [];
    const breaking = async (fault: string) => {
      broken.push(`${clock.now() / 1_000} s: ${fault}`);
      await clock.sleep(5_000);
    };
    const turns = breakByTurns(["lose-watch", "kill-node"], { break: breaking, output, signal: stopped.signal, clock });
    await clock.runUntil(80_000);
    assert.deepEqual(broken, ["20 s: lose-watch", "45 s: kill-node", "70 s: lose-watch"]);
    stopped.abort();
    await turns;
    await clock.runUntil(200_000);
    assert.equal(broken.length, 3);
  });

  it("asks, and takes numbers and names; the rest is said to be wrong", async () => {
    const broken: string[] = [];
    async function* lines() {
      yield "1";
      yield " crash-operator ";
      yield "9";
      yield "";
    }
    const breaking = async (fault: string) => {
      broken.push(fault);
      if (fault === "crash-operator") throw new Error("no");
    };
    await breakByMenu(lines(), { break: breaking, output, signal: new AbortController().signal });
    assert.deepEqual(broken, ["kill-node", "crash-operator"]);
    assert.deepEqual(notes.toSorted(), ["crash-operator: no", 'there is no "9" to break: write a number from 1 to 3']);
    assert.equal(results.filter((line) => line.startsWith("what shall break?")).length, 2);
    assert.match(results[1] ?? "", /1 {2}kill-node +kill a node with all that runs on it, and bring it back/);
  });
});
