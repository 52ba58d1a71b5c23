import type { JsonPatchOperation } from "../api/json-patch.ts";
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { KubeClient } from "../kube/client.ts";
import { Conflict, Invalid, NotFound } from "../kube/errors.ts";

/** A ValidatingWebhookConfiguration or MutatingWebhookConfiguration, as far as it is read here. */
export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: { readonly caBundle?: string } }[];
}

/** The name of one, with its kind. */
export interface ConfigurationRef {
  readonly resource: Resource;
  readonly name: string;
}

/** One that is there, in the version that was read. */
export interface FoundConfiguration {
  readonly ref: ConfigurationRef;
  readonly object: WebhookConfiguration;
}

/** Those that are there: one that is not installed is not missed, since a server may add the gate by itself. */
export async function readConfigurations(
  client: Pick<KubeClient, "get">,
  refs: readonly ConfigurationRef[],
): Promise<readonly FoundConfiguration[]> {
  const found = await Promise.all(
    refs.map(async (ref) => {
      try {
        return [{ ref, object: await client.get<WebhookConfiguration>(ref.resource, { name: ref.name }) }];
      } catch (error) {
        if (error instanceof NotFound) return [];
        throw error;
      }
    }),
  );
  return found.flat();
}

/**
 * Writes the bundle into all webhooks of a configuration in the version that was read: if anybody has written it since, nothing is written.
 * Resolves with what was found: "same" = it stood there already; "raced" = to be read again.
 * @param bundle PEM
 */
export async function tellBundle(
  client: Pick<KubeClient, "patch">,
  { ref, object }: FoundConfiguration,
  bundle: string,
): Promise<"same" | "written" | "raced"> {
  const value = Buffer.from(bundle).toString("base64");
  const operations = (object.webhooks ?? []).flatMap(({ clientConfig }, index): JsonPatchOperation[] =>
    clientConfig.caBundle === value ? [] : [{ op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value }],
  );
  if (operations.length === 0) return "same";
  const body = [{ op: "test", path: "/metadata/resourceVersion", value: object.metadata.resourceVersion } as const, ...operations];
  try {
    await client.patch(ref.resource, { name: ref.name }, { type: "json", body });
    return "written";
  } catch (error) {
    // A test that fails is answered as Invalid.
    if (error instanceof Conflict || error instanceof Invalid || error instanceof NotFound) return "raced";
    throw error;
  }
}
