import { Command, InvalidArgumentError, Option } from "commander";
import { secondsAsMilliseconds } from "./flag-values.ts";

/** What `nuptse uninstall` was told. */
export interface UninstallOptions {
  /** See OperatorOptions. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Where the operator is installed; absent: the pod's own namespace, else nuptse-system. */
  readonly namespace?: string;
  /** The operator's Deployment. */
  readonly deployment: string;
  /** For each step. */
  readonly timeoutMs: number;
}

/** The command `uninstall`; `run` is called with options that were checked. */
export function uninstallCommand(run: (options: UninstallOptions) => Promise<void>): Command {
  return new Command("uninstall")
    .summary("make a cluster work without nuptse, before it is taken away")
    .description(
      "Removes the admission policies and webhook configurations, ends the operator, deletes the PodDisruptionBudgets of fleets, lets pods go that wait for a " +
        "queue, puts instances back into service, and gives published Services their selectors back. Jobs, fleets, queues and their definitions stay. " +
        "`helm uninstall` runs it; without Helm run it before the manifests are deleted (docs/install.md). It may be run again at any time.",
    )
    .option("--kubeconfig <file>", "how to reach the cluster (default: $KUBECONFIG, the pod's own account, or ~/.kube/config)")
    .option("--context <name>", "the context of the kubeconfig (default: its current one)")
    .option("--namespace <name>", "where the operator is installed (default: the pod's own namespace, else 'nuptse-system')", objectName)
    .option("--deployment <name>", "the operator's Deployment, which is scaled to 0", objectName, "nuptse-operator")
    .addOption(
      new Option("--timeout <seconds>", "how long each step may take, in seconds")
        .argParser(secondsAsMilliseconds(1, 3600))
        .default(60_000, "60"),
    )
    .action(async ({ timeout, ...same }: ParsedFlags) => run({ ...same, timeoutMs: timeout }));
}

interface ParsedFlags extends Omit<UninstallOptions, "timeoutMs"> {
  /** Already milliseconds. */
  readonly timeout: number;
}

function objectName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text) || text.length > 63)
    throw new InvalidArgumentError("Write a name of lower-case letters, digits and '-', at most 63.");
  return text;
}
