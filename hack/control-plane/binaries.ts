/**
 * Where the binaries of the control plane and its clients come from: $KUBEBUILDER_ASSETS, or a cache that is filled once from the Go modules pinned
 * beside this file (modules/: their go.mod and go.sum name every version, so that the same sources are built everywhere).
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../src/base/cache-folder.ts";
import { isExecutable } from "../files.ts";
import { withBuildLock } from "./build-lock.ts";
import { MissingComponent } from "./missing-component.ts";

/** What can be had. */
export type BinaryName =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubectl"
  | "kubectl-1.34"
  | "helm"
  | "kubelet"
  | "kube-proxy"
  | "containerd"
  | "containerd-shim-runc-v2"
  | "ctr";

interface Source {
  /** The folder of the Go module, below modules/. */
  readonly module: "etcd" | "kubernetes" | "kubernetes-1.34" | "helm" | "containerd";
  /** The module whose version counts. */
  readonly versionedBy: string;
  readonly mainPackage: string;
  /** Of the build, with commas between. */
  readonly tags?: string;
  /** On two cores with nothing compiled before, in this order (measured). */
  readonly coldSeconds: number;
}

const modulesFolder = join(import.meta.dirname, "modules");
const kubernetes = { module: "kubernetes", versionedBy: "k8s.io/kubernetes" } as const;
const containerd = {
  module: "containerd",
  versionedBy: "github.com/containerd/containerd/v2",
  // what these need of the machine nobody here uses
  tags: "no_btrfs,no_devmapper,no_zfs",
} as const;
const sources: Readonly<Record<BinaryName, Source>> = {
  etcd: { module: "etcd", versionedBy: "go.etcd.io/etcd/server/v3", mainPackage: "go.etcd.io/etcd/server/v3", coldSeconds: 40 },
  "kube-apiserver": { ...kubernetes, mainPackage: "k8s.io/kubernetes/cmd/kube-apiserver", coldSeconds: 200 },
  "kube-controller-manager": { ...kubernetes, mainPackage: "k8s.io/kubernetes/cmd/kube-controller-manager", coldSeconds: 50 },
  "kube-scheduler": { ...kubernetes, mainPackage: "k8s.io/kubernetes/cmd/kube-scheduler", coldSeconds: 20 },
  kubectl: { ...kubernetes, mainPackage: "k8s.io/kubernetes/cmd/kubectl", coldSeconds: 20 },
  // an older client, against which the embedded API server is tried too
  "kubectl-1.34": { ...kubernetes, module: "kubernetes-1.34", mainPackage: "k8s.io/kubernetes/cmd/kubectl", coldSeconds: 90 },
  kubelet: { ...kubernetes, mainPackage: "k8s.io/kubernetes/cmd/kubelet", coldSeconds: 45 },
  "kube-proxy": { ...kubernetes, mainPackage: "k8s.io/kubernetes/cmd/kube-proxy", coldSeconds: 15 },
  containerd: { ...containerd, mainPackage: "github.com/containerd/containerd/v2/cmd/containerd", coldSeconds: 50 },
  "containerd-shim-runc-v2": {
    ...containerd,
    mainPackage: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    coldSeconds: 5,
  },
  ctr: { ...containerd, mainPackage: "github.com/containerd/containerd/v2/cmd/ctr", coldSeconds: 5 },
  helm: { module: "helm", versionedBy: "helm.sh/helm/v4", mainPackage: "helm.sh/helm/v4/cmd/helm", coldSeconds: 120 },
};
/** A kubectl older than this misreads the server. */
const oldestKubectlMinor = 34;

const run = promisify(execFile);

/**
 * The paths of the binaries called for, building what is not there yet (minutes, told on stderr; a second process waits for the first).
 * $KUBEBUILDER_ASSETS is used if it holds all of them, never mixed with ours; a kubectl of the PATH serves from 1.34 on.
 * Throws MissingComponent where a binary is absent and cannot be built.
 */
export async function ensureBinaries<Name extends BinaryName>(names: readonly Name[]): Promise<Readonly<Record<Name, string>>> {
  const found = (await fromAssets(names)) ?? (await fromCache(names));
  return found as Readonly<Record<Name, string>>;
}

async function fromAssets(names: readonly BinaryName[]): Promise<Partial<Record<BinaryName, string>> | undefined> {
  const folder = process.env.KUBEBUILDER_ASSETS;
  if (folder === undefined || folder === "") return undefined;
  const paths: Partial<Record<BinaryName, string>> = {};
  for (const name of names) {
    paths[name] = join(folder, name);
    if (!(await isExecutable(join(folder, name)))) return undefined;
  }
  return paths;
}

async function fromCache(names: readonly BinaryName[]): Promise<Partial<Record<BinaryName, string>>> {
  const paths: Partial<Record<BinaryName, string>> = {};
  const absent: BinaryName[] = [];
  for (const name of names) {
    paths[name] = await cachedPath(name);
    if (await isExecutable(paths[name])) continue;
    const ofThePath = name === "kubectl" ? await kubectlOnPath() : undefined;
    if (ofThePath === undefined) absent.push(name);
    else paths[name] = ofThePath;
  }
  if (absent.length === 0) return paths;
  const go = await findGo(absent);
  await withBuildLock(join(cacheFolder(), "control-plane"), async () => {
    for (const name of absent) {
      // another process may have built it while this one waited
      if (!(await isExecutable(await cachedPath(name)))) await build(go, name);
    }
  });
  return paths;
}

async function cachedPath(name: BinaryName): Promise<string> {
  const version = await pinnedVersion(sources[name]);
  return join(cacheFolder(), "control-plane", `${sources[name].module}-${version}-${process.platform}-${process.arch}`, name);
}

async function pinnedVersion(source: Source): Promise<string> {
  const text = await readFile(join(modulesFolder, source.module, "go.mod"), "utf8");
  const line = text.split("\n").find((candidate) => candidate.replace("require", "").trim().startsWith(`${source.versionedBy} v`));
  const version = line?.match(/ (v[0-9.]+)/)?.[1];
  if (version === undefined) throw new Error(`modules/${source.module}/go.mod requires no version of ${source.versionedBy}`);
  return version;
}

async function build(go: string, name: BinaryName): Promise<void> {
  const source = sources[name];
  const version = await pinnedVersion(source);
  const target = await cachedPath(name);
  const staged = `${target}.${randomBytes(4).toString("hex")}`;
  await mkdir(join(target, ".."), { recursive: true });
  console.error(`building ${name} ${version} with Go (once; about ${source.coldSeconds} s on two cores) ...`);
  const start = performance.now();
  try {
    await run(
      go,
      // in full, since GOFLAGS of the machine must not decide; readonly: exactly what go.mod and go.sum say
      [
        "build",
        "-mod=readonly",
        "-trimpath",
        "-buildvcs=false",
        ...(source.tags === undefined ? [] : [`-tags=${source.tags}`]),
        "-ldflags",
        linkerFlags(source, version),
        "-o",
        staged,
        source.mainPackage,
      ],
      { cwd: join(modulesFolder, source.module), env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" }, maxBuffer: 64 * 2 ** 20 },
    );
    await rename(staged, target);
  } catch (error) {
    await rm(staged, { force: true });
    throw new MissingComponent(name, `building it with ${go} failed: ${lastLines(error)}`, { cause: error });
  }
  console.error(`built ${name} in ${Math.round((performance.now() - start) / 1000)} s: ${target}`);
}

/** Without a version the binaries of Kubernetes call themselves v0.0.0-master, and clients misjudge them. */
function linkerFlags(source: Source, version: string): string {
  if (source.versionedBy !== kubernetes.versionedBy) return "-s -w";
  const [major = "", minor = ""] = version.slice(1).split(".");
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: "clean" };
  const packages = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];
  const settings = packages.flatMap((name) => Object.entries(values).map(([key, value]) => `-X ${name}.${key}=${value}`));
  return ["-s -w", ...settings].join(" ");
}

/** The `go` command, if it can build the modules: new enough, or willing to fetch the tool chain that go.mod names. */
async function findGo(wanted: readonly BinaryName[]): Promise<string> {
  const names = wanted.join(", ");
  // etcd asks for an older Go than the others
  const module = wanted.map((name) => sources[name].module).find((name) => name !== "etcd") ?? "etcd";
  const needed = await goVersionOf(module);
  const cure = `install Go ${needed} or newer (https://go.dev/doc/install; the packages of a distribution are often older), or set KUBEBUILDER_ASSETS to a folder that holds ${names}`;
  const refusals: string[] = [];
  for (const go of [...pathFolders(), "/usr/local/go/bin"].map((folder) => join(folder, "go"))) {
    if (!(await isExecutable(go))) continue;
    try {
      const { stdout } = await run(go, ["env", "GOVERSION"], { cwd: join(modulesFolder, module) });
      // a go older than 1.21 does not look at the version in go.mod, and reports its own
      if (isAtLeast(stdout.trim().replace("go", ""), needed)) return go;
      refusals.push(`${go} is version ${stdout.trim()}`);
    } catch (error) {
      refusals.push(`${go}: ${lastLines(error)}`);
    }
  }
  const reason = refusals.length === 0 ? "there is no go command here" : [...new Set(refusals)].join(", ");
  throw new MissingComponent(names, `it is built with Go, and ${reason}; ${cure}`);
}

async function goVersionOf(module: Source["module"]): Promise<string> {
  const text = await readFile(join(modulesFolder, module, "go.mod"), "utf8");
  return text.match(/^go (.+)$/m)?.[1] ?? "1.26";
}

function isAtLeast(version: string, wanted: string): boolean {
  const have = version.split(".").map((part) => Number.parseInt(part, 10));
  const need = wanted.split(".").map((part) => Number.parseInt(part, 10));
  for (const [index, part] of need.entries()) {
    const difference = (have[index] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

async function kubectlOnPath(): Promise<string | undefined> {
  const kubectl = await firstExecutable(pathFolders().map((folder) => join(folder, "kubectl")));
  if (kubectl === undefined) return undefined;
  try {
    const { stdout } = await run(kubectl, ["version", "--client", "--output=json"]);
    const version: unknown = JSON.parse(stdout).clientVersion?.gitVersion;
    return typeof version === "string" && isAtLeast(version.replace("v", ""), `1.${oldestKubectlMinor}`) ? kubectl : undefined;
  } catch {
    // not one that works: ours is built
    return undefined;
  }
}

function pathFolders(): readonly string[] {
  return (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
}

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isExecutable(path)) return path;
  return undefined;
}

function lastLines(error: unknown): string {
  const stderr = (error as { readonly stderr?: unknown }).stderr;
  const text = typeof stderr === "string" && stderr.trim() !== "" ? stderr : String((error as Error).message);
  return text.trim().split("\n").slice(-5).join("\n");
}
