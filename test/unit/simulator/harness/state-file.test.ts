import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readStateFile, type SavedPlayground, writeStateFile } from "../../../../src/simulator/harness/state-file.ts";

const configMap = (name: string, text: string) => ({
  group: "",
  plural: "configmaps",
  object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", resourceVersion: "7" }, data: { text } },
});

const saved: SavedPlayground = {
  state: {
    revision: 1_234,
    // characters that end lines elsewhere, and enough objects for several turns of writing
    entries: [configMap("odd", "a\u2028b\u2029c\r\nd"), ...Array.from({ length: 450 }, (_, index) => configMap(`m-${index}`, "x"))],
  },
  identity: { caPem: "ca", certificatePem: "cert", privateKeyPem: "key", token: "secret" },
  savedAt: 1_700_000_000_000,
};

describe("a saved playground", () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-state-"));
    path = join(folder, "lab.state");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is read as it was written, and only its owner may read it", async () => {
    await writeStateFile(path, saved, "0.1.0");
    assert.deepEqual(await readStateFile(path, "0.1.0"), saved);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ["lab.state"]);
  });

  it("of nothing is one too", async () => {
    const empty = { ...saved, state: { revision: 1, entries: [] } };
    await writeStateFile(path, empty, "0.1.0");
    assert.deepEqual(await readStateFile(path, "0.1.0"), empty);
  });

  it("that cannot be written leaves the former one as it was, and no draft", async () => {
    await writeStateFile(path, saved, "0.1.0");
    const before = await readFile(path);
    // it fails in the middle, as on a full disk
    const broken = {
      ...saved,
      state: { revision: 1, entries: [{ group: "", plural: "x", object: { toJSON: () => assert.fail("full") } }] },
    };
    await assert.rejects(writeStateFile(path, broken as unknown as SavedPlayground, "0.1.0"), /full/);
    assert.ok((await readFile(path)).equals(before));
    assert.deepEqual(await readdir(folder), ["lab.state"]);
    await assert.rejects(writeStateFile(join(folder, "nowhere", "lab.state"), saved, "0.1.0"), { code: "ENOENT" });
  });

  const changes: readonly { readonly name: string; readonly change: (text: string) => string; readonly want: RegExp }[] = [
    { name: "is empty", change: () => "", want: /lab\.state: this is no saved playground/ },
    { name: "is something else", change: () => "apiVersion: v1\nkind: Pod\n", want: /this is no saved playground/ },
    { name: "is JSON of something else", change: () => "{}\n{}\n", want: /this is no saved playground/ },
    {
      name: "is newer",
      change: (text) => text.replace('"version":1', '"version":2').replace('"program":"0.1.0"', '"program":"3.0.0"'),
      want: /saved by nuptse 3\.0\.0 in format 2; this is nuptse 0\.1\.0, which knows none above 1/,
    },
    { name: "has a damaged first line", change: (text) => text.replace('"caPem"', '"ca"'), want: /its first line is damaged/ },
    {
      name: "ends after its first line",
      change: (text) => `${text.split("\n")[0]}\n`,
      want: /cut short: the end is missing after 0 objects/,
    },
    {
      name: "ends between two objects",
      change: (text) => text.split("\n").slice(0, 11).join("\n"),
      want: /cut short: the end is missing after 9/,
    },
    { name: "ends within an object", change: (text) => text.slice(0, 5_000), want: /cut short: the end is missing/ },
    { name: "has a line that is no object", change: (text) => text.replace(/\n\["","configmaps",/, "\n[7,"), want: /line 2 is no object/ },
    {
      name: "has one character changed",
      change: (text) => text.replace('"m-7"', '"m-8"'),
      want: /damaged: its contents are not what was saved/,
    },
    { name: "has lost an object", change: (text) => text.replace(/\n[^\n]*"m-7"[^\n]*/, ""), want: /damaged: its contents/ },
  ];
  for (const { name, change, want } of changes) {
    it(`is refused where it ${name}`, async () => {
      await writeStateFile(path, saved, "0.1.0");
      await writeFile(path, change(await readFile(path, "utf8")));
      await assert.rejects(readStateFile(path, "0.1.0"), { name: "StateFileError", message: want });
    });
  }
  it("is refused where it is not there, or a folder", async () => {
    await assert.rejects(readStateFile(path, "0.1.0"), { name: "StateFileError", message: /lab\.state: there is no such file/ });
    await assert.rejects(readStateFile(folder, "0.1.0"), { name: "StateFileError", message: /EISDIR/ });
  });
});
