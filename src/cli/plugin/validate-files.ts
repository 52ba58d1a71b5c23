import { CommandFailure } from "./command-failure.ts";
import { readManifests } from "./manifest-files.ts";
import { createOfflineAdmission } from "./offline-admission.ts";
import type { PluginContext } from "./plugin-context.ts";

/** Checks manifests and prints what is wrong. Rejects with CommandFailure when something is. */
export async function validateFiles(context: PluginContext, names: readonly string[], quiet: boolean): Promise<void> {
  const { output, style, clock } = context;
  const admission = await createOfflineAdmission({ clock, random: { next: () => 0.5 } });
  let checked = 0;
  let others = 0;
  let wrong = 0;
  const manifests = await readManifests(names, () => context.readInput());
  const documents = manifests.flatMap((manifest) => ("problem" in manifest ? [] : [manifest.document]));
  for (const manifest of manifests) {
    if ("problem" in manifest) {
      wrong++;
      output.result(`${manifest.source}: ${style.bad(manifest.problem)}`);
      continue;
    }
    const verdict = await admission.check(manifest.document, documents);
    if (verdict === undefined) {
      others++;
      continue;
    }
    checked++;
    for (const warning of verdict.warnings) output.note(`${manifest.source}: ${verdict.name}: warning: ${warning}`);
    if (verdict.problems.length === 0 && !quiet) output.result(`${manifest.source}: ${verdict.name} ${style.good("is valid")}`);
    for (const problem of verdict.problems) output.result(`${manifest.source}: ${verdict.name}: ${style.bad(problem)}`);
    if (verdict.problems.length > 0) wrong++;
  }
  if (others > 0 && !quiet) output.note(`left out: ${others} of other kinds`);
  if (checked + wrong === 0) throw new CommandFailure("nothing was checked: no document is of a kind of nuptse.dev");
  if (wrong > 0) throw new CommandFailure("");
}
