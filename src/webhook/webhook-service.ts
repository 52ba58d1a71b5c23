import type { Logger } from "../api/logger.ts";
import type { KubeObject } from "../api/meta.ts";
import { mutatingWebhookConfigurations, selfSubjectReviews, validatingWebhookConfigurations } from "../api/resource.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { type CertificateTrouble, createCertificateKeeper } from "./certificate-keeper.ts";
import { endOf, type RotationTimes } from "./certificate-record.ts";
import { gateVerdict } from "./gate.ts";
import { createJudge, NotReadyError, type Surroundings } from "./judge.ts";
import { createLiveReads } from "./live-reads.ts";
import { readCertificates, type TlsPair } from "./read-certificates.ts";
import { startWebhookServer } from "./webhook-server.ts";

export interface WebhookOptions {
  readonly client: KubeClient;
  readonly cached: Surroundings;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The API server's wall time in milliseconds. */
  readonly now: () => number;
  readonly host: string;
  /** 0 = a free one. */
  readonly port: number;
  /** The operator's own: of the Service and the Secret. */
  readonly namespace: string;
  readonly service: string;
  /** Other names and addresses by which the API server calls. */
  readonly hosts: readonly string[];
  readonly secret: string;
  readonly validatingConfiguration: string;
  readonly mutatingConfiguration: string;
  readonly times: RotationTimes;
  /** Reads the certificate that somebody else keeps, whose authority the configurations are told of by others; absent = the operator keeps its own. */
  readonly readTls?: () => Promise<TlsPair>;
  readonly onTrouble: (trouble: CertificateTrouble) => void;
}

/** The admission webhooks of a replica. */
export interface WebhookService {
  readonly port: number;
  /** Why the API server should call another replica; undefined = it may call this one. */
  notReady(): string | undefined;
  close(): Promise<void>;
}

interface SelfSubjectReview extends Omit<KubeObject, "metadata"> {
  readonly metadata: KubeObject["metadata"];
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

const nameBackoff: BackoffPolicy = { initialMs: 500, factor: 2, maxMs: 30_000, jitter: 0.3 };

/**
 * Starts the server and the keeper of its certificates. Every replica serves, whoever leads: what they say depends on caches that all of
 * them fill. Rejects when the address cannot be had; everything else is waited for.
 */
export async function startWebhooks(options: WebhookOptions): Promise<WebhookService> {
  const { client, cached, clock, random, logger, metrics, namespace, service } = options;
  const judge = createJudge({ cached, live: createLiveReads(client), now: options.now });
  const ending = new AbortController();
  let certified = false;
  /** The operator's user name. */
  let ownName: string | undefined;

  const server = await startWebhookServer({
    webhooks: {
      async validate(request) {
        const answer = await judge(request);
        return { verdict: answer.kind, answer };
      },
      async gate(request) {
        if (ownName === undefined) throw new NotReadyError("it is not known yet under which name the operator creates pods");
        const { kind, answer } = gateVerdict(request, ownName);
        return { verdict: kind, answer };
      },
    },
    host: options.host,
    port: options.port,
    clock,
    logger,
    metrics,
  });

  /** A name that somebody configured could be wrong, and then the operator would gate its own pods. */
  async function learnOwnName(): Promise<void> {
    for (let failures = 0; ownName === undefined && !ending.signal.aborted; ) {
      try {
        const review: SelfSubjectReview = { metadata: {} as KubeObject["metadata"] };
        ownName = (await client.create<SelfSubjectReview>(selfSubjectReviews, review)).status?.userInfo?.username;
        if (ownName === undefined) throw new Error("the API server did not say who we are");
      } catch (error) {
        failures += 1;
        logger.warn("the operator's own user name could not be asked for (trying again)", { error });
        await clock.sleep(backoffDelay(nameBackoff, failures, random), ending.signal).catch(() => undefined);
      }
    }
  }

  function serve(certificate: TlsPair): void {
    server.serve(certificate);
    metrics.set("nuptse_webhook_certificate_expiry_timestamp_seconds", {}, Math.floor(endOf(certificate) / 1000));
    certified = true;
  }

  const { readTls } = options;
  const around = { clock, random, logger, metrics, onCertificate: serve };
  const keeper =
    readTls !== undefined
      ? readCertificates({ ...around, read: readTls })
      : createCertificateKeeper({
          ...around,
          client,
          now: options.now,
          secret: { namespace, name: options.secret },
          configurations: [
            { resource: validatingWebhookConfigurations, name: options.validatingConfiguration },
            { resource: mutatingWebhookConfigurations, name: options.mutatingConfiguration },
          ],
          names: [`${service}.${namespace}.svc`, `${service}.${namespace}.svc.cluster.local`, ...options.hosts],
          times: options.times,
          onTrouble: options.onTrouble,
        });
  const work = Promise.all([keeper.run(ending.signal), learnOwnName()]);
  logger.info("admission webhooks start", { port: server.port });

  return {
    port: server.port,
    notReady() {
      if (!certified) return "waiting for the webhook's certificate";
      if (ownName === undefined) return "waiting to learn the operator's own user name";
      return cached.queueWorld() === undefined ? "waiting for the caches that webhooks judge with" : undefined;
    },
    async close() {
      await server.close();
      ending.abort();
      await work;
    },
  };
}
