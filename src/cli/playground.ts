import { Command, Option } from "commander";
import { integer } from "./flag-values.ts";
import { addLoggingOptions, type LoggingOptions } from "./logging-options.ts";

/** What `nuptse playground` was told. */
export interface PlaygroundOptions extends LoggingOptions {
  /** process: containers are local processes. stages: pods only play their phases. */
  readonly kubelet: "process" | "stages";
  /** 0 = a free one. */
  readonly port: number;
  readonly nodes: number;
  /** Where the kubeconfig is written; absent: a file of the playground's own. */
  readonly kubeconfigOut?: string;
  /** Whether the policies that ship are installed. */
  readonly policies: boolean;
  /** False: only the cluster, for an operator that is started apart. */
  readonly operator: boolean;
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
        "kubectl works against it with the kubeconfig that is printed. Nothing is kept: the cluster is gone when the process ends.",
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
    .option("--nodes <count>", "the nodes that pods are spread over", integer(1, 10_000), 4)
    .option("--kubeconfig-out <file>", "where the kubeconfig is written (default: a temporary file, whose name is printed)")
    .option("--policies", "install the policies that ship: who asks is who they say, queued pods wait for their queue, ...", false)
    .option("--no-operator", "only the cluster; start the operator apart, with --kubeconfig");
  addLoggingOptions(command, "warn");
  return command.action(run).addCommand(userCommand(addUser));
}
