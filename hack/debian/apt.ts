/**
 * Debian's packages, fetched by apt-get with signatures checked and unpacked into a folder: nothing is installed, no script of a package runs.
 */
import { execFile } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { isThere } from "../files.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const fetchWithinMs = 300_000;
const run = promisify(execFile);

/** An apt-get of our own: its lists and archives are in a folder, and the machine's are not touched. */
export interface AptFolder {
  /** For commands that call apt-get themselves. */
  readonly environment: NodeJS.ProcessEnv;
  /** Fetches the packages, and what they depend on that is not there already, and unpacks them into `tree`. Throws where that fails. */
  unpack(packages: readonly string[], tree: string): Promise<void>;
}

/** Whether Debian's packages can be had here, of any suite. */
export async function hasDebianArchive(): Promise<boolean> {
  return (await isThere("/usr/bin/apt-get")) && (await isThere(keyring));
}

/** Whether the packages of this machine's own suite can be had. */
export function hasPackages(): Promise<boolean> {
  return isThere("/usr/bin/apt-get");
}

/** For a suite of Debian, whatever this machine is; nothing counts as installed. Fetches the suite's list of packages. */
export async function aptOfSuite(folder: string, suite: string): Promise<AptFolder> {
  await makeFolders(folder);
  for (const part of ["etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d"]) await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, "state/status"), "");
  // A mirror that is a frozen copy is signed as well as any; only its date has passed.
  const source = `deb [signed-by=${keyring} check-valid-until=no] ${await debianMirror()} ${suite} main\n`;
  await writeFile(join(folder, "etc/sources.list"), source);
  return await updated(folder, [
    `Dir "${folder}";`,
    'Dir::Etc "etc";',
    'Dir::State "state";',
    `Dir::State::status "${join(folder, "state/status")}";`,
    'Dir::Cache "cache";',
  ]);
}

/** For this machine's own suite: its sources, and what is installed here is not fetched again. Fetches the lists of packages. */
export async function aptOfMachine(folder: string): Promise<AptFolder> {
  await makeFolders(folder);
  const lists = [`Dir::State::lists "${join(folder, "state/lists")}";`, `Dir::Cache "${join(folder, "cache")}";`];
  // nothing is installed, so whoever is installing something need not be waited for
  return await updated(folder, [...lists, 'Debug::NoLocking "true";', 'APT::Get::Upgrade "false";']);
}

async function makeFolders(folder: string): Promise<void> {
  for (const part of ["state/lists/partial", "cache/archives/partial"]) await mkdir(join(folder, part), { recursive: true });
}

async function updated(folder: string, settings: readonly string[]): Promise<AptFolder> {
  const all = [
    ...settings,
    'APT::Install-Recommends "0";',
    'Acquire::Languages "none";',
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User "root";'] : []),
  ];
  const configuration = join(folder, "apt.conf");
  await writeFile(configuration, `${all.join("\n")}\n`);
  const environment = { ...process.env, APT_CONFIG: configuration };
  const options = { env: environment, timeout: fetchWithinMs, maxBuffer: 64 * 2 ** 20 };
  await run("apt-get", ["update"], options);
  return {
    environment,
    async unpack(packages, tree) {
      await run("apt-get", ["install", "-y", "--download-only", ...packages], options);
      const archives = join(folder, "cache/archives");
      for (const name of await readdir(archives)) {
        if (name.endsWith(".deb")) await run("dpkg-deb", ["-x", join(archives, name), tree]);
      }
    },
  };
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

/** The last line of what a command that failed said. */
export const lastLine = (error: unknown): string =>
  (error as { readonly stderr?: string }).stderr?.trim().split("\n").at(-1) || (error instanceof Error ? error.message : String(error));
