import { apiVersionOf } from "../../../api/resource.ts";
import type { User } from "../authorization/rbac.ts";
import { trustedUser } from "../authorization/rbac.ts";
import type { Fields } from "../json.ts";
import type { ApiRequest } from "../request-path.ts";
import type { ResourceType } from "../resource-type.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** A write as admission sees it. */
export interface AdmissionAttributes {
  readonly operation: Operation;
  readonly type: ResourceType;
  /** "" for the object itself. */
  readonly subresource: string;
  /** What is written, where that is not the kind itself: a Scale, a Binding, an Eviction. */
  readonly written?: { readonly group: string; readonly version: string; readonly kind: string };
  readonly namespace?: string;
  /** "" where a creation leaves it to the server. */
  readonly name: string;
  /** Absent in a deletion. */
  readonly object?: Fields;
  /** Absent in a creation. */
  readonly oldObject?: Fields;
  readonly dryRun: boolean;
  readonly user: User;
  readonly options: Fields;
}

/** What decides about writes: policies, and whoever else is asked. */
export interface Admission {
  /** Whether anybody is to be asked at all: most servers have no policies. */
  readonly active: boolean;
  /** The object as it is to be written. Throws ApiFailure to refuse. */
  mutate(attributes: AdmissionAttributes): Fields | undefined;
  /** Warnings for the writer. Throws ApiFailure to refuse. */
  validate(attributes: AdmissionAttributes): readonly string[];
}

/** Asks one after the other: each sees what those before it made of the object. */
export function allOf(members: readonly Admission[]): Admission {
  const asked = (): readonly Admission[] => members.filter((member) => member.active);
  return {
    get active() {
      return members.some((member) => member.active);
    },
    mutate: (attributes) =>
      asked().reduce<Fields | undefined>(
        (object, member) => member.mutate({ ...attributes, ...(object === undefined ? {} : { object }) }),
        attributes.object,
      ),
    validate: (attributes) => asked().flatMap((member) => member.validate(attributes)),
  };
}

export const userOf = (request: ApiRequest): User =>
  request.groups === undefined
    ? { ...trustedUser, name: request.user ?? trustedUser.name }
    : { name: request.user ?? "", groups: request.groups };

/** Asks about the creation of a part of an object that has a kind of its own. Throws ApiFailure to refuse. */
export function admitPart(
  admission: Admission,
  part: Omit<AdmissionAttributes, "operation" | "user" | "options">,
  request: ApiRequest,
): void {
  if (!admission.active) return;
  admission.validate({ ...part, operation: "CREATE", user: userOf(request), options: optionsAsObject("CreateOptions", request) });
}

/** The options of a request as policies see them. */
export function optionsAsObject(kind: "CreateOptions" | "UpdateOptions" | "DeleteOptions", request: ApiRequest): Fields {
  const { fieldManager, fieldValidation, dryRun } = request.query ?? {};
  return {
    kind,
    apiVersion: "meta.k8s.io/v1",
    ...(dryRun === undefined || dryRun === "" ? {} : { dryRun: [dryRun] }),
    ...(fieldManager === undefined ? {} : { fieldManager }),
    ...(fieldValidation === undefined ? {} : { fieldValidation }),
  };
}

/** The AdmissionRequest (admission.k8s.io/v1) without its objects: the variable `request` of policies, and what webhooks are sent. */
export function admissionRequest(attributes: AdmissionAttributes): Fields {
  const { type, subresource, operation, user, options, dryRun, name, namespace } = attributes;
  const { group, version, plural } = type.resource;
  const kind = attributes.written ?? { group, version, kind: type.resource.kind };
  const resource = { group, version, resource: plural };
  return {
    kind: { ...kind },
    resource,
    ...(subresource === "" ? {} : { subResource: subresource }),
    requestKind: { ...kind },
    requestResource: resource,
    ...(subresource === "" ? {} : { requestSubResource: subresource }),
    ...(name === "" ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    operation,
    userInfo: { username: user.name, groups: user.groups },
    dryRun,
    options,
  };
}

/** An object with its kind, which stored items of lists may lack. */
export function withKind(type: ResourceType, object: Fields | undefined): Fields | undefined {
  if (object === undefined || object.kind !== undefined) return object;
  return { apiVersion: apiVersionOf(type.resource), kind: type.resource.kind, ...object };
}
