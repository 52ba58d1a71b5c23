import assert from "node:assert/strict";
import { dump } from "js-yaml";
import type { Container, Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { endpointSlices, pods } from "../../src/api/resource.ts";
import { convertText } from "../../src/convert/sources.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const namespace = "shop";
const replicas = 3;

interface EndpointSlice extends KubeObject {
  readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly conditions?: { readonly ready?: boolean } }[];
}

const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace, labels: { tier: "front" } },
  spec: {
    replicas,
    minReadySeconds: 1,
    selector: { matchLabels: { role: "web" } },
    strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: {
      metadata: {
        labels: { role: "web" },
        annotations: {
          "test/script": JSON.stringify({ runMs: "forever", startMs: [50, 50], containers: { prepare: { runMs: [10, 10] } } }),
          team: "a",
        },
      },
      spec: {
        terminationGracePeriodSeconds: 1,
        nodeSelector: { "kubernetes.io/os": "linux" },
        volumes: [{ name: "scratch", emptyDir: {} }],
        initContainers: [{ name: "prepare", image: "web:1", args: ["--prepare"] }],
        containers: [
          {
            name: "main",
            image: "web:1",
            args: ["--port=8080"],
            ports: [{ containerPort: 8080, name: "http" }],
            env: [{ name: "MODE", value: "fast" }],
            resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "32Mi" } },
            volumeMounts: [{ name: "scratch", mountPath: "/scratch" }],
            readinessProbe: { httpGet: { path: "/", port: 8080 } },
          },
          { name: "side", image: "log:1" },
        ],
      },
    },
  },
};

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace },
  spec: { selector: { role: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
};

describe("a converted Deployment on a real control plane", function () {
  this.timeout(timeLimits.test);
  const nodes = ["n1", "n2", "n3"].map((name) => ({ name, labels: { "kubernetes.io/os": "linux" } }));
  const cluster = ownTestCluster({ namespaces: [namespace], nodes });
  let kubectl: Kubectl;

  before("start the operator and the Deployment", async function () {
    this.timeout(timeLimits.operatorReady);
    kubectl = await cluster().kubectl(namespace);
    await (await cluster().operator("operator-a")).leading();
    await kubectl.ok(["apply", "-f", "-"], [deployment, service].map((object) => dump(object)).join("---\n"));
  });

  /** Addresses behind the Service that are ready. */
  async function serving(): Promise<readonly string[]> {
    const { items } = await cluster().client.list<EndpointSlice>(endpointSlices, {
      namespace,
      labelSelector: "kubernetes.io/service-name=web",
    });
    return items.flatMap(({ endpoints }) =>
      (endpoints ?? []).filter(({ conditions }) => conditions?.ready).flatMap(({ addresses }) => addresses),
    );
  }
  const podsOf = async (kind: string): Promise<readonly Pod[]> =>
    (await cluster().client.list<Pod>(pods, { namespace, labelSelector: "role=web" })).items.filter(({ metadata }) =>
      metadata.ownerReferences?.some((owner) => owner.kind === kind),
    );
  const served = (count: number) =>
    eventually(`${count} addresses behind the Service`, timeLimits.settled, async () => {
      const found = await serving();
      if (found.length === count) return found;
      throw new Error(`there are ${found.length}`);
    });

  it("is taken as kubectl get prints it, and serves behind the same Service before and after the old one goes", async () => {
    await served(replicas);
    const [conversion] = convertText(await kubectl.ok(["get", "deploy", "web", "-o", "yaml"]), "web.yaml", undefined, {
      timeZone: "Etc/UTC",
      now: Date.now(),
    }).apps;
    assert.deepEqual(conversion?.notes, []);
    await kubectl.ok(["apply", "-f", "-"], dump(conversion?.manifest));
    await kubectl.ok(["wait", "ra/web", "--for=condition=Ready", "--timeout=60s"]);
    await served(2 * replicas);
    const [old, own] = [await podsOf("ReplicaSet"), await podsOf("RunnerApp")];
    assert.deepEqual([old.length, own.length], [replicas, replicas]);
    assert.deepEqual(plain(own[0] as Pod), plain(old[0] as Pod));

    let [fewest, isOver] = [Number.POSITIVE_INFINITY, false];
    const watching = (async () => {
      while (!isOver) fewest = Math.min(fewest, (await serving()).length);
    })();
    await kubectl.ok(["scale", "deploy/web", "--replicas=0"]);
    await eventually("the old pods to be gone", timeLimits.settled, async () => (await podsOf("ReplicaSet")).length === 0);
    const left = await served(replicas);
    isOver = true;
    await watching;
    assert.equal(fewest, replicas);
    const addresses = (await podsOf("RunnerApp")).map(({ status }) => status?.podIP);
    assert.deepEqual([...left].sort(), addresses.sort());
  });
});

/** What is the same in pods of both: all but names, owners, times, and what each controller adds. */
function plain({ metadata, spec }: Pod): object {
  const { nodeName: _, tolerations: __, containers, initContainers = [], volumes, ...rest } = spec;
  const own = (name: string) => name.startsWith("kube-api-access-");
  const container = ({ env = [], volumeMounts, ...fields }: Container) => ({
    ...fields,
    env: env.filter(({ name }) => !name.startsWith("NUPTSE_")),
    volumeMounts: ((volumeMounts ?? []) as readonly { readonly name: string }[]).filter(({ name }) => !own(name)),
  });
  const labels = Object.entries(metadata.labels ?? {}).filter(([key]) => !key.startsWith("nuptse.dev/") && key !== "pod-template-hash");
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => !key.startsWith("nuptse.dev/"));
  return {
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
    spec: {
      ...rest,
      containers: containers.map(container),
      initContainers: initContainers.map(container),
      volumes: ((volumes ?? []) as readonly { readonly name: string }[]).filter(({ name }) => !own(name)),
    },
  };
}
