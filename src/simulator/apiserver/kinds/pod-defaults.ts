import { type Fields, isFields } from "../json.ts";

/** Fills in what the real server would (core/v1 defaults), so that clients find the fields that they read without asking. */
export function defaultPodSpec(spec: Fields): Fields {
  const hostNetwork = spec.hostNetwork === true;
  return {
    ...withDefaults(spec, {
      restartPolicy: "Always",
      dnsPolicy: "ClusterFirst",
      schedulerName: "default-scheduler",
      terminationGracePeriodSeconds: 30,
      securityContext: {},
      enableServiceLinks: true,
    }),
    ...(Array.isArray(spec.containers) ? { containers: spec.containers.map((container) => defaultContainer(container, hostNetwork)) } : {}),
    ...(Array.isArray(spec.initContainers)
      ? { initContainers: spec.initContainers.map((container) => defaultContainer(container, hostNetwork)) }
      : {}),
    ...(Array.isArray(spec.volumes) ? { volumes: spec.volumes.map(defaultVolume) } : {}),
    ...accountOf(spec),
  };
}

/** The two names of the service account are one field. */
function accountOf(spec: Fields): Fields {
  const name = spec.serviceAccountName ?? spec.serviceAccount;
  return name === undefined ? {} : { serviceAccountName: name, serviceAccount: name };
}

function withDefaults(value: Fields, defaults: Fields): Fields {
  return { ...defaults, ...value };
}

function defaultContainer(container: unknown, hostNetwork: boolean): unknown {
  if (!isFields(container)) return container;
  const result: Record<string, unknown> = {
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: pullPolicy(typeof container.image === "string" ? container.image : ""),
    ...container,
  };
  if (isFields(result.resources)) result.resources = defaultResources(result.resources);
  if (Array.isArray(container.ports)) {
    result.ports = container.ports.map((port) => {
      if (!isFields(port)) return port;
      return { protocol: "TCP", ...(hostNetwork ? { hostPort: port.containerPort } : {}), ...port };
    });
  }
  if (Array.isArray(container.env)) result.env = container.env.map(defaultEnv);
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    if (isFields(container[probe])) result[probe] = defaultProbe(container[probe]);
  }
  return result;
}

function defaultEnv(entry: unknown): unknown {
  if (!isFields(entry) || !isFields(entry.valueFrom)) return entry;
  const { fieldRef } = entry.valueFrom;
  if (!isFields(fieldRef)) return entry;
  return { ...entry, valueFrom: { ...entry.valueFrom, fieldRef: { apiVersion: "v1", ...fieldRef } } };
}

/** What is limited and not requested is requested as limited. */
function defaultResources(resources: Fields): Fields {
  if (!isFields(resources.limits)) return resources;
  return { ...resources, requests: { ...resources.limits, ...(isFields(resources.requests) ? resources.requests : {}) } };
}

function defaultProbe(probe: Fields): Fields {
  const result: Record<string, unknown> = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3, ...probe };
  if (isFields(probe.httpGet)) result.httpGet = { path: "/", scheme: "HTTP", ...probe.httpGet };
  return result;
}

function pullPolicy(image: string): string {
  const tag = /(?:@[^/]+|:([^/:@]+))$/.exec(image);
  return tag === null || tag[1] === "latest" ? "Always" : "IfNotPresent";
}

const modes: Readonly<Record<string, Fields>> = {
  configMap: { defaultMode: 420 },
  secret: { defaultMode: 420 },
  downwardAPI: { defaultMode: 420 },
  projected: { defaultMode: 420 },
  hostPath: { type: "" },
};

function defaultVolume(volume: unknown): unknown {
  if (!isFields(volume)) return volume;
  for (const source in modes) {
    const found = volume[source];
    if (isFields(found)) return { ...volume, [source]: { ...modes[source], ...found } };
  }
  return Object.keys(volume).length === 1 ? { ...volume, emptyDir: {} } : volume;
}

/** "Guaranteed", "Burstable" or "BestEffort", from requests and limits of cpu and memory. */
export function qosClass(spec: Fields): string {
  const containers = [...list(spec.containers), ...list(spec.initContainers)];
  let any = false;
  let guaranteed = containers.length > 0;
  for (const container of containers) {
    const resources = isFields(container) && isFields(container.resources) ? container.resources : {};
    const requests = isFields(resources.requests) ? resources.requests : {};
    const limits = isFields(resources.limits) ? resources.limits : {};
    for (const name of ["cpu", "memory"]) {
      if (requests[name] !== undefined || limits[name] !== undefined) any = true;
      if (limits[name] === undefined || (requests[name] !== undefined && requests[name] !== limits[name])) guaranteed = false;
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
