/**
 * Programs that a node needs beside Kubernetes: those of the PATH, else of the packages of this machine's own suite, unpacked into the cache. Those run with
 * the C library that is installed; nothing is installed.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { glob, mkdir, rename, rm, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../src/base/cache-folder.ts";
import { withBuildLock } from "../control-plane/build-lock.ts";
import { MissingComponent } from "../control-plane/missing-component.ts";
import { aptOfMachine, hasPackages, lastLine } from "../debian/apt.ts";
import { isExecutable, isThere, succeeds } from "../files.ts";

/** The programs, and how processes are to be started that call some of them. */
export interface NodeTools {
  readonly runc: string;
  /** A busybox that needs no library. */
  readonly busybox: string;
  /** The folder of the CNI plugins. */
  readonly cni: string;
  readonly environment: NodeJS.ProcessEnv;
}

const run = promisify(execFile);
const packages = ["runc", "containernetworking-plugins", "iptables", "busybox-static"];
const folder = join(cacheFolder(), "node", `tools-${process.arch}`);
const tree = join(folder, "tree");
const links = join(folder, "bin");
const cniFolders = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];
const iptables = ["iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"];

/** Finds the programs, fetching packages once (seconds) where they are absent. Throws MissingComponent where they cannot be had. */
export async function ensureNodeTools(): Promise<NodeTools> {
  const here = await toolsHere();
  if (here !== undefined) return here;
  await withBuildLock(join(cacheFolder(), "node"), async () => {
    if ((await toolsHere()) === undefined) await fetchTools();
  });
  const fetched = await toolsHere();
  if (fetched === undefined) throw missing(`the packages ${packages.join(", ")} do not hold them`);
  return fetched;
}

async function toolsHere(): Promise<NodeTools | undefined> {
  const path = [links, "usr/sbin", "usr/bin", "sbin", "bin"].map((part) => (part === links ? part : join(tree, part)));
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin", ...path].filter((part) => part !== "");
  const runc = await firstIn(folders, "runc");
  const busybox = await firstIn(folders, "busybox", isStatic);
  const bridge = await firstIn([...cniFolders, ...cniFolders.map((part) => join(tree, part))], "bridge");
  if (runc === undefined || busybox === undefined || bridge === undefined) return undefined;
  if ((await firstIn(folders, "iptables-save")) === undefined) return undefined;
  const libraries = await Array.fromAsync(glob(`${tree}/{usr/lib,lib}/*-linux-gnu`));
  const extensions = await Array.fromAsync(glob(`${tree}/usr/lib/*-linux-gnu/xtables`));
  return {
    runc,
    busybox,
    cni: join(bridge, ".."),
    environment: {
      ...process.env,
      PATH: folders.join(delimiter),
      ...(libraries.length > 0 && { LD_LIBRARY_PATH: libraries.join(":") }),
      ...(extensions.length > 0 && { XTABLES_LIBDIR: extensions.join(":") }),
    },
  };
}

async function fetchTools(): Promise<void> {
  if (!(await hasPackages())) throw missing(`install ${packages.join(", ")}`);
  console.error(`fetching ${packages.join(", ")} from this machine's packages (once) ...`);
  const staged = `${folder}.${randomBytes(4).toString("hex")}`;
  try {
    const apt = join(staged, "apt");
    await mkdir(join(staged, "tree"), { recursive: true });
    await mkdir(join(staged, "bin"));
    await (await aptOfMachine(apt)).unpack(packages, join(staged, "tree"));
    await rm(apt, { recursive: true });
    // that the names mean this program is otherwise said by a script of the package
    const usedMerged = (await isThere(join(staged, "tree/usr/sbin/xtables-nft-multi"))) ? "usr/sbin" : "sbin";
    for (const name of iptables) await symlink(`../tree/${usedMerged}/xtables-nft-multi`, join(staged, "bin", name));
    await rm(folder, { recursive: true, force: true });
    await rename(staged, folder);
  } catch (error) {
    await rm(staged, { recursive: true, force: true });
    throw missing(`fetching them failed: ${lastLine(error)}; install ${packages.join(", ")}`, error);
  }
}

async function firstIn(folders: readonly string[], name: string, isRight = isExecutable): Promise<string | undefined> {
  for (const candidate of folders) if (await isRight(join(candidate, name))) return join(candidate, name);
  return undefined;
}

/** Whether it is a program that needs no library: an image of nothing but it must run. */
async function isStatic(path: string): Promise<boolean> {
  return (await isExecutable(path)) && !(await succeeds(run("ldd", [path])));
}

function missing(reason: string, cause?: unknown): MissingComponent {
  return new MissingComponent("a container runtime for a node", reason, { cause });
}
