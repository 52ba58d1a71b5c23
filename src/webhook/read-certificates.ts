import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { CertificateKeeper } from "./certificate-keeper.ts";
import type { ServingCertificate } from "./certificate-record.ts";

/** A certificate with its key, PEM. */
export type TlsPair = Pick<ServingCertificate, "certificatePem" | "privateKeyPem">;

export interface ReadCertificatesOptions {
  /** Reads what is there now; rejects where nothing is. */
  readonly read: () => Promise<TlsPair>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** From now on this one is to be served. Throws when it cannot be. */
  readonly onCertificate: (certificate: TlsPair) => void;
}

const everyMs = 60_000;
/** Nothing is served yet, and pods begin before their certificates are made. */
const firstEveryMs = 1000;

/** Serves a certificate that somebody else keeps, such as cert-manager. What was served before goes on while nothing better can be read. */
export function readCertificates({ read, clock, logger, metrics, onCertificate }: ReadCertificatesOptions): CertificateKeeper {
  let served: string | undefined;
  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          const certificate = await read();
          // Half of a renewal must not be taken for the whole of it: both files count.
          const pair = certificate.certificatePem + certificate.privateKeyPem;
          if (pair !== served) onCertificate(certificate);
          served = pair;
        } catch (error) {
          metrics.count("nuptse_webhook_certificate_failures_total", {});
          logger.warn("the webhook's certificate could not be read (trying again)", { error });
        }
        await clock.sleep(served === undefined ? firstEveryMs : everyMs, signal).catch(() => undefined);
      }
    },
  };
}
