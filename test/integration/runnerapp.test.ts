import assert from "node:assert/strict";
import { dump } from "js-yaml";
import type { Pod } from "../../src/api/core.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { annotations, labels } from "../../src/api/names.ts";
import { nodes as nodeResource, pods, runnerApps } from "../../src/api/resource.ts";
import type { RunnerApp } from "../../src/api/runner-app.gen.ts";
import { renderPrefetch } from "../../src/runnerapp/rules/prefetch.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const namespace = "fleets";

function app(name: string, spec: object = {}, image = "web:1"): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: { replicas: 3, template: template(image), ...spec },
  } as RunnerApp;
}

const template = (image: string, script: object = {}) => ({
  metadata: { annotations: { "test/script": JSON.stringify({ runMs: "forever", startMs: [50, 50], ...script }) } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image }] },
});

describe("RunnerApp on a real control plane", function () {
  this.timeout(timeLimits.test);
  const nodes = [{ name: "n1" }, { name: "n2" }, { name: "n3" }, { name: "big", capacity: { cpu: "64" } }];
  const cluster = ownTestCluster({ namespaces: [namespace], nodes });
  let kubectl: Kubectl;

  before("start the operator", async function () {
    this.timeout(timeLimits.operatorReady);
    kubectl = await cluster().kubectl(namespace);
    await (await cluster().operator("operator-a", { args: ["--mark-evacuated-nodes"] })).leading();
  });

  const read = (name: string) => cluster().client.get<RunnerApp & KubeObject>(runnerApps, { namespace, name });
  const edit = (name: string, spec: object) => cluster().client.patch(runnerApps, { namespace, name }, { type: "merge", body: { spec } });

  async function instances(name: string): Promise<readonly Pod[]> {
    const { items } = await cluster().client.list<Pod>(pods, { namespace, labelSelector: `${labels.app}=${name}` });
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  }

  const isReady = ({ status }: Pod) => status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

  /** Resolves when as many instances serve as are wanted, all of the image, and status says so. */
  const settled = (name: string, replicas: number, image = "web:1") =>
    eventually(`${name} to be ${replicas} of ${image}`, timeLimits.run, async () => {
      const { metadata, status } = await read(name);
      const all = await instances(name);
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      if (
        all.length === replicas &&
        all.every((pod) => isReady(pod) && pod.spec.containers[0]?.image === image) &&
        ready?.reason === "Serving" &&
        status?.observedGeneration === metadata.generation &&
        status?.replicas === replicas
      )
        return status;
      throw new Error(`${all.map(({ metadata: { name: pod } }) => pod).join()}: ${JSON.stringify(status)}`);
    });

  const bad: readonly { readonly name: string; readonly spec: object; readonly words: RegExp }[] = [
    {
      name: "a canary of 100.5 %",
      spec: { canary: { replicas: "100.5%" } },
      words: /spec\.canary\.replicas: Invalid value: .*share of whole percent/,
    },
    { name: "fewer than no instances", spec: { replicas: -1 }, words: /spec\.replicas: Invalid value: -1: .*greater than or equal to 0/ },
    {
      name: "a surge that is no share",
      spec: { strategy: { rollingUpdate: { maxSurge: "many" } } },
      words: /spec\.strategy\.rollingUpdate\.maxSurge: Invalid value: "many"/,
    },
    { name: "another strategy", spec: { strategy: { type: "Recreate" } }, words: /spec\.strategy\.type: Unsupported value: "Recreate"/ },
    {
      name: "a restartPolicy that ends",
      spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main" }] } } },
      words: /restartPolicy: Unsupported value: "Never"/,
    },
    {
      name: "a rule of retries without what it matches",
      spec: { retry: { rules: [{ action: "Ignore" }] } },
      words: /must have exactly one of onExitCodes/,
    },
    {
      name: "a change in place at any price",
      spec: { inPlace: "Always" },
      words: /spec\.inPlace: Unsupported value: "Always": supported values: "Never", "IfPossible"/,
    },
    {
      name: "alternatives of which there is none",
      spec: { resourceOptions: [] },
      words: /spec\.resourceOptions: Invalid value: .*at least 1 items/,
    },
    {
      name: "a fleet that ends when asked",
      spec: { queue: { onReclaim: "Finish" } },
      words: /spec\.queue\.onReclaim: Unsupported value: "Finish"/,
    },
  ];
  for (const { name, spec, words } of bad)
    it(`the CRD refuses ${name}`, async () => {
      assert.match(await kubectl.fails(["create", "--validate=false", "-f", "-"], dump(app("bad", spec))), words);
    });

  it("comes up by kubectl apply, and kubectl get and wait tell of it", async () => {
    await kubectl.ok(["apply", "-f", "-"], dump(app("web")));
    await kubectl.ok(["wait", "ra/web", "--for=condition=Ready", "--timeout=40s"]);
    await settled("web", 3);
    const table = (await kubectl.ok(["get", "ra", "web"])).trim().split("\n");
    assert.match(table[0] ?? "", /^NAME +DESIRED +READY +UP-TO-DATE +AVAILABLE +CANARY +REASON +AGE/);
    assert.match(table[1] ?? "", /^web +3 +3 +3 +3 +Serving/);
    assert.match(await kubectl.ok(["explain", "ra.spec.canary.onFailure"]), /What stops a roll-out by itself/);
  });

  it("kubectl scale scales it, as an autoscaler does, by the selector that status tells", async () => {
    await kubectl.ok(["scale", "ra/web", "--replicas=5"]);
    await settled("web", 5);
    const scale = JSON.parse(
      await kubectl.ok(["get", "--raw", `/apis/nuptse.dev/v1alpha1/namespaces/${namespace}/runnerapps/web/scale`]),
    ) as {
      readonly status: { readonly replicas: number; readonly selector: string };
    };
    assert.deepEqual(scale.status, { replicas: 5, selector: "nuptse.dev/app=web" });
    await kubectl.ok(["scale", "ra/web", "--current-replicas=5", "--replicas=3"]);
    await settled("web", 3);
  });

  it("a change is rolled out, and a broken one stops and is taken back", async () => {
    await edit("web", { template: template("web:2") });
    await settled("web", 3, "web:2");
    await edit("web", {
      minReadySeconds: 2,
      retry: { sameNode: 1, otherNodes: 0 },
      canary: { replicas: "50%", onFailure: { action: "Rollback" } },
      template: template("web:3", { runMs: [200, 200], exitCode: 1 }),
    });
    const back = await eventually("the roll-back", timeLimits.settled, async () => {
      const { status } = await read("web");
      const all = await instances("web");
      const isBack =
        status?.canary?.phase === "RolledBack" && all.length === 3 && all.every(({ spec }) => spec.containers[0]?.image === "web:2");
      if (isBack) return status;
      throw new Error(JSON.stringify(status));
    });
    assert.ok(back.conditions?.some(({ type, reason }) => type === "Stalled" && reason === "RolledBack"));
    await edit("web", { minReadySeconds: 0, canary: null, template: template("web:2") });
    await settled("web", 3, "web:2");
  });

  it("kubectl drain waits until every instance has moved, and none is missing", async () => {
    await kubectl.ok(["apply", "-f", "-"], dump(app("moving", { replicas: 4, evacuation: { budget: "Strict", maxSurge: 2 } })));
    await settled("moving", 4);
    const [first] = await instances("moving");
    const node = first?.spec.nodeName as string;
    let [least, isOver] = [4, false];
    const drain = kubectl.ok(["drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s"]).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      least = Math.min(least, (await instances("moving")).filter(isReady).length);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await drain;
    assert.equal(least, 4);
    assert.ok((await instances("moving")).every(({ spec }) => spec.nodeName !== node));
    const evacuated = (want: boolean) =>
      eventually(`the mark of ${node}: ${want}`, timeLimits.reaction, async () => {
        const { metadata } = await cluster().client.get<KubeObject>(nodeResource, { name: node });
        return (metadata.annotations?.[annotations.evacuated] !== undefined) === want;
      });
    await evacuated(true);
    await kubectl.ok(["uncordon", node]);
    await evacuated(false);
    await settled("moving", 4);
  });

  describe("changed in place", () => {
    const spec = {
      inPlace: "IfPossible",
      evacuation: { connectionDrainSeconds: 1 },
      strategy: { rollingUpdate: { maxUnavailable: 1 } },
    };
    const sized = (cpu: string, image = "web:2", memory = "64Mi") => {
      const { metadata, spec: pod } = template(image);
      const resources = { requests: { cpu, memory }, limits: { memory: "1Gi" } };
      return { metadata, spec: { ...pod, containers: [{ name: "main", image, resources }] } };
    };
    const uidsOf = (all: readonly Pod[]) => all.map(({ metadata }) => metadata.uid).sort();
    const changed = async (name: string, wanted: object): Promise<number> => {
      let least = Number.POSITIVE_INFINITY;
      let isOver = false;
      await edit(name, wanted);
      const watched = (async () => {
        while (!isOver) {
          least = Math.min(least, (await instances(name)).filter(isReady).length);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      })();
      await settled(name, 3, "web:2").finally(() => {
        isOver = true;
      });
      await watched;
      return least;
    };

    it("an image comes into the same pods, one after the other, where it was pulled before", async () => {
      await kubectl.ok(["apply", "-f", "-"], dump(app("inplace", { ...spec, template: sized("100m", "web:1") })));
      await settled("inplace", 3);
      const before = uidsOf(await instances("inplace"));
      assert.ok((await changed("inplace", { template: sized("100m") })) >= 2);
      const after = await instances("inplace");
      assert.deepEqual(uidsOf(after), before);
      assert.deepEqual(
        after.map(({ status }) => status?.containerStatuses?.map(({ image, restartCount }) => [image, restartCount])),
        Array(3).fill([["web:2", 1]]),
      );
      assert.equal((await read("inplace")).status?.recoveries, undefined);
      await eventually("no pod left that pulls images", timeLimits.run, async () => {
        const labelSelector = labels.prefetch;
        return (await cluster().client.list<Pod>(pods, { namespace, labelSelector })).items.length === 0;
      });
    });

    it("resources come into the same containers, without a restart", async () => {
      const before = uidsOf(await instances("inplace"));
      await changed("inplace", { template: sized("0.2", "web:2", "128Mi") });
      const after = await eventually("the kubelets to have given it", timeLimits.run, async () => {
        const all = await instances("inplace");
        const isGiven = ({ status }: Pod) => status?.containerStatuses?.[0]?.resources?.requests?.["cpu"] === "200m";
        if (all.every(isGiven)) return all;
        throw new Error(JSON.stringify(all.map(({ status }) => status?.containerStatuses)));
      });
      assert.deepEqual(uidsOf(after), before);
      assert.ok(after.every(({ status }) => status?.containerStatuses?.[0]?.restartCount === 1));
    });

    it("what no node of theirs has: refused there, instances are made anew where it is", async () => {
      await edit("inplace", { template: sized("12") });
      await eventually("all on the big node", timeLimits.settled, async () => {
        const all = await instances("inplace");
        const isRight = (pod: Pod) =>
          pod.spec.nodeName === "big" && isReady(pod) && pod.spec.containers[0]?.resources?.requests?.["cpu"] === "12";
        if (all.length === 3 && all.every(isRight)) return true;
        throw new Error(
          JSON.stringify([(await read("inplace")).status, all.map(({ metadata, spec: { nodeName } }) => [metadata.name, nodeName])]),
        );
      });
      await kubectl.ok(["delete", "ra", "inplace", "--timeout=60s"]);
    });

    it("pods that pull images are let into namespaces of the standard restricted", async () => {
      await kubectl.ok(["create", "namespace", "restricted"]);
      await kubectl.ok(["label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted"]);
      const owner = { ...app("any"), metadata: { name: "any", namespace: "restricted", uid: "00000000-0000-0000-0000-000000000000" } };
      await eventually("the service account", timeLimits.run, () => kubectl.ok(["-n", "restricted", "get", "serviceaccount", "default"]));
      await cluster().client.create(pods, renderPrefetch(owner, "any-1", template("web:1").spec, "n1"), { dryRun: true });
    });
  });

  it("restarted by restartedAt, once; and everything of it goes with the object", async () => {
    await kubectl.ok(["apply", "-f", "-"], dump(app("short", { replicas: 2 })));
    await settled("short", 2);
    const before = (await instances("short")).map(({ metadata }) => metadata.uid);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await edit("short", { restartedAt: `${new Date().toISOString().slice(0, 19)}Z` });
    await eventually("new instances", timeLimits.run, async () => {
      const now = (await instances("short")).filter(isReady);
      return now.length === 2 && now.every(({ metadata }) => !before.includes(metadata.uid));
    });
    await kubectl.ok(["delete", "ra", "short", "--timeout=60s"]);
    await eventually("no instance left", timeLimits.run, async () => (await instances("short")).length === 0);
    await kubectl.fails(["get", "pdb", "short"]);
  });
});
