import assert from "node:assert/strict";
import type { Action } from "../../../../../src/api/action.ts";
import type { EndpointSlice } from "../../../../../src/api/endpoint-slice.ts";
import type { RunnerApp, RunnerAppSpecService } from "../../../../../src/api/runner-app.gen.ts";
import { planServices } from "../../../../../src/runnerapp/rules/services/plan.ts";
import type { ObservedServices } from "../../../../../src/runnerapp/rules/services/observed.ts";
import type { NetworkPolicy, StoredService } from "../../../../../src/runnerapp/rules/services/stored-objects.ts";
import { at } from "../../../../support/builders/elastic-job.ts";
import {
  api,
  gateway,
  observedServices,
  ownService,
  publishingApp,
  service,
  slice,
} from "../../../../support/builders/published-services.ts";

const row = { name: "api", address: "api.tenant.svc", port: 80, gatewayPort: 21_000 } as const;
const recorded = (services: readonly RunnerAppSpecService[] = [api]) =>
  publishingApp({ services, rows: [{ ...row, reason: "Published" }] });

/** The headless Service as the API server shows it. */
const instances = (
  app: RunnerApp = publishingApp(),
  targetPort: number | string = 80,
  ports?: StoredService["spec"]["ports"],
): StoredService =>
  service("web-instances", {
    spec: {
      clusterIP: "None",
      selector: { "nuptse.dev/app": "web" },
      ports: ports ?? [{ name: "api", port: 80, protocol: "TCP", targetPort }],
    },
    labels: { "nuptse.dev/app": "web" },
    owner: app,
  });

function actionText(action: Action): string {
  switch (action.tag) {
    case "create":
    case "replace":
      return `${action.tag} ${action.resource.kind} ${action.object.metadata.name}`;
    case "delete":
      return `delete ${action.resource.kind} ${action.ref.name}`;
    case "patch":
      return `patch ${action.resource.kind} ${action.ref.name}: ${action.operations
        .filter(({ op }) => op !== "test")
        .map(({ op, path }) => `${op} ${path}`)
        .join(", ")}`;
    default:
      return action.tag;
  }
}

const acts = (observed: ObservedServices) => planServices(observed).actions.map(actionText);
const created = (observed: ObservedServices, kind: string) =>
  planServices(observed).actions.flatMap((action) => (action.tag === "create" && action.resource.kind === kind ? [action.object] : []));

describe("publishing", () => {
  it("a port is recorded first, and only the Service of the instances is made meanwhile", () => {
    const plan = planServices(observedServices());
    assert.deepEqual(plan.actions.map(actionText), ["create Service web-instances"]);
    assert.deepEqual(plan.status?.status, { services: [{ ...row, reason: "Pending" }] });
  });

  it("then come the Service, which has no selector, and its slice", () => {
    const app = publishingApp({ rows: [{ ...row, reason: "Pending" }] });
    const first = observedServices(app, { services: [instances()] });
    assert.deepEqual(acts(first), ["create Service api"]);
    const [made] = created(first, "Service") as unknown as readonly StoredService[];
    assert.deepEqual(made?.spec, { type: "ClusterIP", ipFamilyPolicy: "PreferDualStack", ports: [{ port: 80, protocol: "TCP" }] });
    assert.equal(made?.metadata.ownerReferences?.[0]?.uid, "app-uid");
    const second = observedServices(app, {
      services: [instances(), ownService("api")],
      gateways: [gateway(2), gateway(1), gateway(3, "starting")],
    });
    const [published] = created(second, "EndpointSlice") as unknown as readonly EndpointSlice[];
    assert.deepEqual(acts(second), ["create EndpointSlice api-nuptse-ipv4"]);
    assert.deepEqual(published?.ports, [{ name: "", port: 21_000, protocol: "TCP" }]);
    assert.deepEqual(
      published?.endpoints?.map(({ addresses }) => addresses),
      [["10.0.0.1"], ["10.0.0.2"]],
    );
    assert.deepEqual(published?.metadata.labels, {
      "kubernetes.io/service-name": "api",
      "endpointslice.kubernetes.io/managed-by": "nuptse.dev",
      "nuptse.dev/app": "web",
      "nuptse.dev/service": "api",
    });
    assert.deepEqual(
      published?.metadata.ownerReferences?.map(({ kind, uid }) => `${kind} ${uid}`),
      ["Service uid-service-api"],
    );
  });

  it("what is as it shall be is left alone", () => {
    const app = recorded();
    const [stored] = created(observedServices(app, { services: [instances(), ownService("api")] }), "EndpointSlice");
    const done = planServices(observedServices(app, { services: [instances(), ownService("api")], slices: [stored as EndpointSlice] }));
    assert.deepEqual([done.actions, done.status], [[], undefined]);
  });

  const served = { services: [instances(), ownService("api")], slices: [slice("api", 21_000, ["10.0.0.1"])] };
  const rows: readonly {
    readonly name: string;
    readonly app?: RunnerApp;
    readonly world: Partial<ObservedServices>;
    readonly want: readonly string[];
  }[] = [
    {
      name: "a gateway that leaves goes from the slice",
      world: { ...served, gateways: [gateway(1, "leaving"), gateway(2)] },
      want: ["replace EndpointSlice api-nuptse-ipv4"],
    },
    {
      name: "a Service of two families has a slice for each",
      world: {
        services: [instances(), ownService("api", publishingApp(), { ipFamilies: ["IPv4", "IPv6"] })],
        gateways: [gateway(1, "ready", ["fd00::1"])],
      },
      want: ["create EndpointSlice api-nuptse-ipv4", "create EndpointSlice api-nuptse-ipv6"],
    },
    {
      name: "a selector that somebody added by hand is taken off, and the port is put right",
      world: { ...served, services: [instances(), ownService("api", publishingApp(), { selector: { app: "x" }, ports: [{ port: 81 }] })] },
      want: ["patch Service api: remove /spec/selector, replace /spec/ports", "replace EndpointSlice api-nuptse-ipv4"],
    },
    {
      name: "it stays while no gateway is ready: what it names serves alone, as after an uninstallation",
      world: {
        services: [instances(), ownService("api", publishingApp(), { selector: { "nuptse.dev/app": "web" } })],
        slices: [slice("api", 21_000, ["10.0.0.1"])],
        gateways: [gateway(1, "starting")],
      },
      want: ["replace EndpointSlice api-nuptse-ipv4"],
    },
    {
      name: "once it is taken off, what Kubernetes had made of it goes",
      world: {
        ...served,
        slices: [...served.slices, slice("api", 80, ["10.1.0.1"], "endpointslice-controller.k8s.io", "api-abcde")],
        endpoints: [{ metadata: { name: "api", namespace: "tenant", uid: "uid-endpoints" } }],
      },
      want: ["replace EndpointSlice api-nuptse-ipv4", "delete Endpoints api", "delete EndpointSlice api-abcde"],
    },
    {
      name: "another targetPort changes the Service of the instances alone",
      app: recorded([{ ...api, targetPort: "http" }]),
      world: served,
      want: ["patch Service web-instances: add /spec/ports, add /spec/selector", "replace EndpointSlice api-nuptse-ipv4"],
    },
    {
      name: "a service that is taken out of spec: its Service goes, and with it the slices",
      app: publishingApp({ services: [], rows: [{ ...row, reason: "Published" }] }),
      world: served,
      want: ["delete Service web-instances", "delete Service api"],
    },
    {
      name: "of an app that is gone nothing of its own is left to us",
      world: { ...served, app: undefined } as unknown as Partial<ObservedServices>,
      want: [],
    },
    {
      name: "what the API server refused a moment ago is not tried again",
      world: { services: [instances()], memory: { refusals: new Map([["services api", "no"]]) } },
      want: [],
    },
    {
      name: "a fleet of somebody else has no Service of ours for its instances",
      app: publishingApp({ endpoints: "theirs", rows: [{ ...row, reason: "Published" }] }),
      world: {},
      want: ["create Service api"],
    },
  ];
  for (const { name, app = recorded(), world, want } of rows)
    it(name, () => {
      const { app: _, ...without } = observedServices(app, world);
      assert.deepEqual(acts("app" in world ? without : observedServices(app, world)), want);
    });

  it("where no gateway is ready the last ones stay, rather than none", () => {
    const app = recorded();
    const [published] = created(
      observedServices(app, { services: [instances(), ownService("api")], gateways: [gateway(1, "starting"), gateway(2, "leaving")] }),
      "EndpointSlice",
    ) as unknown as readonly EndpointSlice[];
    assert.deepEqual(
      published?.endpoints?.map(({ addresses }) => addresses[0]),
      ["10.0.0.1"],
    );
  });

  it("ports of a headless Service are told apart by name, and need not be the services' own", () => {
    const app = publishingApp({ services: [api, { name: "more", port: 80, targetPort: "more" }] });
    const [made] = created(observedServices(app), "Service") as unknown as readonly StoredService[];
    assert.deepEqual(made?.spec.ports, [
      { name: "api", port: 80, protocol: "TCP", targetPort: 80 },
      { name: "more", port: 81, protocol: "TCP", targetPort: "more" },
    ]);
  });
});

describe("publishing for some namespaces", () => {
  const selector = { matchLabels: { team: "red" } };
  const app = publishingApp({
    services: [{ ...api, allowedNamespaces: { selector } }],
    rows: [{ ...row, gatewayPort: 24_000, reason: "Published" }],
  });
  const world = { services: [instances(), ownService("api")], slices: [slice("api", 24_000, ["10.0.0.1"])] };
  const openPolicy = created(observedServices(app, world), "NetworkPolicy")[0] as NetworkPolicy;
  const policy = created(observedServices(app, { ...world, openPolicy }), "NetworkPolicy")[0] as NetworkPolicy;
  const stored = { ...policy, metadata: { ...policy.metadata, uid: "uid-policy" } } as NetworkPolicy;

  it("first all other ports are said to be open, or the first policy would shut everybody else out", () => {
    assert.equal(openPolicy.metadata.name, "nuptse-gateway");
    assert.deepEqual(openPolicy.spec.ingress, [
      {
        ports: ["TCP", "UDP", "SCTP"].flatMap((protocol) => [
          { protocol, port: 1, endPort: 23_999 },
          { protocol, port: 27_000, endPort: 65_535 },
        ]),
      },
    ]);
  });

  it("lets them, and nobody else, to the port of the service", () => {
    assert.deepEqual(policy.metadata, {
      name: "nuptse.tenant.api",
      namespace: "nuptse-system",
      labels: {
        "nuptse.dev/gateway": "",
        "nuptse.dev/service": "api",
        "nuptse.dev/app": "web",
        "nuptse.dev/app-namespace": "tenant",
      },
    });
    assert.deepEqual(policy.spec, {
      podSelector: { matchExpressions: [{ key: "nuptse.dev/gateway", operator: "Exists" }] },
      policyTypes: ["Ingress"],
      ingress: [{ from: [{ namespaceSelector: selector }], ports: [{ protocol: "TCP", port: 24_000 }] }],
    });
  });

  it("is published only when that is so", () => {
    const bare = { services: [instances()], openPolicy };
    assert.deepEqual(acts(observedServices(app, bare)), ["create NetworkPolicy nuptse.tenant.api"]);
    assert.deepEqual(acts(observedServices(app, { ...bare, policies: [stored] })), ["create Service api"]);
  });

  it("follows the selector", () => {
    const other = { ...stored, spec: { ...stored.spec, ingress: [] } };
    assert.ok(acts(observedServices(app, { ...world, openPolicy, policies: [other] })).includes("replace NetworkPolicy nuptse.tenant.api"));
  });

  it("goes with the wish, and with the app, which cannot own it", () => {
    const open = publishingApp({ rows: [{ ...row, reason: "Published" }] });
    assert.ok(
      acts(observedServices(open, { ...world, openPolicy, policies: [stored] })).includes("delete NetworkPolicy nuptse.tenant.api"),
    );
    const { app: _, ...gone } = observedServices(app, { policies: [stored] });
    assert.deepEqual(acts(gone), ["delete NetworkPolicy nuptse.tenant.api"]);
  });
});

describe("taking a Service over", () => {
  const app = publishingApp({ services: [{ ...api, adoptExisting: true }], rows: [{ ...row, reason: "Adopting" }] });
  const selector = { app: "old" };
  const theirs = service("api", { spec: { selector }, labels: { team: "red" } });
  const note = (time: string) => ({ "nuptse.dev/adopted": JSON.stringify({ selector, at: `2026-11-21T${time}Z` }) });
  const own = { "nuptse.dev/app": "web", "nuptse.dev/service": "api" };
  const adopted = (spec: object, time = "11:59:57") => service("api", { spec, labels: { team: "red", ...own }, annotations: note(time) });
  const ours = slice("api", 21_000, ["10.0.0.1"]);
  const kubernetes = slice("api", 80, ["10.1.0.1"], "endpointslice-controller.k8s.io", "api-abcde");
  const endpoints = [{ metadata: { name: "api", namespace: "tenant", uid: "uid-endpoints" } }];
  const taking = (more: Partial<ObservedServices>) =>
    observedServices(app, { ...more, services: [instances(app), ...(more.services ?? [])] });

  it("first it is labelled, and what it was is kept", () => {
    const plan = planServices(taking({ services: [theirs] }));
    const patch = plan.actions.find(({ tag }) => tag === "patch");
    assert.ok(patch?.tag === "patch");
    assert.deepEqual(patch.operations, [
      { op: "test", path: "/metadata/resourceVersion", value: "7" },
      { op: "test", path: "/spec/selector", value: selector },
      { op: "add", path: "/metadata/labels", value: { team: "red", ...own } },
      { op: "add", path: "/metadata/annotations", value: note("12:00:00") },
    ]);
  });

  const [full] = created(taking({ services: [adopted({ selector })] }), "EndpointSlice") as unknown as readonly EndpointSlice[];
  const done = { ...ours, endpoints: full?.endpoints ?? [] };
  const steps: readonly {
    readonly name: string;
    readonly world: Partial<ObservedServices>;
    readonly want: readonly string[];
    readonly wakeAt?: string;
  }[] = [
    {
      name: "gateways are given a moment to learn of the port",
      world: { services: [adopted({ selector }, "11:59:59")] },
      want: [],
      wakeAt: "12:00:02",
    },
    { name: "then it gets our slice", world: { services: [adopted({ selector })] }, want: ["create EndpointSlice api-nuptse-ipv4"] },
    {
      name: "its selector stays while our slice has no address: its pods serve alone",
      world: { services: [adopted({ selector })], slices: [{ ...ours, endpoints: [] }], gateways: [] },
      want: [],
    },
    {
      name: "and until its Endpoints object carries our label, so that it is found later",
      world: { services: [adopted({ selector })], slices: [done] },
      want: [],
      wakeAt: "12:00:27",
    },
    {
      name: "then the selector goes",
      world: { services: [adopted({ selector })], slices: [done, kubernetes], endpoints },
      want: ["patch Service api: remove /spec/selector"],
    },
    {
      name: "also where nobody makes Endpoints objects, after half a minute",
      world: { services: [adopted({ selector }, "11:59:30")], slices: [done] },
      want: ["patch Service api: remove /spec/selector"],
    },
    {
      name: "then the Endpoints object, lest it be mirrored, and what Kubernetes kept",
      world: { services: [adopted({})], slices: [done, kubernetes], endpoints },
      want: ["delete Endpoints api", "delete EndpointSlice api-abcde"],
    },
    { name: "then all is done", world: { services: [adopted({})], slices: [done] }, want: [] },
  ];
  for (const { name, world: seen, want, wakeAt } of steps)
    it(name, () => {
      const plan = planServices(taking(seen));
      assert.deepEqual(plan.actions.map(actionText), want);
      assert.equal(plan.wakeAt, wakeAt === undefined ? undefined : at(wakeAt));
    });

  const back: readonly { readonly name: string; readonly world: Partial<ObservedServices>; readonly want: readonly string[] }[] = [
    {
      name: "given back, it gets its selector first",
      world: { services: [adopted({})], slices: [done] },
      want: ["patch Service api: add /spec/selector"],
    },
    {
      name: "our slice stays until Kubernetes has its own",
      world: { services: [adopted({ selector })], slices: [done] },
      want: [],
    },
    {
      name: "then ours goes",
      world: { services: [adopted({ selector })], slices: [done, kubernetes] },
      want: ["delete EndpointSlice api-nuptse-ipv4"],
    },
    {
      name: "and then our labels",
      world: { services: [adopted({ selector })], slices: [kubernetes] },
      want: ["patch Service api: add /metadata/labels, remove /metadata/annotations/nuptse.dev~1adopted"],
    },
  ];
  for (const { name, world: seen, want } of back) {
    it(name, () => {
      const without = publishingApp({ services: [{ name: "more", port: 81 }], rows: [{ ...row, reason: "Published" }] });
      const headless = instances(without, 81, [{ name: "more", port: 81, protocol: "TCP", targetPort: 81 }]);
      assert.deepEqual(acts(observedServices(without, { ...seen, services: [headless, ...(seen.services ?? [])] })), want);
    });
    it(`${name}; also when the app is gone`, () => {
      const { app: _, ...gone } = observedServices(app, seen);
      assert.deepEqual(acts(gone), want);
    });
  }
});
