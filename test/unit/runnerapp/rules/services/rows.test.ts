import assert from "node:assert/strict";
import type { RunnerAppSpecService, RunnerAppStatusService } from "../../../../../src/api/runner-app.gen.ts";
import type { ObservedServices } from "../../../../../src/runnerapp/rules/services/observed.ts";
import { serviceRows } from "../../../../../src/runnerapp/rules/services/rows.ts";
import {
  api,
  observedServices,
  ownService,
  type PublishingFacts,
  publishingApp,
  service,
  slice,
} from "../../../../support/builders/published-services.ts";

interface Row {
  readonly name: string;
  readonly app?: PublishingFacts;
  readonly others?: readonly PublishingFacts[];
  readonly world?: Partial<ObservedServices>;
  /** Of each row: name, port of the gateways, hosts, reason and message; what is absent is left out. */
  readonly want: readonly string[];
}

const http = (hostnames: readonly string[], more: Partial<RunnerAppSpecService> = {}): RunnerAppSpecService => ({
  name: "api",
  port: 80,
  protocol: "HTTP",
  hostnames: [...hostnames],
  ...more,
});
const text = ({ name, gatewayPort, hostnames, reason, message }: RunnerAppStatusService) =>
  [name, gatewayPort, hostnames?.join(), reason, message].filter((part) => part !== undefined).join(" ");
const restricted = { allowedNamespaces: { selector: {} } };
const made = { services: [ownService("api")], slices: [slice("api", 21_000, ["10.0.0.1"])] };
const older = "08:00:00";
const younger = "11:00:00";

describe("status of published services", () => {
  const rows: readonly Row[] = [
    { name: "a new service gets the lowest free port of the open pool", want: ["api 21000 Pending"] },
    {
      name: "ports of other apps, and of the app's other services, are passed over",
      app: { services: [api, { name: "more", port: 81 }] },
      others: [{ name: "other", namespace: "far", services: [], rows: [{ name: "x", gatewayPort: 21_000 }] }],
      want: ["api 21001 Pending", "more 21002 Pending"],
    },
    {
      name: "a port that is recorded is kept, whatever is free below it",
      app: { rows: [{ name: "api", gatewayPort: 21_500 }] },
      want: ["api 21500 Pending"],
    },
    {
      name: "one that an older app has too is given up, after two leaders gave it twice",
      app: { rows: [{ name: "api", gatewayPort: 21_500 }] },
      others: [{ name: "other", namespace: "far", services: [], created: older, rows: [{ name: "x", gatewayPort: 21_500 }] }],
      want: ["api 21000 Pending"],
    },
    {
      name: "one that a younger app has too is kept",
      app: { rows: [{ name: "api", gatewayPort: 21_500 }] },
      others: [{ name: "other", namespace: "far", services: [], created: younger, rows: [{ name: "x", gatewayPort: 21_500 }] }],
      want: ["api 21500 Pending"],
    },
    {
      name: "where status was lost the slice tells the port",
      world: { ...made, slices: [slice("api", 21_700, ["10.0.0.1"])] },
      want: ["api 21700 Published"],
    },
    {
      name: "unless somebody else was given it meanwhile",
      others: [{ name: "other", namespace: "far", services: [], created: younger, rows: [{ name: "x", gatewayPort: 21_700 }] }],
      world: { slices: [slice("api", 21_700, ["10.0.0.1"])] },
      want: ["api 21000 Pending"],
    },
    {
      name: "a service for some namespaces gets one of the restricted pool",
      app: { services: [{ ...api, ...restricted }] },
      want: ["api 24000 Pending"],
    },
    {
      name: "and moves there when that is said later",
      app: { services: [{ ...api, ...restricted }], rows: [{ name: "api", gatewayPort: 21_000 }] },
      want: ["api 24000 Pending"],
    },
    {
      name: "no port is left",
      world: { ports: { pools: { open: { first: 1, last: 2 }, restricted: { first: 3, last: 4 } }, isFree: () => false, offset: 0 } },
      want: ["api NoPortLeft all ports of the gateways are given away"],
    },
    {
      name: "with its Service and a slice with its port it is published",
      app: { rows: [{ name: "api", gatewayPort: 21_000 }] },
      world: made,
      want: ["api 21000 Published"],
    },
    {
      name: "a slice with another port is none of this one",
      app: { rows: [{ name: "api", gatewayPort: 21_001 }] },
      world: made,
      want: ["api 21001 Pending"],
    },
    {
      name: "without any gateway it says what is missing",
      world: { gateways: [] },
      want: ["api 21000 NoGateway no pod in the namespace nuptse-system has the label nuptse.dev/gateway; see docs/gateway.md"],
    },
    {
      name: "an older app of the namespace has the name",
      others: [{ name: "old", created: older }],
      want: ["api NameConflict RunnerApp old is older and has a service of this name"],
    },
    { name: "a younger one does not", others: [{ name: "young", created: younger }], want: ["api 21000 Pending"] },
    {
      name: "of two of the same second the lower name has it",
      others: [{ name: "a-web", created: "09:00:00" }],
      want: ["api NameConflict RunnerApp a-web is older and has a service of this name"],
    },
    {
      name: "an older app loses the port that it had to nobody: the younger one lost its row's port with the name",
      app: { rows: [{ name: "api", gatewayPort: 21_000 }] },
      others: [{ name: "old", created: older }],
      want: ["api NameConflict RunnerApp old is older and has a service of this name"],
    },
    {
      name: "a Service of somebody else has the name",
      world: { services: [service("api")] },
      want: ["api NameConflict a Service of this name is there already; adoptExisting: true takes it over, or delete it"],
    },
    {
      name: "it may be taken over",
      app: { services: [{ ...api, adoptExisting: true }] },
      world: { services: [service("api", { spec: { selector: { app: "x" } } })] },
      want: ["api 21000 Pending"],
    },
    {
      name: "not where it has no selector: it could not be given back",
      app: { services: [{ ...api, adoptExisting: true }] },
      world: { services: [service("api")] },
      want: ["api AdoptionRefused it has no selector, and its endpoints could not be given back"],
    },
    {
      name: "nor with other ports",
      app: { services: [{ ...api, adoptExisting: true }] },
      world: { services: [service("api", { spec: { selector: { app: "x" }, ports: [{ port: 80 }, { port: 53, protocol: "UDP" }] } })] },
      want: ["api AdoptionRefused it has the ports 80/TCP, 53/UDP; must have 80/TCP alone"],
    },
    {
      name: "nor a headless one",
      app: { services: [{ ...api, adoptExisting: true }] },
      world: { services: [service("api", { spec: { clusterIP: "None", selector: { app: "x" } } })] },
      want: ["api AdoptionRefused it is headless; must be of type ClusterIP"],
    },
    {
      name: "the Service that tells of instances is somebody else's",
      world: { services: [service("web-instances")] },
      want: ["api NameConflict the Service web-instances, which is to tell of the instances, is somebody else's"],
    },
    {
      name: "a fleet of somebody else needs none",
      app: { endpoints: "theirs" },
      world: { services: [service("web-instances")] },
      want: ["api 21000 Pending"],
    },
    {
      name: "a host goes to the older app, and of another tenant nothing is told",
      app: { services: [http(["pig.example", "cow.example"])], rows: [{ name: "api", gatewayPort: 21_000 }] },
      others: [{ name: "secret", namespace: "far", created: older, services: [http(["pig.example"], { name: "x" })] }],
      world: made,
      want: ["api 21000 cow.example HostRefused pig.example with one of these paths belongs to an older service"],
    },
    {
      name: "two may share a host by paths",
      app: { services: [http(["pig.example"], { paths: [{ value: "/v1" }] })] },
      others: [
        {
          name: "x",
          namespace: "far",
          created: older,
          services: [http(["pig.example"], { paths: [{ value: "/v2" }, { type: "Exact", value: "/v1" }] })],
        },
      ],
      want: ["api 21000 pig.example Pending"],
    },
    {
      name: "and with TLS and without",
      app: { services: [http(["pig.example"], { tls: { mode: "Terminate", secretName: "s" } })] },
      others: [{ name: "x", namespace: "far", created: older, services: [http(["pig.example"])] }],
      want: ["api 21000 pig.example Pending"],
    },
    {
      name: "within an app the first service has a host",
      app: { services: [http(["pig.example"]), http(["pig.example"], { name: "more", port: 81 })] },
      want: ["api 21000 pig.example Pending", "more 21001 Pending"],
    },
    {
      name: "a host must be granted to the namespace, and who has no grant stands in nobody's way",
      app: { services: [http(["a.pig.example", "pig.example"])] },
      others: [{ name: "x", namespace: "far", created: older, services: [http(["a.pig.example"])] }],
      world: { hostGrants: [{ pattern: "*.pig.example", namespaces: ["tenant"] }] },
      want: ["api 21000 a.pig.example Pending"],
    },
    {
      name: "a service that was taken out of spec keeps its port until nothing leads to it any more",
      app: { services: [], rows: [{ name: "api", gatewayPort: 21_000, reason: "Published" }] },
      world: made,
      want: ["api 21000 Releasing"],
    },
    { name: "then its row goes", app: { services: [], rows: [{ name: "api", gatewayPort: 21_000, reason: "Releasing" }] }, want: [] },
    {
      name: "what the API server says of an object of it is told",
      world: { memory: { refusals: new Map([["services api", 'services "api" is forbidden: exceeded quota']]) } },
      want: ['api 21000 Refused services api: services "api" is forbidden: exceeded quota'],
    },
    {
      name: "as is what is wrong in spec",
      world: {
        problems: [
          { path: 'spec.services["api"].hostnames[0]', message: "must be a host name" },
          { path: "spec.template", message: "x" },
        ],
      },
      want: ['api 21000 Refused spec.services["api"].hostnames[0]: must be a host name'],
    },
  ];
  for (const { name, app, others = [], world = {}, want } of rows)
    it(name, () => {
      const it = publishingApp(app);
      assert.deepEqual(serviceRows(observedServices(it, { ...world, others: others.map(publishingApp) }), it).map(text), want);
    });

  it("tells the address that clients use", () => {
    const app = publishingApp();
    assert.deepEqual(serviceRows(observedServices(app), app), [
      { name: "api", address: "api.tenant.svc", port: 80, gatewayPort: 21_000, reason: "Pending" },
    ]);
  });
});
