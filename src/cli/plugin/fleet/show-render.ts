import type { ControllerRevision, Namespace, Node, Pod } from "../../../api/core.ts";
import { emptyMemory } from "../../../runnerapp/rules/observed.ts";
import { chooseQueue } from "../../../api/queue-access.ts";
import { namespaces, nodes, pods, tenantQueues } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { TenantQueue } from "../../../api/tenant-queue.gen.ts";
import { ApiError } from "../../../kube/errors.ts";
import { cachedNode } from "../../../runnerapp/node-state.ts";
import { createsOf } from "../../../runnerapp/rules/creation.ts";
import { effectiveSpec } from "../../../runnerapp/rules/effective-spec.ts";
import { instancePod } from "../../../runnerapp/rules/instance.ts";
import type { NodeState, ObservedApp } from "../../../runnerapp/rules/observed.ts";
import type { QueueTurn } from "../../../runnerapp/rules/queue-turn.ts";
import { readSpec } from "../../../runnerapp/rules/read-spec.ts";
import { recordsOf } from "../../../runnerapp/rules/records.ts";
import { dataOf, type RevisionData, stepRevision } from "../../../runnerapp/rules/revision.ts";
import { poolFields } from "../../../tenantqueue/rules/capacity.ts";
import { effectiveQueue } from "../../../tenantqueue/rules/effective-spec.ts";
import { usableQueues } from "../../../validation/queued-workload.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster, PluginContext } from "../plugin-context.ts";
import { printValue } from "../print.ts";
import { withCluster } from "../with-cluster.ts";
import { podsOfApp, readOwnApp } from "./app-name.ts";
import { isOf, noneOf, readRevisions } from "./fleet-picture.ts";
import { mark, markedYaml } from "./marked-yaml.ts";
import type { RenderFlags } from "./render.ts";

/** Prints the pod that the operator would make now, from what it would make it of. */
export async function showRender(context: PluginContext, name: string, flags: RenderFlags): Promise<void> {
  const { output, style } = context;
  const { pod, data, notes } = await withCluster(context, flags, (cluster) => render(cluster, name, flags, context.clock.now()));
  for (const note of notes) output.note(note);
  if (flags.output !== undefined) return await printValue(output, flags.output === "json" ? "json" : "yaml", pod);
  const { template } = data;
  const lines = markedYaml(pod as unknown as Record<string, unknown>, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: template.metadata ?? {},
    spec: template.spec,
  });
  for (const line of lines) output.result(line.endsWith(mark) ? style.busy(line) : line);
}

interface Rendered {
  readonly pod: Pod;
  /** What its revision holds. */
  readonly data: RevisionData;
  readonly notes: readonly string[];
}

async function render(cluster: Cluster, name: string, flags: RenderFlags, now: number): Promise<Rendered> {
  const { client, namespace } = cluster;
  const app = await readOwnApp(cluster, name);
  const [found, revisions, ofNodes, turn] = await Promise.all([
    client.list<Pod>(pods, { namespace, labelSelector: podsOfApp(app) }),
    readRevisions(cluster, app),
    client.list<Node>(nodes).catch(noneOf<Node>),
    readTurn(cluster, app),
  ]);
  const unseen = ofNodes.items.length > 0 ? [] : ["nodes may not be read here: which of them are left out is not shown"];
  const all = found.items.filter((pod) => isOf(app, pod)).map(instancePod);
  const wanted = flags.instance === undefined ? undefined : String(flags.instance);
  if (wanted !== undefined && !all.some(({ instance }) => instance === wanted))
    throw new CommandFailure(`${app.metadata.name} has no instance ${wanted}: kubectl nuptse app ${app.metadata.name}`);
  const observed = observedAs(app, all, revisions, ofNodes.items, now);
  const revision = revisionOf(observed, flags.revision);
  const records = recordsOf(app.status ?? {});
  const leaving = new Set(all.filter(({ instance }) => instance === wanted));
  const { actions } = createsOf(
    {
      observed: { ...observed, revisions: [...revisions, revision] },
      spec: effectiveSpec(app.spec),
      turn: turn.turn,
      // What waits for a retry, and what is used up, is about an instance that there was.
      records: wanted === undefined ? { ...records, series: [] } : records,
      pods: all,
      leaving,
    },
    { replacements: [], restarting: [], fleet: [{ revision: revision.metadata.name, count: 1 }] },
  );
  const [created] = actions;
  const data = dataOf([revision], revision.metadata.name);
  if (created === undefined || data === undefined)
    throw new CommandFailure(`instance ${wanted} gets no pod now; kubectl nuptse why ra/${app.metadata.name} tells until when`);
  return { pod: created.object as unknown as Pod, data, notes: [...turn.notes, ...unseen] };
}

function observedAs(
  app: RunnerApp,
  all: ObservedApp["pods"],
  revisions: readonly ControllerRevision[],
  ofNodes: readonly Node[],
  now: number,
): ObservedApp {
  const states = new Map<string, NodeState>(ofNodes.map((node) => [node.metadata.name, cachedNode(node, new Set()).state]));
  return {
    app,
    ...readSpec(app, []),
    pods: all,
    revisions,
    prefetches: [],
    nodes: { get: (node) => states.get(node), all: () => states.values() },
    memory: emptyMemory,
    now,
    serverNow: now,
    maxClockSkewMs: 0,
  };
}

/** The revision that is asked for, else that of the spec, which the operator has perhaps not made yet. */
function revisionOf(observed: ObservedApp, wanted: number | undefined): ControllerRevision {
  const { app, revisions, pinned } = observed;
  if (wanted !== undefined) {
    const found = revisions.find(({ revision }) => revision === wanted);
    if (found === undefined)
      throw new CommandFailure(
        `${app.metadata.name} has no revision ${wanted}; there are ${revisions.map(({ revision }) => revision).join(", ") || "none"}`,
      );
    return found;
  }
  const step = stepRevision(observed);
  const known = step.kind === "ready" ? revisions.find(({ metadata }) => metadata.name === step.name) : undefined;
  if (known !== undefined) return known;
  // The first thing that the operator does with a new template is to show it to the API server, under the name of its revision.
  const [check] = step.kind === "pending" ? step.actions : [];
  const name = check?.tag === "dryRun" ? check.object.metadata.name : `${app.metadata.name}-new`;
  return { metadata: { name }, data: pinned.data, revision: 1 + Math.max(0, ...revisions.map(({ revision }) => revision)) };
}

const free: QueueTurn = { most: Number.POSITIVE_INFINITY, mayCreate: Number.POSITIVE_INFINITY, declines: false, isReduced: false };

/** Of which queue the pod would be, and what the nodes of that queue's tree ask for. */
async function readTurn(
  { client, namespace }: Cluster,
  app: RunnerApp,
): Promise<{ readonly turn: QueueTurn; readonly notes: readonly string[] }> {
  const named = app.spec.queue?.name;
  const unreadable = {
    turn: { ...free, ...(named !== undefined && { queue: named }) },
    notes: ["TenantQueues and the namespace may not be read here: what a queue adds is not shown"],
  };
  try {
    const [{ items }, own] = await Promise.all([
      client.list<TenantQueue>(tenantQueues),
      client.get<Namespace>(namespaces, { name: namespace }),
    ]);
    const queues = new Map(items.map((queue) => [queue.metadata.name, queue]));
    const choice = chooseQueue(usableQueues({ queues }), { name: namespace, labels: own.metadata.labels ?? {} }, named);
    if (choice.kind === "refused") return { turn: free, notes: named === undefined ? [] : [`spec.queue.name: ${choice.message}`] };
    let root = queues.get(choice.queue) as TenantQueue;
    for (let depth = 0; depth < queues.size; depth++) root = queues.get(root.spec.parent ?? "") ?? root;
    const pool = poolFields(effectiveQueue(root).capacity);
    return { turn: { ...free, queue: choice.queue, ...(pool !== undefined && { pool }) }, notes: [] };
  } catch (error) {
    if (error instanceof ApiError) return unreadable;
    throw error;
  }
}
