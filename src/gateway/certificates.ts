import type { Logger } from "../api/logger.ts";
import type { KubeObject } from "../api/meta.ts";
import { secrets } from "../api/resource.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Certificate } from "../haproxy/rules/published-service.ts";
import type { KubeClient } from "../kube/client.ts";
import { NotFound } from "../kube/errors.ts";

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Certificates of the Secrets that services name. Read one by one: a gateway has no right to list Secrets. */
export interface CertificateReader {
  /** What was read last; undefined = not read yet, null = there is none. */
  get(namespace: string, name: string): Certificate | null | undefined;
  /** All that are needed, as "namespace/name": those that are new are read at once, the others are forgotten. */
  need(keys: ReadonlySet<string>): void;
  stop(): void;
}

/** A renewed certificate is served at the latest so much later. */
const againMs = 60_000;
/** Between tries where the API server does not answer. */
const retryMs = 2_000;

export function createCertificateReader(options: {
  readonly client: Pick<KubeClient, "get">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told when one has another content than before. */
  readonly onChange: () => void;
}): CertificateReader {
  const { client, clock, logger, onChange } = options;
  const held = new Map<string, Certificate | null | undefined>();
  let stopped = false;
  let timer: Timer | undefined = clock.after(againMs, () => void round());

  /** Whether it could be found out. */
  async function read(key: string): Promise<boolean> {
    const [namespace = "", name = ""] = key.split("/");
    try {
      const { data } = await client.get<Secret>(secrets, { namespace, name });
      update(key, { chain: decode(data?.["tls.crt"]), key: decode(data?.["tls.key"]) });
      return true;
    } catch (error) {
      if (error instanceof NotFound) {
        update(key, null);
        return true;
      }
      // What was read before stays; the content is nobody's business, so only the name is told.
      logger.warn("a Secret with a certificate could not be read", { secret: key, error });
      return false;
    }
  }

  function update(key: string, found: Certificate | null): void {
    if (!held.has(key) || stopped) return;
    const before = held.get(key);
    if (before !== undefined && before?.chain === found?.chain && before?.key === found?.key) return;
    held.set(key, found);
    onChange();
  }

  async function round(): Promise<void> {
    let all = true;
    for (const key of [...held.keys()]) all = (await read(key)) && all;
    if (!stopped) timer = clock.after(all ? againMs : retryMs, () => void round());
  }

  return {
    get: (namespace, name) => held.get(`${namespace}/${name}`),
    need(keys) {
      for (const key of [...held.keys()]) if (!keys.has(key)) held.delete(key);
      for (const key of keys) {
        if (held.has(key)) continue;
        held.set(key, undefined);
        void read(key).then((known) => {
          if (known || stopped) return;
          timer?.cancel();
          timer = clock.after(retryMs, () => void round());
        });
      }
    },
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}

const decode = (text: string | undefined): string => Buffer.from(text ?? "", "base64").toString("utf8");
