import { configMaps, pods } from "../../../src/api/resource.ts";
import type { Api } from "../api.ts";
import { configMap, pod, thing, things } from "../fixtures.ts";
import { type Row, row } from "../row.ts";

const names = ["items.*.metadata.name"];

async function five(api: Api): Promise<void> {
  for (const [at, name] of ["e", "c", "a", "d", "b"].entries()) {
    await api.create(
      configMaps,
      configMap(name, { at: String(at) }, { labels: { half: at < 3 ? "first" : "second", [`only-${name}`]: "yes" } }),
      { show: "nothing" },
    );
  }
}

/** Getting and listing: selectors, pages, versions. */
export const readingRows: readonly Row[] = [
  row("an absent object is NotFound", async (api) => {
    await api.get(configMaps, "nope");
    await api.get(things, "nope");
    await api.get(pods, "nope");
  }),
  row("a list is sorted by name and says its kind", async (api) => {
    await five(api);
    await api.list(configMaps, { show: ["kind", "apiVersion", ...names] });
  }),
  row("items of built-in kinds carry no kind, those of custom ones do", async (api) => {
    await api.create(configMaps, configMap("a"));
    await api.create(things, thing("a"));
    await api.list(configMaps, { show: ["items.*.kind", "items.*.apiVersion"] });
    await api.list(things, { show: ["kind", "items.*.kind", "items.*.apiVersion"] });
  }),
  row("an empty list is a list", async (api) => {
    await api.list(configMaps, { show: ["items"] });
    await api.list(things, { show: ["items"], namespace: "nowhere-at-all" });
  }),
  ...(
    [
      ["half=first", "equality"],
      ["half==second", "double equality"],
      ["half!=first", "inequality, absent labels included"],
      ["half in (first, second),only-a", "a set and existence"],
      ["half notin (first)", "not in a set"],
      ["!only-c", "absence"],
      ["half=first,only-e!=yes", "several at once"],
      ["", "nothing asked"],
      ["half=nothing", "nothing found"],
    ] as const
  ).map(([labelSelector, what]) =>
    row(`labels select: ${what}`, async (api) => {
      await five(api);
      await api.list(configMaps, { query: { labelSelector }, show: names });
    }),
  ),
  row("a label selector that is none is a BadRequest", async (api) => {
    await api.list(configMaps, { query: { labelSelector: "a in b" }, show: "reason" });
  }),
  row("fields select by name and namespace", async (api) => {
    await five(api);
    await api.list(configMaps, { query: { fieldSelector: "metadata.name=c" }, show: names });
    await api.list(configMaps, { query: { fieldSelector: "metadata.name!=c" }, show: names });
    await api.list(configMaps, { query: { fieldSelector: `metadata.namespace=${api.namespace},metadata.name=a` }, show: names });
  }),
  row("pods are selected by phase and node", async (api) => {
    await api.create(pods, pod("a"));
    await api.create(pods, pod("b", { spec: { nodeName: "n1" } }));
    await api.merge(pods, "b", { status: { phase: "Running" } }, { subresource: "status" });
    await api.list(pods, { query: { fieldSelector: "status.phase=Running" }, show: names });
    await api.list(pods, { query: { fieldSelector: "spec.nodeName=n1" }, show: names });
    await api.list(pods, { query: { fieldSelector: "spec.nodeName=" }, show: names });
    await api.list(pods, { query: { fieldSelector: "status.phase!=Running,spec.nodeName!=n1" }, show: names });
  }),
  row("custom resources are selected by their selectable fields", async (api) => {
    await api.create(things, thing("a", { color: "Red", size: 2 }));
    await api.create(things, thing("b", { color: "Green" }));
    await api.list(things, { query: { fieldSelector: "spec.color=Red" }, show: names });
    await api.list(things, { query: { fieldSelector: "spec.size=1" }, show: names });
  }),
  row("a field that cannot be selected by is a BadRequest", async (api) => {
    await api.list(things, { query: { fieldSelector: "spec.label=x" } });
    await api.list(configMaps, { query: { fieldSelector: "data.a=x" } });
    await api.list(pods, { query: { fieldSelector: "spec.priority=1" } });
  }),
  row("pages follow each other and count what remains", async (api) => {
    await five(api);
    const first = await api.list(configMaps, { query: { limit: "2" }, show: [...names, "metadata.remainingItemCount"] });
    const second = await api.list(configMaps, {
      query: { limit: "2", continue: first.body.metadata.continue },
      show: [...names, "metadata.remainingItemCount"],
    });
    const third = await api.list(configMaps, {
      query: { limit: "2", continue: second.body.metadata.continue },
      show: [...names, "metadata.remainingItemCount", "metadata.continue"],
    });
    api.note("one version", new Set([first, second, third].map((page) => page.body.metadata.resourceVersion)).size);
  }),
  row("pages show what was there when the first was read", async (api) => {
    await five(api);
    const first = await api.list(configMaps, { query: { limit: "2" }, show: names });
    await api.delete(configMaps, "d", undefined, { show: "nothing" });
    await api.create(configMaps, configMap("cc"), { show: "nothing" });
    await api.merge(configMaps, "e", { data: { at: "changed" } }, { show: "nothing" });
    await api.list(configMaps, { query: { limit: "9", continue: first.body.metadata.continue }, show: [...names, "items.*.data.at"] });
  }),
  row("with a selector the rest is not counted", async (api) => {
    await five(api);
    await api.list(configMaps, { query: { limit: "1", labelSelector: "half=first" }, show: [...names, "metadata.remainingItemCount"] });
  }),
  row("a continue token that is none is a BadRequest", async (api) => {
    await api.list(configMaps, { query: { limit: "1", continue: "rubbish" }, show: "reason" });
  }),
  row("a continue token goes with no version", async (api) => {
    await five(api);
    const first = await api.list(configMaps, { query: { limit: "2" }, show: names });
    await api.list(configMaps, {
      query: { limit: "2", continue: first.body.metadata.continue, resourceVersion: first.body.metadata.resourceVersion },
    });
  }),
  row("a list at an exact version shows that version", async (api) => {
    await five(api);
    const first = await api.list(configMaps, { show: names });
    await api.delete(configMaps, "a", undefined, { show: "nothing" });
    const resourceVersion = first.body.metadata.resourceVersion;
    const then = await api.list(configMaps, { query: { resourceVersion, resourceVersionMatch: "Exact" }, show: names });
    api.note("same version", then.body.metadata.resourceVersion === resourceVersion);
    const later = await api.create(configMaps, configMap("f"), { show: "nothing" });
    const query = { resourceVersion: later.body.metadata.resourceVersion, resourceVersionMatch: "NotOlderThan" };
    await api.list(configMaps, { query, show: names });
  }),
  row("what resourceVersionMatch goes with", async (api) => {
    await api.list(configMaps, { query: { resourceVersionMatch: "Exact" } });
    await api.list(configMaps, { query: { resourceVersion: "0", resourceVersionMatch: "Exact" } });
    await api.list(configMaps, { query: { resourceVersion: "1", resourceVersionMatch: "Sideways" } });
  }),
  row("a version from the future is a Timeout", async (api) => {
    const reply = await api.list(configMaps, {
      query: { resourceVersion: "99999999999", resourceVersionMatch: "NotOlderThan" },
      show: "nothing",
    });
    api.note("reason", [reply.status, reply.body.reason, reply.body.details.causes, reply.body.details.retryAfterSeconds]);
  }),
  row("a list of all namespaces holds this one's", async (api) => {
    await api.create(configMaps, configMap("a", {}, { labels: { row: api.namespace } }));
    await api.request("all", "GET", "/api/v1/configmaps", undefined, {
      query: { labelSelector: `row=${api.namespace}` },
      show: [...names, "items.*.metadata.namespace"],
    });
  }),
];
