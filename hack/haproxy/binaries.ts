/**
 * Where tests get HAProxy from: a program on the PATH that is of the wanted branch, or a cache that is filled once with the packages of the
 * Debian suite that has it, through apt-get and with signatures checked. Nothing is installed: the packages are unpacked into a folder of
 * their own and run with the C library that came with them, which takes no rights and works beside any older one.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { access, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../control-plane/binaries.ts";
import { withBuildLock } from "../control-plane/build-lock.ts";
import { MissingComponent } from "../control-plane/missing-component.ts";

/** 3.0 is the floor, 3.2 the next one with long support, 2.6 the one that must be refused. */
export type HaproxyBranch = "2.6" | "3.0" | "3.2";

const suites: Readonly<Record<HaproxyBranch, string>> = { "2.6": "bookworm", "3.0": "trixie", "3.2": "forky" };
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const fetchWithinMs = 300_000;

const run = promisify(execFile);

/** The path of a program `haproxy` of this branch, fetched once (seconds). Throws MissingComponent where it cannot be had. */
export async function ensureHaproxy(branch: HaproxyBranch): Promise<string> {
  if ((await branchOf("haproxy")) === branch) return "haproxy";
  const folder = join(cacheFolder(), "haproxy", `${branch}-${process.arch}`);
  const program = join(folder, "haproxy");
  if (await isThere(program)) return program;
  await withBuildLock(join(cacheFolder(), "haproxy"), async () => {
    // another process may have fetched it while this one waited
    if (!(await isThere(program))) await fetchTree(branch, folder);
  });
  return program;
}

async function fetchTree(branch: HaproxyBranch, folder: string): Promise<void> {
  const missing = (reason: string, cause?: unknown) =>
    new MissingComponent(`haproxy ${branch}`, `${reason}; put a haproxy ${branch} on the PATH`, { cause });
  if (!(await isThere("/usr/bin/apt-get")) || !(await isThere(keyring))) throw missing("this is no Debian, whose packages hold it");
  const staged = `${folder}.${randomBytes(4).toString("hex")}`;
  console.error(`fetching HAProxy ${branch} from Debian's packages (once) ...`);
  try {
    const apt = join(staged, "apt");
    await writeAptFolder(apt, await debianMirror(), suites[branch]);
    const options = { env: { ...process.env, APT_CONFIG: join(apt, "apt.conf") }, timeout: fetchWithinMs, maxBuffer: 64 * 2 ** 20 };
    await run("apt-get", ["update"], options);
    await run("apt-get", ["install", "-y", "--download-only", "haproxy"], options);
    const archives = join(apt, "cache/archives");
    for (const name of await readdir(archives)) {
      if (name.endsWith(".deb")) await run("dpkg-deb", ["-x", join(archives, name), join(staged, "tree")]);
    }
    await rm(apt, { recursive: true });
    await writeFile(join(staged, "haproxy"), startScript, { mode: 0o755 });
    const found = await branchOf(join(staged, "haproxy"));
    if (found !== branch) throw new Error(`the suite ${suites[branch]} now holds ${found ?? "none that runs here"}`);
    await rename(staged, folder);
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw missing(`fetching it failed: ${lastLine(error)}`, error);
  }
}

/** HAProxy's master starts itself anew by its argv[0] when it reloads, which therefore has to be this script. */
const startScript = `#!/bin/sh
here=\${0%/*}/tree
loader=$(echo "$here"/usr/lib64/ld-linux-*.so.* "$here"/usr/lib/ld-linux-*.so.* "$here"/lib64/ld-linux-*.so.* "$here"/lib/ld-linux-*.so.*)
for file in $loader; do [ -e "$file" ] && loader=$file && break; done
libraries=$(echo "$here"/usr/lib/*-linux-gnu "$here"/lib/*-linux-gnu | tr ' ' ':')
exec "$loader" --argv0 "$0" --library-path "$libraries" "$here"/usr/sbin/haproxy "$@"
`;

/** A root of apt's own, so that neither the machine's sources nor its packages matter. */
async function writeAptFolder(folder: string, mirror: string, suite: string): Promise<void> {
  for (const part of ["etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "state/lists/partial", "cache/archives/partial"]) {
    await mkdir(join(folder, part), { recursive: true });
  }
  await writeFile(join(folder, "state/status"), "");
  // A mirror that is a frozen copy is signed as well as any; only its date has passed.
  await writeFile(join(folder, "etc/sources.list"), `deb [signed-by=${keyring} check-valid-until=no] ${mirror} ${suite} main\n`);
  const settings = [
    `Dir "${folder}";`,
    'Dir::Etc "etc";',
    'Dir::State "state";',
    `Dir::State::status "${join(folder, "state/status")}";`,
    'Dir::Cache "cache";',
    'APT::Install-Recommends "0";',
    'Acquire::Languages "none";',
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User "root";'] : []),
  ];
  await writeFile(join(folder, "apt.conf"), `${settings.join("\n")}\n`);
}

/** Where this machine gets Debian's packages from. */
async function debianMirror(): Promise<string> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"]);
  const mirror = stdout
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "")
    .find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) throw new Error("apt-get knows no mirror of Debian's packages");
  return mirror;
}

/** "3.0" of a program that answers to -v; undefined for one that does not. */
async function branchOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, ["-v"]);
    return /^HAProxy version (\d+\.\d+)\./m.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

const lastLine = (error: unknown): string =>
  (error as { readonly stderr?: string }).stderr?.trim().split("\n").at(-1) || (error instanceof Error ? error.message : String(error));

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
