import type { CustomResourceDefinition, Lease } from "../api/core.ts";
import type { Logger } from "../api/logger.ts";
import type { ObjectRef } from "../api/meta.ts";
import { annotations } from "../api/names.ts";
import { customResourceDefinitions, elasticJobs, leases } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { Conflict, NotFound } from "../kube/errors.ts";
import { type Claimed, claimTimings, judgeHolder, readClaim, type WatchedLease } from "./claim-rules.ts";

export interface InstallationClaimOptions {
  readonly client: Pick<KubeClient, "get" | "patch">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told each request that failed; it is tried again. */
  readonly onError: (error: unknown) => void;
  /** Our Lease, by whose namespace and name the installation is known. */
  readonly lease: ObjectRef;
  /** The API server's time in milliseconds; undefined while unknown. */
  readonly serverNow: () => number | undefined;
}

/** The part of one process in whose cluster it is. See claim-rules.ts. */
export interface InstallationClaim {
  /**
   * Claims the cluster where nobody has, or where whoever had it is gone, which takes a while to be sure of. Resolves with why this process must not
   * act, or with undefined: the cluster is ours, or the signal is aborted. Where the kinds are not defined there is nothing to claim: that is waited
   * for, unless `definedOnly`. Never rejects.
   */
  settle(signal: AbortSignal, options?: { readonly definedOnly?: boolean }): Promise<string | undefined>;
  /** Looks again and again; resolves with why this process must not act any more, or with undefined when the signal is aborted. Never rejects. */
  follow(signal: AbortSignal): Promise<string | undefined>;
  /** Why this process must not act, once that is known. */
  readonly refusal: string | undefined;
  /** Why this replica is not ready: it waits for a verdict on another installation. */
  notReady(): string | undefined;
}

const aborted = (signal: AbortSignal) =>
  new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });

/** The definition that bears the claim. */
export const claimedDefinition: ObjectRef = { name: `${elasticJobs.plural}.${elasticJobs.group}` };
const retryMs = 2000;

/** Nothing is sent before `settle` or `follow`. */
export function createInstallationClaim(options: InstallationClaimOptions): InstallationClaim {
  const { client, clock, logger, onError, serverNow } = options;
  const ours = `${options.lease.namespace}/${options.lease.name}`;
  let refusal: string | undefined;
  let waiting: string | undefined;

  function refuse(why: string): string {
    refusal = `${why} (annotation ${annotations.installation} of customresourcedefinition ${claimedDefinition.name})`;
    return refusal;
  }
  const refuseFor = ({ namespace, name }: { readonly namespace: string; readonly name: string }, is: string) =>
    refuse(`the installation ${namespace}/${name} looks after this cluster and ${is}; uninstall one of the two, this one is ${ours}`);
  const refuseUnreadable = () =>
    refuse("it cannot be told which installation looks after this cluster: take the annotation away to claim it");

  async function look(): Promise<{ readonly claimed: Claimed; readonly version: string | undefined }> {
    const { metadata } = await client.get<CustomResourceDefinition>(customResourceDefinitions, claimedDefinition, { metadataOnly: true });
    return { claimed: readClaim(metadata.annotations?.[annotations.installation], ours), version: metadata.resourceVersion };
  }

  /** Fails with Conflict where anybody has written to the definition since it was read. */
  async function take(resourceVersion: string | undefined): Promise<void> {
    const metadata = { resourceVersion, annotations: { [annotations.installation]: ours } };
    await client.patch(customResourceDefinitions, claimedDefinition, { type: "merge", body: { metadata } });
    logger.info("this cluster is claimed", { installation: ours });
  }

  /** Resolves with whether the signal was aborted meanwhile. */
  const pause = (ms: number, signal: AbortSignal): Promise<boolean> =>
    clock.sleep(ms, signal).then(
      () => false,
      () => true,
    );

  async function settle(signal: AbortSignal, { definedOnly = false } = {}): Promise<string | undefined> {
    let watched: WatchedLease | undefined;
    while (!signal.aborted) {
      try {
        const { claimed, version } = await look();
        if (claimed.by === "us") return undefined;
        if (claimed.by === "unreadable") return refuseUnreadable();
        if (claimed.by === "nobody") {
          await take(version);
          return undefined;
        }
        const verdict = judgeHolder(watched, await leaseOf(claimed), { monotonic: clock.monotonic(), server: serverNow() });
        if (verdict.kind === "alive") return refuseFor(claimed, "is at work");
        if (verdict.kind === "gone") {
          await take(version);
          logger.warn("the installation that looked after this cluster is gone", { before: `${claimed.namespace}/${claimed.name}` });
          watched = undefined;
          await pause(claimTimings.handOverMs, signal);
          continue;
        }
        if (watched === undefined) tellWaiting(claimed);
        watched = verdict.watched;
        await pause(claimTimings.watchStepMs, signal);
      } catch (error) {
        if (error instanceof NotFound && definedOnly) return undefined;
        watched = undefined;
        // Somebody else has written to the definition, or it is not there yet: informers tell of that.
        if (error instanceof Conflict) continue;
        if (!(error instanceof NotFound)) onError(error);
        await pause(retryMs, signal);
      }
    }
    return undefined;
  }

  function tellWaiting({ namespace, name }: { readonly namespace: string; readonly name: string }): void {
    const before = waiting;
    waiting = `waiting whether the installation ${namespace}/${name}, which looks after this cluster, is gone`;
    if (before !== waiting) logger.warn(waiting, { installation: ours });
  }

  async function leaseOf({ namespace, name }: { readonly namespace: string; readonly name: string }): Promise<Lease | undefined> {
    try {
      return await client.get<Lease>(leases, { namespace, name });
    } catch (error) {
      if (error instanceof NotFound && !error.isUnknownKind) return undefined;
      throw error;
    }
  }

  return {
    async settle(signal, how) {
      // A request may be under way when this process is to end.
      const verdict = await Promise.race([settle(signal, how), aborted(signal)]);
      waiting = undefined;
      return verdict;
    },
    async follow(signal) {
      while (!(await pause(claimTimings.lookMs, signal))) {
        try {
          const { claimed, version } = await look();
          if (claimed.by === "other") return refuseFor(claimed, "has taken it over");
          if (claimed.by === "unreadable") return refuseUnreadable();
          // A definition that was deleted and made again has lost it.
          if (claimed.by === "nobody") await take(version);
        } catch (error) {
          if (!(error instanceof NotFound || error instanceof Conflict)) onError(error);
        }
      }
      return undefined;
    },
    get refusal() {
      return refusal;
    },
    notReady: () => waiting,
  };
}
