import { coreEvents, events } from "../../../api/resource.ts";
import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";
import { subdomainErrors } from "../object-meta.ts";
import { type FieldError, invalidValue, requiredValue } from "../status.ts";
import { type BuiltinKind, textAt } from "./builtin-kind.ts";

/** Events are one store with two addresses; it holds the form of core/v1. */

const newToOld: readonly (readonly [string, string])[] = [
  ["regarding", "involvedObject"],
  ["note", "message"],
  ["reportingController", "reportingComponent"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
];
const oldOf = new Map(newToOld);
const newOf = new Map(newToOld.map(([now, old]) => [old, now] as const));

function renamed(object: StoredObject, names: ReadonlyMap<string, string>, apiVersion: string): StoredObject {
  const result: Record<string, unknown> = {};
  for (const name in object) result[names.get(name) ?? name] = object[name];
  result.apiVersion = apiVersion;
  return result as unknown as StoredObject;
}

const converted = new WeakMap<StoredObject, StoredObject>();

const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** Events about objects without a namespace live in "default" (or kube-system for what belongs there). */
function namespaceErrors(event: StoredObject, regarding: Fields, path: string): readonly FieldError[] {
  const namespace = event.metadata.namespace ?? "";
  const wanted = text(regarding.namespace);
  if (wanted === "" ? namespace === "default" || namespace === "kube-system" || namespace === "" : wanted === namespace) return [];
  return [invalidValue(`${path}.namespace`, wanted, "does not match event.namespace")];
}

function newEventErrors(event: StoredObject): readonly FieldError[] {
  const errors: FieldError[] = [...namespaceErrors(event, isFields(event.regarding) ? event.regarding : {}, "involvedObject")];
  if (event.eventTime === undefined) errors.push(requiredValue("eventTime"));
  if (event.type !== "Normal" && event.type !== "Warning") errors.push(invalidValue("type", "", `has invalid value: ${text(event.type)}`));
  const needed: readonly (readonly [string, number])[] = [
    ["reportingController", 0],
    ["reportingInstance", 128],
    ["action", 128],
    ["reason", 128],
  ];
  for (const [field, limit] of needed) {
    const value = text(event[field]);
    if (value === "") errors.push(requiredValue(field));
    else if (limit > 0 && value.length > limit) errors.push(invalidValue(field, "", `can have at most ${limit} characters`));
  }
  if (text(event.note).length > 1_024) errors.push(invalidValue("message", "", "can have at most 1024 characters"));
  return errors;
}

const mutable = new Set(["metadata", "series", "apiVersion", "kind"]);

function newEventUpdateErrors(next: StoredObject, live: StoredObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const field of new Set([...Object.keys(next), ...Object.keys(live)])) {
    if (!mutable.has(field) && !sameJson(next[field], live[field]))
      errors.push(invalidValue(oldOf.get(field) ?? field, next[field] ?? "", "field is immutable"));
  }
  return errors;
}

const readers: BuiltinKind["fieldReaders"] = {
  reason: textAt("reason"),
  type: textAt("type"),
  "involvedObject.kind": textAt("involvedObject", "kind"),
  "involvedObject.namespace": textAt("involvedObject", "namespace"),
  "involvedObject.name": textAt("involvedObject", "name"),
  "involvedObject.uid": textAt("involvedObject", "uid"),
  "involvedObject.apiVersion": textAt("involvedObject", "apiVersion"),
  "involvedObject.resourceVersion": textAt("involvedObject", "resourceVersion"),
  "involvedObject.fieldPath": textAt("involvedObject", "fieldPath"),
  reportingComponent: textAt("reportingComponent"),
  source: (event) => (isFields(event.source) ? text(event.source.component) : text(event.reportingComponent)),
};

export const coreEventKind: BuiltinKind = {
  resource: coreEvents,
  typeName: "core.v1.Event",
  shortNames: ["ev"],
  createOnUpdate: true,
  nameErrors: (name, generated) => subdomainErrors(name, generated),
  fieldReaders: readers,
  emptyObject: { involvedObject: {}, source: {} },
  validate: (event) => namespaceErrors(event, isFields(event.involvedObject) ? event.involvedObject : {}, "involvedObject"),
};

/** Selected by the fields of the stored form, as on the real server. */
const newReaders: BuiltinKind["fieldReaders"] = {
  ...readers,
  "regarding.kind": textAt("involvedObject", "kind"),
  "regarding.namespace": textAt("involvedObject", "namespace"),
  "regarding.name": textAt("involvedObject", "name"),
  "regarding.uid": textAt("involvedObject", "uid"),
  reportingController: textAt("reportingComponent"),
};

export const newEventKind: BuiltinKind = {
  resource: events,
  // failures speak of the form in which events are held
  errorKind: { kind: "Event", group: "" },
  typeName: "events.v1.Event",
  shortNames: ["ev"],
  createOnUpdate: true,
  nameErrors: (name, generated) => subdomainErrors(name, generated),
  fieldReaders: newReaders,
  emptyObject: { regarding: {}, deprecatedSource: {} },
  validate: newEventErrors,
  validateUpdate: newEventUpdateErrors,
  convert: {
    toStored: (event) => renamed(event, oldOf, "v1"),
    fromStored(stored) {
      let event = converted.get(stored);
      if (event === undefined) {
        event = renamed(stored, newOf, "events.k8s.io/v1");
        converted.set(stored, event);
      }
      return event;
    },
  },
};
