import assert from "node:assert/strict";
import { silentLogger } from "../../../../src/api/logger.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { startAutosave } from "../../../../src/simulator/harness/autosave.ts";

describe("saving a playground", () => {
  async function begun(options: { readonly failing?: () => boolean } = {}) {
    const clock = new VirtualClock(0);
    const saved: string[] = [];
    let revision = 1;
    const errors: string[] = [];
    const autosave = await startAutosave({
      revision: () => revision,
      async save() {
        if (options.failing?.()) throw new Error("no room");
        saved.push(`${clock.now() / 1_000} s: ${revision}`);
      },
      clock,
      logger: { ...silentLogger, error: (message) => void errors.push(message) },
    });
    return { clock, saved, errors, autosave, change: () => revision++ };
  }

  it("begins at once, goes on once a minute where something has changed, and ends with the last change", async () => {
    const { clock, saved, autosave, change } = await begun();
    await clock.runUntil(130_000);
    assert.deepEqual(saved, ["0 s: 1"]);
    change();
    await clock.runUntil(250_000);
    assert.deepEqual(saved, ["0 s: 1", "180 s: 2"]);
    change();
    await autosave.close();
    assert.deepEqual(saved, ["0 s: 1", "180 s: 2", "250 s: 3"]);
    await clock.runUntil(900_000);
    assert.equal(saved.length, 3);
  });

  it("that fails at first is refused; later it is told and tried again, and at the end it is refused", async () => {
    await assert.rejects(begun({ failing: () => true }), /no room/);
    let full = false;
    const { clock, saved, errors, autosave, change } = await begun({ failing: () => full });
    full = true;
    change();
    await clock.runUntil(60_000);
    assert.deepEqual([saved.length, errors.length], [1, 1]);
    full = false;
    await clock.runUntil(120_000);
    assert.deepEqual(saved, ["0 s: 1", "120 s: 2"]);
    change();
    full = true;
    await assert.rejects(autosave.close(), /no room/);
  });
});
