import type { PodTemplateSpec } from "../api/core.ts";
import { labelPrefix } from "../api/names.ts";
import type { Notes } from "./conversion.ts";
import { Fields } from "./fields.ts";

/** Labels that the Job controller puts on its pods; they are not in a template of ours. */
const jobLabels = /^(?:batch\.kubernetes\.io\/)?(?:controller-uid|job-name|job-completion-index)$/;
const completionIndex = "batch.kubernetes.io/job-completion-index";

/** The pod template of a Job as one of ours: as it is, but for what belongs to the Job. */
export function podTemplate(template: Fields, indexed: boolean, notes: Notes): PodTemplateSpec {
  const metadata = templateMetadata(template.object("metadata"), notes);
  const source = template.object("spec");
  if (source.text("restartPolicy") === "OnFailure") {
    notes.add(
      source.at("restartPolicy"),
      "OnFailure starts a failed container again in its pod; here the item gets a new pod on the same node, so an emptyDir begins empty.",
    );
  }
  if (indexed && source.has("subdomain")) {
    notes.add(
      source.at("subdomain"),
      "Pods of an Indexed Job are called <job>-<index> there; here the host name is the pod's name, another in each run.",
    );
  }
  const { restartPolicy: _, ...spec } = source.value;
  const lists = ["initContainers", "containers"].filter((list) => source.has(list));
  const containers = Object.fromEntries(
    lists.map((list) => [
      list,
      source.list(list).map((entry, index) => container(new Fields(entry, `${source.at(list)}[${index}]`), notes)),
    ]),
  );
  return { ...(metadata !== undefined && { metadata }), spec: { ...spec, ...containers } } as PodTemplateSpec;
}

function templateMetadata(metadata: Fields, notes: Notes): PodTemplateSpec["metadata"] {
  const keep = (name: "labels" | "annotations") => {
    const kept = Object.entries(metadata.texts(name) ?? {}).filter(([key]) => {
      if (!key.startsWith(labelPrefix)) return !jobLabels.test(key);
      notes.add(`${metadata.at(name)}["${key}"]`, "Left out: names under nuptse.dev/ are the operator's.");
      return false;
    });
    return kept.length === 0 ? {} : { [name]: Object.fromEntries(kept) };
  };
  const kept = { ...keep("labels"), ...keep("annotations") };
  return Object.keys(kept).length === 0 ? undefined : kept;
}

/** Variables that come from what the Job controller writes on a pod. */
function container(fields: Fields, notes: Notes): unknown {
  if (!fields.has("env")) return fields.value;
  const env = fields.list("env").map((entry, index) => {
    const variable = new Fields(entry, `${fields.at("env")}[${index}]`);
    const fieldRef = variable.object("valueFrom").object("fieldRef");
    const [, key = ""] = /^metadata\.(?:labels|annotations)\['([^']+)'\]$/.exec(fieldRef.text("fieldPath") ?? "") ?? [];
    if (key === completionIndex)
      return { ...variable.value, valueFrom: { fieldRef: { fieldPath: `metadata.labels['${labelPrefix}item']` } } };
    if (jobLabels.test(key)) {
      notes.add(
        fieldRef.at("fieldPath"),
        `The label "${key}" is not there: there is no Job. The run's name is in $NUPTSE_RUN, the job's in $NUPTSE_JOB.`,
      );
    }
    return entry;
  });
  return { ...fields.value, env };
}
