import { Command, Option } from "commander";
import {
  type BindAddress,
  bindAddress,
  integer,
  type LeaseDurations,
  leaseDurations,
  podName,
  secondsAsMilliseconds,
} from "./flag-values.ts";
import { addLoggingOptions, type LoggingOptions } from "./logging-options.ts";
import { addPublishingOptions, publishingDefaults, type PublishingFlags } from "./publishing-flags.ts";
import { addNodeOptions, type NodeFlags } from "./node-care-flags.ts";
import { addTraceOptions, type TraceOptions } from "./trace-flags.ts";
import { addWebhookOptions, checkWebhookFlags, type WebhookFlags } from "./webhook-flags.ts";

/** What `nuptse operator` was told. */
export interface OperatorOptions extends LoggingOptions, NodeFlags, TraceOptions, WebhookFlags, PublishingFlags {
  /** A file; absent: $KUBECONFIG, the pod's own account, or ~/.kube/config, as kubectl looks for it. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Where the Lease is; absent: the operator's own namespace in a cluster, else "default". */
  readonly leaseNamespace?: string;
  readonly lease: LeaseDurations;
  /** 0 = the clock is not compared. */
  readonly maxClockSkewMs: number;
  /** Finished pods that are kept for their logs, over all jobs. */
  readonly retainedPods: number;
  /** The file with the operator's configuration. */
  readonly config?: string;
  readonly metricsAddress: BindAddress;
  /** Where the leader says why work waits; absent = nowhere. */
  readonly explainAddress?: BindAddress;
  /** Where executors of XXL-JOB report; absent = nowhere. */
  readonly xxlAdminAddress?: BindAddress;
  /** The pod of this process, in the Lease's namespace; labelled when it leads. */
  readonly pod?: string;
  /** Objects that are reconciled at once. */
  readonly concurrency: number;
  /** The name of the operator's own Deployment, in the Lease's namespace. */
  readonly deployment?: string;
}

/** The command `operator`; `run` is called with options that were checked. */
export function operatorCommand(run: (options: OperatorOptions) => Promise<void>): Command {
  const command = new Command("operator")
    .summary("run the controllers against a cluster")
    .description(
      "Runs the controllers against a cluster until it is told to stop (SIGTERM, SIGINT). Several replicas may run: one of them leads, " +
        "the others stand by, ready to take over. The cluster needs the CustomResourceDefinitions in crds/.",
    )
    .option("--kubeconfig <file>", "how to reach the cluster (default: $KUBECONFIG, the pod's own account, or ~/.kube/config)")
    .option("--context <name>", "the context of the kubeconfig (default: its current one)")
    .option("--lease-namespace <namespace>", "the namespace of the Lease that says who leads (default: the pod's own, else 'default')")
    .option(
      "--lease-seconds <seconds>",
      "duration/renew deadline/retry period of the Lease, in seconds; shorter ones are for tests",
      leaseDurations,
      leaseDurations("15/10/2"),
    )
    .option(
      "--max-clock-skew <seconds>",
      "how far this machine's clock may be from the API server's before the replica stops leading; 0 = any",
      secondsAsMilliseconds(0, 86_400),
      30_000,
    )
    .option(
      "--retained-pods <count>",
      "finished pods kept for their logs, over all jobs; the newest and the failed stay longest",
      integer(0, 100_000),
      4000,
    )
    .option("--config <file>", "the operator's configuration: receivers of notifications (docs/notifications.md)")
    .option(
      "--metrics-address <address>",
      "where /metrics, /healthz and /readyz are served, over plain HTTP",
      bindAddress,
      bindAddress("127.0.0.1:8080"),
    )
    .option(
      "--explain-address <address>",
      "where the leader answers `kubectl nuptse why` and `queue`, over plain HTTP, to those who prove that they may know " +
        "(docs/tenantqueue.md); default: nowhere",
      bindAddress,
    )
    .option(
      "--xxl-admin-address <address>",
      "where executors of XXL-JOB register and report, as at their admin, over plain HTTP with their access token (docs/xxl-job.md); default: nowhere",
      bindAddress,
    )
    .addOption(
      new Option(
        "--pod <name>",
        "the pod of this process, in the namespace of the Lease, which gets the label nuptse.dev/leader while it leads (default: none is labelled)",
      )
        .env("NUPTSE_POD")
        .argParser(podName),
    )
    .option("--concurrency <count>", "objects that are reconciled at once", integer(1, 1000), 32)
    .addOption(
      new Option(
        "--deployment <name>",
        "the operator's own Deployment, in the namespace of the Lease, on which events tell of its troubles (default: only the log does)",
      ).env("NUPTSE_DEPLOYMENT"),
    );
  addPublishingOptions(command);
  addNodeOptions(command);
  showDefaults(command);
  addTraceOptions(command);
  addWebhookOptions(command);
  addLoggingOptions(command, "info");
  return command.action(async (flags: ParsedFlags) => {
    checkWebhookFlags(command);
    const { leaseSeconds, maxClockSkew, ...same } = flags;
    await run({ ...same, lease: leaseSeconds, maxClockSkewMs: maxClockSkew });
  });
}

interface ParsedFlags extends Omit<OperatorOptions, "lease" | "maxClockSkewMs"> {
  readonly leaseSeconds: LeaseDurations;
  /** Already milliseconds. */
  readonly maxClockSkew: number;
}

/** Help shows defaults as they are typed, not as they are parsed. */
function showDefaults(command: Command): void {
  const typed: Readonly<Record<string, string>> = {
    leaseSeconds: "15/10/2",
    maxClockSkew: "30",
    metricsAddress: "127.0.0.1:8080",
    ...publishingDefaults,
    evacuationTaints: "none",
  };
  for (const option of command.options) {
    const text = typed[option.attributeName()];
    if (text !== undefined) option.default(option.defaultValue, text);
  }
}
