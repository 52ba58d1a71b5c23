import { shortHash, canonicalJson } from "../../../base/hash.ts";
import { mutatingWebhookConfigurations, type Resource, validatingWebhookConfigurations } from "../../../api/resource.ts";
import { type Fields, isFields, sameJson } from "../json.ts";
import { applyJsonPatch, JsonPatchError } from "../patch/json-patch.ts";
import type { ResourceType } from "../resource-type.ts";
import { ApiFailure, badRequest, failureStatus, internalError } from "../status.ts";
import { type Admission, type AdmissionAttributes, admissionRequest, withKind } from "./attributes.ts";
import { CelAuthorizer } from "./cel-authorizer.ts";
import { toCel } from "./cel-values.ts";
import { matchesRule, matchesSelectors } from "./matching.ts";
import { compileExpression, evaluationMessage, listAt, type Program } from "./policy-cel.ts";
import type { PolicyServer } from "./policies.ts";
import { PendingCalls, type WebhookAnswer, type WebhookSession, type WebhookTarget } from "./webhook-session.ts";

/** A webhook and where it stands: the same name may stand in two configurations. */
interface Hook {
  readonly configuration: string;
  readonly webhook: Fields;
}

/**
 * Asks ValidatingWebhookConfigurations and MutatingWebhookConfigurations (pkg/admission/plugin/webhook): configurations in the order of
 * their names, mutating webhooks one after the other, validating ones at once. Whatever is not answered yet stops the request with
 * PendingCalls. A rule with matchPolicy Equivalent matches the kind only at the address that is written to.
 */
export class WebhookAdmission implements Admission {
  readonly #server: PolicyServer;
  readonly #session: () => WebhookSession | undefined;
  readonly #newUid: () => string;
  readonly #programs = new Map<string, Program>();

  constructor(server: PolicyServer, session: () => WebhookSession | undefined, newUid: () => string) {
    this.#server = server;
    this.#session = session;
    this.#newUid = newUid;
  }

  get active(): boolean {
    return this.#collection(validatingWebhookConfigurations).size > 0 || this.#collection(mutatingWebhookConfigurations).size > 0;
  }

  /** Throws ApiFailure where a webhook refuses, PendingCalls where one has not answered. */
  mutate(attributes: AdmissionAttributes): Fields | undefined {
    if (attributes.object === undefined) return undefined;
    let object = attributes.object;
    const ask = (hook: Hook, round: number): boolean => {
      const before = object;
      object = this.#mutated(hook, { ...attributes, object }, round);
      return !sameJson(before, object);
    };
    const asked: { readonly hook: Hook; readonly at: number }[] = [];
    let lastChange = -1;
    for (const [at, hook] of this.#hooks(mutatingWebhookConfigurations, attributes).entries()) {
      if (ask(hook, 0)) lastChange = at;
      asked.push({ hook, at });
    }
    // those that want it see once more what the ones after them made of the object
    for (const { hook, at } of asked) if (hook.webhook.reinvocationPolicy === "IfNeeded" && at < lastChange) ask(hook, 1);
    return object;
  }

  /** Throws ApiFailure where a webhook refuses, PendingCalls where one has not answered. */
  validate(attributes: AdmissionAttributes): readonly string[] {
    const warnings = this.#session()?.warnings ?? [];
    // what is deleted cannot be changed, but who changes objects may refuse it
    if (attributes.operation === "DELETE")
      for (const hook of this.#hooks(mutatingWebhookConfigurations, attributes)) this.#mutated(hook, attributes, 0);
    const hooks = this.#hooks(validatingWebhookConfigurations, attributes);
    const missing = hooks.flatMap((hook) => {
      try {
        this.#answer(hook, attributes, 0);
        return [];
      } catch (error) {
        if (error instanceof PendingCalls) return error.calls;
        throw error;
      }
    });
    if (missing.length > 0) throw new PendingCalls(missing);
    const said = hooks.flatMap((hook) => {
      const response = this.#response(hook, this.#answer(hook, attributes, 0), false);
      return response === undefined ? [] : warningsOf(response);
    });
    return [...warnings, ...said];
  }

  #collection({ group, version, plural }: Resource): ResourceType["collection"] {
    return (this.#server.typeOf(group, version, plural) as ResourceType).collection;
  }

  /** The webhooks that the write concerns. Throws ApiFailure where that cannot be told and the webhook must not be passed over. */
  #hooks(kind: Resource, attributes: AdmissionAttributes): readonly Hook[] {
    if (isExempt(attributes)) return [];
    const namespaces = this.#server.typeOf("", "v1", "namespaces") as ResourceType;
    const hooks: Hook[] = [];
    for (const configuration of this.#collection(kind).all()) {
      for (const webhook of listAt(configuration, "webhooks")) {
        if (!listAt(webhook, "rules").some((rule) => matchesRule(rule, attributes))) continue;
        if (!matchesSelectors(webhook, attributes, namespaces)) continue;
        if (this.#meets(webhook, attributes)) hooks.push({ configuration: configuration.metadata.name, webhook });
      }
    }
    return hooks;
  }

  #meets(webhook: Fields, attributes: AdmissionAttributes): boolean {
    const conditions = listAt(webhook, "matchConditions");
    if (conditions.length === 0) return true;
    const { type, object, oldObject, namespace, name, user, subresource } = attributes;
    const access = { verb: "", group: type.resource.group, resource: type.resource.plural, subresource, namespace: namespace ?? "", name };
    const variables = {
      object: toCel(withKind(type, object)),
      oldObject: toCel(withKind(type, oldObject)),
      request: toCel(admissionRequest(attributes)),
      namespaceObject: toCel(undefined),
      authorizer: new CelAuthorizer(this.#server.authorizer, user, access),
      variables: {},
    };
    let failure: string | undefined;
    for (const { expression } of conditions) {
      try {
        if (this.#program(String(expression))(variables) !== true) return false;
      } catch (error) {
        failure ??= evaluationMessage(String(expression), error);
      }
    }
    if (failure === undefined) return true;
    if (webhook.failurePolicy === "Ignore") return false;
    throw internalError(`failed calling webhook ${JSON.stringify(webhook.name)}: ${failure}`);
  }

  #program(expression: string): Program {
    const found = this.#programs.get(expression) ?? compileExpression(expression, "bool");
    this.#programs.set(expression, found);
    return found;
  }

  /** What a webhook said to these attributes. Throws PendingCalls where it was not asked yet. */
  #answer({ configuration, webhook }: Hook, attributes: AdmissionAttributes, round: number): WebhookAnswer {
    const { type, object, oldObject, dryRun } = attributes;
    if (dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun")
      throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
    const request = {
      ...admissionRequest(attributes),
      object: attributes.written === undefined ? (withKind(type, object) ?? null) : (object ?? null),
      oldObject: withKind(type, oldObject) ?? null,
    };
    const key = shortHash(canonicalJson([configuration, webhook, round, request]), 40);
    const known = this.#session()?.answer(key);
    if (known !== undefined) return known;
    const { caBundle } = configOf(webhook);
    const call = {
      webhook: String(webhook.name),
      target: targetOf(webhook),
      ...(typeof caBundle === "string" && caBundle !== "" ? { caPem: Buffer.from(caBundle, "base64").toString() } : {}),
      timeoutMs: Number(webhook.timeoutSeconds) * 1_000,
      body: { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request: { uid: this.#newUid(), ...request } },
    };
    throw new PendingCalls([{ key, call }]);
  }

  /** What the webhook allowed; undefined where it could not be asked and is passed over. Throws ApiFailure where it refuses. */
  #response({ webhook }: Hook, answer: WebhookAnswer, mutating: boolean): Fields | undefined {
    const name = JSON.stringify(webhook.name);
    const invalid = "failure" in answer ? undefined : reviewFailure(answer.review, mutating);
    const unreached = "failure" in answer ? `failed to call webhook: ${answer.failure}` : undefined;
    const failure = unreached ?? (invalid === undefined ? undefined : `received invalid webhook response: ${invalid}`);
    if (failure !== undefined) {
      if (webhook.failurePolicy === "Ignore") return undefined;
      throw internalError(`failed calling webhook ${name}: ${failure}`);
    }
    const response = responseOf((answer as { readonly review: unknown }).review) as Fields;
    if (response.allowed === true) return response;
    throw refusal(String(webhook.name), isFields(response.status) ? response.status : {});
  }

  #mutated(hook: Hook, attributes: AdmissionAttributes, round: number): Fields {
    const object = attributes.object ?? {};
    const response = this.#response(hook, this.#answer(hook, attributes, round), true);
    if (response === undefined) return object;
    this.#session()?.warnings.push(...warningsOf(response));
    if (typeof response.patch !== "string" || attributes.object === undefined) return object;
    const patched = this.#patched(hook.webhook, response.patch, withKind(attributes.type, object) as Fields);
    return attributes.type.decode(patched).object;
  }

  #patched(webhook: Fields, patch: string, object: Fields): Fields {
    const failed = (why: string): ApiFailure => internalError(`failed calling webhook ${JSON.stringify(webhook.name)}: ${why}`);
    let operations: unknown;
    try {
      operations = JSON.parse(Buffer.from(patch, "base64").toString());
    } catch (error) {
      throw internalError((error as Error).message);
    }
    if (!Array.isArray(operations)) throw failed("the patch is no list of operations");
    try {
      return applyJsonPatch(object, operations) as Fields;
    } catch (error) {
      if (error instanceof JsonPatchError) throw internalError(error.message);
      throw error;
    }
  }
}

/** Nobody may lock everybody out of mending a webhook. */
const isExempt = ({ type }: AdmissionAttributes): boolean => type.resource.group === validatingWebhookConfigurations.group;

const configOf = (webhook: Fields): Fields => (isFields(webhook.clientConfig) ? webhook.clientConfig : {});

function targetOf(webhook: Fields): WebhookTarget {
  const { url, service } = configOf(webhook);
  if (!isFields(service)) return { kind: "url", url: String(url) };
  const { namespace, name, port, path = "/" } = service;
  return { kind: "service", namespace: String(namespace), name: String(name), port: Number(port), path: String(path) };
}

const responseOf = (review: unknown): Fields | undefined => (isFields(review) && isFields(review.response) ? review.response : undefined);

/** Why a body is no answer, in the words of the real server; undefined when it is one. */
function reviewFailure(review: unknown, mutating: boolean): string | undefined {
  const response = responseOf(review);
  if (response === undefined) return "webhook response was absent";
  const { apiVersion, kind } = review as Fields;
  if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview")
    return `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${String(apiVersion)}, Kind=${String(kind)}`;
  const { patch, patchType } = response;
  if (!mutating) {
    if (patch !== undefined) return "validating webhook may not return response.patch";
    return patchType === undefined ? undefined : "validating webhook may not return response.patchType";
  }
  if (patch !== undefined && patchType === undefined) return "webhook returned response.patch but not response.patchType";
  if (patch === undefined && patchType !== undefined) return "webhook returned response.patchType but not response.patch";
  return patchType === undefined || patchType === "JSONPatch" ? undefined : `unsupported patch type ${JSON.stringify(patchType)}`;
}

const warningsOf = (response: Fields): readonly string[] => (Array.isArray(response.warnings) ? response.warnings.map(String) : []);

/** The webhook's own Status, completed where it left something out. */
function refusal(webhook: string, status: Fields): ApiFailure {
  const denied = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const [said] = [status.message, status.reason].filter((one) => typeof one === "string" && one !== "");
  const { reason: _, ...bare } = failureStatus(
    typeof status.code === "number" && status.code >= 400 ? status.code : 400,
    "",
    said === undefined ? `${denied} without explanation` : `${denied}: ${String(said)}`,
  );
  return new ApiFailure({
    ...bare,
    ...(typeof status.reason === "string" && status.reason !== "" ? { reason: status.reason } : {}),
    ...(isFields(status.details) ? { details: status.details } : {}),
  });
}
