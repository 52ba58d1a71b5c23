// Writes src/simulator/apiserver/kinds/builtin-types.gen.ts: the field types of the built-in kinds that the embedded API server holds,
// taken from the structured-merge schema in client-go, which is what a real API server merges and owns fields by.
// Usage: node hack/generate-builtin-types.ts <path of k8s.io/client-go>/applyconfigurations/internal/internal.go
import { readFileSync, writeFileSync } from "node:fs";
import { load } from "js-yaml";

interface TypeRef {
  readonly scalar?: string;
  readonly namedType?: string;
  readonly list?: { readonly elementType: TypeRef; readonly elementRelationship?: string; readonly keys?: readonly string[] };
  readonly map?: MapType;
  readonly elementRelationship?: string;
}
interface MapType {
  readonly fields?: readonly { readonly name: string; readonly type: TypeRef; readonly default?: unknown }[];
  readonly elementType?: TypeRef;
  readonly elementRelationship?: string;
}
interface NamedType extends TypeRef {
  readonly name: string;
}

const roots = [
  "core.v1.Pod",
  "core.v1.PodTemplate",
  "core.v1.Namespace",
  "core.v1.Node",
  "core.v1.ConfigMap",
  "core.v1.Secret",
  "core.v1.ServiceAccount",
  "core.v1.Service",
  "core.v1.Endpoints",
  "core.v1.Event",
  "core.v1.ResourceQuota",
  "core.v1.LimitRange",
  "core.v1.PersistentVolumeClaim",
  "core.v1.PersistentVolume",
  "core.v1.ReplicationController",
  "events.v1.Event",
  "coordination.v1.Lease",
  "apps.v1.Deployment",
  "apps.v1.ReplicaSet",
  "apps.v1.ControllerRevision",
  "discovery.v1.EndpointSlice",
  "scheduling.v1.PriorityClass",
  "policy.v1.PodDisruptionBudget",
  "rbac.v1.Role",
  "rbac.v1.RoleBinding",
  "rbac.v1.ClusterRole",
  "rbac.v1.ClusterRoleBinding",
  "admissionregistration.v1.ValidatingAdmissionPolicy",
  "admissionregistration.v1.ValidatingAdmissionPolicyBinding",
  "admissionregistration.v1.MutatingAdmissionPolicy",
  "admissionregistration.v1.MutatingAdmissionPolicyBinding",
  "admissionregistration.v1.ValidatingWebhookConfiguration",
  "admissionregistration.v1.MutatingWebhookConfiguration",
  "batch.v1.Job",
  "batch.v1.CronJob",
  "apps.v1.StatefulSet",
  "apps.v1.DaemonSet",
  "networking.v1.Ingress",
  "networking.v1.NetworkPolicy",
  "autoscaling.v2.HorizontalPodAutoscaler",
];

/** Scalars with a grammar of their own. */
const special: Readonly<Record<string, string>> = {
  "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
  "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
  "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "m",
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "i",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "*",
  "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "*",
  __untyped_deduced_: "*",
  __untyped_atomic_: "*",
};

const scalars: Readonly<Record<string, string>> = { string: "s", numeric: "n", boolean: "b", untyped: "u" };

const source = readFileSync(process.argv[2] ?? "", "utf8");
const yaml = source.slice(source.indexOf("YAMLObject(`") + "YAMLObject(`".length, source.lastIndexOf("`)"));
const types = new Map((load(yaml) as { types: readonly NamedType[] }).types.map((type) => [type.name, type]));

const shortName = (name: string): string => name.replace(/^io\.k8s\.(api\.|apimachinery\.pkg\.apis\.)/, "");
const fullName = (name: string): string =>
  types.has(`io.k8s.api.${name}`) ? `io.k8s.api.${name}` : `io.k8s.apimachinery.pkg.apis.${name}`;

const written: Record<string, Record<string, string>> = {};

function encode(ref: TypeRef): string {
  if (ref.namedType !== undefined) {
    const known = special[ref.namedType];
    if (known !== undefined) return known;
    visit(ref.namedType);
    return `${ref.elementRelationship === "atomic" ? "!" : ""}@${shortName(ref.namedType)}`;
  }
  if (ref.scalar !== undefined) return scalars[ref.scalar] ?? "u";
  if (ref.list !== undefined) {
    const element = encode(ref.list.elementType);
    return ref.list.elementRelationship === "associative" ? `[${(ref.list.keys ?? []).join(",")}]${element}` : `[!]${element}`;
  }
  if (ref.map?.elementType !== undefined) return `{${ref.map.elementRelationship === "atomic" ? "!" : ""}}${encode(ref.map.elementType)}`;
  return "*";
}

function visit(name: string): void {
  const short = shortName(name);
  if (written[short] !== undefined) return;
  const type = types.get(name);
  const fields: Record<string, string> = {};
  written[short] = fields;
  if (type?.map === undefined) throw new Error(`${name} is not a structure`);
  if (type.map.elementRelationship === "atomic") fields["!"] = "atomic";
  for (const field of type.map.fields ?? []) {
    const text = encode(field.type);
    const worthKeeping = typeof field.default === "string" && field.default !== "";
    fields[field.name] = worthKeeping ? `${text}=${String(field.default)}` : text;
  }
}

for (const root of roots) visit(fullName(root));

const lines = Object.keys(written)
  .sort()
  .map(
    (name) =>
      `${name} ${Object.entries(written[name] ?? {})
        .map(([field, text]) => `${field}:${text}`)
        .join(" ")}`,
  );
const text = `// Generated by hack/generate-builtin-types.ts from the structured-merge schema of k8s.io/client-go v0.36.3
// (Copyright The Kubernetes Authors, Apache License 2.0). Do not edit.

/** One line a type: its name, then field:type. builtin-schema.ts says what the type letters mean. */
export const builtinTypeLines = \`
${lines.join("\n")}
\`;
`;
writeFileSync(new URL("../src/simulator/apiserver/kinds/builtin-types.gen.ts", import.meta.url), text);
