import type { KubeList, KubeObject } from "../../../api/meta.ts";
import type { Clock } from "../../../base/clock.ts";
import type { ServedResource } from "../served-resource.ts";
import type { WatchEventOut } from "../watches.ts";
import type { Form } from "./negotiation.ts";
import { isStatus, Refusal } from "./status.ts";
import { type IncludeObject, partialMetadata, printerOf, tableOf } from "./table/table.ts";

type Query = Readonly<Record<string, string>>;

type Shaped = KubeObject | KubeList<KubeObject>;

/** What turns an answer of the core into the form that was asked for; `headers` says whether a table names its columns. */
export function shaper(
  form: Form,
  resource: ServedResource,
  clock: Clock,
  include: IncludeObject,
  headers = () => true,
): (body: Shaped) => unknown {
  if (form === "table") return (body) => tableOf(body, printerOf(resource), { include, now: clock.now(), headers: headers() });
  if (form !== "metadata") return (body) => body;
  return (body) =>
    "items" in body
      ? { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata: body.metadata, items: body.items.map(partialMetadata) }
      : partialMetadata(body);
}

/** As {@link shaper}, for the events of a watch: only the first table names its columns, a bookmark has no row, and errors stay as they are. */
export function shapeEvents(form: Form, resource: ServedResource, clock: Clock, query: Query): (event: WatchEventOut) => unknown {
  let first = true;
  const headers = () => {
    const wanted = first;
    first = false;
    return wanted;
  };
  const shape = shaper(form, resource, clock, includeObject(query), headers);
  return ({ type, object }) => {
    if (form === "json" || type === "ERROR" || isStatus(object)) return object;
    if (type !== "BOOKMARK" || form === "metadata") return shape(object as KubeObject);
    return shape({ metadata: { ...(object as KubeObject).metadata }, items: [] } as KubeList<KubeObject>);
  };
}

/** How much of each object a table is to carry. Throws a Refusal with 400 for a value that is none. */
export function includeObject(query: Query): IncludeObject {
  const wanted = query["includeObject"];
  if (wanted === undefined || wanted === "") return "Metadata";
  if (wanted === "None" || wanted === "Metadata" || wanted === "Object") return wanted;
  throw Refusal.of(400, `Invalid value: "${wanted}": must be 'Metadata', 'Object', 'None', or empty`);
}

/** True for an object or a list, false for texts and Status objects. */
export function isObject(body: unknown): body is Shaped {
  return typeof body === "object" && body !== null && !isStatus(body);
}
