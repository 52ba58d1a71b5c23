import { type Command, InvalidArgumentError } from "commander";
import { integer } from "./flag-values.ts";

/** What an operator was told of nodes. */
export interface NodeFlags {
  /** Keys of taints that say that a node is being taken. */
  readonly evacuationTaints: readonly string[];
  /** Whether nodes that are being taken are annotated when no instance is left on them. */
  readonly markEvacuatedNodes: boolean;
  /** So many apps and jobs must agree that a node is bad; 0 = it is never reported. */
  readonly appsAgreeing: number;
}

/** Adds the flags that tell of nodes. */
export function addNodeOptions(command: Command): Command {
  return command
    .option(
      "--evacuation-taints <keys>",
      "keys of taints that say that a node is being taken, with commas between, such as ToBeDeletedByClusterAutoscaler or " +
        "karpenter.sh/disrupted: RunnerApps leave it as they leave a node that is cordoned",
      taintKeys,
      [],
    )
    .option(
      "--mark-evacuated-nodes",
      "annotate a node that is being taken with nuptse.dev/evacuated when no instance of a RunnerApp is left on it; needs the ClusterRole nuptse-node-marker",
      false,
    )
    .option(
      "--apps-agreeing <count>",
      "so many apps and jobs must agree that a node fails them before that is reported; 0 = it never is",
      integer(0, 1000),
      3,
    );
}

const name = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
const keyForm = new RegExp(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?${name}$`);

/** "ToBeDeletedByClusterAutoscaler,karpenter.sh/disrupted" */
function taintKeys(text: string): readonly string[] {
  const keys = text.split(",").map((key) => key.trim());
  for (const key of keys)
    if (!keyForm.test(key))
      throw new InvalidArgumentError(
        "Write keys of taints with commas between, without values and effects, such as ToBeDeletedByClusterAutoscaler,karpenter.sh/disrupted.",
      );
  return keys;
}
