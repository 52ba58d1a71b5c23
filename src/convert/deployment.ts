import type { PodTemplateSpec } from "../api/core.ts";
import { labelPrefix } from "../api/names.ts";
import type { RunnerApp, RunnerAppSpec } from "../api/runner-app.gen.ts";
import { type AppConversion, ConvertError, type ConvertOptions, Notes } from "./conversion.ts";
import type { Fields } from "./fields.ts";
import { keptMetadata } from "./kept-metadata.ts";
import { objectName } from "./object-name.ts";

/** The largest values that a RunnerApp takes. */
const bounds = { minReadySeconds: 86_400, progressDeadlineSeconds: 2_592_000, revisionHistoryLimit: 100, replicas: 10_000 } as const;

/** A Deployment as a RunnerApp: fields keep their places and mean the same. Throws ConvertError with the path of a field that is wrong. */
export function convertDeployment(deployment: Fields, options: ConvertOptions): AppConversion {
  const metadata = deployment.object("metadata");
  const wanted = metadata.word("name") ?? metadata.word("generateName");
  if (wanted === undefined) throw new ConvertError(metadata.at("name"), "is missing; a Deployment has a name");
  const namespace = metadata.word("namespace") ?? options.namespace;
  const notes = new Notes();
  const name = objectName(wanted, "app", "metadata.name", notes, "app");
  const spec = deployment.object("spec");
  const replicas = bounded(spec, "replicas", notes);
  const strategy = strategyOf(spec.object("strategy"), notes);
  const converted: RunnerAppSpec = {
    ...(replicas !== undefined && { replicas }),
    ...(spec.has("selector") && { selector: spec.object("selector").value as NonNullable<RunnerAppSpec["selector"]> }),
    ...numbers(spec, notes),
    ...(spec.flag("paused") === true && { paused: true }),
    ...(strategy !== undefined && { strategy }),
    template: templateOf(spec.object("template"), notes) as unknown as RunnerAppSpec["template"],
  };
  const manifest: RunnerApp = {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, ...(namespace !== undefined && { namespace }), ...keptMetadata(metadata) },
    spec: converted,
  };
  return { source: `Deployment ${namespace === undefined ? "" : `${namespace}/`}${wanted}`, manifest, notes: notes.all() };
}

function numbers(spec: Fields, notes: Notes): Partial<RunnerAppSpec> {
  const entries = (["minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit"] as const).flatMap((field) => {
    const value = bounded(spec, field, notes);
    return value === undefined ? [] : [[field, value] as const];
  });
  return Object.fromEntries(entries);
}

function bounded(spec: Fields, field: keyof typeof bounds, notes: Notes): number | undefined {
  const written = spec.integer(field);
  const most = bounds[field];
  if (written === undefined || written <= most) return written;
  notes.add(spec.at(field), `${written} is more than a RunnerApp takes: ${most}.`);
  return most;
}

function strategyOf(strategy: Fields, notes: Notes): RunnerAppSpec["strategy"] | undefined {
  const type = strategy.word("type") ?? "RollingUpdate";
  if (type === "Recreate") {
    notes.add(
      strategy.at("type"),
      "Recreate ends all old pods before the first new one begins. Here the old ones go at once too, and none runs besides, but a new one may begin while " +
        "an old one ends. Where two versions must never be at work together, set replicas to 0 for a change.",
    );
    return { rollingUpdate: { maxSurge: 0, maxUnavailable: "100%" } };
  }
  if (type !== "RollingUpdate") throw new ConvertError(strategy.at("type"), `is "${type}"; it is RollingUpdate or Recreate`);
  const rolling = strategy.object("rollingUpdate");
  const [maxSurge, maxUnavailable] = [share(rolling, "maxSurge", notes), share(rolling, "maxUnavailable", notes)];
  if (maxSurge === undefined && maxUnavailable === undefined) return undefined;
  return { rollingUpdate: { ...(maxSurge !== undefined && { maxSurge }), ...(maxUnavailable !== undefined && { maxUnavailable }) } };
}

/** A number, or a share of whole percent; a surge may be more than 100 % there. */
function share(fields: Fields, field: "maxSurge" | "maxUnavailable", notes: Notes): number | string | undefined {
  const text = fields.word(field);
  if (text === undefined) return undefined;
  const [, percent] = /^(\d{1,6})%$/.exec(text) ?? [];
  if (percent !== undefined) {
    if (Number(percent) <= 100) return `${Number(percent)}%`;
    notes.add(fields.at(field), `${text} is more than a RunnerApp takes: 100%.`);
    return "100%";
  }
  const count = fields.integer(field) as number;
  if (count < 0) throw new ConvertError(fields.at(field), `is ${count}; it is a number of pods, or a share such as 25%`);
  return Math.min(count, bounds.replicas);
}

/** What the Deployment controller and `kubectl rollout restart` write on pods. */
const ofDeployments: ReadonlySet<string> = new Set(["pod-template-hash", "kubectl.kubernetes.io/restartedAt"]);

function templateOf(template: Fields, notes: Notes): PodTemplateSpec {
  const metadata = template.object("metadata");
  const keep = (field: "labels" | "annotations") => {
    const kept = Object.entries(metadata.texts(field) ?? {}).filter(([key]) => {
      if (!key.startsWith(labelPrefix)) return !ofDeployments.has(key);
      notes.add(`${metadata.at(field)}["${key}"]`, "Left out: names under nuptse.dev/ are the operator's.");
      return false;
    });
    return kept.length === 0 ? {} : { [field]: Object.fromEntries(kept) };
  };
  const kept = { ...keep("labels"), ...keep("annotations") };
  const { restartPolicy: _, ...spec } = template.object("spec").value;
  return { ...(Object.keys(kept).length > 0 && { metadata: kept }), spec } as unknown as PodTemplateSpec;
}
