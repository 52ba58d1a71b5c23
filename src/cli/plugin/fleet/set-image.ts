import type { Container } from "../../../api/core.ts";
import { type JsonPatchOperation, pointer } from "../../../api/json-patch.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { imageReferenceProblem } from "../../../validation/image-reference.ts";
import { UsageError } from "../../command-context.ts";
import { CommandFailure } from "../command-failure.ts";
import type { PluginContext } from "../plugin-context.ts";
import { withCluster } from "../with-cluster.ts";
import { readApp } from "./app-name.ts";
import { editApp } from "./edit-app.ts";
import { end } from "./rollout-acts.ts";
import type { WaitFlags } from "./rollout.ts";

/** Writes images into the template of a fleet. */
export async function setImages(context: PluginContext, name: string, given: readonly string[], flags: WaitFlags): Promise<void> {
  const images = given.map(imageOf);
  await withCluster(context, flags, async (cluster) => {
    const app = await readApp(cluster, name);
    const operations = images.flatMap(({ container, image }) => operationsOf(app, container, image));
    if (operations.length === 0) return context.output.note(`${app.metadata.name} has these images already`);
    const changed = await editApp(cluster, app, operations);
    await end(context, cluster, changed, "image updated", flags);
  });
}

function imageOf(text: string): { readonly container: string; readonly image: string } {
  const [, container, image] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (container === undefined || image === undefined)
    throw new UsageError(`"${text}": write the container and its image such as main=web:2`);
  const problem = imageReferenceProblem(image);
  if (problem !== undefined) throw new UsageError(`"${image}" is no image: ${problem}`);
  return { container, image };
}

function operationsOf({ metadata, spec }: RunnerApp, name: string, image: string): readonly JsonPatchOperation[] {
  const lists = (["containers", "initContainers"] as const).map((field) => ({
    field,
    containers: (spec.template.spec[field] ?? []) as readonly Container[],
  }));
  const found = lists.flatMap(({ field, containers }) =>
    containers.flatMap((container, index) => (name === "*" || container.name === name ? [{ field, index, container }] : [])),
  );
  if (found.length === 0) {
    const names = lists.flatMap(({ containers }) => containers.map((container) => container.name)).join(", ");
    throw new CommandFailure(`${metadata.name} has no container "${name}"; there are ${names}`);
  }
  return found
    .filter(({ container }) => container.image !== image)
    .map(({ field, index }) => ({ op: "add", path: pointer("spec", "template", "spec", field, index, "image"), value: image }));
}
