import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findHaproxy } from "../../../src/gateway/local-haproxy.ts";

describe("an HAProxy of this machine", () => {
  const folder = mkdtempSync(join(tmpdir(), "nuptse-local-haproxy-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const programOf = (name: string, version: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\necho 'HAProxy version ${version} 2026/01/01 - https://haproxy.org/'\n`, { mode: 0o755 });
    return path;
  };

  it("is used when it is new enough", async () => {
    const program = programOf("new", "3.0.11-1");
    assert.deepEqual(await findHaproxy(program), { program });
  });

  const refused = [
    { name: "that is too old", program: () => programOf("old", "2.6.12-1"), want: /^HAProxy 2\.6\.12 is too old: 3\.0 or newer is needed/ },
    {
      name: "that is not there",
      program: () => join(folder, "none"),
      want: /^this machine has no HAProxy \(.*\/none\): install the package haproxy, 3\.0 or newer$/,
    },
    { name: "that is something else", program: () => "/bin/true", want: /^this machine has no HAProxy \(\/bin\/true\)/ },
  ];
  for (const { name, program, want } of refused)
    it(`${name} is told of`, async () => {
      const found = await findHaproxy(program());
      assert.match("problem" in found ? found.problem : "", want);
    });
});
