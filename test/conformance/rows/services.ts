import { services } from "../../../src/api/resource.ts";
import type { Reply } from "../api.ts";
import { type Row, row } from "../row.ts";

const service = (name: string, spec: object): Record<string, unknown> => ({
  metadata: { name },
  spec: { selector: { app: "a" }, ...spec },
});
const http = { name: "http", port: 80 };
const shape = [
  "spec.ipFamilies",
  "spec.ipFamilyPolicy",
  "spec.internalTrafficPolicy",
  "spec.externalTrafficPolicy",
  "spec.sessionAffinity",
];
const address = ({ body }: Reply): unknown => [
  /^10\.96\.\d+\.\d+$/.test(body.spec.clusterIP) ? "an address" : (body.spec.clusterIP ?? null),
  body.spec.clusterIPs?.length ?? null,
  body.spec.clusterIPs?.[0] === body.spec.clusterIP,
];
const isNodePort = (port: unknown): boolean => typeof port === "number" && port >= 30_000 && port < 32_768;

/** Services: their addresses, ports and types. */
export const serviceRows: readonly Row[] = [
  row("a service is given an address, and keeps it", async (api) => {
    const made = await api.create(services, service("a", { ports: [http] }), { show: shape });
    api.note("address", address(made));
    const changed = await api.merge(services, "a", { spec: { ports: [{ ...http, port: 81 }] } }, { show: ["spec.ports.*.port"] });
    api.note("the same", changed.body.spec.clusterIP === made.body.spec.clusterIP);
    const { clusterIP: _, clusterIPs: _all, ...rest } = made.body.spec;
    const replaced = await api.replace(services, "a", { ...service("a", rest) }, { show: ["status"] });
    api.note("the same", replaced.body.spec.clusterIP === made.body.spec.clusterIP);
    await api.merge(services, "a", { spec: { clusterIP: "10.96.77.77", clusterIPs: ["10.96.77.77"] } }, { show: "reason" });
  }),
  row("a headless service has none; without a selector it is of both families", async (api) => {
    const made = await api.create(services, service("a", { clusterIP: "None", ports: [http] }), { show: shape });
    api.note("address", address(made));
    await api.create(
      services,
      { metadata: { name: "b" }, spec: { clusterIP: "None", ports: [http] } },
      { show: [...shape, "spec.clusterIPs"] },
    );
    await api.create(services, service("c", { clusterIP: "None" }), { show: ["spec.clusterIPs", "spec.ports"] });
  }),
  row("a service of a name has none either", async (api) => {
    await api.create(services, service("a", { type: "ExternalName", externalName: "db.example.test" }), {
      show: [...shape, "spec.clusterIP", "spec.clusterIPs"],
    });
    await api.create(services, service("b", { type: "ExternalName" }));
    await api.create(services, service("b", { type: "ExternalName", externalName: "no_name" }), { show: "reason" });
  }),
  row("an address can be asked for, once", async (api) => {
    const wanted = `10.96.${(process.pid >> 8) % 250}.${process.pid % 250}`;
    const made = await api.create(services, service("a", { clusterIP: wanted, ports: [http] }), { show: "nothing" });
    api.note("as asked for", [made.body.spec.clusterIP === wanted, made.body.spec.clusterIPs?.[0] === wanted]);
    const again = await api.create(services, service("b", { clusterIP: wanted, ports: [http] }), { show: "reason" });
    api.note("why", String(again.body.message).replaceAll(wanted, "<address>"));
    await api.delete(services, "a", undefined, { show: "nothing" });
    await api.create(services, service("b", { clusterIP: "10.97.0.1", ports: [http] }), { show: "reason" });
    await api.create(services, service("b", { clusterIP: "nowhere", ports: [http] }), { show: "reason" });
  }),
  row("a service at a port of every node is given the port, and loses it with its type", async (api) => {
    const made = await api.create(services, service("a", { type: "NodePort", ports: [http, { name: "https", port: 443 }] }), {
      show: shape,
    });
    const [one, two] = made.body.spec.ports;
    api.note("ports", [isNodePort(one.nodePort), isNodePort(two.nodePort), one.nodePort !== two.nodePort]);
    const kept = await api.merge(services, "a", { spec: { selector: { app: "b" } } }, { show: "nothing" });
    api.note("the same", kept.body.spec.ports[0].nodePort === one.nodePort);
    const changed = await api.merge(services, "a", { spec: { type: "ClusterIP" } }, { show: shape });
    api.note("ports", changed.body.spec.ports[0].nodePort ?? null);
    await api.create(services, service("b", { type: "LoadBalancer", ports: [http] }), {
      show: [...shape, "spec.allocateLoadBalancerNodePorts", "status"],
    });
    await api.create(services, service("c", { type: "NodePort", clusterIP: "None", ports: [http] }));
  }),
  row("a service becomes one of a name, and one with an address again", async (api) => {
    await api.create(services, service("a", { ports: [http] }), { show: "nothing" });
    await api.merge(
      services,
      "a",
      { spec: { type: "ExternalName", externalName: "db.example.test" } },
      { show: [...shape, "spec.clusterIP"] },
    );
    const back = await api.merge(services, "a", { spec: { type: "ClusterIP", externalName: null } }, { show: shape });
    api.note("address", address(back));
  }),
  row("a service's ports have numbers, protocols and, where there are several, names", async (api) => {
    await api.create(services, service("a", {}));
    await api.create(services, service("a", { ports: [{ port: 0 }] }), { show: "reason" });
    await api.create(services, service("a", { ports: [{ port: 80, protocol: "HTTP" }] }));
    await api.create(services, service("a", { ports: [{ port: 80 }, { port: 81 }] }));
    await api.create(services, service("a", { ports: [http, { ...http, port: 81 }] }));
    await api.create(services, service("a", { ports: [http], sessionAffinity: "Sometimes" }));
    await api.create(services, service("a", { ports: [http], type: "Cloud" }), { show: "reason" });
    await api.create(services, service("a", { ports: [http], sessionAffinity: "ClientIP" }), { show: ["spec.sessionAffinityConfig"] });
  }),
];
