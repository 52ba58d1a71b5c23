import assert from "node:assert/strict";
import { silentLogger } from "../../../src/api/logger.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createExecutors } from "../../../src/executor/executors.ts";

describe("executors of all protocols", () => {
  it("those of XXL-JOB are given nothing before somebody hears how it ended; those of our own need nobody", async () => {
    const { clients, serveXxlAdmin, close } = createExecutors({
      clock: createSystemClock(),
      logger: silentLogger,
      knowsAll: () => true,
      tokens: async () => [],
    });
    assert.equal(clients.HTTP.hindrance?.(), undefined);
    assert.match(clients.XxlJob.hindrance?.() ?? "", /without --xxl-admin-address/);
    const admin = await serveXxlAdmin({ host: "127.0.0.1", port: 0 });
    try {
      assert.equal(clients.XxlJob.hindrance?.(), undefined);
    } finally {
      await admin.close();
      await close();
    }
  });
});
