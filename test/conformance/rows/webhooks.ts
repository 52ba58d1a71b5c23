import { configMaps, mutatingWebhookConfigurations, type Resource, validatingWebhookConfigurations } from "../../../src/api/resource.ts";
import type { Api, StoredBody } from "../api.ts";
import { configMap } from "../fixtures.ts";
import { type Row, row } from "../row.ts";
import { type Judge, patchOf, startWebhook, type TestWebhook } from "../webhook.ts";

const rule = (operations: readonly string[], resources: readonly string[] = ["configmaps"]): object => ({
  apiGroups: [""],
  apiVersions: ["v1"],
  resources,
  operations,
});
const plain = { name: "one.example.test", sideEffects: "None", admissionReviewVersions: ["v1"] };

/** What waits for a webhook to be in force: written by no row. */
const probe = "probe";
const isProbe = (request: StoredBody): boolean => request.name === probe;

/** Runs steps while a webhook judges config maps of the row's namespace; it takes a real server a moment to see one. */
async function under(
  api: Api,
  kind: Resource,
  judge: Judge,
  steps: (webhook: TestWebhook) => Promise<void>,
  more: Record<string, unknown> = {},
): Promise<void> {
  const judged: StoredBody[] = [];
  const webhook = await startWebhook((request) => {
    if (isProbe(request)) return { allowed: false, status: { message: "in force" } };
    judged.push(request);
    return judge(request);
  });
  const name = `${api.namespace}-hook`;
  const namespaceSelector = { matchLabels: { "kubernetes.io/metadata.name": api.namespace } };
  const hook = { ...plain, rules: [rule(["CREATE", "UPDATE", "DELETE"])], namespaceSelector, clientConfig: webhook.clientConfig, ...more };
  const refused = async (): Promise<boolean> => {
    const reply = await api.create(configMaps, configMap(probe, {}, { labels: { judged: "yes" } }), {
      query: { dryRun: "All" },
      show: "nothing",
    });
    return reply.status >= 400;
  };
  // what the waits answered is nobody's business
  const silently = async (wait: () => Promise<void>): Promise<void> => {
    const before = api.transcript.length;
    await wait();
    api.transcript.cut(before);
  };
  try {
    await api.create(kind, { metadata: { name }, webhooks: [hook] }, { show: "nothing" });
    await silently(() => api.until("the webhook is in force", refused));
    await steps({ ...webhook, requests: judged });
  } finally {
    await api.delete(kind, name, undefined, { show: "nothing" });
    await silently(() => api.until("the webhook is no longer in force", async () => !(await refused())));
    await webhook.close();
  }
}

/** What a request says that is the same on all servers. */
const told = ({ uid, userInfo, object, oldObject, ...rest }: StoredBody): unknown => [
  rest,
  uid !== undefined,
  userInfo.username !== undefined,
  object === null ? null : [object.kind, object.apiVersion, object.data, Object.keys(object.metadata).sort()],
  oldObject === null ? null : [oldObject.kind, oldObject.data],
];

/** Webhooks: how their configurations are completed and refused, what they are asked, and what their answers do. */
export const webhookRows: readonly Row[] = [
  row("a configuration of webhooks is completed", async (api) => {
    const name = `${api.namespace}-shape`;
    const webhooks = [{ ...plain, rules: [rule(["CREATE"], ["nothings"])], clientConfig: { service: { namespace: "a", name: "b" } } }];
    await api.create(validatingWebhookConfigurations, { metadata: { name }, webhooks }, { show: ["webhooks", "metadata.generation"] });
    await api.create(mutatingWebhookConfigurations, { metadata: { name }, webhooks }, { show: ["webhooks"] });
    const patch = [{ op: "replace", path: "/webhooks/0/timeoutSeconds", value: 3 }];
    await api.json(validatingWebhookConfigurations, name, patch, { show: ["metadata.generation", "webhooks.*.timeoutSeconds"] });
    for (const kind of [validatingWebhookConfigurations, mutatingWebhookConfigurations])
      await api.delete(kind, name, undefined, { show: "nothing" });
  }),
  row("a webhook that cannot be asked is refused", async (api) => {
    const refuse = (webhook: object, show: "reason" | readonly string[] = []) =>
      api.create(validatingWebhookConfigurations, { metadata: { name: `${api.namespace}-bad` }, webhooks: [webhook] }, { show });
    const clientConfig = { url: "https://127.0.0.1/judge" };
    await refuse({ ...plain, clientConfig: {} });
    await refuse({ ...plain, clientConfig: { url: "http://127.0.0.1/judge" } });
    await refuse({ ...plain, clientConfig: { url: "https://me@127.0.0.1/judge?a=b#c" } });
    await refuse({ ...plain, name: "short", clientConfig }, "reason");
    await refuse({ ...plain, timeoutSeconds: 31, clientConfig });
    await refuse({ ...plain, sideEffects: "Some", clientConfig });
    await refuse({ ...plain, failurePolicy: "Perhaps", matchPolicy: "Never", clientConfig });
    await refuse({ ...plain, admissionReviewVersions: [], clientConfig }, "reason");
    await refuse({ ...plain, rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }], clientConfig });
    await refuse({ ...plain, clientConfig: { service: { namespace: "a", name: "", port: 0, path: "judge" } } }, "reason");
    await refuse({ ...plain, clientConfig, matchConditions: [{ name: "c", expression: "object." }] }, "reason");
  }),
  row("a validating webhook is asked about creations, changes and deletions", async (api) => {
    await under(
      api,
      validatingWebhookConfigurations,
      () => ({ allowed: true }),
      async ({ requests }) => {
        await api.create(configMaps, configMap("a"), { query: { fieldManager: "m" }, show: ["data"] });
        await api.merge(configMaps, "a", { data: { a: "2" } }, { show: ["data"] });
        await api.merge(configMaps, "a", { data: { a: "2" } }, { show: ["data"], query: { dryRun: "All" } });
        await api.delete(configMaps, "a", undefined, { show: "nothing" });
        api.note("requests", requests.map(told));
      },
    );
  }),
  row("a validating webhook refuses in its own words", async (api) => {
    const words: Record<string, Record<string, unknown>> = {
      bare: { allowed: false },
      said: { allowed: false, status: { message: "not today" } },
      coded: {
        allowed: false,
        status: { code: 403, reason: "Forbidden", message: "no", details: { causes: [{ message: "why", field: "data" }] } },
      },
      reasoned: { allowed: false, status: { reason: "Conflict" } },
      warned: { allowed: true, warnings: ["take care", "really"] },
      patched: patchOf([{ op: "add", path: "/data/b", value: "2" }]),
    };
    await under(
      api,
      validatingWebhookConfigurations,
      (request) => words[request.name],
      async () => {
        for (const name of Object.keys(words)) await api.create(configMaps, configMap(name), { show: ["data"] });
      },
    );
  }),
  row("a mutating webhook changes what is written", async (api) => {
    const judge: Judge = (request) =>
      request.operation === "CREATE"
        ? patchOf([
            { op: "add", path: "/data/b", value: "2" },
            { op: "add", path: "/metadata/labels", value: { by: "webhook" } },
          ])
        : { allowed: true };
    await under(api, mutatingWebhookConfigurations, judge, async ({ requests }) => {
      await api.create(configMaps, configMap("a"), { show: ["data", "metadata.labels"] });
      await api.create(configMaps, configMap("b"), { query: { dryRun: "All" }, show: ["data"] });
      await api.merge(configMaps, "a", { data: { c: "3" } }, { show: ["data"] });
      const { body } = await api.create(configMaps, { metadata: { generateName: "made-" }, data: { a: "1" } }, { show: ["data"] });
      const seen = requests.at(-1)?.object.metadata.name;
      api.note("of the name that it saw", seen === undefined || seen === body.metadata.name);
      await api.apply(configMaps, "c", "m", { data: { a: "1" } }, { show: ["data"] });
      await api.delete(configMaps, "a", undefined, { show: "nothing" });
      api.note(
        "operations",
        requests.map((request) => [request.operation, request.options.kind]),
      );
    });
  }),
  row("a mutating webhook refuses, and says what does not fit", async (api) => {
    const words: Record<string, Record<string, unknown>> = {
      refused: { allowed: false, status: { message: "not today", code: 422 } },
      untyped: { allowed: true, patch: Buffer.from("[]").toString("base64") },
      warned: { allowed: true, warnings: ["take care"] },
    };
    await under(
      api,
      mutatingWebhookConfigurations,
      (request) => words[request.name],
      async () => {
        for (const name of Object.keys(words)) await api.create(configMaps, configMap(name), { show: ["data"] });
      },
    );
  }),
  row("a webhook that fails stops the write, unless it may be passed over", async (api) => {
    const failing: Judge = () => undefined;
    await under(api, validatingWebhookConfigurations, failing, async () => {
      const reply = await api.create(configMaps, configMap("a"), { show: "reason" });
      api.note("why", [reply.body.code, String(reply.body.message).split(": ").slice(0, 2)]);
    });
    await under(
      api,
      validatingWebhookConfigurations,
      failing,
      async () => {
        await api.create(configMaps, configMap("a"), { show: ["data"] });
      },
      { failurePolicy: "Ignore" },
    );
  }),
  row("selectors, rules and conditions say what a webhook is asked about", async (api) => {
    const refuse: Judge = (request) => ({ allowed: false, status: { message: `asked about ${request.name}` } });
    const objectSelector = { matchLabels: { judged: "yes" } };
    await under(
      api,
      validatingWebhookConfigurations,
      refuse,
      async () => {
        await api.create(configMaps, configMap("a"), { show: ["data"] });
        await api.create(configMaps, configMap("b", {}, { labels: { judged: "yes" } }));
        await api.merge(configMaps, "a", { metadata: { labels: { judged: "yes" } } });
      },
      { objectSelector },
    );
    const matchConditions = [{ name: "big", expression: `request.name == "${probe}" || object.data.size() > 1` }];
    await under(
      api,
      validatingWebhookConfigurations,
      refuse,
      async () => {
        await api.create(configMaps, configMap("c", { a: "1" }), { show: ["data"] });
        await api.create(configMaps, configMap("d", { a: "1", b: "2" }));
      },
      { matchConditions, rules: [rule(["CREATE"])] },
    );
  }),
  row("a change that comes between a question and its answer is asked about again", async (api) => {
    await under(
      api,
      validatingWebhookConfigurations,
      () => ({ allowed: true }),
      async () => {
        await api.create(configMaps, configMap("a"), { show: "nothing" });
        const both = await Promise.all([
          api.merge(configMaps, "a", { data: { a: "2" } }, { show: "nothing" }),
          api.merge(configMaps, "a", { data: { b: "3" } }, { show: "nothing" }),
        ]);
        api.note(
          "both were written",
          both.every((reply) => reply.status === 200),
        );
        await api.get(configMaps, "a", { show: ["data"] });
      },
    );
  }),
];
