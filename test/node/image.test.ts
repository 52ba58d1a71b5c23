import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, glob, lstat, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { imageCompileCache, imageConfiguration, imageProgram, imageUser } from "../../hack/image/contents.ts";
import { buildLayers } from "../../hack/image/layers.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { skipUnless } from "../support/skip.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

describe("the image's root file system", function () {
  this.timeout(timeLimits.test);
  let folder: string;
  let tree: string;
  const layers = skipUnless(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-image-"));
    return buildLayers(root, folder);
  });
  before("unpack it", async () => {
    tree = join(folder, "tree");
    await run("mkdir", [tree]);
    for (const { path } of layers().layers) await run("tar", ["--extract", "--file", path, "--directory", tree, "--no-same-owner"]);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("has every library that a program of it needs", async () => {
    const [loader] = await Array.fromAsync(glob(`${tree}/usr/lib*/ld-linux*.so.*`));
    const folders = await Array.fromAsync(glob(`${tree}/usr/lib/*-linux-gnu`));
    assert.ok(loader);
    for (const program of ["usr/sbin/haproxy", "usr/bin/node"]) {
      const listed: { readonly stdout: string } = await run(loader, ["--library-path", folders.join(":"), "--list", join(tree, program)]);
      // those that are not found there are found on the machine that tests, or not at all
      const libraries = [...listed.stdout.matchAll(/^\s*(\S+) => (.*)$/gm)];
      assert.ok(libraries.length > 3, listed.stdout);
      assert.deepEqual(
        libraries.filter(([, , path = ""]) => !path.startsWith(tree)).map(([line]) => line),
        [],
        program,
      );
    }
  });

  it("has no shell, and nothing that runs as somebody else", async () => {
    const files = await readdir(tree, { recursive: true, withFileTypes: true });
    const shells = files.filter(
      (file) => !file.isDirectory() && ["sh", "bash", "dash", "busybox", "perl", "apt-get", "dpkg"].includes(file.name),
    );
    assert.deepEqual(
      shells.map(({ name }) => name),
      [],
    );
    const modes = await Promise.all(files.filter((file) => file.isFile()).map(async (file) => lstat(join(file.parentPath, file.name))));
    assert.equal(modes.filter(({ mode }) => (mode & 0o6000) !== 0).length, 0);
  });

  it("has a compile cache of its user, filled", async () => {
    const [version, ...others] = await readdir(join(tree, imageCompileCache));
    assert.deepEqual(others, []);
    assert.match(version ?? "", new RegExp(`-${imageUser}$`));
    assert.ok((await readdir(join(tree, imageCompileCache, version ?? ""))).length > 5);
  });

  it("starts from that cache, whatever the limit of the heap", async function () {
    if (process.getuid?.() !== 0) this.skip();
    await chmod(folder, 0o755);
    const environment = {
      NODE_COMPILE_CACHE: join(tree, imageCompileCache),
      NODE_COMPILE_CACHE_PORTABLE: "1",
      NODE_DEBUG_NATIVE: "COMPILE_CACHE",
      NODE_OPTIONS: "--max-old-space-size-percentage=70",
    };
    const [, ...args] = imageConfiguration.Entrypoint.map((part) => part.replace(imageProgram, join(tree, imageProgram)));
    const said = await run(join(tree, "usr/bin/node"), [...args, "operator", "--kubeconfig", "/nonexistent"], {
      env: environment,
      uid: imageUser,
      gid: imageUser,
      maxBuffer: 2 ** 24,
    }).catch((error: { readonly stderr: string }) => error);
    assert.match(said.stderr, /cache for ESM file:\S+\/nuptse\.js was accepted/);
    assert.doesNotMatch(said.stderr, /rejected/);
  });

  it("asks the plug-in of a kubeconfig, of whose library the bundle has only a part", async () => {
    const kubeconfig = join(folder, "kubeconfig");
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "/nonexistent", interactiveMode: "Never" };
    await writeFile(
      kubeconfig,
      JSON.stringify({
        "current-context": "c",
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
        users: [{ name: "u", user: { exec } }],
      }),
    );
    const args = [join(tree, imageProgram), "operator", "--kubeconfig", kubeconfig];
    await assert.rejects(run(join(tree, "usr/bin/node"), args), /credential plug-in of context "c" .* failed: spawn \/nonexistent ENOENT/);
  });

  it("keeps the licences of what it took", async () => {
    const documents = await readdir(join(tree, "usr/share/doc"), { recursive: true });
    for (const name of ["haproxy", "libc6", "libssl3t64"]) {
      assert.ok(
        documents.some((path) => path === join(name, "copyright")),
        `${name}: ${documents.map((path) => basename(path))}`,
      );
    }
  });
});
