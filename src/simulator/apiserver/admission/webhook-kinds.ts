import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from "../../../api/resource.ts";
import { type Fields, isFields, type StoredObject, sameJson } from "../json.ts";
import { type BuiltinKind, section } from "../kinds/builtin-kind.ts";
import { labelSelectorErrors } from "../kinds/label-selector-validation.ts";
import { subdomainErrors } from "../object-meta.ts";
import { duplicateValue, type FieldError, invalidValue, requiredValue, unsupportedValue } from "../status.ts";
import { listAt } from "./policy-cel.ts";
import { conditionErrors, ruleErrors, withRuleScopes } from "./policy-kinds.ts";

/** Configurations of webhooks: how they are defaulted and what they are refused for (pkg/apis/admissionregistration). */

function defaultWebhook(webhook: unknown, mutating: boolean): unknown {
  if (!isFields(webhook)) return webhook;
  const config = section(webhook, "clientConfig");
  const service = isFields(config.service) ? { service: { port: 443, ...config.service } } : {};
  return {
    failurePolicy: "Fail",
    matchPolicy: "Equivalent",
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
    ...(mutating ? { reinvocationPolicy: "Never" } : {}),
    ...webhook,
    ...(webhook.rules === undefined ? {} : { rules: withRuleScopes(webhook.rules) }),
    clientConfig: { ...config, ...service },
  };
}

const form = "; desired format: https://host[/path]";

function urlErrors(text: string, path: string): readonly FieldError[] {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return [requiredValue(path, `url must be a valid URL: parse ${JSON.stringify(text)}: invalid URI for request${form}`)];
  }
  const errors: FieldError[] = [];
  if (url.protocol !== "https:")
    errors.push(invalidValue(path, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`));
  if (url.host === "") errors.push(invalidValue(path, "", `host must be specified${form}`));
  if (url.username !== "") errors.push(invalidValue(path, url.username, "user information is not permitted in the URL"));
  if (url.hash !== "") errors.push(invalidValue(path, url.hash.slice(1), "fragments are not permitted in the URL"));
  if (url.search !== "") errors.push(invalidValue(path, url.search.slice(1), "query parameters are not permitted in the URL"));
  return errors;
}

function serviceErrors(service: Fields, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  // the real server names the one where it means the other
  if ((service.name ?? "") === "") errors.push(requiredValue(`${path}.namespace`));
  if ((service.namespace ?? "") === "") errors.push(requiredValue(`${path}.name`));
  const { port, path: where } = service;
  if (typeof port !== "number" || port < 1 || port > 65535)
    errors.push(invalidValue(`${path}.port`, port ?? 0, "port is not valid: must be between 1 and 65535, inclusive"));
  if (typeof where === "string" && where !== "" && !where.startsWith("/"))
    errors.push(invalidValue(`${path}.path`, where, "must start with a '/'"));
  return errors;
}

function clientErrors(webhook: Fields, path: string): readonly FieldError[] {
  const { url, service } = section(webhook, "clientConfig");
  if ((url === undefined) === (service === undefined)) return [requiredValue(path, "exactly one of url or service is required")];
  return url === undefined ? serviceErrors(isFields(service) ? service : {}, `${path}.service`) : urlErrors(String(url), `${path}.url`);
}

function oneOf(webhook: Fields, field: string, path: string, known: readonly string[]): readonly FieldError[] {
  return known.includes(String(webhook[field])) ? [] : [unsupportedValue(`${path}.${field}`, webhook[field], known)];
}

function webhookErrors(webhook: Fields, path: string, mutating: boolean): readonly FieldError[] {
  const { name, timeoutSeconds, sideEffects, admissionReviewVersions: versions } = webhook;
  const errors: FieldError[] = [];
  if (typeof name !== "string" || name === "") errors.push(requiredValue(`${path}.name`));
  else if (name.split(".").length < 3)
    errors.push(invalidValue(`${path}.name`, name, "should be a domain with at least three segments separated by dots"));
  else errors.push(...subdomainErrors(name).map((error) => invalidValue(`${path}.name`, name, error)));
  for (const [at, rule] of listAt(webhook, "rules").entries()) errors.push(...ruleErrors(rule, `${path}.rules[${at}]`));
  errors.push(
    ...oneOf(webhook, "failurePolicy", path, ["Fail", "Ignore"]),
    ...oneOf(webhook, "matchPolicy", path, ["Equivalent", "Exact"]),
  );
  if (sideEffects === undefined) errors.push(requiredValue(`${path}.sideEffects`, "must specify one of None, NoneOnDryRun"));
  else errors.push(...oneOf(webhook, "sideEffects", path, ["None", "NoneOnDryRun"]));
  if (typeof timeoutSeconds === "number" && (timeoutSeconds < 1 || timeoutSeconds > 30))
    errors.push(invalidValue(`${path}.timeoutSeconds`, timeoutSeconds, "the timeout value must be between 1 and 30 seconds"));
  errors.push(...labelSelectorErrors(webhook.namespaceSelector, `${path}.namespaceSelector`));
  errors.push(...labelSelectorErrors(webhook.objectSelector, `${path}.objectSelector`));
  if (mutating) errors.push(...oneOf(webhook, "reinvocationPolicy", path, ["IfNeeded", "Never"]));
  errors.push(...clientErrors(webhook, `${path}.clientConfig`), ...conditionErrors(webhook, path));
  const stated: readonly unknown[] = Array.isArray(versions) ? versions : [];
  if (stated.length === 0) errors.push(requiredValue(`${path}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  else if (!stated.includes("v1") && !stated.includes("v1beta1"))
    errors.push(invalidValue(`${path}.admissionReviewVersions`, stated, "must include at least one of v1, v1beta1"));
  return errors;
}

function configurationErrors(configuration: StoredObject, mutating: boolean): readonly FieldError[] {
  const names = new Set<unknown>();
  return listAt(configuration, "webhooks").flatMap((webhook, at) => {
    const path = `webhooks[${at}]`;
    const errors = webhookErrors(webhook, path, mutating);
    const isTaken = names.has(webhook.name);
    names.add(webhook.name);
    return isTaken ? [...errors, duplicateValue(`${path}.name`, webhook.name)] : errors;
  });
}

const configurationKind = (mutating: boolean): BuiltinKind => ({
  resource: mutating ? mutatingWebhookConfigurations : validatingWebhookConfigurations,
  typeName: `admissionregistration.v1.${mutating ? "Mutating" : "Validating"}WebhookConfiguration`,
  emptyObject: {},
  defaults: (object) =>
    Array.isArray(object.webhooks) ? { ...object, webhooks: object.webhooks.map((one: unknown) => defaultWebhook(one, mutating)) } : object,
  prepareCreate: (object) => ({ ...object, metadata: { ...object.metadata, generation: 1 } }),
  prepareUpdate(next, live) {
    const generation = (live.metadata.generation ?? 1) + (sameJson(next.webhooks, live.webhooks) ? 0 : 1);
    return { ...next, metadata: { ...next.metadata, generation } };
  },
  validate: (object) => configurationErrors(object, mutating),
});

export const webhookKinds: readonly BuiltinKind[] = [configurationKind(false), configurationKind(true)];
