import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { loadAll } from "js-yaml";
import type { Container } from "../../../src/api/core.ts";
import type { KubeObject } from "../../../src/api/meta.ts";

const run = promisify(execFile);

export const root = join(import.meta.dirname, "../../..");
export const chart = join(root, "charts/nuptse");
export const releaseNamespace = "nuptse-system";

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** An object that the chart makes, as far as tests read it. */
export interface ChartObject extends KubeObject {
  readonly rules?: readonly PolicyRule[];
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: {
      readonly spec: {
        readonly containers: readonly ChartContainer[];
        readonly volumes?: readonly { readonly name: string }[];
      };
    };
    readonly [field: string]: unknown;
  };
}

export interface ChartContainer extends Container {
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
}

/** Values by their first key. */
export type Values = Readonly<Record<string, unknown>>;

/** Values as helm takes them on its command line. */
export const valueArguments = (values: Values): readonly string[] =>
  Object.entries(values).flatMap(([key, value]) => ["--set-json", `${key}=${JSON.stringify(value)}`]);

/** What `helm template` prints. Rejects with what it said. */
export async function rendered(helm: string, values: Values = {}, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(helm, ["template", "nuptse", chart, "--namespace", releaseNamespace, ...valueArguments(values), ...args], {
    maxBuffer: 16 * 2 ** 20,
  });
  return stdout;
}

/** The objects that it prints. */
export async function objectsOf(helm: string, values: Values = {}, ...args: readonly string[]): Promise<readonly ChartObject[]> {
  return parsed(await rendered(helm, values, ...args));
}

export const parsed = (text: string): readonly ChartObject[] =>
  (loadAll(text) as readonly (ChartObject | null)[]).filter((object) => object !== null);

/** What helm says when it refuses. Rejects when it does not. */
export async function refusal(helm: string, values: Values, ...args: readonly string[]): Promise<string> {
  const error = await rendered(helm, values, ...args).then(
    () => undefined,
    (thrown: { readonly stderr: string }) => thrown,
  );
  if (error === undefined) throw new Error(`helm took ${JSON.stringify(values)}`);
  return error.stderr;
}

/** The one object of the kind and name. Throws when it is not there. */
export function find(objects: readonly ChartObject[], kind: string, name: string): ChartObject {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind} ${name}`);
  return found[0] as ChartObject;
}

/** A container of a Deployment. */
export function containerOf(objects: readonly ChartObject[], deployment: string, name: string): ChartContainer {
  const container = find(objects, "Deployment", deployment).spec?.template?.spec.containers.find((each) => each.name === name);
  if (container === undefined) throw new Error(`no container ${name} in ${deployment}`);
  return container;
}

/** "verb group/resource" for each that the rules grant, "verb group/resource name" where they grant it by name. */
export function requestsOf(rules: readonly PolicyRule[]): readonly string[] {
  return rules.flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        verbs.flatMap((verb) =>
          resourceNames === undefined
            ? [`${verb} ${group}/${resource}`]
            : resourceNames.map((name) => `${verb} ${group}/${resource} ${name}`),
        ),
      ),
    ),
  );
}
