import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { LocalService } from "./admission/webhook-client.ts";
import type { ServerState } from "./server-state.ts";

/** What an API server is made of. */
export interface ApiServerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Makes UIDs; absent = version 4 UUIDs from `random`. */
  readonly uid?: () => string;
  /** How many changes of a kind are remembered for watches and continued lists; default 4,096. */
  readonly historyLength?: number;
  /** What a deletion of one object of a collection costs in milliseconds; with it a deletecollection stops after 60 s. Default 0. */
  readonly deleteCostMs?: number;
  /** Whether metadata.managedFields is kept for writes other than applies; false saves a sixth of the time. Default true. */
  readonly managedFields?: boolean;
  /** Garbage collection, namespace contents, quota usage, budgets, ReplicaSets, Deployments, EndpointSlices: false leaves them to somebody else, as a server without a controller-manager. Default true. */
  readonly controllers?: boolean;
  /** Whether pods are given a service account and its token, which somebody must make (startServiceAccounts); default false. */
  readonly serviceAccounts?: boolean;
  /** What signs the tokens of service accounts (accountKey); absent = made up, and they are worth nothing to the next server. */
  readonly tokenKey?: Buffer;
  /** Services that webhooks are asked at and that something in this process stands for. */
  readonly localService?: LocalService;
  /** How long the controllers take to notice, in milliseconds; default 20. */
  readonly controllerDelayMs?: number;
  /** What another server stored, to go on from: its objects keep their versions and UIDs, and watches from before end with 410. Absent = nothing. */
  readonly state?: ServerState;
}
