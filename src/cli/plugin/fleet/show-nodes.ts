import type { Node, Pod } from "../../../api/core.ts";
import type { ElasticJob } from "../../../api/elastic-job.gen.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { labels } from "../../../api/names.ts";
import { elasticJobs, nodes, pods, type Resource, runnerApps } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { utc } from "../../../cron/zone.ts";
import { ApiError, NotFound } from "../../../kube/errors.ts";
import { alignColumns } from "../../cron-output.ts";
import type { Format } from "../cluster-options.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster, ClusterFlags, PluginContext } from "../plugin-context.ts";
import { printValue } from "../print.ts";
import { oneLine } from "../status-text.ts";
import type { Style } from "../style.ts";
import { spanText, timeText } from "../time-text.ts";
import { withCluster } from "../with-cluster.ts";
import { type NodePicture, type NodeView, nodeViews } from "./node-view.ts";

/** Prints all nodes, or one with all that is on it. */
export async function showNodes(
  context: PluginContext,
  name: string | undefined,
  flags: ClusterFlags & { readonly output?: Format },
): Promise<void> {
  const { clock, output, style } = context;
  const { picture, unseen } = await withCluster(context, flags, (cluster) => readNodePicture(cluster, name, clock.now()));
  for (const problem of unseen) output.note(problem);
  const views = nodeViews(picture);
  if (flags.output === "json" || flags.output === "yaml")
    return await printValue(output, flags.output, name === undefined ? views : views[0]);
  const lines = name === undefined ? nodeTable(views, style) : nodeText(views[0] as NodeView, style, picture.now);
  for (const line of lines) output.result(line);
}

async function readNodePicture(
  cluster: Cluster,
  name: string | undefined,
  now: number,
): Promise<{ readonly picture: NodePicture; readonly unseen: readonly string[] }> {
  const { client } = cluster;
  const fieldSelector = name === undefined ? {} : { fieldSelector: `spec.nodeName=${name}` };
  const unseen: string[] = [];
  const found = name === undefined ? (await client.list<Node>(nodes)).items : [await readNode(cluster, name)];
  const everywhere = async <T extends KubeObject>(resource: Resource, options: object = {}): Promise<readonly T[]> => {
    try {
      return (await client.list<T>(resource, options)).items;
    } catch (error) {
      if (error instanceof NotFound) return [];
      if (!(error instanceof ApiError)) throw error;
      unseen.push(`${resource.plural} of all namespaces may not be listed: only those of ${cluster.namespace} are shown`);
      return (await client.list<T>(resource, { ...options, namespace: cluster.namespace }).catch(() => ({ items: [] }))).items;
    }
  };
  const [instances, items, apps, jobs] = await Promise.all([
    everywhere<Pod>(pods, { labelSelector: labels.app, ...fieldSelector }),
    everywhere<Pod>(pods, { labelSelector: labels.job, ...fieldSelector }),
    everywhere<RunnerApp>(runnerApps),
    everywhere<ElasticJob>(elasticJobs),
  ]);
  return { picture: { nodes: found, pods: [...instances, ...items], apps, jobs, now }, unseen: [...new Set(unseen)] };
}

async function readNode({ client }: Cluster, name: string): Promise<Node> {
  return client.get<Node>(nodes, { name }).catch((error: unknown) => {
    if (!(error instanceof NotFound)) throw error;
    throw new CommandFailure(`there is no node "${name}"`, { cause: error });
  });
}

function nodeTable(views: readonly NodeView[], style: Style): readonly string[] {
  const rows = views.map(({ node, states, instances, items, leftOutBy }) => [
    node,
    states.join(","),
    String(instances.length),
    String(items.length),
    leftOutBy
      .filter(({ effect }) => effect === "Exclude")
      .map(({ who }) => who)
      .join(", "),
  ]);
  const [head = "", ...lines] = alignColumns([["NODE", "STATE", "INSTANCES", "ITEMS", "LEFT-OUT-BY"], ...rows]);
  return [head, ...lines.map((line) => line.trimEnd().replace(/(?<=^\S+ +)\S+/, (state) => paint(state, style)))];
}

const paint = (state: string, style: Style): string =>
  state === "Ready" ? style.good(state) : state.startsWith("Ready") ? style.busy(state) : style.bad(state);

const takenWords: Readonly<Record<string, string>> = {
  Cordoned: "it is cordoned, so instances leave it",
  Annotated: "it is annotated nuptse.dev/evacuate, so instances leave it",
};

function nodeText({ node, states, taken, instances, items, leftOutBy }: NodeView, style: Style, now: number): readonly string[] {
  const rows: [string, string][] = [
    ["Node", style.bold(node)],
    ["State", `${paint(states.join(","), style)}${taken === undefined ? "" : `: ${takenWords[taken] ?? taken}`}`],
    ["Ours", `${instances.length} instances of fleets, ${items.length} items of jobs`],
  ];
  return [
    ...rows.map(([name, value]) => `${`${name}:`.padEnd(8)}${value}`),
    ...table(
      "Left out, or preferred, by",
      ["WHO", "EFFECT", "UNTIL", "BECAUSE"],
      leftOutBy.map(({ who, effect, source, until, reason }) => [
        who,
        effect,
        until === undefined ? "for good" : timeText(until, utc, now),
        [source === "Spec" ? "spec.nodeRules" : undefined, reason === undefined ? undefined : oneLine(reason)].filter(Boolean).join(": "),
      ]),
      style,
    ),
    ...table(
      "Instances",
      ["APP", "INSTANCE", "REASON", "POD", "AGE"],
      instances.map((view) => [
        `${view.namespace}/${view.app}`,
        view.instance,
        view.isDeleting ? "Ending" : view.reason !== "None" ? view.reason : view.ready ? "Serving" : "NotReady",
        view.pod ?? "-",
        view.createdAt === undefined ? "-" : spanText(view.createdAt, now),
      ]),
      style,
    ),
    ...table(
      "Items",
      ["JOB", "RUN", "ITEM", "PHASE", "POD", "AGE"],
      items.map(({ namespace, job, run, item, phase, pod, createdAt }) => [
        `${namespace}/${job}`,
        run,
        item,
        phase,
        pod,
        createdAt === undefined ? "-" : spanText(createdAt, now),
      ]),
      style,
    ),
  ];
}

function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[], style: Style): readonly string[] {
  return rows.length === 0 ? [] : ["", style.bold(title), ...alignColumns([heads, ...rows]).map((line) => `  ${line}`.trimEnd())];
}
