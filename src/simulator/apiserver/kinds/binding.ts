import type { Status } from "../../../api/meta.ts";
import { admitPart } from "../admission/attributes.ts";
import { keyOf } from "../collection.ts";
import { type Fields, isFields, type StoredObject, timestamp, withMetadata } from "../json.ts";
import { entriesAfterUpdate, entriesOf, withEntries, withoutEntries } from "../apply/managed-fields.ts";
import { emptySet } from "../apply/field-set.ts";
import type { ApiRequest } from "../request-path.ts";
import type { ResourceType } from "../resource-type.ts";
import { badRequest, conflict, invalid, notFound, requiredValue } from "../status.ts";
import { managerOf, type WriteEnvironment } from "../writes.ts";

const bindingKind = { group: "", version: "v1", kind: "Binding" };

/** POST of a Binding: gives a pod its node, once. Throws ApiFailure 400, 404, 409, 422. */
export function bindPod(
  env: WriteEnvironment,
  type: ResourceType,
  namespace: string | undefined,
  name: string,
  request: ApiRequest,
): Status {
  const pod = type.collection.get(keyOf(namespace, name));
  if (pod === undefined) throw notFound(type.resource, name);
  if (!isFields(request.body)) throw badRequest("the request body is no Binding");
  const target = isFields(request.body.target) ? request.body.target : {};
  const node = typeof target.name === "string" ? target.name : "";
  if (node === "") throw invalid("Binding", "", name, [requiredValue("target.name")]);
  const named = { ...type.resource, plural: "pods/binding" };
  const spec = isFields(pod.spec) ? pod.spec : {};
  if (pod.metadata.deletionTimestamp !== undefined)
    throw conflict(named, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (typeof spec.nodeName === "string" && spec.nodeName !== "")
    throw conflict(named, name, `pod ${name} is already assigned to node ${JSON.stringify(spec.nodeName)}`);
  if (Array.isArray(spec.schedulingGates) && spec.schedulingGates.length > 0)
    throw conflict(named, name, `pod ${name} has non-empty .spec.schedulingGates`);
  const uid = isFields(request.body.metadata) ? request.body.metadata.uid : undefined;
  if (typeof uid === "string" && uid !== "" && uid !== pod.metadata.uid)
    throw conflict(named, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  const dryRun = request.query?.dryRun === "All";
  admitPart(
    env.admission,
    {
      type,
      subresource: "binding",
      written: bindingKind,
      ...(namespace === undefined ? {} : { namespace }),
      name,
      object: request.body,
      dryRun,
    },
    request,
  );
  const bound = bind(pod, spec, node, env.now());
  const write = {
    type: type.mergeType,
    apiVersion: "v1",
    manager: managerOf(request) || "unknown",
    subresource: "binding",
    resetFields: emptySet,
    now: env.now(),
  };
  const owned = env.managesFields
    ? withEntries(bound, entriesAfterUpdate(write, withoutEntries(pod), withoutEntries(bound), entriesOf(pod)))
    : bound;
  if (!dryRun) env.commit(type, "MODIFIED", owned, pod, request);
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

function bind(pod: StoredObject, spec: Fields, node: string, now: number): StoredObject {
  const status = isFields(pod.status) ? pod.status : {};
  const conditions = Array.isArray(status.conditions) ? status.conditions : [];
  const others = conditions.filter((condition) => !(isFields(condition) && condition.type === "PodScheduled"));
  const scheduled = { type: "PodScheduled", status: "True", lastProbeTime: null, lastTransitionTime: timestamp(now) };
  return withMetadata({ ...pod, spec: { ...spec, nodeName: node }, status: { ...status, conditions: [...others, scheduled] } }, {});
}
