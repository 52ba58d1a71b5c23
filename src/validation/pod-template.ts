import type { PodTemplateSpec } from "../api/core.ts";
import type { SpecProblem } from "../api/problem.ts";
import { imageReferenceProblem } from "./image-reference.ts";

/** Images of a pod template that no registry could have. */
export function imageProblems(template: PodTemplateSpec, path: string): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, container] of (template.spec[list] ?? []).entries()) {
      const problem = container.image === undefined ? undefined : imageReferenceProblem(container.image);
      if (problem !== undefined) problems.push({ path: `${path}.spec.${list}[${index}].image`, message: problem });
    }
  }
  return problems;
}
