import { isDeepStrictEqual } from "node:util";
import type { CustomResourceDefinition } from "../../api/core.ts";
import type { KubeObject } from "../../api/meta.ts";
import { apiVersionOf, customResourceDefinitions, type Resource } from "../../api/resource.ts";
import type { KubeClient } from "../../kube/client.ts";
import { NotFound } from "../../kube/errors.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import { readCrds, readRules } from "./crds.ts";

const policyGroup = "admissionregistration.k8s.io";

/** Installs what this package brings: definitions as they are now, roles, and policies if they are wanted. Those that are there already stay. */
export async function installPackage(client: KubeClient, server: ApiServer, wanted: { readonly policies: boolean }): Promise<void> {
  for (const crd of readCrds()) await installDefinition(client, crd);
  for (const rule of readRules()) {
    const resource = resourceOf(server, rule);
    if (resource.group === policyGroup && !wanted.policies) continue;
    if ((await found(client, resource, rule.metadata.name)) === undefined) await client.create(resource, rule);
  }
}

/** A cluster that was saved by another version has that version's definitions. */
async function installDefinition(client: KubeClient, crd: CustomResourceDefinition): Promise<void> {
  const held = await found<CustomResourceDefinition>(client, customResourceDefinitions, crd.metadata.name);
  if (held === undefined) await client.create(customResourceDefinitions, crd);
  else if (!isDeepStrictEqual(held.spec.versions, crd.spec.versions))
    await client.replace(customResourceDefinitions, { ...held, spec: crd.spec });
}

async function found<T extends KubeObject>(client: KubeClient, resource: Resource, name: string): Promise<T | undefined> {
  try {
    return await client.get<T>(resource, { name });
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

/** The kind of a manifest, where the server serves it. */
function resourceOf(server: ApiServer, { apiVersion, kind }: KubeObject): Resource {
  const type = server.types().find(({ resource }) => resource.kind === kind && apiVersionOf(resource) === apiVersion);
  if (type === undefined) throw new Error(`the embedded API server has no kind ${kind} of ${apiVersion}`);
  return type.resource;
}
