// Writes src/simulator/apiserver/http/protobuf-types.gen.ts: how the kinds that typed clients send are encoded in protobuf, read from the
// Go types of k8s.io/api and k8s.io/apimachinery, whose tags say field numbers, JSON names and what is a pointer.
// Usage: node hack/generate-protobuf-types.ts <path of k8s.io/api> <path of k8s.io/apimachinery>
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [apiPath = "", machineryPath = ""] = process.argv.slice(2);

const roots = [
  ..."Pod PodTemplate Namespace Node ConfigMap Secret ServiceAccount Service Endpoints Event ResourceQuota LimitRange PersistentVolumeClaim PersistentVolume ReplicationController Binding"
    .split(" ")
    .map((kind) => `core.v1.${kind}`),
  ..."Deployment ReplicaSet ControllerRevision StatefulSet DaemonSet".split(" ").map((kind) => `apps.v1.${kind}`),
  "batch.v1.Job",
  "batch.v1.CronJob",
  "events.v1.Event",
  "coordination.v1.Lease",
  "discovery.v1.EndpointSlice",
  "scheduling.v1.PriorityClass",
  "policy.v1.PodDisruptionBudget",
  "policy.v1.Eviction",
  "autoscaling.v1.Scale",
  "autoscaling.v2.HorizontalPodAutoscaler",
  "networking.v1.Ingress",
  "networking.v1.NetworkPolicy",
  ..."Role RoleBinding ClusterRole ClusterRoleBinding".split(" ").map((kind) => `rbac.v1.${kind}`),
  ..."SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview LocalSubjectAccessReview"
    .split(" ")
    .map((kind) => `authorization.v1.${kind}`),
  ..."SelfSubjectReview TokenReview TokenRequest".split(" ").map((kind) => `authentication.v1.${kind}`),
  ..."ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding ValidatingWebhookConfiguration MutatingWebhookConfiguration"
    .split(" ")
    .map((kind) => `admissionregistration.v1.${kind}`),
  "meta.v1.DeleteOptions",
];

/** Types with a form of their own, by the package and name that Go code uses for them. */
const special: Readonly<Record<string, string>> = {
  "meta.v1.Time": "t",
  "meta.v1.MicroTime": "m",
  "resource.Quantity": "q",
  "intstr.IntOrString": "i",
  "runtime.RawExtension": "j",
  "meta.v1.FieldsV1": "j",
};
const scalars: Readonly<Record<string, string>> = {
  string: "s",
  bool: "b",
  int: "n",
  int32: "n",
  int64: "n",
  float64: "d",
  "types.UID": "s",
};

interface Package {
  readonly name: string;
  readonly source: string;
  /** What the package's file calls others: "metav1" is "meta.v1". */
  readonly imports: ReadonlyMap<string, string>;
}

const packages = new Map<string, Package | undefined>();

function packageOf(name: string): Package | undefined {
  if (!packages.has(name)) packages.set(name, readPackage(name));
  return packages.get(name);
}

function readPackage(name: string): Package | undefined {
  const folder = name.startsWith("meta.") ? join(machineryPath, "pkg/apis", name.replace(".", "/")) : join(apiPath, name.replace(".", "/"));
  const files = ["types.go", "micro_time.go"].map((file) => join(folder, file)).filter((file) => existsSync(file));
  if (files.length === 0) return undefined;
  const source = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const imports = new Map<string, string>();
  for (const [, alias, path = ""] of source.matchAll(/^\t(?:(\w+) )?"k8s\.io\/(?:api|apimachinery\/pkg\/apis)\/([\w/]+)"$/gm)) {
    imports.set(alias ?? path.split("/").at(-1) ?? "", path.replace("/", "."));
  }
  return { name, source, imports };
}

/** A Go type as the table writes it. */
function encode(type: string, from: Package): string {
  if (type.startsWith("*")) return `*${encode(type.slice(1), from)}`;
  if (type === "[]byte") return "y";
  if (type.startsWith("[]")) return `[]${encode(type.slice(2), from)}`;
  const map = /^map\[[\w.]+\](.+)$/.exec(type);
  if (map !== null) return `{}${encode(map[1] ?? "", from)}`;
  const scalar = scalars[type];
  if (scalar !== undefined) return scalar;
  const [prefix, local] = type.includes(".") ? (type.split(".") as [string, string]) : ["", type];
  const owner = prefix === "" ? from.name : (from.imports.get(prefix) ?? prefix);
  const full = `${owner}.${local}`;
  const known = special[full];
  if (known !== undefined) return known;
  const home = packageOf(owner);
  const underlying =
    home === undefined ? undefined : new RegExp(`^type ${local} ((?:\\[\\]|map\\[)?[^\\s{=]+)$`, "m").exec(home.source)?.[1];
  if (home !== undefined && underlying !== undefined && underlying !== "struct") {
    // a list with a name of its own is a message around the list
    const inner = encode(underlying, home);
    return inner.startsWith("[]") ? `L${inner}` : inner;
  }
  visit(full);
  return `@${full}`;
}

const lines = new Map<string, string>();

function visit(name: string): void {
  if (lines.has(name)) return;
  lines.set(name, "");
  const at = name.lastIndexOf(".");
  const home = packageOf(name.slice(0, at));
  const body = home === undefined ? null : new RegExp(`^type ${name.slice(at + 1)} struct \\{\\n([\\s\\S]*?)^\\}`, "m").exec(home.source);
  if (home === undefined || body === null) throw new Error(`there is no type ${name}`);
  const fields: string[] = [];
  for (const [, declared, tags = ""] of (body[1] ?? "").matchAll(/^\t([^\n`/]+?)\s*`([^`]*)`/gm)) {
    const number = /protobuf:"\w+,(\d+),/.exec(tags)?.[1];
    const json = /json:"([^",]*)(,[^"]*)?"/.exec(tags);
    if (number === undefined || json === null) continue;
    const type = (declared ?? "").trim().split(/\s+/).at(-1) ?? "";
    const inline = (json[2] ?? "").includes("inline");
    fields.push(`${number}:${inline ? "" : json[1]}:${encode(type, home)}`);
  }
  lines.set(name, [name, ...fields].join(" "));
}

for (const root of roots) visit(root);

writeFileSync(
  new URL("../src/simulator/apiserver/http/protobuf-types.gen.ts", import.meta.url),
  `// Generated by hack/generate-protobuf-types.ts from the Go types of k8s.io/api and k8s.io/apimachinery v0.36.3
// (Copyright The Kubernetes Authors, Apache License 2.0). Do not edit.

/** One line a message: its name, then number:field:type. protobuf.ts says what the type letters mean. */
export const protobufTypeLines = \`
${[...lines.values()].sort().join("\n")}
\`;
`,
);
