import type { KubeObject } from "../../api/meta.ts";
import { secrets } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import { getOrMake } from "../../base/map.ts";
import type { KubeClient } from "../../kube/client.ts";
import { Forbidden, NotFound } from "../../kube/errors.ts";

/** The token that a key of a Secret holds, or why there is none; without a reference no token is needed. */
export type ReadToken = (
  namespace: string,
  ref: { readonly name: string; readonly key: string } | undefined,
) => Promise<{ readonly token: string | undefined } | { readonly trouble: string }>;

/** A token that was changed is used after this long at the latest. */
const freshMs = 30_000;

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/**
 * Reads tokens from Secrets when they are needed, each at most twice a minute: the operator watches no Secrets, and needs the right to read
 * them only where a Role of the tenant's namespace gives it.
 */
export function createTokenSource(client: Pick<KubeClient, "get">, clock: Clock): ReadToken {
  const known = new Map<string, { readonly at: number; readonly read: ReturnType<ReadToken> }>();

  async function read(namespace: string, name: string, key: string): ReturnType<ReadToken> {
    const where = `the key ${key} of the Secret ${name} (spec.executor.tokenSecretRef)`;
    try {
      const secret = await client.get<Secret>(secrets, { namespace, name });
      const encoded = secret.data?.[key];
      if (encoded === undefined) return { trouble: `there is no token under ${where}` };
      return { token: Buffer.from(encoded, "base64").toString("utf8").trim() };
    } catch (error) {
      if (error instanceof NotFound) return { trouble: `there is no token under ${where}: the Secret does not exist` };
      if (error instanceof Forbidden)
        return { trouble: `the operator may not read ${where}; a Role of this namespace must allow it to get that Secret` };
      // What the API server said may hold more than is to be told.
      return { trouble: `${where} could not be read` };
    }
  }

  return (namespace, ref) => {
    if (ref === undefined) return Promise.resolve({ token: undefined });
    const name = `${namespace}/${ref.name}/${ref.key}`;
    const last = known.get(name);
    if (last !== undefined && clock.monotonic() - last.at >= freshMs) known.delete(name);
    if (known.size > 1000) known.clear();
    return getOrMake(known, name, () => ({ at: clock.monotonic(), read: read(namespace, ref.name, ref.key) })).read;
  };
}
