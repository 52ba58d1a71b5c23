import type { Node, Pod } from "../../../api/core.ts";
import { annotations, labels } from "../../../api/names.ts";
import { nodes, pods } from "../../../api/resource.ts";
import { formatSeconds } from "../../../base/time.ts";
import { UsageError } from "../../command-context.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster, PluginContext } from "../plugin-context.ts";
import { podNameOf } from "../show-why-pod.ts";
import { withCluster } from "../with-cluster.ts";
import type { EvacuateFlags } from "./acts.ts";
import { annotate } from "./annotate.ts";
import { readApp } from "./app-name.ts";
import { appRefOf } from "./app-ref.ts";
import { type ChosenPod, chosenInstances, readInstancePod } from "./chosen-instances.ts";
import { appOfPod } from "./show-why-app.ts";

const pollMs = 1000;

/** Asks instances to leave a node, or single ones to leave theirs; or takes that back. */
export async function evacuate(context: PluginContext, what: string, flags: EvacuateFlags): Promise<void> {
  const [pod, app] = [podNameOf(what), appRefOf(what)];
  if (app !== undefined && flags.instance === undefined)
    throw new UsageError(`of ${what} say which instances are to move: -i 0-3; or name a node`);
  if (app === undefined && flags.instance !== undefined) throw new UsageError("-i is for the instances of an app: name it as ra/NAME");
  if (flags.cancel === true && flags.wait === true) throw new UsageError("--wait: taking it back is done at once; leave it out");
  await withCluster(context, flags, async (cluster) => {
    if (pod !== undefined) return await ofPods(context, cluster, [await readInstancePod(cluster, pod)], flags);
    if (app !== undefined)
      return await ofPods(context, cluster, await chosenInstances(cluster, await readApp(cluster, app), flags.instance), flags);
    await ofNode(context, cluster, what.replace(/^nodes?\//, ""), flags);
  });
}

async function ofNode(context: PluginContext, cluster: Cluster, name: string, flags: EvacuateFlags): Promise<void> {
  const { output } = context;
  const value = flags.cancel === true ? null : formatSeconds(cluster.serverNow());
  const node = await annotate<Node>(cluster, nodes, { name }, annotations.evacuate, value);
  const there = async () => {
    const selectors = { labelSelector: labels.app, fieldSelector: `spec.nodeName=${name}` };
    return (await cluster.client.list<Pod>(pods, selectors)).items.filter((pod) => appOfPod(pod) !== undefined);
  };
  if (flags.cancel === true) {
    output.result(`node/${name} is given back: instances that have not left yet stay`);
    if (node.spec?.unschedulable === true) output.note(`it is cordoned, and instances leave because of that too: kubectl uncordon ${name}`);
    return;
  }
  output.result(`node/${name} is being evacuated`);
  if (flags.wait === true) await untilGone(context, there, `node ${name}`, flags);
}

async function ofPods(context: PluginContext, cluster: Cluster, chosen: readonly ChosenPod[], flags: EvacuateFlags): Promise<void> {
  const value = flags.cancel === true ? null : formatSeconds(cluster.serverNow());
  for (const { pod, facts } of chosen) {
    const { name, namespace = cluster.namespace, uid } = pod.metadata;
    await annotate(cluster, pods, { name, namespace, ...(uid !== undefined && { uid }) }, annotations.evacuate, value);
    const where = facts.node === undefined ? "its node" : `node ${facts.node}`;
    context.output.result(
      `pod/${name} (instance ${facts.instance}) ${flags.cancel === true ? `stays on ${where}` : `is to leave ${where}`}`,
    );
  }
  if (flags.wait !== true) return;
  const wanted = new Set(chosen.map(({ pod }) => pod.metadata.uid));
  const { namespace } = cluster;
  const there = async () =>
    (await cluster.client.list<Pod>(pods, { namespace, labelSelector: labels.app })).items.filter(({ metadata }) =>
      wanted.has(metadata.uid),
    );
  await untilGone(context, there, "these instances", flags);
}

/** Looks again and again until no pod is left. Node and pods are of many namespaces, so nothing is watched. */
async function untilGone(
  { clock, output, signal }: PluginContext,
  there: () => Promise<readonly Pod[]>,
  what: string,
  { timeout }: EvacuateFlags,
): Promise<void> {
  const until = clock.now() + (timeout ?? Number.POSITIVE_INFINITY);
  let last = -1;
  for (;;) {
    const left = await there();
    if (left.length === 0) return output.result(`no instance is left of ${what}`);
    if (left.length !== last) {
      const names = left.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
      output.result(`${left.length} left: ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", ..." : ""}`);
    }
    last = left.length;
    if (clock.now() >= until)
      throw new CommandFailure(
        `${left.length} instances are still there; it goes on by itself, and kubectl nuptse app tells what they wait for`,
      );
    await clock.sleep(pollMs, signal);
  }
}
