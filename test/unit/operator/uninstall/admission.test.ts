import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import type { KubeObject } from "../../../../src/api/meta.ts";
import { mutatingWebhookConfigurations } from "../../../../src/api/resource.ts";
import { admissionDeletions, admissionObjects } from "../../../../src/operator/uninstall/admission.ts";

const crds = join(import.meta.dirname, "../../../../crds");

describe("admission objects that an uninstallation removes", () => {
  it("are all that crds/ has of policies, their bindings, and configurations of webhooks", () => {
    const files = [crds, join(crds, "optional")].flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith(".yaml"))
        .map((name) => join(folder, name)),
    );
    const shipped = files
      .flatMap((file) => loadAll(readFileSync(file, "utf8")) as readonly KubeObject[])
      .filter(({ apiVersion }) => apiVersion?.startsWith("admissionregistration.k8s.io/") === true)
      .map(({ kind, apiVersion, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
    assert.deepEqual(
      admissionObjects.map(({ resource: { group, version, kind }, name }) => `${group}/${version} ${kind} ${name}`).sort(),
      shipped.sort(),
    );
  });

  it("are deleted as they were read, and no namesakes", () =>
    assert.deepEqual(
      admissionDeletions([
        { resource: mutatingWebhookConfigurations, object: { metadata: { name: "nuptse", uid: "u1", resourceVersion: "9" } } },
      ]),
      [{ tag: "delete", resource: mutatingWebhookConfigurations, ref: { name: "nuptse" }, uid: "u1" }],
    ));
});
