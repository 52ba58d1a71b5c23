import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Metrics } from "../runtime/metrics.ts";
import { type CertificateTrouble, createCertificateKeeper } from "./certificate-keeper.ts";
import type { RotationTimes } from "./certificate-record.ts";

/** A Secret whose certificates somebody beside the operator serves. */
export interface KeptCertificate {
  readonly secret: string;
  /** Host names that the certificate must answer to. */
  readonly names: readonly string[];
}

export interface KeptCertificatesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The API server's wall time in milliseconds. */
  readonly now: () => number;
  readonly namespace: string;
  readonly certificates: readonly KeptCertificate[];
  readonly times: RotationTimes;
  readonly onTrouble: (trouble: CertificateTrouble) => void;
}

/**
 * Keeps certificates for servers beside the operator (gateways, `nuptse trace`), which mount the Secrets, as do those who call them: `tls.crt`
 * and `tls.key` are what is served, `ca.crt` whom to trust. A next authority stands in `ca.crt` for the overlap before it is served, so the overlap must
 * be longer than kubelets and programs take to read it.
 * @returns what ends it
 */
export function keepCertificates(options: KeptCertificatesOptions): () => Promise<void> {
  const ending = new AbortController();
  const work = options.certificates.map(({ secret, names }) =>
    createCertificateKeeper({
      ...options,
      secret: { namespace: options.namespace, name: secret },
      configurations: [],
      names,
      // Whoever serves it reads the Secret.
      onCertificate: () => undefined,
    }).run(ending.signal),
  );
  return async () => {
    ending.abort();
    await Promise.all(work);
  };
}
