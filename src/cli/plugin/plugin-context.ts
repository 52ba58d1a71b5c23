import type { CommandContext } from "../command-context.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Transport } from "../../kube/transport.ts";
import type { Style } from "./style.ts";

/** Which cluster and which namespace were asked for. */
export interface ClusterFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly context?: string;
  readonly kubeconfig?: string;
}

/** A way to an API server. */
export interface Cluster {
  readonly client: KubeClient;
  /** For what has no verb, such as logs. */
  readonly transport: Transport;
  /** The API server's wall time in milliseconds, as far as its answers have told it; else that of this machine. */
  serverNow(): number;
  /** That of --namespace, else of the context, else "default". */
  readonly namespace: string;
  close(): void;
}

/** The terminal that stdout is, if it is one. */
export interface Terminal {
  /** Overwrites what it drew before; [] takes it away. Lines are cut to the width. */
  draw(lines: readonly string[]): void;
  readonly columns: number;
  readonly rows: number;
}

/** What the plugin's commands are given. */
export interface PluginContext extends CommandContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly style: Style;
  /** Absent: stdout is a file or a pipe. */
  readonly terminal?: Terminal;
  /** Aborted when the user wants no more (Ctrl-C). */
  readonly signal: AbortSignal;
  /** Rejects with CredentialsError when there is no way to a cluster. */
  openCluster(flags: ClusterFlags): Promise<Cluster>;
  /** Runs another program on this terminal in our place; resolves with its exit code, or undefined when there is no such program. */
  handOver(program: string, args: readonly string[]): Promise<number | undefined>;
  /** All that stdin holds. */
  readInput(): Promise<string>;
}
