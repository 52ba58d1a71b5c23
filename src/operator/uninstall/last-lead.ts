import type { Logger } from "../../api/logger.ts";
import { deployments, leases } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import { NotFound } from "../../kube/errors.ts";
import { createLeaderLease } from "../../runtime/leader-lease.ts";
import { noMetrics } from "../../runtime/metrics.ts";

export interface LastLeadOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of requests that failed and are tried again. */
  readonly logger: Logger;
  /** Where the operator is installed. */
  readonly namespace: string;
  /** Its Deployment. */
  readonly deployment: string;
  readonly leaseName: string;
  /** Unique for each start of a process. */
  readonly identity: string;
  /** For how long the one who leads is waited for, in milliseconds. */
  readonly limitMs: number;
  readonly say: (line: string) => void;
}

/** The lead of the one who puts things away: while it is held, no operator writes. */
export interface LastLead {
  /** Whether it is held in this very moment. */
  fence(): boolean;
  /** Resolves with the reason when it is lost; never after the release. */
  readonly lost: Promise<string>;
  /** Never rejects. */
  release(): Promise<void>;
}

/**
 * Makes sure that no operator undoes what is done next. Its Deployment is scaled to 0, so that none comes back when we are done; and we take the Lease that
 * operators lead by, since that alone says that the last one has let go, whoever started it and whatever becomes of its pod. Rejects when somebody
 * else leads all the time. Dying with the lead in hand does no harm: the Lease ends by itself, and there is nobody to take it.
 */
export async function takeLastLead(options: LastLeadOptions): Promise<LastLead> {
  const { client, clock, random, logger, namespace, deployment, leaseName, limitMs, say } = options;
  const isThere = await scaleToNone(options);
  if (!isThere && !(await hasLease(options))) {
    say(`operator: there is none in the namespace ${namespace}`);
    return { fence: () => true, lost: new Promise(() => undefined), release: async () => undefined };
  }
  const name = `Deployment ${namespace}/${deployment}`;
  say(isThere ? `operator: ${name} is scaled to 0` : `operator: there is no ${name}`);
  const lease = createLeaderLease({
    client,
    clock,
    random,
    logger,
    metrics: noMetrics,
    onError: (error) => logger.warn("a request for the lease failed, it is tried again", { error }),
    namespace,
    name: leaseName,
    identity: options.identity,
    // Nothing here is done by the time of day.
    clockOffsetMs: () => undefined,
    maxClockSkewMs: 0,
  });
  const patience = new AbortController();
  const timer = clock.after(limitMs, () => {
    const holder = (lease.state.kind === "standby" && lease.state.record?.holder) || undefined;
    const why = holder === undefined ? `the Lease ${namespace}/${leaseName} could not be taken` : `${holder} still leads; end it`;
    patience.abort(new Error(`operator: ${why}. Nothing else was done, since it would be undone`));
  });
  try {
    await lease.acquire(patience.signal);
  } finally {
    timer.cancel();
  }
  say(`operator: nobody holds the Lease ${namespace}/${leaseName} any more but this process`);
  return { fence: () => lease.fence(), lost: lease.lost, release: () => lease.release() };
}

/** false = there is no such Deployment. */
async function scaleToNone({ client, namespace, deployment }: LastLeadOptions): Promise<boolean> {
  const patch = { type: "merge", body: { spec: { replicas: 0 } } } as const;
  return isFound(client.patch(deployments, { namespace, name: deployment }, patch, { subresource: "scale" }));
}

const hasLease = ({ client, namespace, leaseName }: LastLeadOptions): Promise<boolean> =>
  isFound(client.get(leases, { namespace, name: leaseName }));

async function isFound(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (error instanceof NotFound) return false;
    throw error;
  }
}
