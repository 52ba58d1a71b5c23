/**
 * Keeps a Secret with certificates, and the caBundle of the configurations that lead to who serves them. Every replica does, without a
 * leader: a write of the Secret carries the version that it was planned from (or is a create that only one can win), and one of a
 * configuration the version that was read before the Secret was, so that a replica that stood still for an hour cannot bring back what
 * was true then. How long something has been told is measured by each replica for itself, on its monotonic clock: whoever has waited long
 * enough goes on, and a clock that is off moves nothing.
 */
import type { Logger } from "../api/logger.ts";
import type { ObjectRef } from "../api/meta.ts";
import { apiVersionOf, secrets } from "../api/resource.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { AlreadyExists, Conflict, NotFound } from "../kube/errors.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { type ConfigurationRef, readConfigurations, tellBundle } from "./ca-bundle.ts";
import {
  bundleOf,
  type CertificateRecord,
  endOf,
  firstRecord,
  readRecord,
  type RotationTimes,
  rotate,
  type Secret,
  secretData,
  type ServingCertificate,
} from "./certificate-record.ts";

export interface CertificateKeeperOptions {
  readonly client: Pick<KubeClient, "get" | "create" | "replace" | "patch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The API server's wall time in milliseconds: it is who judges whether a certificate is valid. */
  readonly now: () => number;
  readonly secret: ObjectRef;
  /** Empty where nobody but readers of the Secret is to know of the authorities. */
  readonly configurations: readonly ConfigurationRef[];
  /** Host names and addresses that the certificate must answer to. */
  readonly names: readonly string[];
  readonly times: RotationTimes;
  /** From now on this one is to be served. */
  readonly onCertificate: (certificate: ServingCertificate) => void;
  /** Told when it has not worked for a while, again each time that it fails, and when it works again. */
  readonly onTrouble: (trouble: CertificateTrouble) => void;
}

export interface CertificateTrouble {
  readonly kind: "failed" | "recovered";
  /** A sentence for people. */
  readonly note: string;
}

export interface CertificateKeeper {
  /** Looks again and again until the signal aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

const longestPauseMs = 60_000;
const shortestPauseMs = 1000;
/** The configurations of one manifest come one after the other: for so long after the first one they are looked for often. */
const arrivingMs = 60_000;
const arrivingPauseMs = 2000;
const failureBackoff: BackoffPolicy = { initialMs: 1000, factor: 2, maxMs: 60_000, jitter: 0.3 };
/** One failure may be a server that restarts. */
const failuresBeforeTrouble = 3;
/** Writes that follow from each other in one look: the Secret, the configurations, and both once more when others wrote too. */
const mostTurns = 10;

/** Builds a keeper; nothing happens before `run`. */
export function createCertificateKeeper(options: CertificateKeeperOptions): CertificateKeeper {
  const { client, clock, logger, metrics, names, times, secret } = options;
  const secretName = `${secret.namespace}/${secret.name}`;
  let served: ServingCertificate | undefined;
  /** Since when all configurations have been seen to tell of this bundle. */
  let told: { readonly bundle: string; readonly since: number } | undefined;
  let failures = 0;

  async function readSecret(): Promise<Secret | undefined> {
    try {
      return await client.get<Secret>(secrets, secret);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /** Whoever was faster has decided it. */
  async function write(stored: Secret | undefined, record: CertificateRecord, what: string): Promise<void> {
    const { uid, resourceVersion, labels, annotations } = stored?.metadata ?? {};
    const metadata = {
      ...secret,
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(labels !== undefined && { labels }),
      ...(annotations !== undefined && { annotations }),
    };
    const type = stored?.type ?? "kubernetes.io/tls";
    const object: Secret = { apiVersion: apiVersionOf(secrets), kind: secrets.kind, metadata, type, data: secretData(record) };
    try {
      await (stored === undefined ? client.create(secrets, object) : client.replace(secrets, object));
      logger.info("certificates have changed", { what, secret: secretName });
    } catch (error) {
      if (!(error instanceof AlreadyExists || error instanceof Conflict)) throw error;
    }
  }

  function serve(certificate: ServingCertificate): void {
    if (certificate.certificatePem === served?.certificatePem) return;
    served = certificate;
    logger.info("a certificate is served", { secret: secretName, until: new Date(endOf(certificate)).toISOString() });
    options.onCertificate(certificate);
  }

  /** Resolves with false when something was written, or should have been: then the look begins again. */
  async function turn(): Promise<boolean> {
    const configurations = await readConfigurations(client, options.configurations);
    const stored = await readSecret();
    const record = stored === undefined ? undefined : readRecord(stored);
    const view = { ...times, names, now: options.now() };
    if (record === undefined) {
      await write(
        stored,
        firstRecord(served, view),
        stored === undefined ? "made, since there were none" : "made anew, since what was there was of no use",
      );
      return false;
    }
    serve(record.current);
    const bundle = bundleOf(record);
    const results = await Promise.all(configurations.map((found) => tellBundle(client, found, bundle)));
    if (results.includes("written"))
      logger.info("the API server is told of the webhook's authorities", {
        configurations: configurations.map(({ ref }) => `${ref.resource.kind} ${ref.name}`),
      });
    if (results.some((result) => result !== "same")) {
      told = undefined;
      return false;
    }
    if (told?.bundle !== bundle) told = { bundle, since: clock.monotonic() };
    const changed = rotate(record, { ...view, toldMs: clock.monotonic() - told.since });
    if (changed === undefined) return true;
    await write(
      stored,
      changed,
      changed.next !== undefined ? "the next one is introduced" : "the next one is served, or the older one is forgotten",
    );
    return false;
  }

  async function look(): Promise<void> {
    for (let turns = 0; turns < mostTurns; turns++) if (await turn()) return;
    throw new Error(
      `certificates were changed by somebody else ${mostTurns} times in a row; is another installation using the same Secret?`,
    );
  }

  function failed(error: unknown): void {
    failures += 1;
    metrics.count("nuptse_webhook_certificate_failures_total", {});
    logger.warn("certificates could not be looked after (trying again)", { error, failures, secret: secretName });
    if (failures < failuresBeforeTrouble) return;
    const state = served === undefined ? "none is served" : `the one that is served ends at ${new Date(endOf(served)).toISOString()}`;
    const reason = error instanceof Error ? error.message : String(error);
    options.onTrouble({ kind: "failed", note: `the certificates of ${secretName} cannot be looked after; ${state}: ${reason}` });
  }

  function succeeded(): void {
    if (failures >= failuresBeforeTrouble)
      options.onTrouble({ kind: "recovered", note: `the certificates of ${secretName} are looked after again` });
    failures = 0;
  }

  /** Whether one more of the configurations may be about to come. */
  const isArriving = (): boolean => told === undefined || clock.monotonic() - told.since < arrivingMs;
  const pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, times.overlapMs / 10));

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          await look();
          succeeded();
        } catch (error) {
          failed(error);
        }
        const usualMs = isArriving() ? Math.min(pauseMs, arrivingPauseMs) : pauseMs;
        const waitMs = failures === 0 ? usualMs : Math.min(pauseMs, backoffDelay(failureBackoff, failures, options.random));
        await clock.sleep(waitMs, signal).catch(() => undefined);
      }
    },
  };
}
