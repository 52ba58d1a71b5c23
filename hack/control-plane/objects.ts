import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CertificateClient } from "./certificate-client.ts";

/** The project's CRDs. */
const crdsFolder = join(import.meta.dirname, "..", "..", "crds");
const crdPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const waitMs = 30_000;

/** Applies crds/*.yaml (server-side) and resolves with their names once the server serves them all; an empty folder is no error. */
export async function installCrds(client: CertificateClient): Promise<readonly string[]> {
  const files = (await readdir(crdsFolder)).filter((name) => name.endsWith(".yaml")).sort();
  const texts = await Promise.all(files.map((name) => readFile(join(crdsFolder, name), "utf8")));
  const documents = texts.flatMap((text) => text.split(/^---$/m)).filter((document) => /^kind: *CustomResourceDefinition/m.test(document));
  const names = documents.map((document) => document.match(/^ {2}name: *(\S+)/m)?.[1] ?? "");
  for (const [index, document] of documents.entries()) {
    const path = `${crdPath}/${names[index]}?fieldManager=nuptse-control-plane&force=true`;
    await client.text({ method: "PATCH", path, body: document, contentType: "application/apply-patch+yaml" });
  }
  for (const name of names) {
    await until(`CRD ${name} to be established`, async () => {
      const { status } = JSON.parse(await client.text({ path: `${crdPath}/${name}` }));
      return status?.conditions?.some(
        (condition: { type: string; status: string }) => condition.type === "Established" && condition.status === "True",
      );
    });
  }
  return names;
}

/**
 * Creates a namespace that pods may be created in. With kube-controller-manager (`needsServiceAccount`) that takes a moment more:
 * pods are refused until it has made the service account "default".
 */
export async function createNamespace(client: CertificateClient, name: string, needsServiceAccount: boolean): Promise<void> {
  await client.text({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name } } });
  if (!needsServiceAccount) return;
  await until(`the service account of namespace ${name}`, async () => {
    return (await client.send({ path: `/api/v1/namespaces/${name}/serviceaccounts/default` })).status === 200;
  });
}

async function until(what: string, isSo: () => Promise<boolean | undefined>): Promise<void> {
  const deadline = performance.now() + waitMs;
  while ((await isSo()) !== true) {
    if (performance.now() > deadline) throw new Error(`waited ${waitMs} ms in vain for ${what}`);
    await sleep(50);
  }
}
