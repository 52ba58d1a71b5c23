import type { ElasticJobSpec } from "../api/elastic-job.gen.ts";
import { optionProblem, unknownOption } from "../api/option-value.ts";
import type { SpecProblem } from "../api/problem.ts";

/** What is wrong with a job's options, and with the places that refer to them. */
export function optionProblems(spec: ElasticJobSpec): readonly SpecProblem[] {
  const { options = [] } = spec;
  const fires = spec.schedule !== undefined || (spec.after ?? []).length > 0;
  const problems: SpecProblem[] = [];
  for (const [index, option] of options.entries()) {
    const path = `spec.options[${index}]`;
    if (option.default !== undefined) {
      const problem = optionProblem(option, option.default);
      if (problem !== undefined) problems.push({ path: `${path}.default`, message: problem });
    } else if (option.required === true && fires) {
      const message = "must be given, since scheduled runs have nobody to give the option; or take away required";
      problems.push({ path: `${path}.default`, message });
    }
  }
  const names = new Set(options.map((option) => option.name));
  for (const { path, text } of referringTexts(spec)) {
    const name = unknownOption(text, names);
    if (name === undefined) continue;
    const known = names.size === 0 ? "there are none" : `there are ${[...names].join(", ")}`;
    problems.push({ path, message: `refers to the option "${name}", which is not in spec.options; ${known}` });
  }
  return problems;
}

/** Every text in which `$(options.name)` is replaced. */
function* referringTexts({ parameter, template }: ElasticJobSpec): Generator<{ readonly path: string; readonly text: string }> {
  if (parameter !== undefined) yield { path: "spec.parameter", text: parameter };
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, container] of (template?.spec[list] ?? []).entries()) {
      const path = `spec.template.spec.${list}[${index}]`;
      for (const field of ["command", "args"] as const)
        for (const [at, text] of (container[field] ?? []).entries()) yield { path: `${path}.${field}[${at}]`, text };
      for (const [at, { value }] of (container.env ?? []).entries())
        if (value !== undefined) yield { path: `${path}.env[${at}].value`, text: value };
    }
  }
}
