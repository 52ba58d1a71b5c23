import assert from "node:assert/strict";
import { join } from "node:path";
import { runMove } from "../../hack/move/run-move.ts";
import { Stage } from "../../src/simulator/harness/stage.ts";

describe("simulation: the move of the peak day", function () {
  this.timeout(120_000);
  const capacity = { cpu: "8", memory: "32Gi", pods: "110", "ephemeral-storage": "100Gi" };

  it("one fleet shrinks and another grows on the same machines, by one command, in under 2 minutes, and no instance is missing", async () => {
    const stage = await Stage.open({
      from: Date.UTC(2026, 10, 11, 0, 0, 0),
      nodes: ["m1", "m2", "m3", "m4"].map((name) => ({ name, capacity })),
      namespaces: [],
    });
    const { client, clock } = stage;
    const said: string[] = [];
    const result = await stage.during(() =>
      runMove({
        client,
        clock,
        root: join(import.meta.dirname, "../.."),
        signal: new AbortController().signal,
        say: (text) => void said.push(text),
        show() {},
      }),
    );
    assert.deepEqual({ ...result, peakMs: 0, backMs: 0 }, { peakMs: 0, backMs: 0, missing: 0, sameMachines: true, failed: 0 });
    assert.ok(result.peakMs < 120_000 && result.backMs < 120_000, JSON.stringify(result));
    await stage.close();
  });
});
