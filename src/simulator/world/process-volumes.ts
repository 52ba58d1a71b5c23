import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Container, Pod } from "../../api/core.ts";
import { configMaps, type Resource, secrets, serviceAccounts } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { ConfigError, contentOf, fieldOf, resourceFieldOf } from "./process-environment.ts";

/** Where a mounted volume is in a container, and where its files are on this machine. */
export interface LocalMount {
  readonly mountPath: string;
  readonly directory: string;
}

interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
}

interface Item {
  readonly key: string;
  readonly path: string;
  readonly mode?: number;
}

interface KeySource {
  readonly name?: string;
  /** As a Secret's volume writes the name. */
  readonly secretName?: string;
  readonly optional?: boolean;
  readonly items?: readonly Item[];
}

interface DownwardSource {
  readonly items?: readonly {
    readonly path: string;
    readonly mode?: number;
    readonly fieldRef?: { readonly fieldPath: string };
    readonly resourceFieldRef?: { readonly containerName?: string; readonly resource: string; readonly divisor?: string };
  }[];
}

interface TokenSource {
  readonly path: string;
  readonly audience?: string;
  readonly expirationSeconds?: number;
}

interface ProjectedSource {
  readonly configMap?: KeySource;
  readonly secret?: KeySource;
  readonly downwardAPI?: DownwardSource;
  readonly serviceAccountToken?: TokenSource;
}

interface Volume {
  readonly name: string;
  readonly configMap?: KeySource & { readonly defaultMode?: number };
  readonly secret?: KeySource & { readonly defaultMode?: number };
  readonly downwardAPI?: DownwardSource & { readonly defaultMode?: number };
  readonly projected?: { readonly sources?: readonly ProjectedSource[]; readonly defaultMode?: number };
  readonly emptyDir?: object;
  readonly hostPath?: { readonly path: string };
  readonly persistentVolumeClaim?: { readonly claimName: string };
}

/** Whose volumes are mounted, and where. */
export interface MountOptions {
  readonly client: KubeClient;
  readonly pod: Pod;
  readonly container: Container;
  readonly node: string;
  readonly podIP: string;
  /** Of the pod's volumes. */
  readonly directory: string;
  /** Of what outlives pods: claims. */
  readonly claimsDirectory: string;
}

/** One file of a volume. */
interface File {
  readonly path: string;
  readonly content: Buffer | string;
  readonly mode?: number | undefined;
}

/**
 * Makes the volumes that a container mounts directories of this machine: ConfigMaps, Secrets, fields of the pod and tokens as files, as they
 * are now; an emptyDir that goes with the pod; a claim as a directory that stays; a hostPath as what it is. Other kinds are not mounted.
 * Throws ConfigError for what is missing, else the client's error.
 */
export async function mountVolumes(options: MountOptions): Promise<readonly LocalMount[]> {
  const volumes = (options.pod.spec["volumes"] as readonly Volume[] | undefined) ?? [];
  const mounts: LocalMount[] = [];
  for (const { name, mountPath, subPath } of (options.container["volumeMounts"] as readonly VolumeMount[] | undefined) ?? []) {
    const volume = volumes.find((each) => each.name === name);
    const directory = volume === undefined ? undefined : await directoryOf(options, volume);
    if (directory === undefined) continue;
    mounts.push({
      mountPath: mountPath.replace(/(?<=.)\/+$/, ""),
      directory: subPath === undefined ? directory : join(directory, subPath),
    });
  }
  return mounts;
}

async function directoryOf(options: MountOptions, volume: Volume): Promise<string | undefined> {
  if (volume.hostPath !== undefined) return volume.hostPath.path;
  const { claimName } = volume.persistentVolumeClaim ?? {};
  const directory =
    claimName === undefined
      ? join(options.directory, volume.name)
      : join(options.claimsDirectory, `${options.pod.metadata.namespace}_${claimName}`);
  if (claimName === undefined && volume.emptyDir === undefined) {
    const files = await filesOf(options, volume);
    if (files === undefined) return undefined;
    const { defaultMode } = volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected ?? {};
    mkdirSync(directory, { recursive: true });
    for (const file of files) writeVolumeFile(directory, { ...file, mode: file.mode ?? defaultMode });
    return directory;
  }
  mkdirSync(directory, { recursive: true });
  return directory;
}

function writeVolumeFile(directory: string, { path, content, mode = 0o644 }: File): void {
  const target = join(directory, path);
  mkdirSync(dirname(target), { recursive: true });
  // the file may be there from the start of another container, and may not be writable
  writeFileSync(`${target}.new`, content, { mode });
  renameSync(`${target}.new`, target);
}

/** The files of a volume that has any; undefined for other kinds. */
async function filesOf(options: MountOptions, volume: Volume): Promise<readonly File[] | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (projected === undefined)
    return (configMap ?? secret ?? downwardAPI) ? sourceFiles(options, { ...volume } as ProjectedSource) : undefined;
  const files: File[] = [];
  for (const source of projected.sources ?? []) files.push(...(await sourceFiles(options, source)));
  return files;
}

async function sourceFiles(options: MountOptions, source: ProjectedSource): Promise<readonly File[]> {
  return [
    ...(source.configMap === undefined ? [] : await keyFiles(options, configMaps, source.configMap)),
    ...(source.secret === undefined ? [] : await keyFiles(options, secrets, source.secret)),
    ...(source.downwardAPI === undefined ? [] : downwardFiles(options, source.downwardAPI)),
    ...(source.serviceAccountToken === undefined ? [] : [await tokenFile(options, source.serviceAccountToken)]),
  ];
}

async function keyFiles(options: MountOptions, resource: Resource, source: KeySource): Promise<readonly File[]> {
  const name = source.name ?? source.secretName ?? "";
  const optional = source.optional === true;
  const data = (await contentOf(options, resource, name, optional)) ?? {};
  const items: readonly Item[] = source.items ?? Object.keys(data).map((key) => ({ key, path: key }));
  return items.flatMap(({ key, path, mode }) => {
    const content = data[key];
    if (content !== undefined) return [{ path, content, mode }];
    if (optional) return [];
    throw new ConfigError(`couldn't find key ${key} in ${resource.kind} ${options.pod.metadata.namespace}/${name}`);
  });
}

function downwardFiles(options: MountOptions, source: DownwardSource): readonly File[] {
  return (source.items ?? []).map(({ path, mode, fieldRef, resourceFieldRef }) => ({
    path,
    mode,
    content:
      fieldRef === undefined ? resourceFieldOf(options.pod, options.container, resourceFieldRef) : fieldOf(options, fieldRef.fieldPath),
  }));
}

async function tokenFile({ client, pod }: MountOptions, { path, audience, expirationSeconds = 3_600 }: TokenSource): Promise<File> {
  const { name, namespace = "default", uid } = pod.metadata;
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: { namespace, name: pod.spec.serviceAccountName ?? "default" },
    spec: {
      expirationSeconds,
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name, uid },
      ...(audience === undefined ? {} : { audiences: [audience] }),
    },
  };
  const answer = (await client.create(serviceAccounts, body, { subresource: "token" })) as unknown as {
    readonly status: { readonly token: string };
  };
  return { path, content: answer.status.token, mode: 0o600 };
}

/** A text in which every path of a mount, or below one, is the local one. */
export function withLocalPaths(text: string, mounts: readonly LocalMount[]): string {
  if (mounts.length === 0) return text;
  const directories = new Map(mounts.map(({ mountPath, directory }) => [mountPath, directory]));
  // in one go, since a local path may contain the path of another mount; the longest first, since mounts lie in one another
  const paths = [...directories.keys()]
    .sort((one, other) => other.length - one.length)
    .map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.replaceAll(new RegExp(`(?<![\\w./-])(?:${paths.join("|")})(?![\\w.-])`, "g"), (path) => directories.get(path) ?? path);
}
