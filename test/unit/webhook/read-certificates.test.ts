import assert from "node:assert/strict";
import { silentLogger } from "../../../src/api/logger.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { readCertificates, type TlsPair } from "../../../src/webhook/read-certificates.ts";

const pair = (name: string): TlsPair => ({ certificatePem: `certificate of ${name}`, privateKeyPem: `key of ${name}` });

/** A reader of files that the test writes, and what it served. */
function bench() {
  const clock = new VirtualClock(0);
  const ending = new AbortController();
  const served: string[] = [];
  const files: { now?: TlsPair } = {};
  let failures = 0;
  const reader = readCertificates({
    read: () => (files.now === undefined ? Promise.reject(new Error("ENOENT")) : Promise.resolve(files.now)),
    clock,
    logger: silentLogger,
    metrics: {
      ...noMetrics,
      count: () => {
        failures++;
      },
    },
    onCertificate({ certificatePem, privateKeyPem }) {
      if (certificatePem.replace("certificate", "") !== privateKeyPem.replace("key", "")) throw new Error("key values mismatch");
      served.push(certificatePem);
    },
  });
  void reader.run(ending.signal);
  const pass = async (durationMs: number) => {
    await settle();
    await clock.runUntil(clock.now() + durationMs);
    await settle();
  };
  return { files, served, pass, failures: () => failures, end: () => ending.abort() };
}

describe("webhook/read-certificates", () => {
  it("serves what is there as soon as it comes, and again only when it has changed", async () => {
    const { files, served, pass, failures, end } = bench();
    await pass(3000);
    assert.ok(failures() > 0);
    files.now = pair("first");
    await pass(1000);
    await pass(300_000);
    assert.deepEqual(served, ["certificate of first"]);
    files.now = pair("second");
    await pass(60_000);
    assert.deepEqual(served, ["certificate of first", "certificate of second"]);
    end();
  });

  it("goes on with what was served while the files are gone, or only half renewed", async () => {
    const { files, served, pass, end } = bench();
    files.now = pair("first");
    await pass(1000);
    delete files.now;
    await pass(120_000);
    files.now = { ...pair("first"), certificatePem: "certificate of second" };
    await pass(60_000);
    assert.deepEqual(served, ["certificate of first"]);
    files.now = pair("second");
    await pass(60_000);
    assert.deepEqual(served, ["certificate of first", "certificate of second"]);
    end();
  });
});
