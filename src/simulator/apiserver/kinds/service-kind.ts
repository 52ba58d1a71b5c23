import { isIPv4 } from "node:net";
import { services } from "../../../api/resource.ts";
import type { Collection } from "../collection.ts";
import { type Fields, isFields, type StoredObject, sameJson, withField } from "../json.ts";
import { labelErrors, labelNameErrors, subdomainErrors } from "../object-meta.ts";
import { duplicateValue, type FieldError, forbiddenField, invalidValue, requiredValue, unsupportedValue } from "../status.ts";
import { type BuiltinKind, section, textAt } from "./builtin-kind.ts";
import { isServiceAddress, needsNodePorts, portsOf, takenFrom, withAddresses } from "./service-addresses.ts";

/** Services: how they are defaulted, addressed, and what they are refused for (pkg/apis/core and pkg/registry/core/service). */

const isExternal = (spec: Fields): boolean => spec.type === "NodePort" || spec.type === "LoadBalancer";

function defaultService(object: Fields): Fields {
  const spec: Fields = { sessionAffinity: "None", type: "ClusterIP", ...section(object, "spec") };
  const ports = Array.isArray(spec.ports)
    ? spec.ports.map((port: unknown) => (isFields(port) ? { protocol: "TCP", targetPort: port.port, ...port } : port))
    : undefined;
  const { sessionAffinityConfig, internalTrafficPolicy, ...plain } = spec;
  const affinity =
    spec.sessionAffinity === "ClientIP" ? { sessionAffinityConfig: sessionAffinityConfig ?? { clientIP: { timeoutSeconds: 10_800 } } } : {};
  return {
    ...object,
    spec: {
      ...(spec.type === "ExternalName" ? {} : { internalTrafficPolicy: internalTrafficPolicy ?? "Cluster" }),
      ...(isExternal(spec) ? { externalTrafficPolicy: "Cluster" } : {}),
      ...(spec.type === "LoadBalancer" ? { allocateLoadBalancerNodePorts: true } : {}),
      ...plain,
      ...affinity,
      ...(ports === undefined ? {} : { ports }),
      ...addressesInStep(spec),
    },
  };
}

/** Who writes one of the two fields of the address means both. */
function addressesInStep(spec: Fields): Fields {
  if (typeof spec.clusterIP === "string" && spec.clusterIP !== "" && spec.clusterIPs === undefined) return { clusterIPs: [spec.clusterIP] };
  return {};
}

/** What the Service had and its writer leaves out stays; what its new type does not have goes. */
function withKept(next: StoredObject, live: StoredObject): StoredObject {
  const was = section(live, "spec");
  let spec = section(next, "spec");
  if (spec.type === "ExternalName") {
    if (was.type === "ExternalName") return next;
    for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"])
      if (sameJson(spec[field], was[field])) spec = withField(spec, field, undefined);
    return { ...next, spec };
  }
  if (was.type !== "ExternalName") {
    const { clusterIP = was.clusterIP, clusterIPs = was.clusterIPs } = spec;
    spec = {
      ...spec,
      clusterIP: clusterIP === "" ? was.clusterIP : clusterIP,
      clusterIPs,
      ipFamilies: spec.ipFamilies ?? was.ipFamilies,
      ipFamilyPolicy: spec.ipFamilyPolicy ?? was.ipFamilyPolicy,
    };
  }
  if (!isExternal(spec) && isExternal(was) && spec.externalTrafficPolicy === was.externalTrafficPolicy)
    spec = withField(spec, "externalTrafficPolicy", undefined);
  if (spec.type !== "LoadBalancer" && spec.allocateLoadBalancerNodePorts === was.allocateLoadBalancerNodePorts)
    spec = withField(spec, "allocateLoadBalancerNodePorts", undefined);
  return { ...next, spec: { ...spec, ports: keptPorts({ ...next, spec }, live) } };
}

function keptPorts(next: StoredObject, live: StoredObject): readonly Fields[] | undefined {
  const spec = section(next, "spec");
  if (!Array.isArray(spec.ports)) return undefined;
  const was = section(live, "spec");
  const before = new Map(portsOf(live).map((port) => [port.name, port.nodePort]));
  const now = portsOf(next);
  if (!needsNodePorts(spec)) {
    const untouched =
      needsNodePorts(was) &&
      sameJson(
        now.map((port) => port.nodePort),
        portsOf(live).map((port) => port.nodePort),
      );
    return untouched ? now.map((port) => withField(port, "nodePort", undefined)) : now;
  }
  const used = new Set(now.map((port) => port.nodePort));
  return now.map((port) => {
    const known = before.get(port.name);
    return (port.nodePort ?? 0) !== 0 || known === undefined || used.has(known) ? port : { ...port, nodePort: known };
  });
}

const protocols = ["SCTP", "TCP", "UDP"];

function portErrors(service: StoredObject): readonly FieldError[] {
  const spec = section(service, "spec");
  const ports = portsOf(service);
  const errors: FieldError[] = [];
  if (ports.length === 0 && spec.clusterIP !== "None" && spec.type !== "ExternalName") errors.push(requiredValue("spec.ports"));
  const names = new Set<unknown>();
  for (const [at, { name, port, protocol, targetPort }] of ports.entries()) {
    const path = `spec.ports[${at}]`;
    if (typeof name === "string" && name !== "") {
      errors.push(...labelNameErrors(name).map((error) => invalidValue(`${path}.name`, name, error)));
      if (names.has(name)) errors.push(duplicateValue(`${path}.name`, name));
      names.add(name);
    } else if (ports.length > 1) errors.push(requiredValue(`${path}.name`));
    if (typeof port !== "number" || port < 1 || port > 65535)
      errors.push(invalidValue(`${path}.port`, port ?? 0, "must be between 1 and 65535, inclusive"));
    if (typeof targetPort === "number" && (targetPort < 1 || targetPort > 65535))
      errors.push(invalidValue(`${path}.targetPort`, targetPort, "must be between 1 and 65535, inclusive"));
    if (!protocols.includes(String(protocol))) errors.push(unsupportedValue(`${path}.protocol`, protocol, protocols));
  }
  return errors;
}

function addressErrors(service: StoredObject): readonly FieldError[] {
  const spec = section(service, "spec");
  const { clusterIP, type } = spec;
  if (type === "ExternalName") {
    const errors: FieldError[] = [];
    for (const field of ["clusterIPs", "ipFamilies", "ipFamilyPolicy"])
      if (spec[field] !== undefined) errors.push(forbiddenField(`spec.${field}`, "may not be set for ExternalName services"));
    const name = typeof spec.externalName === "string" ? spec.externalName.replace(/\.$/, "") : "";
    if (name === "") return [...errors, requiredValue("spec.externalName")];
    return [...errors, ...subdomainErrors(name).map((error) => invalidValue("spec.externalName", name, error))];
  }
  if (clusterIP === "None")
    return isExternal(spec) ? [invalidValue("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${String(type)} services`)] : [];
  if (typeof clusterIP !== "string" || clusterIP === "" || isServiceAddress(clusterIP)) return [];
  if (!isIPv4(clusterIP))
    return [invalidValue("spec.clusterIPs[0]", clusterIP, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];
  const why = `failed to allocate IP ${clusterIP}: the provided IP (${clusterIP}) is not in the valid range. The range of valid IPs is 10.96.0.0/16`;
  return [invalidValue("spec.clusterIPs", [clusterIP], why)];
}

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

function serviceErrors(service: StoredObject): readonly FieldError[] {
  const spec = section(service, "spec");
  const affinities = ["ClientIP", "None"];
  return [
    ...portErrors(service),
    ...(affinities.includes(String(spec.sessionAffinity))
      ? []
      : [unsupportedValue("spec.sessionAffinity", spec.sessionAffinity, affinities)]),
    ...(types.includes(String(spec.type)) ? [] : [unsupportedValue("spec.type", spec.type, types)]),
    ...labelErrors(spec.selector, "spec.selector"),
    ...addressErrors(service),
  ];
}

function takenErrors(services: Collection, service: StoredObject): readonly FieldError[] {
  const { clusterIP } = section(service, "spec");
  const taken = takenFrom(services, service);
  return [
    ...(taken.address
      ? [invalidValue("spec.clusterIPs", [clusterIP], `failed to allocate IP ${String(clusterIP)}: provided IP is already allocated`)]
      : []),
    ...taken.nodePorts.map((at) =>
      invalidValue(`spec.ports[${at}].nodePort`, portsOf(service)[at]?.nodePort, "provided port is already allocated"),
    ),
  ];
}

function changeErrors(next: StoredObject, live: StoredObject): readonly FieldError[] {
  const now = section(next, "spec");
  const was = section(live, "spec");
  const moved = now.type !== "ExternalName" && was.type !== "ExternalName" && now.clusterIP !== was.clusterIP;
  const fixed = moved ? [invalidValue("spec.clusterIPs[0]", now.clusterIPs, "may not change once set")] : [];
  return [...fixed, ...serviceErrors(next)];
}

export const serviceKind: BuiltinKind = {
  resource: services,
  typeName: "core.v1.Service",
  shortNames: ["svc"],
  categories: ["all"],
  subresources: ["status"],
  createOnUpdate: true,
  returnsDeleted: true,
  emptyObject: { spec: {}, status: { loadBalancer: {} } },
  nameErrors: (name, generated) => labelNameErrors(name, generated),
  fieldReaders: { "spec.clusterIP": textAt("spec", "clusterIP"), "spec.type": textAt("spec", "type") },
  defaults: defaultService,
  prepareCreate: (object, collection) => withAddresses(collection, { ...object, status: { loadBalancer: {} } }),
  prepareUpdate: (next, live, subresource, collection) => (subresource === "" ? withAddresses(collection, withKept(next, live)) : next),
  validate: (object, collection) => [...serviceErrors(object), ...takenErrors(collection, object)],
  validateUpdate: (next, live, subresource, collection) =>
    subresource === "" ? [...changeErrors(next, live), ...takenErrors(collection, next)] : [],
};
