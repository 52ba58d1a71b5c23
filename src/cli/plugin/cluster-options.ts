import { type Command, InvalidArgumentError, Option } from "commander";
import { explainService } from "../../api/names.ts";
import { serviceReference } from "../flag-values.ts";

const nameForm = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

function namespaceName(text: string): string {
  if (!nameForm.test(text) || text.length > 63) throw new InvalidArgumentError("Write the name of a namespace.");
  return text;
}

/** Adds --namespace, --context and --kubeconfig, which mean what they mean to kubectl. */
export function addClusterOptions(command: Command): Command {
  return command
    .option("-n, --namespace <namespace>", "the namespace (default: that of the context)", namespaceName)
    .option("--context <name>", "the context of the kubeconfig (default: its current one)")
    .option("--kubeconfig <file>", "how to reach the cluster (default: $KUBECONFIG, or ~/.kube/config)");
}

/** Adds -A. */
export function addAllNamespaces(command: Command): Command {
  return command.option("-A, --all-namespaces", "the jobs of all namespaces");
}

/** Adds --explain-service: whom to ask what only the operator knows. */
export function addExplainService(command: Command): Command {
  return command.addOption(
    new Option("--explain-service <namespace/name>", "the Service of the operator, which is asked what status does not tell")
      .env("NUPTSE_EXPLAIN_SERVICE")
      .default(explainService, `${explainService.namespace}/${explainService.name}`)
      .argParser(serviceReference),
  );
}

/** How results are printed; absent: as a table or a text for people. */
export type Format = "json" | "yaml" | "wide" | "name";

/** Adds -o. */
export function addFormat(command: Command, ...formats: readonly Format[]): Command {
  return command.addOption(new Option("-o, --output <format>", "how the result is printed (default: for people)").choices(formats));
}
