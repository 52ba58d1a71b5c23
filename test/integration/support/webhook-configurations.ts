import { readFileSync } from "node:fs";
import { loadAll } from "js-yaml";
import type { KubeObject } from "../../../src/api/meta.ts";
import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from "../../../src/api/resource.ts";
import type { KubeClient } from "../../../src/kube/client.ts";

interface ShippedConfiguration extends KubeObject {
  readonly webhooks: readonly {
    readonly clientConfig: { readonly service: { readonly path: string } };
    readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
  }[];
}

const shipped = new URL("../../../crds/optional/webhooks.yaml", import.meta.url);
const shippedAccount = "system:serviceaccount:nuptse:nuptse-operator";

/** Where the API server of a test calls the operators: no Service leads to processes on loopback. */
export interface WebhookPorts {
  readonly validate: number;
  readonly gate: number;
}

/** Creates the shipped configurations, with loopback addresses and `operator` (a user name) in place of the operator's account. */
export async function installWebhooks(client: KubeClient, ports: WebhookPorts, operator: string): Promise<void> {
  const documents = loadAll(readFileSync(shipped, "utf8")) as readonly ShippedConfiguration[];
  for (const resource of [validatingWebhookConfigurations, mutatingWebhookConfigurations]) {
    const found = documents.find(({ kind }) => kind === resource.kind);
    if (found === undefined) throw new Error(`no ${resource.kind} in ${shipped.pathname}`);
    const port = resource === validatingWebhookConfigurations ? ports.validate : ports.gate;
    const webhooks = found.webhooks.map(({ clientConfig, matchConditions, ...webhook }) => ({
      ...webhook,
      clientConfig: { url: `https://127.0.0.1:${port}${clientConfig.service.path}` },
      ...(matchConditions !== undefined && {
        matchConditions: matchConditions.map((each) => ({ ...each, expression: each.expression.replace(shippedAccount, operator) })),
      }),
    }));
    await client.create(resource, { ...found, webhooks } as KubeObject);
  }
}
