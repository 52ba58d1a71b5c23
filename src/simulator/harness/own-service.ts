import type { KubeObject } from "../../api/meta.ts";
import { endpointSlices, type Resource, services } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { AlreadyExists } from "../../kube/errors.ts";
import { sliceLabel } from "../apiserver/service-endpoints.ts";

const ref = { namespace: "default", name: "kubernetes" } as const;

/** Makes the Service by which pods find the API server, or tells it where that listens now. */
export async function tellOwnService(client: KubeClient, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  const https = { name: "https", protocol: "TCP" };
  await put(client, services, { spec: { clusterIP: "10.96.0.1", ports: [{ ...https, port: 443, targetPort: port }] } });
  await put(client, endpointSlices, {
    metadata: { labels: { [sliceLabel]: ref.name } },
    addressType: "IPv4",
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ ...https, port }],
  });
}

async function put(
  client: KubeClient,
  resource: Resource,
  body: { readonly metadata?: object; readonly [part: string]: unknown },
): Promise<void> {
  try {
    await client.create(resource, { ...body, metadata: { ...ref, ...body.metadata } } as KubeObject);
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
    await client.patch(resource, ref, { type: "merge", body });
  }
}
