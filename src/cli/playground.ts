import { Command, InvalidArgumentError, Option } from "commander";
import { type PlaygroundFault, playgroundFaults } from "../simulator/harness/playground-fault.ts";
import { UsageError } from "./command-context.ts";
import { integer } from "./flag-values.ts";
import { addLoggingOptions, type LoggingOptions } from "./logging-options.ts";
import {
  addNodeSizeOptions,
  type MadeUpNode,
  madeUpNodes,
  type NodeGroup,
  type NodeSizeOptions,
  nodeGroup,
  nodeLabel,
} from "./node-flags.ts";

/** What `nuptse playground` was told. */
export interface PlaygroundOptions extends LoggingOptions {
  /** process: containers are local processes. stages: pods only play their phases. */
  readonly kubelet: "process" | "stages";
  /** 0 = a free one. */
  readonly port: number;
  /** Absent where a playground is loaded: it brings its own. */
  readonly nodes?: readonly MadeUpNode[];
  /** Where the kubeconfig is written; absent: a file of the playground's own. */
  readonly kubeconfigOut?: string;
  /** Whether the policies that ship are installed. */
  readonly policies: boolean;
  /** False: only the cluster, for an operator that is started apart. */
  readonly operator: boolean;
  /** HAProxy's program; absent = it is looked for. */
  readonly haproxy?: string;
  /** A file with a saved playground to begin with. */
  readonly load?: string;
  /** Where the playground is saved. */
  readonly save?: string;
  /** How many of the cluster's seconds pass in a real one. */
  readonly speed: number;
  /** What is broken by turns, or "menu" to be asked; absent = nothing. */
  readonly break?: "menu" | readonly PlaygroundFault[];
}

interface Flags extends Omit<PlaygroundOptions, "nodes">, NodeSizeOptions {
  readonly nodes: number;
  readonly nodeLabel: Readonly<Record<string, string>>;
  readonly nodeGroup: readonly NodeGroup[];
}

/** What `nuptse playground user` was told. */
export interface PlaygroundUserOptions {
  readonly name: string;
  readonly role: readonly string[];
  /** Absent = all namespaces. */
  readonly namespace?: string;
  /** The kubeconfig of the playground's administrator. */
  readonly kubeconfig: string;
}

function userCommand(run: (options: PlaygroundUserOptions) => Promise<void>): Command {
  return new Command("user")
    .summary("let a user of few rights into a running playground")
    .description(
      "Makes a user known to a playground that runs, binds the roles, and prints a kubeconfig for the user. " +
        "Who has no role may see what is served and what they may do, and nothing else.",
    )
    .argument("<name>", "the name of the user, as policies and roles see it")
    .addOption(
      new Option("--role <name...>", "a ClusterRole, as job-operator (for nuptse-job-operator); several may follow").default([], "none"),
    )
    .option("-n, --namespace <name>", "the only namespace in which the roles hold (default: all)")
    .addOption(new Option("--kubeconfig <file>", "the kubeconfig that the playground printed").env("KUBECONFIG").makeOptionMandatory())
    .action((name: string, options: Omit<PlaygroundUserOptions, "name">) => run({ ...options, name }));
}

/** The command `playground`; `run` and `addUser` are called with options that were checked. */
export function playgroundCommand(
  run: (options: PlaygroundOptions) => Promise<void>,
  addUser: (options: PlaygroundUserOptions) => Promise<void>,
): Command {
  const command = new Command("playground")
    .summary("run a small cluster and the operator in this process")
    .description(
      "Runs a small cluster in this process, on loopback, with the operator in it, until it is told to stop (Ctrl-C); nothing else is needed. " +
        "kubectl works against it with the kubeconfig that is printed. Nothing is kept unless you say --save: the cluster is gone when the process ends.",
    )
    .addOption(
      new Option(
        "--kubelet <how>",
        "process: each container's command runs as a process of yours on this machine, whatever its image; stages: pods only play their phases",
      )
        .choices(["process", "stages"])
        .default("process"),
    )
    .option("--port <port>", "the port of the API server on 127.0.0.1; 0 = a free one", integer(0, 65_535), 0)
    .option("--nodes <count>", "the nodes that pods are spread over: node-1, node-2, ...", integer(0, 10_000), 4);
  addNodeSizeOptions(command)
    .option("--node-label <key=value>", "a label of all nodes; may be repeated", nodeLabel, {})
    .option(
      "--node-group <group>",
      "more nodes, with what differs: gpu=2,cpu=16,nvidia.com/gpu=8,label.zone=b,taint.dedicated=gpu:NoSchedule; may be repeated",
      nodeGroup,
      [],
    )
    .option("--kubeconfig-out <file>", "where the kubeconfig is written (default: a temporary file, whose name is printed)")
    .option("--policies", "install the policies that ship: who asks is who they say, queued pods wait for their queue, ...", false)
    .option(
      "--haproxy <program>",
      "HAProxy's program, 3.0 or newer, which is started when a RunnerApp publishes services (default: haproxy in PATH)",
    )
    .option("--save <file>", "save all of the cluster in a file: now, once a minute, and at the end; it holds the cluster's secrets")
    .addOption(
      new Option("--load <file>", "begin with what --save saved, with its nodes; containers begin anew, as after a power cut").conflicts([
        ...["nodes", "nodeCpu", "nodeMemory", "nodePods", "nodeResource", "nodeLabel", "nodeGroup"],
      ]),
    )
    .option("--speed <factor>", "let the cluster's time run faster, such as 60x; with --kubelet stages", speed, 1)
    .addOption(
      new Option(
        "--break [faults]",
        `break something again and again, and see it heal: ${Object.keys(playgroundFaults).join(",")}; without a value you are asked what`,
      )
        .preset("menu")
        .argParser(faults),
    )
    .option("--no-operator", "only the cluster; start the operator apart, with --kubeconfig");
  addLoggingOptions(command, "warn");
  return command.action((flags: Flags) => run(optionsOf(flags))).addCommand(userCommand(addUser));
}

function optionsOf(flags: Flags): PlaygroundOptions {
  const { nodes: count, nodeCpu, nodeMemory, nodePods, nodeResource, nodeLabel: labels, nodeGroup: groups, ...options } = flags;
  if (options.speed !== 1 && options.kubelet === "process")
    throw new UsageError("--speed: processes take the time that they take; add --kubelet stages, with which pods only play their phases");
  if (options.speed !== 1 && !options.operator)
    throw new UsageError("--speed: an operator in another process has a clock of its own; leave out --no-operator");
  if (options.load !== undefined) return options;
  const nodes = madeUpNodes(count, { nodeCpu, nodeMemory, nodePods, nodeResource }, labels, groups);
  if (nodes.length === 0) throw new UsageError("--nodes: 0, and no --node-group, leave nothing to run on");
  return { ...options, nodes };
}

const mostSpeed = 600;

/** "60x", or 60. */
function speed(text: string): number {
  const value = Number(text.replace(/x$/, ""));
  if (!/^\d+x?$/.test(text) || value < 1 || value > mostSpeed)
    throw new InvalidArgumentError(`Write how many times as fast, from 1x to ${mostSpeed}x.`);
  return value;
}

function faults(text: string): "menu" | readonly PlaygroundFault[] {
  if (text === "menu") return text;
  const names = text.split(",").map((name) => name.trim());
  const known = (name: string): name is PlaygroundFault => Object.hasOwn(playgroundFaults, name);
  if (!names.every(known))
    throw new InvalidArgumentError(`Write some of ${Object.keys(playgroundFaults).join(", ")}, with commas between.`);
  return names;
}
