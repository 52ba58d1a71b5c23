import { type Fields, isFields, type StoredObject, sameJson, withField } from "../json.ts";
import { labelNameErrors, labelErrors, labelValueErrors, qualifiedNameErrors, subdomainErrors } from "../object-meta.ts";
import { parseQuantity } from "../quantity.ts";
import {
  duplicateValue,
  type FieldError,
  forbiddenField,
  invalidValue,
  notFoundField,
  requiredValue,
  unsupportedValue,
} from "../status.ts";

/** The essentials of core/validation for pods and pod templates: what a user's template is refused for. */

const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** In the order in which the real server looks at them: of two, the later one is forbidden. */
const volumeSources =
  "emptyDir hostPath gitRepo gcePersistentDisk awsElasticBlockStore secret nfs iscsi glusterfs persistentVolumeClaim rbd cinder cephfs flocker downwardAPI fc configMap azureFile vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume scaleIO storageos projected ephemeral csi image".split(
    " ",
  );

/** Errors in the spec of a pod; `path` is "spec" or "template.spec". */
export function podSpecErrors(spec: Fields, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const volumes = new Set<string>();
  list(spec.volumes).forEach((volume, at) => {
    const where = `${path}.volumes[${at}]`;
    errors.push(...nameErrors(volume, where, volumes));
    const sources = volumeSources.filter((source) => volume[source] !== undefined);
    for (const extra of sources.slice(1)) errors.push(forbiddenField(`${where}.${extra}`, "may not specify more than 1 volume type"));
  });
  const names = new Set<string>();
  const containers = list(spec.containers);
  if (containers.length === 0) errors.push(requiredValue(`${path}.containers`));
  containers.forEach((container, at) => {
    errors.push(...containerErrors(container, `${path}.containers[${at}]`, names, volumes));
  });
  list(spec.initContainers).forEach((container, at) => {
    errors.push(...containerErrors(container, `${path}.initContainers[${at}]`, names, volumes));
  });
  const policy = spec.restartPolicy;
  if (policy === undefined || policy === "") errors.push(requiredValue(`${path}.restartPolicy`));
  else if (!["Always", "OnFailure", "Never"].includes(text(policy)))
    errors.push(unsupportedValue(`${path}.restartPolicy`, policy, ["Always", "OnFailure", "Never"]));
  if (!["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"].includes(text(spec.dnsPolicy))) {
    errors.push(unsupportedValue(`${path}.dnsPolicy`, spec.dnsPolicy, ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]));
  }
  if (typeof spec.terminationGracePeriodSeconds === "number" && spec.terminationGracePeriodSeconds < 0) {
    errors.push(
      invalidValue(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds, "must be greater than or equal to 0"),
    );
  }
  if (typeof spec.activeDeadlineSeconds === "number" && (spec.activeDeadlineSeconds < 1 || spec.activeDeadlineSeconds > 2147483647)) {
    errors.push(invalidValue(`${path}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, "must be between 1 and 2147483647, inclusive"));
  }
  errors.push(...labelErrors(spec.nodeSelector, `${path}.nodeSelector`));
  if (text(spec.serviceAccountName) !== "")
    errors.push(
      ...subdomainErrors(text(spec.serviceAccountName)).map((error) =>
        invalidValue(`${path}.serviceAccountName`, spec.serviceAccountName, error),
      ),
    );
  if (text(spec.nodeName) !== "")
    errors.push(...subdomainErrors(text(spec.nodeName)).map((error) => invalidValue(`${path}.nodeName`, spec.nodeName, error)));
  if (text(spec.hostname) !== "")
    errors.push(...labelNameErrors(text(spec.hostname)).map((error) => invalidValue(`${path}.hostname`, spec.hostname, error)));
  errors.push(...tolerationErrors(spec, path), ...gateErrors(spec, path), ...affinityErrors(spec, path));
  return errors;
}

function nameErrors(item: Fields, path: string, seen: Set<string>): readonly FieldError[] {
  const name = text(item.name);
  if (name === "") return [requiredValue(`${path}.name`)];
  const errors = labelNameErrors(name).map((error) => invalidValue(`${path}.name`, name, error));
  if (errors.length === 0 && seen.has(name)) return [duplicateValue(`${path}.name`, name)];
  seen.add(name);
  return errors;
}

const envName = /^[^=\0]+$/;

function containerErrors(container: Fields, path: string, names: Set<string>, volumes: ReadonlySet<string>): readonly FieldError[] {
  const errors: FieldError[] = [...nameErrors(container, path, names)];
  const image = text(container.image);
  if (image === "") errors.push(requiredValue(`${path}.image`));
  else if (image.trim() !== image) errors.push(invalidValue(`${path}.image`, image, "must not have leading or trailing whitespace"));
  const ports = new Set<string>();
  list(container.ports).forEach((port, at) => {
    const number = port.containerPort;
    if (number === undefined) errors.push(requiredValue(`${path}.ports[${at}].containerPort`));
    else if (typeof number === "number" && (number < 1 || number > 65535)) {
      errors.push(invalidValue(`${path}.ports[${at}].containerPort`, number, "must be between 1 and 65535, inclusive"));
    }
    const name = text(port.name);
    if (name !== "" && ports.has(name)) errors.push(duplicateValue(`${path}.ports[${at}].name`, name));
    ports.add(name);
    if (!["TCP", "UDP", "SCTP"].includes(text(port.protocol)))
      errors.push(unsupportedValue(`${path}.ports[${at}].protocol`, port.protocol, ["SCTP", "TCP", "UDP"]));
  });
  list(container.env).forEach((entry, at) => {
    const name = text(entry.name);
    if (name === "") errors.push(requiredValue(`${path}.env[${at}].name`));
    else if (!envName.test(name))
      errors.push(
        invalidValue(
          `${path}.env[${at}].name`,
          name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      );
    if (entry.valueFrom === undefined) return;
    if (text(entry.value) !== "")
      errors.push(invalidValue(`${path}.env[${at}].valueFrom`, "", "may not be specified when `value` is not empty"));
    if (isFields(entry.valueFrom) && Object.keys(entry.valueFrom).length === 0) {
      errors.push(
        invalidValue(
          `${path}.env[${at}].valueFrom`,
          "",
          "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ),
      );
    }
  });
  const mounts = new Set<string>();
  list(container.volumeMounts).forEach((mount, at) => {
    const name = text(mount.name);
    if (name === "") errors.push(requiredValue(`${path}.volumeMounts[${at}].name`));
    if (!volumes.has(name)) errors.push(notFoundField(`${path}.volumeMounts[${at}].name`, name));
    const where = text(mount.mountPath);
    if (where === "") errors.push(requiredValue(`${path}.volumeMounts[${at}].mountPath`));
    else if (mounts.has(where)) errors.push(invalidValue(`${path}.volumeMounts[${at}].mountPath`, where, "must be unique"));
    mounts.add(where);
  });
  if (!["Always", "IfNotPresent", "Never"].includes(text(container.imagePullPolicy))) {
    errors.push(unsupportedValue(`${path}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]));
  }
  if (!["File", "FallbackToLogsOnError"].includes(text(container.terminationMessagePolicy))) {
    errors.push(
      unsupportedValue(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, ["FallbackToLogsOnError", "File"]),
    );
  }
  errors.push(...resourceErrors(container.resources, `${path}.resources`));
  return errors;
}

const standardResources = new Set(["cpu", "memory", "ephemeral-storage"]);

/** Resources of which nobody may use more than was requested: those of others, and huge pages. */
const isReserved = (name: string): boolean => (name.includes("/") && !name.includes("kubernetes.io/")) || name.startsWith("hugepages-");

function resourceErrors(resources: unknown, path: string): readonly FieldError[] {
  if (!isFields(resources)) return [];
  const errors: FieldError[] = [];
  const limits = isFields(resources.limits) ? resources.limits : {};
  const requests = isFields(resources.requests) ? resources.requests : {};
  for (const [half, amounts] of [
    ["limits", limits],
    ["requests", requests],
  ] as const) {
    for (const [name, amount] of Object.entries(amounts)) {
      const where = `${path}.${half}[${name}]`;
      if (!name.includes("/") && !standardResources.has(name) && !name.startsWith("hugepages-")) {
        errors.push(
          invalidValue(where, name, "must be a standard resource type or fully qualified"),
          invalidValue(where, name, "must be a standard resource for containers"),
        );
      } else errors.push(...qualifiedNameErrors(name).map((error) => invalidValue(where, name, error)));
      const quantity = parseQuantity(String(amount));
      if (quantity !== undefined && quantity.nano < 0n) errors.push(invalidValue(where, amount, "must be greater than or equal to 0"));
    }
  }
  for (const [name, amount] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit === undefined) {
      if (isReserved(name)) errors.push(requiredValue(`${path}.limits`, "Limit must be set for non overcommitable resources"));
      continue;
    }
    const wanted = parseQuantity(String(amount))?.nano ?? 0n;
    if (wanted > (parseQuantity(String(limit))?.nano ?? 0n))
      errors.push(invalidValue(`${path}.requests`, amount, `must be less than or equal to ${name} limit of ${String(limit)}`));
  }
  return errors;
}

function tolerationErrors(spec: Fields, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  list(spec.tolerations).forEach((toleration, at) => {
    const where = `${path}.tolerations[${at}]`;
    const key = text(toleration.key);
    if (key !== "") errors.push(...qualifiedNameErrors(key).map((error) => invalidValue(`${where}.key`, key, error)));
    if (key === "" && toleration.operator !== "Exists") {
      errors.push(
        invalidValue(
          `${where}.operator`,
          text(toleration.operator),
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (toleration.tolerationSeconds !== undefined && toleration.effect !== "NoExecute") {
      errors.push(invalidValue(`${where}.effect`, text(toleration.effect), "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (toleration.operator !== undefined && !["Exists", "Equal", "Lt", "Gt"].includes(text(toleration.operator))) {
      errors.push(unsupportedValue(`${where}.operator`, toleration.operator, ["Equal", "Exists"]));
    }
  });
  return errors;
}

function gateErrors(spec: Fields, path: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  list(spec.schedulingGates).forEach((gate, at) => {
    const name = text(gate.name);
    errors.push(...qualifiedNameErrors(name).map((error) => invalidValue(`${path}.schedulingGates[${at}]`, name, error)));
    if (seen.has(name)) errors.push(duplicateValue(`${path}.schedulingGates[${at}]`, name));
    seen.add(name);
  });
  if (seen.size > 0 && text(spec.nodeName) !== "")
    errors.push(forbiddenField(`${path}.nodeName`, "cannot be set until all schedulingGates have been cleared"));
  return errors;
}

const operators = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

function affinityErrors(spec: Fields, path: string): readonly FieldError[] {
  const affinity = isFields(spec.affinity) && isFields(spec.affinity.nodeAffinity) ? spec.affinity.nodeAffinity : undefined;
  if (affinity === undefined) return [];
  const errors: FieldError[] = [];
  const where = `${path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`;
  const required = affinity.requiredDuringSchedulingIgnoredDuringExecution;
  if (!isFields(required)) return [];
  const terms = list(required.nodeSelectorTerms);
  if (terms.length === 0) errors.push(requiredValue(`${where}.nodeSelectorTerms`, "must have at least one node selector term"));
  terms.forEach((term, t) => {
    list(term.matchExpressions).forEach((expression, e) => {
      const at = `${where}.nodeSelectorTerms[${t}].matchExpressions[${e}]`;
      const values = Array.isArray(expression.values) ? expression.values : [];
      if (!operators.includes(text(expression.operator)))
        errors.push(invalidValue(`${at}.operator`, text(expression.operator), "not a valid selector operator"));
      if (["In", "NotIn"].includes(text(expression.operator)) && values.length === 0)
        errors.push(requiredValue(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      if (["Exists", "DoesNotExist"].includes(text(expression.operator)) && values.length > 0)
        errors.push(forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      errors.push(...qualifiedNameErrors(text(expression.key)).map((error) => invalidValue(`${at}.key`, expression.key, error)));
      values.forEach((value, v) => {
        errors.push(...labelValueErrors(text(value)).map((error) => invalidValue(`${at}.values[${v}]`, value, error)));
      });
    });
  });
  return errors;
}

const updateSentence =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/** Errors in a change of a pod's spec: which parts may change, and gates that may only go. */
export function podUpdateErrors(next: StoredObject, live: StoredObject): readonly FieldError[] {
  const now = next.spec as Fields;
  const was = live.spec as Fields;
  if (sameJson(now, was)) return [];
  const errors: FieldError[] = [];
  const gatesBefore = list(was.schedulingGates).map((gate) => text(gate.name));
  for (const [at, gate] of list(now.schedulingGates).entries()) {
    if (!gatesBefore.includes(text(gate.name))) {
      errors.push(
        forbiddenField(`spec.schedulingGates[${at}].name`, `only deletion is allowed, but found new scheduling gate '${text(gate.name)}'`),
      );
    }
  }
  const deadline = now.activeDeadlineSeconds;
  if (was.activeDeadlineSeconds !== undefined) {
    if (deadline === undefined)
      errors.push(invalidValue("spec.activeDeadlineSeconds", deadline, "must not update from a positive integer to nil value"));
    else if ((deadline as number) > (was.activeDeadlineSeconds as number)) {
      errors.push(invalidValue("spec.activeDeadlineSeconds", deadline, "must be less than or equal to previous value"));
    }
  }
  const tolerations = list(now.tolerations);
  for (const toleration of list(was.tolerations)) {
    if (
      !tolerations.some((other) =>
        sameJson(withField(other, "tolerationSeconds", undefined), withField(toleration, "tolerationSeconds", undefined)),
      )
    ) {
      errors.push(forbiddenField("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"));
    }
  }
  const gated = gatesBefore.length > 0;
  let comparable: Fields = {
    ...now,
    containers: withImages(now.containers, was.containers),
    activeDeadlineSeconds: was.activeDeadlineSeconds,
    tolerations: was.tolerations,
    schedulingGates: was.schedulingGates,
    ...(now.initContainers === undefined ? {} : { initContainers: withImages(now.initContainers, was.initContainers) }),
  };
  if (gated) {
    if (onlyAdds(now.nodeSelector, was.nodeSelector)) comparable = { ...comparable, nodeSelector: was.nodeSelector };
    comparable = { ...comparable, affinity: was.affinity };
  }
  if (!sameJson(comparable, was)) errors.push(forbiddenField("spec", updateSentence));
  return errors;
}

function withImages(containers: unknown, before: unknown): unknown {
  const old = list(before);
  return list(containers).map((container, at) => (old[at]?.image === undefined ? container : { ...container, image: old[at].image }));
}

function onlyAdds(now: unknown, was: unknown): boolean {
  const after = isFields(now) ? now : {};
  return Object.entries(isFields(was) ? was : {}).every(([key, value]) => after[key] === value);
}
