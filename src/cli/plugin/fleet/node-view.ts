import type { Node, Pod } from "../../../api/core.ts";
import type { ElasticJob } from "../../../api/elastic-job.gen.ts";
import { controllerOf } from "../../../api/meta.ts";
import { itemLabel, itemOfLabel, labels } from "../../../api/names.ts";
import { type NodeRule, nodeRulesAt } from "../../../api/node-rule.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { cachedNode } from "../../../runnerapp/node-state.ts";
import { hasEnded } from "../../../runnerapp/rules/signal.ts";
import { fleetOf, instanceView, type InstanceView } from "./instances.ts";

/** Everything of which views of nodes are made. */
export interface NodePicture {
  readonly nodes: readonly Node[];
  /** Pods of fleets and of jobs. */
  readonly pods: readonly Pod[];
  readonly apps: readonly RunnerApp[];
  readonly jobs: readonly ElasticJob[];
  readonly now: number;
}

/** A node with what of ours is on it. */
export interface NodeView {
  readonly node: string;
  /** In the order of what matters most: NotReady, Lost; how it is being taken; Ready. */
  readonly states: readonly string[];
  /** It is being taken: instances leave it. */
  readonly taken?: string;
  readonly instances: readonly (InstanceView & { readonly app: string; readonly namespace: string })[];
  readonly items: readonly {
    readonly job: string;
    readonly namespace: string;
    readonly run: string;
    readonly item: string;
    readonly pod: string;
    readonly phase: string;
    readonly createdAt?: string;
  }[];
  readonly leftOutBy: readonly {
    /** "RunnerApp shop/web". */
    readonly who: string;
    /** Exclude, Avoid or Prefer. */
    readonly effect: string;
    /** Learnt: from failures there. Spec: somebody wrote it. */
    readonly source: "Learnt" | "Spec";
    readonly until?: string;
    readonly reason?: string;
  }[];
}

/** Nodes with what of ours is on them, by name. */
export function nodeViews(picture: NodePicture): readonly NodeView[] {
  const { pods, apps, now } = picture;
  const ofApps = Map.groupBy(pods, ({ metadata }) => controllerOf(metadata)?.uid);
  const instances = apps.flatMap((app) => {
    const of = { app: app.metadata.name, namespace: app.metadata.namespace ?? "default" };
    const fleet = fleetOf({ app, pods: ofApps.get(app.metadata.uid) ?? [], nodes: picture.nodes, now });
    return fleet.instances
      .filter(({ has }) => has !== undefined && !has.facts.hasEnded)
      .map((instance) => ({ ...of, ...instanceView(instance) }));
  });
  const onNode = Map.groupBy(instances, ({ node }) => node);
  const items = Map.groupBy(
    pods.filter((pod) => pod.metadata.labels?.[labels.job] !== undefined && !hasEnded(pod)),
    ({ spec }) => spec.nodeName,
  );
  return picture.nodes.map((node): NodeView => {
    const { name } = node.metadata;
    const { state } = cachedNode(node, new Set());
    return {
      node: name,
      states: [
        state.lostSince !== undefined ? "Lost" : state.isReady ? "Ready" : "NotReady",
        ...(state.taken === undefined ? [] : [taking(state.taken)]),
      ],
      ...(state.taken !== undefined && { taken: state.taken }),
      instances: onNode.get(name) ?? [],
      items: (items.get(name) ?? []).map(itemView),
      leftOutBy: rulesAbout(name, picture),
    };
  });
}

const taking = (cause: string): string => (cause === "Annotated" ? "Evacuating" : cause);

function itemView({ metadata, status }: Pod): NodeView["items"][number] {
  const own = metadata.labels ?? {};
  const { creationTimestamp } = metadata;
  return {
    job: own[labels.job] ?? "",
    namespace: metadata.namespace ?? "default",
    run: own[labels.run] ?? "",
    item: itemLabel(itemOfLabel(own[labels.item])),
    pod: metadata.name,
    phase: status?.phase ?? "Pending",
    ...(creationTimestamp !== undefined && { createdAt: creationTimestamp }),
  };
}

function rulesAbout(name: string, { apps, jobs, now }: NodePicture): NodeView["leftOutBy"] {
  const found: NodeView["leftOutBy"][number][] = [];
  const add = (who: string, source: "Learnt" | "Spec", rules: readonly NodeRule[]) => {
    for (const { node, effect, expiresAt, reason } of nodeRulesAt(rules, now))
      if (node === name)
        found.push({ who, effect, source, ...(expiresAt !== undefined && { until: expiresAt }), ...(reason !== undefined && { reason }) });
  };
  for (const { metadata, spec, status } of apps) {
    const who = `RunnerApp ${metadata.namespace}/${metadata.name}`;
    add(who, "Learnt", (status?.nodeRules ?? []).map(learntRule));
    add(who, "Spec", (spec.nodeRules ?? []) as readonly NodeRule[]);
  }
  for (const { metadata, spec } of jobs)
    add(`ElasticJob ${metadata.namespace}/${metadata.name}`, "Spec", (spec.nodeRules ?? []) as readonly NodeRule[]);
  return found;
}

type StoredRule = NonNullable<NonNullable<RunnerApp["status"]>["nodeRules"]>[number];

function learntRule({ node, expiresAt, failures, reason }: StoredRule): NodeRule {
  const words = [`${failures ?? 0} failures`, reason].filter((part) => part !== undefined && part !== "").join(": ");
  return { node, effect: "Exclude", ...(expiresAt !== undefined && { expiresAt }), reason: words };
}
