import type { Container, Pod } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";
import { labels } from "../../api/names.ts";
import { configMaps, endpointSlices, type Resource, secrets, services } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Fields, isFields } from "../apiserver/json.ts";
import { parseQuantity } from "../apiserver/quantity.ts";
import { endpointOf, sliceLabel } from "../apiserver/service-endpoints.ts";
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
  /** Where the API server listens; absent = programs are not told. */
  readonly apiServer?: ApiServerAddress | undefined;
}

/** Where programs in pods find the API server. */
export interface ApiServerAddress {
  readonly host: string;
  readonly port: number;
}

/** What a kubelet tells all programs of the API server. */
function apiServerVariables({ apiServer }: EnvironmentOptions): Record<string, string> {
  if (apiServer === undefined) return {};
  const { host, port } = apiServer;
  return { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: String(port), KUBERNETES_SERVICE_PORT_HTTPS: String(port) };
}

/**
 * What a kubelet tells a program of the Services that are there when it starts: API_SERVICE_HOST and API_SERVICE_PORT for api. Here only of those that
 * RunnerApps publish, and in place of the address of the Service, which leads nowhere, it is that of the gateway on this machine.
 */
async function serviceVariables({ client, pod }: EnvironmentOptions): Promise<Record<string, string>> {
  const { namespace } = pod.metadata;
  if (namespace === undefined || pod.spec["enableServiceLinks"] === false) return {};
  const where = { namespace, labelSelector: labels.service };
  const published = (await client.list<KubeObject & Fields>(services, where)).items;
  const slices = published.length === 0 ? [] : (await client.list<KubeObject & Fields>(endpointSlices, where)).items;
  const variables: Record<string, string> = {};
  for (const service of published) {
    const { name } = service.metadata;
    const own = slices.filter(({ metadata }) => metadata.labels?.[sliceLabel] === name);
    const endpoint = endpointOf(service, own, firstPortOf(service));
    if (typeof endpoint === "string") continue;
    const prefix = name.toUpperCase().replaceAll("-", "_");
    variables[`${prefix}_SERVICE_HOST`] = endpoint.host;
    variables[`${prefix}_SERVICE_PORT`] = String(endpoint.port);
  }
  return variables;
}

function firstPortOf({ spec }: Fields): string {
  const [first] = isFields(spec) && Array.isArray(spec.ports) ? spec.ports : [];
  return isFields(first) ? String(first.port) : "";
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
  const result = { ...(await serviceVariables(options)), ...apiServerVariables(options) };
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

/** A map as a downward volume writes it: a line an entry, in the order of the keys. */
function mapText(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join("\n");
}

interface ResourceFieldRef {
  readonly containerName?: string;
  readonly resource: string;
  readonly divisor?: string;
}

/** What a container may use or asks for, in units of the divisor, rounded up; 0 where nothing is stated. Throws ConfigError. */
export function resourceFieldOf(pod: Pod, own: Container, ref: ResourceFieldRef | undefined): string {
  const match = /^(limits|requests)\.(.+)$/.exec(ref?.resource ?? "");
  if (ref === undefined || match === null) throw new ConfigError(`unsupported resource: ${ref?.resource ?? ""}`);
  const container = ref.containerName === undefined ? own : pod.spec.containers.find((each) => each.name === ref.containerName);
  if (container === undefined) throw new ConfigError(`container ${ref.containerName} not found`);
  const stated = container.resources?.[match[1] as "limits" | "requests"]?.[match[2] as string];
  if (stated === undefined) return "0";
  const amount = parseQuantity(String(stated))?.nano ?? 0n;
  const divisor = parseQuantity(ref.divisor ?? "1")?.nano || 1_000_000_000n;
  return String((amount + divisor - 1n) / divisor);
}

type ValueFrom = NonNullable<NonNullable<Container["env"]>[number]["valueFrom"]>;

async function referencedValue(options: EnvironmentOptions, from: ValueFrom): Promise<string | undefined> {
  if (from.fieldRef !== undefined) return fieldOf(options, from.fieldRef.fieldPath);
  const { resourceFieldRef } = from as { readonly resourceFieldRef?: ResourceFieldRef };
  if (resourceFieldRef !== undefined) return resourceFieldOf(options.pod, options.container, resourceFieldRef);
  const [resource, ref] = from.configMapKeyRef === undefined ? [secrets, from.secretKeyRef] : [configMaps, from.configMapKeyRef];
  if (ref === undefined)
    throw new ConfigError("only fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef can be used where containers are processes");
  const data = await dataOf(options, resource, ref.name, ref.optional === true);
  const value = data?.[ref.key];
  if (value === undefined && ref.optional !== true) {
    throw new ConfigError(`couldn't find key ${ref.key} in ${resource.kind} ${options.pod.metadata.namespace}/${ref.name}`);
  }
  return value;
}

/** A field of the pod by the path that a fieldRef gives. Throws ConfigError for one that cannot be had. */
export function fieldOf({ pod, node, podIP }: Pick<EnvironmentOptions, "pod" | "node" | "podIP">, path: string): string {
  const all = /^metadata\.(labels|annotations)$/.exec(path);
  if (all !== null) return mapText(pod.metadata[all[1] as "labels" | "annotations"]);
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

/** The entries of a ConfigMap or Secret as text; undefined when it is absent and that is allowed. */
async function dataOf(
  options: Pick<EnvironmentOptions, "client" | "pod">,
  resource: Resource,
  name: string,
  optional: boolean,
): Promise<Readonly<Record<string, string>> | undefined> {
  const content = await contentOf(options, resource, name, optional);
  return content && Object.fromEntries(Object.entries(content).map(([key, value]) => [key, value.toString("utf8")]));
}

/** The entries of a ConfigMap or Secret, decoded; undefined when it is absent and that is allowed. */
export async function contentOf(
  options: Pick<EnvironmentOptions, "client" | "pod">,
  resource: Resource,
  name: string,
  optional: boolean,
): Promise<Readonly<Record<string, Buffer>> | undefined> {
  const namespace = options.pod.metadata.namespace ?? "default";
  type Entries = Readonly<Record<string, string>>;
  let object: KubeObject & { readonly data?: Entries; readonly binaryData?: Entries };
  try {
    object = await options.client.get(resource, { namespace, name });
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    if (optional) return undefined;
    throw new ConfigError(`${resource.kind.toLowerCase()} "${name}" not found`);
  }
  const [text, encoded] = resource === secrets ? [{}, object.data ?? {}] : [object.data ?? {}, object.binaryData ?? {}];
  return Object.fromEntries([
    ...Object.entries(text).map(([key, value]) => [key, Buffer.from(value)] as const),
    ...Object.entries(encoded).map(([key, value]) => [key, Buffer.from(value, "base64")] as const),
  ]);
}
