import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { loadAll } from "js-yaml";
import { nuptse } from "../cli/program-double.ts";

interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly clientConfig: { readonly caBundle?: string; readonly service: { readonly name: string; readonly path: string } };
  readonly objectSelector?: unknown;
  readonly rules: readonly { readonly resources: readonly string[]; readonly operations: readonly string[] }[];
}

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly webhooks?: readonly Webhook[];
  readonly rules?: readonly { readonly resourceNames?: readonly string[] }[];
}

const crds = new URL("../../../crds/", import.meta.url);
const documents = loadAll(readFileSync(new URL("optional/webhooks.yaml", crds), "utf8")) as readonly Document[];
const find = (kind: string): Document => documents.find((each) => each.kind === kind) ?? assert.fail(`no ${kind}`);
const webhookOf = (kind: string): Webhook => find(kind).webhooks?.[0] ?? assert.fail(`no webhook in ${kind}`);

describe("crds/optional/webhooks.yaml", () => {
  it("has the names that the operator looks for when it is told nothing else", async () => {
    const [options] = (await nuptse(["operator"])).operator as readonly {
      readonly webhookService: string;
      readonly webhookSecret: string;
      readonly webhookValidatingConfiguration: string;
      readonly webhookMutatingConfiguration: string;
    }[];
    assert.equal(find("ValidatingWebhookConfiguration").metadata.name, options?.webhookValidatingConfiguration);
    assert.equal(find("MutatingWebhookConfiguration").metadata.name, options?.webhookMutatingConfiguration);
    assert.equal(find("Service").metadata.name, options?.webhookService);
    assert.deepEqual(find("Role").rules?.[1]?.resourceNames, [options?.webhookSecret]);
    for (const kind of ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"])
      assert.equal(webhookOf(kind).clientConfig.service.name, options?.webhookService);
  });

  it("matches pods by label alone, and lets nobody's object wait for an operator that is away", () => {
    const [validating, gate] = [webhookOf("ValidatingWebhookConfiguration"), webhookOf("MutatingWebhookConfiguration")];
    assert.deepEqual(gate.objectSelector, { matchExpressions: [{ key: "nuptse.dev/queue", operator: "Exists" }] });
    assert.deepEqual(
      gate.rules.map(({ resources, operations }) => [resources, operations]),
      [[["pods"], ["CREATE"]]],
    );
    assert.deepEqual([gate.failurePolicy, validating.failurePolicy], ["Fail", "Ignore"]);
    for (const { sideEffects, timeoutSeconds, clientConfig, rules } of [validating, gate]) {
      assert.deepEqual([sideEffects, clientConfig.caBundle], ["None", undefined]);
      assert.ok(timeoutSeconds <= 5);
      for (const { resources, operations } of rules) {
        assert.ok(!resources.some((resource) => resource.includes("/") || resource === "*"));
        assert.ok(!operations.includes("DELETE"));
      }
    }
  });

  it("does not come along with kubectl apply -f crds/", () => {
    for (const name of readdirSync(crds).filter((each) => each.endsWith(".yaml")))
      assert.doesNotMatch(readFileSync(new URL(name, crds), "utf8"), /^kind: \w+WebhookConfiguration$/m);
  });
});
