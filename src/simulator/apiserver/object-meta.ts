import { isFields, type StoredObject, sameJson } from "./json.ts";
import { type FieldError, forbiddenField, invalidValue, requiredValue, tooLong } from "./status.ts";

/** The rules of object metadata, after apimachinery's api/validation and util/validation. Messages are theirs. */

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedNamePart = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const annotationsLimit = 256 * 1024;

/** Whether annotations are within the 256 KiB (keys and values, UTF-8) that an object may carry of them. */
export function annotationsFit(annotations: Readonly<Record<string, string>>): boolean {
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) size += Buffer.byteLength(key) + Buffer.byteLength(value);
  return size <= annotationsLimit;
}

const regexError = (sentence: string, example: readonly string[], expression: string): string => {
  const examples = example.map((one) => `'${one}', `).join(" or ");
  return `${sentence} (e.g. ${examples}regex used for validation is '${expression}')`;
};

const subdomainSentence = regexError(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  ["example.com"],
  "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
);
const labelSentence = regexError(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  ["my-name", "123-abc"],
  "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
);
const qualifiedSentence = regexError(
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyName", "my.name", "123-abc"],
  "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
);
const labelValueSentence = regexError(
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ["MyValue", "my_value", "12345"],
  "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
);

/** A generated name need not end well: the suffix follows. */
const maskTrailingDash = (name: string, generated: boolean): string => (generated && name.endsWith("-") ? `${name.slice(0, -1)}a` : name);

/** What is wrong with a name that must be a DNS subdomain. */
export function subdomainErrors(name: string, generated = false): readonly string[] {
  const errors: string[] = [];
  if (name.length > 253) errors.push("must be no more than 253 bytes");
  if (!dnsSubdomain.test(maskTrailingDash(name, generated))) errors.push(subdomainSentence);
  return errors;
}

/** What is wrong with a name that must be a DNS label. */
export function labelNameErrors(name: string, generated = false): readonly string[] {
  const errors: string[] = [];
  if (name.length > 63) errors.push("must be no more than 63 bytes");
  if (!dnsLabel.test(maskTrailingDash(name, generated))) errors.push(labelSentence);
  return errors;
}

/** What is wrong with a name that is only a part of a path. */
export function pathSegmentErrors(name: string): readonly string[] {
  if (name === "." || name === "..") return [`may not be '${name}'`];
  return ["/", "%"].filter((letter) => name.includes(letter)).map((letter) => `may not contain '${letter}'`);
}

/** What is wrong with a key of a label, an annotation or a finalizer. */
export function qualifiedNameErrors(key: string): readonly string[] {
  const errors: string[] = [];
  const parts = key.split("/");
  if (parts.length > 2)
    return [
      `a qualified name ${qualifiedSentence.replace("name part must", "must")} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const name = parts.at(-1) ?? "";
  if (parts.length === 2) {
    const prefix = parts[0] ?? "";
    if (prefix === "") errors.push("prefix part must be non-empty");
    else errors.push(...subdomainErrors(prefix).map((error) => `prefix part ${error}`));
  }
  if (name === "") errors.push("name part must be non-empty");
  else if (name.length > 63) errors.push("name part must be no more than 63 bytes");
  if (!qualifiedNamePart.test(name)) errors.push(qualifiedSentence);
  return errors;
}

/** What is wrong with the value of a label. */
export function labelValueErrors(value: string): readonly string[] {
  const errors: string[] = [];
  if (value.length > 63) errors.push("must be no more than 63 bytes");
  if (!labelValue.test(value)) errors.push(labelValueSentence);
  return errors;
}

/** Errors in a map of labels. */
export function labelErrors(labels: unknown, path: string): readonly FieldError[] {
  if (!isFields(labels)) return [];
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels)) {
    errors.push(...qualifiedNameErrors(key).map((error) => invalidValue(path, key, error)));
    errors.push(...labelValueErrors(String(value)).map((error) => invalidValue(path, value, error)));
  }
  return errors;
}

/** Errors in the metadata of any object; `nameErrors` is the rule of its kind. */
export function metadataErrors(
  object: StoredObject,
  namespaced: boolean,
  nameErrors: (name: string, generated: boolean) => readonly string[],
): readonly FieldError[] {
  const { metadata } = object;
  const errors: FieldError[] = [];
  if (metadata.generateName !== undefined && metadata.generateName !== "") {
    errors.push(
      ...nameErrors(metadata.generateName, true).map((error) => invalidValue("metadata.generateName", metadata.generateName, error)),
    );
  }
  if ((metadata.name ?? "") === "") errors.push(requiredValue("metadata.name", "name or generateName is required"));
  else errors.push(...nameErrors(metadata.name, false).map((error) => invalidValue("metadata.name", metadata.name, error)));
  if (namespaced) {
    if ((metadata.namespace ?? "") === "") errors.push(requiredValue("metadata.namespace"));
    else
      errors.push(
        ...labelNameErrors(metadata.namespace ?? "").map((error) => invalidValue("metadata.namespace", metadata.namespace, error)),
      );
  } else if ((metadata.namespace ?? "") !== "") errors.push(forbiddenField("metadata.namespace", "not allowed on this type"));
  errors.push(...labelErrors(metadata.labels, "metadata.labels"));
  errors.push(...annotationErrors(metadata.annotations));
  errors.push(...ownerErrors(object));
  for (const finalizer of metadata.finalizers ?? []) {
    errors.push(...qualifiedNameErrors(finalizer).map((error) => invalidValue("metadata.finalizers", finalizer, error)));
  }
  return errors;
}

function annotationErrors(annotations: Readonly<Record<string, string>> | undefined): readonly FieldError[] {
  if (annotations === undefined) return [];
  const errors: FieldError[] = [];
  for (const key of Object.keys(annotations)) {
    errors.push(...qualifiedNameErrors(key.toLowerCase()).map((error) => invalidValue("metadata.annotations", key, error)));
  }
  if (!annotationsFit(annotations)) errors.push(tooLong("metadata.annotations", annotationsLimit));
  return errors;
}

function ownerErrors(object: StoredObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  let controller: string | undefined;
  const path = "metadata.ownerReferences";
  for (const owner of object.metadata.ownerReferences ?? []) {
    if ((owner.apiVersion ?? "") === "")
      errors.push(invalidValue(`${path}.apiVersion`, owner.apiVersion ?? "", "version must not be empty"));
    if ((owner.kind ?? "") === "") errors.push(invalidValue(`${path}.kind`, owner.kind ?? "", "must not be empty"));
    if ((owner.name ?? "") === "") errors.push(invalidValue(`${path}.name`, owner.name ?? "", "must not be empty"));
    if ((owner.uid ?? "") === "") errors.push(invalidValue(`${path}.uid`, owner.uid ?? "", "must not be empty"));
    if (owner.controller !== true) continue;
    if (controller === undefined) controller = `${owner.kind}/${owner.name}`;
    else {
      const message = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${owner.kind}/${owner.name}`;
      errors.push(invalidValue("metadata.ownerReferences", object.metadata.ownerReferences, message));
    }
  }
  return errors;
}

const standardFinalizers = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

/** Finalizers of built-in kinds are standard ones or have a domain; those of custom ones only should have. */
export function finalizerNameErrors(object: StoredObject): readonly FieldError[] {
  return (object.metadata.finalizers ?? []).flatMap((finalizer, at) =>
    finalizer.includes("/") || standardFinalizers.has(finalizer)
      ? []
      : [invalidValue(`metadata.finalizers[${at}]`, finalizer, "name is neither a standard finalizer name nor is it fully qualified")],
  );
}

/** What a writer of a custom object is told of finalizers that it adds. */
export function finalizerWarnings(next: StoredObject, live: StoredObject | undefined): readonly string[] {
  const before = live?.metadata.finalizers ?? [];
  return (next.metadata.finalizers ?? [])
    .filter((finalizer) => !before.includes(finalizer) && !finalizer.includes("/") && !standardFinalizers.has(finalizer))
    .map(
      (finalizer) =>
        `metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers`,
    );
}

/** Errors in a change of metadata: what can never change, and finalizers added to an object that is being deleted. */
export function metadataUpdateErrors(next: StoredObject, live: StoredObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const now = next.metadata;
  const was = live.metadata;
  const immutable = (field: string, left: unknown, right: unknown): void => {
    if (!sameJson(left, right)) errors.push(invalidValue(`metadata.${field}`, left ?? "", "field is immutable"));
  };
  immutable("name", now.name, was.name);
  immutable("namespace", now.namespace, was.namespace);
  immutable("uid", now.uid, was.uid);
  immutable("creationTimestamp", now.creationTimestamp, was.creationTimestamp);
  immutable("deletionTimestamp", now.deletionTimestamp, was.deletionTimestamp);
  errors.push(...labelErrors(now.labels, "metadata.labels"), ...annotationErrors(now.annotations), ...ownerErrors(next));
  immutable("deletionGracePeriodSeconds", now.deletionGracePeriodSeconds, was.deletionGracePeriodSeconds);
  if (was.deletionTimestamp !== undefined) {
    const added = (now.finalizers ?? []).filter((finalizer) => !(was.finalizers ?? []).includes(finalizer));
    if (added.length > 0) {
      const list = added.map((finalizer) => JSON.stringify(finalizer)).join(", ");
      errors.push(
        forbiddenField(
          "metadata.finalizers",
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`,
        ),
      );
    }
  }
  return errors;
}
