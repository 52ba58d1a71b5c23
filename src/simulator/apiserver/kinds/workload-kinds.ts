import { daemonSets, deployments, type Resource, replicaSets, statefulSets } from "../../../api/resource.ts";
import { type Fields, isFields, type StoredObject, sameJson, withField, withMetadata } from "../json.ts";
import { type FieldError, forbiddenField, invalidValue, requiredValue, unsupportedValue } from "../status.ts";
import { type BuiltinKind, section } from "./builtin-kind.ts";
import { labelSelectorErrors } from "./label-selector-validation.ts";
import { defaultTemplate, templateErrors } from "./pod-kind.ts";

/** The kinds of the group apps that keep pods: how they are defaulted and what they are refused for (pkg/apis/apps). */

const emptyWorkload: Fields = { spec: { selector: null, template: { metadata: {}, spec: { containers: null } } }, status: {} };

/** Fills in a spec, and the template in it. */
const defaultsOf =
  (defaultSpec: (spec: Fields) => Fields) =>
  (object: Fields): Fields => {
    const spec = section(object, "spec");
    return {
      ...object,
      spec: { ...defaultSpec(spec), ...(spec.template === undefined ? {} : { template: defaultTemplate(spec.template) }) },
    };
  };

/** Pods that are kept are always started again, and have no deadline. */
function keptErrors(spec: Fields, kind: string): readonly FieldError[] {
  const pod = section(section(spec, "template"), "spec");
  const errors: FieldError[] = [];
  const policy = pod.restartPolicy ?? "Always";
  // another word than the three is refused for what it is already
  if (policy === "OnFailure" || policy === "Never") errors.push(unsupportedValue("spec.template.spec.restartPolicy", policy, ["Always"]));
  if (pod.activeDeadlineSeconds !== undefined)
    errors.push(forbiddenField("spec.template.spec.activeDeadlineSeconds", `activeDeadlineSeconds in ${kind} is not Supported`));
  return errors;
}

function selectorErrors(spec: Fields, kind: string): readonly FieldError[] {
  const labels = section(section(section(spec, "template"), "metadata"), "labels");
  const wanted = section(section(spec, "selector"), "matchLabels");
  const isAbsent = spec.selector === undefined;
  const errors = [...labelSelectorErrors(spec.selector, "spec.selector")];
  if (isAbsent && kind !== "DaemonSet") errors.push(requiredValue("spec.selector"));
  // no selector selects nothing
  if (isAbsent || Object.entries(wanted).some(([key, value]) => labels[key] !== value))
    errors.push(invalidValue("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
  return errors;
}

/** The template with the volumes that the claims of a StatefulSet give its pods. */
function withClaimVolumes({ template, volumeClaimTemplates }: Fields): unknown {
  if (!isFields(template) || !Array.isArray(volumeClaimTemplates)) return template;
  const spec = section(template, "spec");
  const names = new Set(volumeClaimTemplates.filter(isFields).map((claim) => section(claim, "metadata").name));
  const others = (Array.isArray(spec.volumes) ? spec.volumes : []).filter((volume: unknown) => isFields(volume) && !names.has(volume.name));
  return { ...template, spec: { ...spec, volumes: [...others, ...[...names].map((name) => ({ name, emptyDir: {} }))] } };
}

function workloadErrors(object: StoredObject, kind: string): readonly FieldError[] {
  const spec = section(object, "spec");
  const { replicas } = spec;
  return [
    ...templateErrors(withClaimVolumes(spec), "spec.template"),
    ...(typeof replicas === "number" && replicas < 0
      ? [invalidValue("spec.replicas", replicas, "must be greater than or equal to 0")]
      : []),
    ...selectorErrors(spec, kind),
    ...keptErrors(spec, kind),
  ];
}

/** Errors of a changed object, and of a change of its selector. */
function changeErrors(next: StoredObject, live: StoredObject, kind: string, subresource: string): readonly FieldError[] {
  if (subresource !== "") return [];
  const { selector } = section(next, "spec");
  const errors = workloadErrors(next, kind);
  return sameJson(selector, section(live, "spec").selector)
    ? errors
    : [...errors, invalidValue("spec.selector", selector ?? null, "field is immutable")];
}

/** How a Deployment goes from one template to the next where it does not say. */
function defaultRollout(spec: Fields): Fields {
  const strategy: Fields = { type: "RollingUpdate", ...section(spec, "strategy") };
  const rollingUpdate = { maxUnavailable: "25%", maxSurge: "25%", ...section(strategy, "rollingUpdate") };
  return {
    replicas: 1,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    ...spec,
    strategy: strategy.type === "RollingUpdate" ? { ...strategy, rollingUpdate } : strategy,
  };
}

const scaled = { specReplicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"] };

const replicated = (resource: Resource, shortName: string): BuiltinKind => ({
  resource,
  typeName: `apps.v1.${resource.kind}`,
  shortNames: [shortName],
  categories: ["all"],
  subresources: ["status", "scale"],
  scale: scaled,
  counted: true,
  emptyObject: emptyWorkload,
  defaults: defaultsOf(resource.kind === "Deployment" ? defaultRollout : (spec) => ({ replicas: 1, ...spec })),
  prepareCreate: (object) => withField(object, "status", resource.kind === "ReplicaSet" ? { replicas: 0 } : {}),
  validate: (object) => workloadErrors(object, resource.kind),
  validateUpdate: (next, live, subresource) => changeErrors(next, live, resource.kind, subresource),
});

/** What of a StatefulSet may change. */
const changing = new Set([
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
]);
const fixedOf = (object: StoredObject): Fields =>
  Object.fromEntries(Object.entries(section(object, "spec")).filter(([field]) => !changing.has(field)));

function statefulSetErrors(object: StoredObject): readonly FieldError[] {
  const { podManagementPolicy: policy } = section(object, "spec");
  const errors = workloadErrors(object, "StatefulSet");
  return policy === "OrderedReady" || policy === "Parallel"
    ? errors
    : [invalidValue("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"), ...errors];
}

function defaultStatefulSet(spec: Fields): Fields {
  const strategy: Fields = { type: "RollingUpdate", ...section(spec, "updateStrategy") };
  const rollingUpdate = { partition: 0, ...section(strategy, "rollingUpdate") };
  return {
    replicas: 1,
    podManagementPolicy: "OrderedReady",
    revisionHistoryLimit: 10,
    ...spec,
    updateStrategy: strategy.type === "RollingUpdate" ? { ...strategy, rollingUpdate } : strategy,
    persistentVolumeClaimRetentionPolicy: {
      whenDeleted: "Retain",
      whenScaled: "Retain",
      ...section(spec, "persistentVolumeClaimRetentionPolicy"),
    },
  };
}

const statefulSetKind: BuiltinKind = {
  resource: statefulSets,
  typeName: "apps.v1.StatefulSet",
  shortNames: ["sts"],
  categories: ["all"],
  subresources: ["status", "scale"],
  scale: scaled,
  counted: true,
  emptyObject: emptyWorkload,
  defaults: defaultsOf(defaultStatefulSet),
  prepareCreate: (object) => withField(object, "status", { replicas: 0, availableReplicas: 0 }),
  validate: statefulSetErrors,
  validateUpdate(next, live, subresource) {
    if (subresource !== "") return [];
    const errors = statefulSetErrors(next);
    if (sameJson(fixedOf(next), fixedOf(live))) return errors;
    const why =
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
    return [...errors, forbiddenField("spec", why)];
  },
};

const generationAnnotation = "deprecated.daemonset.template.generation";

/** The number of the template is told in an annotation that nobody else may set. */
const withTemplateGeneration = (object: StoredObject, generation: number): StoredObject =>
  withMetadata(object, { annotations: { ...object.metadata.annotations, [generationAnnotation]: String(generation) } });

function defaultDaemonSet(spec: Fields): Fields {
  const strategy: Fields = { type: "RollingUpdate", ...section(spec, "updateStrategy") };
  const rollingUpdate = { maxUnavailable: 1, maxSurge: 0, ...section(strategy, "rollingUpdate") };
  return {
    revisionHistoryLimit: 10,
    ...spec,
    updateStrategy: strategy.type === "RollingUpdate" ? { ...strategy, rollingUpdate } : strategy,
  };
}

/** Go writes these four even when they are 0. */
const noDaemons: Fields = { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 };

const daemonSetKind: BuiltinKind = {
  resource: daemonSets,
  typeName: "apps.v1.DaemonSet",
  shortNames: ["ds"],
  categories: ["all"],
  subresources: ["status"],
  counted: true,
  emptyObject: { ...emptyWorkload, status: noDaemons },
  defaults: defaultsOf(defaultDaemonSet),
  prepareCreate: (object) => withTemplateGeneration(withField(object, "status", noDaemons), 1),
  prepareUpdate(next, live, subresource) {
    if (subresource !== "") return next;
    const before = Number(live.metadata.annotations?.[generationAnnotation] ?? 1);
    const same = sameJson(section(next, "spec").template, section(live, "spec").template);
    return withTemplateGeneration(next, same ? before : before + 1);
  },
  validate: (object) => workloadErrors(object, "DaemonSet"),
  validateUpdate: (next, live, subresource) => changeErrors(next, live, "DaemonSet", subresource),
};

export const workloadKinds: readonly BuiltinKind[] = [
  replicated(deployments, "deploy"),
  replicated(replicaSets, "rs"),
  statefulSetKind,
  daemonSetKind,
];
