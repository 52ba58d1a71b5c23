import type { Container, Pod } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";
import { configMaps, type Resource, secrets } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { statusOf } from "./failure.ts";

/** A container cannot be created as its spec says: what CreateContainerConfigError shows. It may work later. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export interface EnvironmentOptions {
  readonly client: KubeClient;
  readonly pod: Pod;
  readonly container: Container;
  readonly node: string;
  readonly podIP: string;
  /** The file in place of the container's terminationMessagePath. */
  readonly terminationLog: string;
}

/** Names whose value is the path of the termination message: programs write their result there. */
const resultFileNames = new Set(["NUPTSE_RESULT_FILE", "TERMINATION_LOG"]);

interface Source {
  readonly configMapRef?: { readonly name: string; readonly optional?: boolean };
  readonly secretRef?: { readonly name: string; readonly optional?: boolean };
  readonly prefix?: string;
}

/**
 * The environment of a container as the kubelet makes it: envFrom first, then env in its order, `$(NAME)` replaced by what was defined
 * before. Paths of the termination message become the local file. Throws ConfigError for what is missing, else the client's error.
 */
export async function environmentOf(options: EnvironmentOptions): Promise<Readonly<Record<string, string>>> {
  const { container } = options;
  const result: Record<string, string> = {};
  for (const source of (container["envFrom"] as readonly Source[] | undefined) ?? []) {
    const ref = source.configMapRef ?? source.secretRef;
    if (ref === undefined) continue;
    const data = await dataOf(options, source.configMapRef === undefined ? secrets : configMaps, ref.name, ref.optional === true);
    for (const [key, value] of Object.entries(data ?? {})) result[(source.prefix ?? "") + key] = value;
  }
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined ? expand(variable.value ?? "", result) : await referencedValue(options, variable.valueFrom);
    if (value !== undefined) result[variable.name] = toLocalFile(variable.name, value, options);
  }
  return result;
}

/** Replaces `$(NAME)` by its value; what is not defined stays, and `$$(NAME)` is a literal `$(NAME)`. */
export function expand(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (match, name: string | undefined) => {
    if (match === "$$") return "$";
    return name === undefined ? match : (variables[name] ?? match);
  });
}

function toLocalFile(name: string, value: string, options: EnvironmentOptions): string {
  const path = options.container.terminationMessagePath ?? "/dev/termination-log";
  return value === path || (resultFileNames.has(name) && value.startsWith("/")) ? options.terminationLog : value;
}

type ValueFrom = NonNullable<NonNullable<Container["env"]>[number]["valueFrom"]>;

async function referencedValue(options: EnvironmentOptions, from: ValueFrom): Promise<string | undefined> {
  if (from.fieldRef !== undefined) return fieldOf(options, from.fieldRef.fieldPath);
  const [resource, ref] = from.configMapKeyRef === undefined ? [secrets, from.secretKeyRef] : [configMaps, from.configMapKeyRef];
  if (ref === undefined)
    throw new ConfigError("only fieldRef, configMapKeyRef and secretKeyRef can be used where containers are processes");
  const data = await dataOf(options, resource, ref.name, ref.optional === true);
  const value = data?.[ref.key];
  if (value === undefined && ref.optional !== true) {
    throw new ConfigError(`couldn't find key ${ref.key} in ${resource.kind} ${options.pod.metadata.namespace}/${ref.name}`);
  }
  return value;
}

function fieldOf({ pod, node, podIP }: EnvironmentOptions, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata[keyed[1] as "labels" | "annotations"]?.[keyed[2] ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
      return pod.metadata.name;
    case "metadata.namespace":
      return pod.metadata.namespace ?? "";
    case "metadata.uid":
      return pod.metadata.uid ?? "";
    case "spec.nodeName":
      return node;
    case "spec.serviceAccountName":
      return pod.spec.serviceAccountName ?? "default";
    case "status.podIP":
    case "status.podIPs":
      return podIP;
    case "status.hostIP":
    case "status.hostIPs":
      return "127.0.0.1";
    default:
      throw new ConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** The entries of a ConfigMap or Secret, decoded; undefined when it is absent and that is allowed. */
export async function dataOf(
  options: Pick<EnvironmentOptions, "client" | "pod">,
  resource: Resource,
  name: string,
  optional: boolean,
): Promise<Readonly<Record<string, string>> | undefined> {
  const namespace = options.pod.metadata.namespace ?? "default";
  let object: KubeObject & { readonly data?: Readonly<Record<string, string>> };
  try {
    object = await options.client.get(resource, { namespace, name });
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    if (optional) return undefined;
    throw new ConfigError(`${resource.kind.toLowerCase()} "${name}" not found`);
  }
  if (resource !== secrets) return object.data ?? {};
  return Object.fromEntries(Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]));
}
