import { Command, InvalidArgumentError } from "commander";
import { UsageError } from "./command-context.ts";
import { type BindAddress, bindAddress } from "./flag-values.ts";
import { addLoggingOptions, type LoggingOptions } from "./logging-options.ts";
import { addTraceRetentionOptions, type TraceRetentionOptions } from "./trace-flags.ts";

/** What `nuptse trace` was told. */
export interface TraceServerOptions extends LoggingOptions, TraceRetentionOptions {
  readonly dataDir: string;
  readonly listen: BindAddress;
  /** See OperatorOptions. */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly writer: readonly string[];
  readonly reader: readonly string[];
  readonly audience?: readonly string[];
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
}

/** The command `trace`; `run` is called with options that were checked. */
export function traceCommand(run: (options: TraceServerOptions) => Promise<void>): Command {
  const command = new Command("trace")
    .summary("serve the event trace from one SQLite file")
    .description(
      "Keeps the event trace of all replicas of the operator in one SQLite file and serves it over HTTP until it is told to stop. Callers " +
        "show a ServiceAccount's bearer token, which the cluster is asked about (TokenReview).",
    )
    .requiredOption("--data-dir <folder>", "where trace.db is; a volume that outlives the pod")
    .option("--listen <address>", "where it is served", bindAddress, bindAddress("127.0.0.1:8090"))
    .option(
      "--writer <user...>",
      "who may write: a user name such as system:serviceaccount:nuptse-system:nuptse, or group:<name>",
      subject,
      [],
    )
    .option("--reader <user...>", "who may read, written in the same way", subject, [])
    .option("--audience <audience...>", "what tokens must be meant for (default: the audiences of the API server)", collect)
    .option("--tls-cert-file <file>", "serve HTTPS with this certificate, PEM; read anew once a minute")
    .option("--tls-key-file <file>", "the certificate's key, PEM")
    .option("--kubeconfig <file>", "how to reach the cluster (default: $KUBECONFIG, the pod's own account, or ~/.kube/config)")
    .option("--context <name>", "the context of the kubeconfig (default: its current one)");
  for (const option of command.options) if (option.attributeName() === "listen") option.default(option.defaultValue, "127.0.0.1:8090");
  addTraceRetentionOptions(command);
  addLoggingOptions(command, "info");
  return command.action(async (options: TraceServerOptions) => {
    if ((options.tlsCertFile === undefined) !== (options.tlsKeyFile === undefined))
      throw new UsageError("--tls-cert-file and --tls-key-file belong together: give both, or neither for plain HTTP");
    if (options.writer.length + options.reader.length === 0)
      throw new UsageError("nobody may use the trace: name the operator's ServiceAccount by --writer, and who reads by --reader");
    await run(options);
  });
}

const collect = (text: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), text];

function subject(text: string, before: readonly string[]): readonly string[] {
  if (!/^[^\s]{1,253}$/.test(text)) throw new InvalidArgumentError("Write a user name, or group: and a name, without blanks.");
  return [...before, text];
}
