import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogLine } from "../../../../src/simulator/apiserver/http/log-source.ts";
import { ContainerLog } from "../../../../src/simulator/world/container-log.ts";

const forever = new AbortController().signal;

async function textOf(lines: AsyncIterable<LogLine>): Promise<string> {
  return (await Array.fromAsync(lines)).map(({ line }) => line).join("\n");
}

describe("a container's log", () => {
  it("is bounded: one old generation is kept", async () => {
    const directory = mkdtempSync(join(tmpdir(), "nuptse-log-"));
    const written = new ContainerLog({ path: join(directory, "0.log"), now: () => 1_000, maxBytes: 1_000 });
    for (let line = 0; line < 100; line++) written.append("stdout", Buffer.from(`line ${line}\n`));
    written.end();
    const lines = (await textOf(written.read({ signal: forever }))).split("\n");
    assert.equal(lines.at(-1), "line 99");
    // 47 bytes a line for one digit, 48 for two: lines 0 to 21 pass 1,000 bytes, then 21 lines each: 22-42, 43-63, 64-84; 15 are left
    assert.equal(lines.length, 21 + 15);
    assert.match(readFileSync(join(directory, "0.log"), "utf8"), /^1970-01-01T00:00:01\.000000000Z stdout F line 85\n/);
    rmSync(directory, { recursive: true });
  });

  const inFolder = async (act: (path: string) => Promise<void>) => {
    const directory = mkdtempSync(join(tmpdir(), "nuptse-log-"));
    try {
      await act(join(directory, "0.log"));
    } finally {
      rmSync(directory, { recursive: true });
    }
  };

  it("has the lines of the program, whatever else ends lines elsewhere", () =>
    inFolder(async (path) => {
      const written = new ContainerLog({ path, now: () => 1_000 });
      written.append("stdout", Buffer.from("10%\r20%\r\nodd \u2028 one\n"));
      written.end();
      const lines = await Array.fromAsync(written.read({ signal: forever }));
      assert.deepEqual(lines, [
        { time: 1_000, line: "10%\r20%\r" },
        { time: 1_000, line: "odd \u2028 one" },
      ]);
    }));

  it("on a full disk loses its lines, and nobody else anything", () =>
    inFolder(async (path) => {
      // every write to it says that there is no room
      symlinkSync("/dev/full", path);
      const written = new ContainerLog({ path, now: () => 1_000 });
      const stop = new AbortController();
      const followed = written.read({ follow: true, signal: stop.signal });
      const first = followed.next();
      for (let line = 0; line < 10; line++) written.append("stdout", Buffer.from(`line ${line}\n`));
      assert.deepEqual((await first).value?.line, "line 0");
      stop.abort();
      written.end();
      assert.equal(await textOf(written.read({ signal: forever })), "");
    }));

  it("goes on without its folder", () =>
    inFolder(async (path) => {
      mkdirSync(join(path, ".."), { recursive: true });
      const folder = `${path}.d`;
      const written = new ContainerLog({ path: join(folder, "0.log"), now: () => 1_000, maxBytes: 100 });
      rmSync(folder, { recursive: true });
      for (let line = 0; line < 10; line++) written.append("stdout", Buffer.from(`line ${line}\n`));
      written.end();
    }));

  it("keeps no more for a slow reader than for others: it misses lines, and has the last ones", () =>
    inFolder(async (path) => {
      const written = new ContainerLog({ path, now: () => 1_000, maxBytes: 10_000 });
      written.append("stdout", Buffer.from("first\n"));
      const lines = written.read({ follow: true, signal: forever });
      assert.equal((await lines.next()).value?.line, "first");
      for (let line = 0; line < 1_000; line++) written.append("stdout", Buffer.from(`line ${line}\n`));
      written.end();
      const seen = (await Array.fromAsync(lines)).map(({ line }) => line);
      assert.equal(seen.at(-1), "line 999");
      // 10,000 bytes at 64 and some each
      assert.ok(seen.length <= 160, String(seen.length));
    }));
});
