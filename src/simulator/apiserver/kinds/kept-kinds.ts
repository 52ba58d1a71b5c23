import { type Fields, isFields, sameJson, withField } from "../json.ts";
import { type FieldError, invalidValue, requiredValue } from "../status.ts";
import { type BuiltinKind, resourceOf, section } from "./builtin-kind.ts";
import { defaultTemplate, templateErrors } from "./pod-kind.ts";

/** Kinds that charts and clients bring, or ask after, and nobody acts on here. */

const isEmpty = (value: unknown): boolean => !isFields(value) || Object.keys(value).length === 0;

/** What ReplicaSets came from. Its selector is a map of labels, and is that of the template where it does not say. */
const replicationControllerKind: BuiltinKind = {
  resource: resourceOf("", "v1", "replicationcontrollers", "ReplicationController"),
  typeName: "core.v1.ReplicationController",
  shortNames: ["rc"],
  categories: ["all"],
  subresources: ["status", "scale"],
  scale: { specReplicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"] },
  counted: true,
  emptyObject: { spec: {}, status: { replicas: 0 } },
  defaults(object) {
    const spec = section(object, "spec");
    const { template } = spec;
    const { labels } = section(section(spec, "template"), "metadata");
    const labelled = isEmpty(section(object, "metadata").labels) && !isEmpty(labels);
    return {
      ...object,
      ...(labelled && { metadata: { ...section(object, "metadata"), labels } }),
      spec: {
        replicas: 1,
        ...spec,
        ...(isEmpty(spec.selector) && !isEmpty(labels) && { selector: labels }),
        ...(template !== undefined && { template: defaultTemplate(template) }),
      },
    };
  },
  prepareCreate: (object) => withField(object, "status", { replicas: 0 }),
  validate(object) {
    const spec = section(object, "spec");
    const selector = section(spec, "selector");
    const labels = section(section(section(spec, "template"), "metadata"), "labels");
    const errors: FieldError[] = [];
    if (typeof spec.replicas === "number" && spec.replicas < 0)
      errors.push(invalidValue("spec.replicas", spec.replicas, "must be greater than or equal to 0"));
    if (isEmpty(selector)) errors.push(requiredValue("spec.selector"));
    if (spec.template === undefined) return [...errors, requiredValue("spec.template")];
    if (!Object.entries(selector).every(([key, value]) => labels[key] === value))
      errors.push(invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
    return [...errors, ...templateErrors(spec.template, "spec.template")];
  },
};

/** What of the spec of a volume says nothing of where it is. */
const besidesItsSource = new Set(
  "capacity accessModes claimRef persistentVolumeReclaimPolicy storageClassName mountOptions volumeMode nodeAffinity volumeAttributesClassName".split(
    " ",
  ),
);

const persistentVolumeKind: BuiltinKind = {
  resource: resourceOf("", "v1", "persistentvolumes", "PersistentVolume", false),
  typeName: "core.v1.PersistentVolume",
  shortNames: ["pv"],
  subresources: ["status"],
  returnsDeleted: true,
  emptyObject: { spec: {}, status: {} },
  defaults: (object) => ({
    ...object,
    spec: { persistentVolumeReclaimPolicy: "Retain", volumeMode: "Filesystem", ...section(object, "spec") },
  }),
  prepareCreate: (object) => withField(object, "status", { phase: "Pending" }),
  validate(object) {
    const spec = section(object, "spec");
    const errors: FieldError[] = [];
    if (!Array.isArray(spec.accessModes) || spec.accessModes.length === 0) errors.push(requiredValue("spec.accessModes"));
    if (isEmpty(spec.capacity)) errors.push(requiredValue("spec.capacity"));
    if (Object.keys(spec).every((field) => besidesItsSource.has(field))) errors.push(requiredValue("spec", "must specify a volume type"));
    return errors;
  },
  validateUpdate(next, live, subresource) {
    if (subresource !== "") return [];
    const sourceOf = (spec: Fields) => Object.fromEntries(Object.entries(spec).filter(([field]) => !besidesItsSource.has(field)));
    return sameJson(sourceOf(section(next, "spec")), sourceOf(section(live, "spec")))
      ? []
      : [invalidValue("spec.persistentvolumesource", null, "spec.persistentvolumesource is immutable after creation")];
  },
};

/** What it is to hold where it names no metric, as a real server completes it. */
const usualMetric = { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } };

const autoscalerKind: BuiltinKind = {
  resource: resourceOf("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
  typeName: "autoscaling.v2.HorizontalPodAutoscaler",
  shortNames: ["hpa"],
  categories: ["all"],
  subresources: ["status"],
  emptyObject: { spec: { scaleTargetRef: {}, maxReplicas: 0 }, status: {} },
  defaults(object) {
    const spec = section(object, "spec");
    const metrics = Array.isArray(spec.metrics) && spec.metrics.length > 0 ? spec.metrics : [usualMetric];
    return { ...object, spec: { minReplicas: 1, ...spec, metrics } };
  },
};

export const keptKinds: readonly BuiltinKind[] = [replicationControllerKind, persistentVolumeKind, autoscalerKind];
