import type { Container, EnvVar, PodSpec } from "../../../api/core.ts";
import { serviceAnnotation } from "../../../api/names.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";

/** Until then kube-proxy and gateways that were told of nothing in advance have let go of an instance that is being deleted. */
const leaveSeconds = 10;
const defaultGraceSeconds = 30;

/** A container may have a hook before its end. */
type HookedContainer = Container & { readonly lifecycle?: { readonly preStop?: unknown } };

/** Where the services of an app are reached, as annotations of its pods: they are read at each start of a container (decision 56). */
export function serviceAnnotations({ metadata, spec }: RunnerApp): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (spec.services ?? []).map(({ name, port }) => [serviceAnnotation(name), `${name}.${metadata.namespace}.svc:${port}`]),
  );
}

/** The same as variables: NUPTSE_SERVICE_API for the service api. */
export const serviceVariables = ({ spec }: RunnerApp): readonly EnvVar[] =>
  (spec.services ?? []).map(({ name }) => ({
    name: `NUPTSE_SERVICE_${name.toUpperCase().replaceAll("-", "_")}`,
    valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${serviceAnnotation(name)}']` } },
  }));

/**
 * Containers without a preStop hook go on serving for a while after their deletion, for deletions that were not announced, such as evictions. The pod's
 * grace is as much longer, so that programs keep theirs.
 */
export function servesOn(app: RunnerApp, spec: PodSpec): PodSpec {
  const isHooked = (container: HookedContainer) => container.lifecycle?.preStop !== undefined;
  if ((app.spec.services ?? []).length === 0 || spec.containers.every(isHooked)) return spec;
  return {
    ...spec,
    terminationGracePeriodSeconds: (spec.terminationGracePeriodSeconds ?? defaultGraceSeconds) + leaveSeconds,
    containers: spec.containers.map((container: HookedContainer) =>
      isHooked(container)
        ? container
        : { ...container, lifecycle: { ...container.lifecycle, preStop: { sleep: { seconds: leaveSeconds } } } },
    ),
  };
}
