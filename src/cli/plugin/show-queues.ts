import type { NamedWork, QueuedWork } from "../../api/queue-explanation.ts";
import { tenantQueues } from "../../api/resource.ts";
import type { TenantQueue } from "../../api/tenant-queue.gen.ts";
import { askLeader, type ExplainService } from "./ask-leader.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Format } from "./cluster-options.ts";
import type { Cluster, ClusterFlags, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { queueLine, queueTree, queueViews, workGivingBack } from "./queue-tree-text.ts";
import { withCluster } from "./with-cluster.ts";
import { readWorkNames } from "./work-names.ts";

/** Prints the trees of queues, or one queue with all below it. */
export async function showQueues(
  context: PluginContext,
  name: string | undefined,
  flags: ClusterFlags & { readonly output?: Format; readonly resource?: string; readonly explainService: ExplainService },
): Promise<void> {
  const { clock, output, style } = context;
  const { queues, line, named, problem } = await withCluster(context, flags, async (cluster) => {
    const stored = (await cluster.client.list<TenantQueue>(tenantQueues)).items;
    if (name !== undefined && !stored.some(({ metadata }) => metadata.name === name))
      throw new CommandFailure(`there is no TenantQueue ${name}`);
    return readLive(cluster, stored, name, flags.explainService);
  });
  if (queues.length === 0) {
    output.note("there is no TenantQueue; see docs/tenantqueue.md");
    return;
  }
  if (problem !== undefined) output.note(`the operator cannot be asked, so figures are from status, some 10 s old: ${problem}`);
  const views = queueViews(queues, { ...(name !== undefined && { top: name }), line, named });
  if (flags.output === "json" || flags.output === "yaml") {
    await printValue(output, flags.output, views);
    return;
  }
  const options = {
    ...(flags.resource !== undefined && { resource: flags.resource }),
    wide: flags.output === "wide",
    style,
    now: clock.now(),
  };
  for (const text of queueTree(views, options)) output.result(text);
  for (const text of queueLine(line, style, clock.now())) output.result(text);
}

/** Trees of which the leader is asked; there are seldom more than a few. */
const mostTrees = 20;

interface Live {
  /** With what the leader says in place of what stands in status. */
  readonly queues: readonly TenantQueue[];
  /** Who waits in the one leaf that was asked for. */
  readonly line: readonly QueuedWork[];
  /** Gives names to work that the caller may list. */
  readonly named: (work: NamedWork) => NamedWork;
  /** Why the leader did not tell of a tree. */
  readonly problem?: string;
}

async function readLive(cluster: Cluster, stored: readonly TenantQueue[], top: string | undefined, service: ExplainService): Promise<Live> {
  const asked = stored.filter(({ metadata, spec }) => (top === undefined ? spec.parent === undefined : metadata.name === top));
  const words = await Promise.all(
    asked.slice(0, mostTrees).map(({ metadata: { name, uid = "" } }) => askLeader(cluster, service, "queue", { name, uid })),
  );
  const answers = words.flatMap((word) => (word.kind === "said" ? [word.answer] : []));
  const live = new Map(answers.flatMap(({ queues }) => queues.map(({ name, status }) => [name, status] as const)));
  const line = answers.flatMap((answer) => answer.line);
  const named = await readWorkNames(cluster, [...line.map(({ work }) => work), ...workGivingBack(stored)]);
  const silent = words.find((word) => word.kind === "silent");
  return {
    queues: stored.map((queue) => withLive(queue, live.get(queue.metadata.name))),
    line: line.map((queued) => ({ ...queued, work: named(queued.work) })),
    named,
    ...(silent !== undefined && { problem: silent.problem }),
  };
}

function withLive(queue: TenantQueue, live: TenantQueue["status"]): TenantQueue {
  if (live === undefined) return queue;
  const { oldestWaitSince: _since, head: _head, ...status } = queue.status ?? {};
  return { ...queue, status: { ...status, ...live } };
}
