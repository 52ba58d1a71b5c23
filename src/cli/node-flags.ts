import { type Command, InvalidArgumentError } from "commander";
import type { Taint } from "../api/core.ts";
import { QuantityError } from "../quota/quantity.ts";
import { parseAmount } from "../quota/resource-vector.ts";

/** The size of nodes that commands make up. */
export interface NodeSizeOptions {
  readonly nodeCpu: string;
  readonly nodeMemory: string;
  readonly nodePods: string;
  /** Further resources by name. */
  readonly nodeResource: Readonly<Record<string, string>>;
}

/** A node that a command makes up. */
export interface MadeUpNode {
  readonly name: string;
  readonly capacity: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
}

/** Nodes that are alike, beside the usual ones. */
export interface NodeGroup {
  readonly name: string;
  readonly count: number;
  /** What differs from the usual size. */
  readonly capacity: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

const mostNodes = 10_000;
const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/;
const labelKey = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/;
const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** Adds --node-cpu, --node-memory, --node-pods and --node-resource. */
export function addNodeSizeOptions(command: Command): Command {
  return command
    .option("--node-cpu <quantity>", "of each of these nodes", quantity("cpu"), "8")
    .option("--node-memory <quantity>", "of each of these nodes", quantity("memory"), "32Gi")
    .option("--node-pods <count>", "of each of these nodes", quantity("pods"), "110")
    .option(
      "--node-resource <name=quantity>",
      "another resource of each of these nodes, such as nvidia.com/gpu=8; may be repeated",
      otherResource,
      {},
    );
}

/** What each of the usual nodes has. */
export function usualCapacity({ nodeCpu, nodeMemory, nodePods, nodeResource }: NodeSizeOptions): Readonly<Record<string, string>> {
  return { cpu: nodeCpu, memory: nodeMemory, pods: nodePods, ...nodeResource };
}

/** The nodes node-1, node-2, ... and those of the groups: gpu-1, gpu-2, ... */
export function madeUpNodes(
  count: number,
  size: NodeSizeOptions,
  labels: Readonly<Record<string, string>>,
  groups: readonly NodeGroup[],
): readonly MadeUpNode[] {
  const capacity = usualCapacity(size);
  const usual = { name: "node", count, capacity: {}, labels: {}, taints: [] };
  return [usual, ...groups].flatMap((group) =>
    Array.from({ length: group.count }, (_, index) => ({
      name: `${group.name}-${index + 1}`,
      capacity: { ...capacity, ...group.capacity },
      ...(Object.keys({ ...labels, ...group.labels }).length > 0 && { labels: { ...labels, ...group.labels } }),
      ...(group.taints.length > 0 && { taints: group.taints }),
    })),
  );
}

/** A flag's value parser for "key=value", added to those before. */
export function nodeLabel(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [key, value] = pairOf(text);
  if (value === undefined || !labelKey.test(key) || !labelValue.test(value))
    throw new InvalidArgumentError("Write a label such as topology.kubernetes.io/zone=a.");
  return { ...before, [key]: value };
}

/**
 * A flag's value parser for "gpu=2,cpu=16,nvidia.com/gpu=8,label.zone=a,taint.dedicated=gpu:NoSchedule", added to those before: a name and how many,
 * then what differs from the usual nodes.
 */
export function nodeGroup(text: string, before: readonly NodeGroup[]): readonly NodeGroup[] {
  const [[name, count] = ["", ""], ...parts] = text.split(",").map(pairOf);
  if (!dnsLabel.test(name) || !/^\d+$/.test(count ?? "") || Number(count) < 1 || Number(count) > mostNodes)
    throw new InvalidArgumentError(`Begin with a name and how many, from 1 to ${mostNodes}, such as gpu=2.`);
  if (name === "node" || before.some((group) => group.name === name))
    throw new InvalidArgumentError(`There are nodes of the name ${name} already; choose another one.`);
  let group: NodeGroup = { name, count: Number(count), capacity: {}, labels: {}, taints: [] };
  for (const [key, value = ""] of parts) {
    if (key.startsWith("label.")) group = { ...group, labels: nodeLabel(`${key.slice("label.".length)}=${value}`, group.labels) };
    else if (key.startsWith("taint.")) group = { ...group, taints: [...group.taints, taint(key.slice("taint.".length), value)] };
    else group = { ...group, capacity: otherResource(`${key}=${value}`, group.capacity) };
  }
  return [...before, group];
}

function taint(key: string, text: string): Taint {
  const [, value = "", effect = ""] = /^(?:(.*):)?([A-Za-z]+)$/.exec(text) ?? [];
  if (!labelKey.test(key) || !labelValue.test(value) || !taintEffects.includes(effect))
    throw new InvalidArgumentError(`Write a taint such as taint.dedicated=gpu:NoSchedule; the effects are ${taintEffects.join(", ")}.`);
  return { key, ...(value === "" ? {} : { value }), effect } as Taint;
}

/** A flag's value parser for an amount of a resource, which stays as it was written. */
function quantity(resource: string): (text: string) => string {
  return (text) => {
    try {
      parseAmount(resource, text, "Down");
    } catch (error) {
      if (error instanceof QuantityError) throw new InvalidArgumentError(`${error.message}.`);
      throw error;
    }
    return text;
  };
}

function otherResource(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [name, amount = ""] = pairOf(text);
  if (!/^[a-z0-9.-]+(?:\/[A-Za-z0-9._-]+)?$/.test(name))
    throw new InvalidArgumentError("Write a name and a quantity such as nvidia.com/gpu=8.");
  return { ...before, [name]: quantity(name)(amount) };
}

function pairOf(text: string): readonly [string, string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text.trim(), undefined] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}
