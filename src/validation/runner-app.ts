import { type LabelSelector, selects, selectorText } from "../api/label-selector.ts";
import type { SpecProblem } from "../api/problem.ts";
import { hostnameRule, isHostname, servicePath } from "../api/published-names.ts";
import type { RunnerAppSpec } from "../api/runner-app.gen.ts";
import { parseTime } from "../base/time.ts";
import { imageProblems } from "./pod-template.ts";

/** An instant further ahead is a mistake of the year or the zone, which nobody would notice until it comes. */
const furthestRestartMs = 86_400_000;

/** What the CRD's schema cannot say about a RunnerApp's spec; empty when it is right. */
export function runnerAppProblems(spec: RunnerAppSpec, now: number): readonly SpecProblem[] {
  const { template } = spec;
  return [
    ...(template === undefined ? [] : imageProblems(template, "spec.template")),
    ...selectorProblems(spec),
    ...restartProblems(spec, now),
    ...optionProblems(spec),
    ...serviceProblems(spec),
  ];
}

function serviceProblems({ services = [] }: RunnerAppSpec): readonly SpecProblem[] {
  return services.flatMap(({ name, hostnames = [] }) =>
    hostnames.flatMap((host, index) =>
      isHostname(host) ? [] : [{ path: `${servicePath(name)}.hostnames[${index}]`, message: hostnameRule(host) }],
    ),
  );
}

function selectorProblems({ selector, template }: RunnerAppSpec): readonly SpecProblem[] {
  if (selector === undefined || template === undefined || selects(selector as LabelSelector, template.metadata?.labels ?? {})) return [];
  const message = `must have the labels that spec.selector selects: ${selectorText(selector as LabelSelector)}`;
  return [{ path: "spec.template.metadata.labels", message }];
}

function optionProblems({ resourceOptions = [], template }: RunnerAppSpec): readonly SpecProblem[] {
  const known = (template?.spec.containers ?? []).map(({ name }) => name);
  return resourceOptions.flatMap(({ containers = [] }, option) =>
    containers.flatMap(({ name }, index): readonly SpecProblem[] =>
      known.includes(name)
        ? []
        : [
            {
              path: `spec.resourceOptions[${option}].containers[${index}].name`,
              message: `is "${name}"; must be a container of the template: ${known.join(", ")}`,
            },
          ],
    ),
  );
}

function restartProblems({ restartedAt }: RunnerAppSpec, now: number): readonly SpecProblem[] {
  const at = parseTime(restartedAt);
  if (at === undefined || at <= now + furthestRestartMs) return [];
  return [{ path: "spec.restartedAt", message: `is ${restartedAt}; must be no more than 24 h ahead` }];
}
