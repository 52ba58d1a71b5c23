import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sandboxImage } from "../../../hack/node/configuration.ts";
import { labels } from "../../../src/api/names.ts";
import type { ElasticJob } from "../../../src/api/elastic-job.gen.ts";
import type { JobRequest } from "../../../src/api/job-request.gen.ts";
import type { RunnerApp } from "../../../src/api/runner-app.gen.ts";
import type { TenantQueue } from "../../../src/api/tenant-queue.gen.ts";
import { image, workNamespace } from "./stage.ts";

const own = { apiVersion: "nuptse.dev/v1alpha1", namespace: workNamespace } as const;
const meta = (name: string) => ({ name, namespace: own.namespace });
const little = { requests: { cpu: "10m", memory: "16Mi" } };
const script = (name: string) => readFileSync(join(import.meta.dirname, name), "utf8");
const busybox = { image: sandboxImage, imagePullPolicy: "Never" } as const;
/** The product's image has Node in it, and nothing else that a program needs. */
const node = (name: string) => ({
  image: `${image.repository}:${image.tag}`,
  imagePullPolicy: "Never",
  command: ["node", "--input-type=module", "--eval", script(name)],
});

/** A job of four items that runs when it is asked to; `shell` is what each does. */
export function fourItems(name: string, shell: string): ElasticJob {
  const container = { ...busybox, name: "item", command: ["/bin/sh", "-c", shell], resources: little };
  return {
    apiVersion: own.apiVersion,
    kind: "ElasticJob",
    metadata: meta(name),
    spec: {
      schedule: { crons: ["0 0 0 1 1 ? 2099"] },
      sharding: { total: 4 },
      retry: { sameNode: 2, backoff: { initialSeconds: 1, factor: 1, maxSeconds: 1 } },
      template: { spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
    },
  } as ElasticJob;
}

/** Asks for a run of a job, now. */
export function runOf(job: string, name: string): JobRequest {
  return {
    apiVersion: own.apiVersion,
    kind: "JobRequest",
    metadata: meta(name),
    spec: { jobName: job, requestedBy: "nuptse-admin", run: {} },
  } as JobRequest;
}

/** Three servers that are published as the Service `web`; the revision is what they answer with. */
export function webFleet(revision: string, maxUnavailable: number): RunnerApp {
  const container = {
    ...node("http-server.mjs"),
    name: "web",
    env: [{ name: "REVISION", value: revision }],
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
    resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "192Mi" } },
  };
  return {
    apiVersion: own.apiVersion,
    kind: "RunnerApp",
    metadata: meta("web"),
    spec: {
      replicas: 3,
      strategy: { rollingUpdate: { maxSurge: 2, maxUnavailable } },
      retry: { sameNode: 3, otherNodes: 1 },
      services: [{ name: "web", protocol: "HTTP", port: 80, targetPort: "http" }],
      template: { spec: { containers: [container] } },
    },
  } as RunnerApp;
}

/** A pod that asks the Service `web` by its name until it is deleted. */
export function load(): object {
  const container = {
    ...node("http-load.mjs"),
    name: "load",
    env: [{ name: "TARGET", value: `http://web.${workNamespace}.svc/` }],
    readinessProbe: { tcpSocket: { port: 9000 }, periodSeconds: 1 },
    resources: little,
  };
  return { apiVersion: "v1", kind: "Pod", metadata: meta("load"), spec: { terminationGracePeriodSeconds: 1, containers: [container] } };
}

/** A root with one leaf that everybody may use, as far as `cpu` goes. */
export function queueTree(cpu: string): readonly TenantQueue[] {
  const queue = (name: string, spec: object) =>
    ({ apiVersion: own.apiVersion, kind: "TenantQueue", metadata: { name }, spec }) as TenantQueue;
  const capacity = { resources: { cpu: "1", memory: "1Gi" } };
  return [queue("site", { capacity }), queue("crowd", { parent: "site", max: { cpu }, namespaceSelector: {} })];
}

/** A Deployment of two pods in the leaf, 100m of cpu each. */
export function queuedDeployment(name: string): object {
  const container = { ...busybox, name: "pod", resources: { requests: { cpu: "100m", memory: "16Mi" } } };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: meta(name),
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, [labels.queue]: "crowd" } },
        spec: { terminationGracePeriodSeconds: 1, containers: [container] },
      },
    },
  };
}
