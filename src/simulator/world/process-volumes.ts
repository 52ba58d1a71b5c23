import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Container, Pod } from "../../api/core.ts";
import { configMaps } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { ConfigError, dataOf } from "./process-environment.ts";

/** Where a mounted volume is in a container, and where its files are on this machine. */
export interface LocalMount {
  readonly mountPath: string;
  readonly directory: string;
}

interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
}

interface Volume {
  readonly name: string;
  readonly configMap?: {
    readonly name: string;
    readonly optional?: boolean;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
}

/**
 * Writes the ConfigMaps that a container mounts into a directory of this machine, as they are now. Other volumes are not mounted. Throws
 * ConfigError for what is missing, else the client's error.
 * @param directory of the pod's volumes
 */
export async function mountConfigMaps(
  client: KubeClient,
  pod: Pod,
  container: Container,
  directory: string,
): Promise<readonly LocalMount[]> {
  const volumes = (pod.spec["volumes"] as readonly Volume[] | undefined) ?? [];
  const mounts: LocalMount[] = [];
  for (const { name, mountPath } of (container["volumeMounts"] as readonly VolumeMount[] | undefined) ?? []) {
    const source = volumes.find((volume) => volume.name === name)?.configMap;
    if (source === undefined) continue;
    const data = (await dataOf({ client, pod }, configMaps, source.name, source.optional === true)) ?? {};
    const local = join(directory, name);
    mkdirSync(local, { recursive: true });
    for (const { key, path } of source.items ?? Object.keys(data).map((each) => ({ key: each, path: each }))) {
      const text = data[key];
      if (text === undefined && source.optional !== true)
        throw new ConfigError(`couldn't find key ${key} in ConfigMap ${pod.metadata.namespace}/${source.name}`);
      mkdirSync(dirname(join(local, path)), { recursive: true });
      writeFileSync(join(local, path), text ?? "");
    }
    mounts.push({ mountPath: mountPath.replace(/\/+$/, ""), directory: local });
  }
  return mounts;
}

/** A text in which every path below a mount is the local one. */
export function withLocalPaths(text: string, mounts: readonly LocalMount[]): string {
  let local = text;
  for (const { mountPath, directory } of mounts) local = local.replaceAll(mountPath, () => directory);
  return local;
}
