import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { dump, loadAll } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { type Playground, startPlayground } from "../../src/simulator/harness/playground.ts";
import { createHelm, type Helm } from "../cli/helm-transcripts.ts";
import { createKubectl, type Kubectl } from "../cli/kubectl.ts";
import { eventually } from "../integration/support/eventually.ts";
import { ownTestCluster } from "../integration/support/test-cluster.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { skipUnless } from "../support/skip.ts";
import { accountUser } from "./support/accounts.ts";
import { chart, releaseNamespace, root, valueArguments } from "./support/chart.ts";

const run = promisify(execFile);
const operatorUser = accountUser(releaseNamespace, "nuptse-operator");
/** The kubelets of tests play these pods for ever. */
const podAnnotations = { "test/script": JSON.stringify({ runMs: "forever" }) };
const values = { operator: { podAnnotations }, gateway: { podAnnotations }, trace: { podAnnotations } };
/** What the claim of the trace is bound to. */
const volume = dump({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "nuptse-trace" },
  spec: {
    capacity: { storage: "10Gi" },
    accessModes: ["ReadWriteOnce"],
    claimRef: { namespace: releaseNamespace, name: "nuptse-trace" },
    hostPath: { path: "/nowhere" },
  },
});

/** Keys of labels and annotations that the API server, helm, and the kubelets of tests are told by. */
const added = /^(meta\.helm\.sh|kubectl\.kubernetes\.io|deployment\.kubernetes\.io|test)\/|managed-by$/;

/** An object without what the API server and helm add to it. */
function bare({ metadata, ...object }: KubeObject): object {
  const { labels, annotations, name, namespace } = metadata;
  const { status: _, ...rest } = object as { readonly status?: unknown };
  const text = JSON.stringify({ ...rest, metadata: { name, namespace, labels, annotations } }, (key, value) => {
    if (["clusterIP", "clusterIPs", "caBundle", "volumeName"].includes(key)) return undefined;
    if ((key !== "labels" && key !== "annotations") || typeof value !== "object") return value;
    const own = Object.entries(value as object).filter(([name]) => !added.test(name));
    return own.length === 0 ? undefined : Object.fromEntries(own);
  });
  return JSON.parse(text) as object;
}

describe("the chart on a real control plane", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ bare: true, namespaces: ["tenant"] });
  const binaries = skipUnless(() => ensureBinaries(["helm", "kubectl"]));
  let kubectl: Kubectl;
  let helm: Helm;
  let elsewhere: Helm;

  before(async () => {
    const { kubeconfigContent } = cluster().plane;
    kubectl = await cluster().kubectl("tenant");
    helm = await createHelm(binaries().helm, kubeconfigContent, releaseNamespace);
    elsewhere = await createHelm(binaries().helm, kubeconfigContent, "elsewhere");
    await kubectl.ok(["create", "-f", "-"], volume);
  });
  after(async () => {
    await helm?.close();
    await elsewhere?.close();
  });

  const json = async (args: string) => JSON.parse(await kubectl.ok([...args.split(" "), "-o", "json"]));
  const pod = (name: string, labels: object) =>
    dump({ apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: { containers: [{ name: "main", image: "busybox:1.37" }] } });
  const job = dump({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name: "kept" },
    spec: { template: { spec: { containers: [{ name: "main", image: "busybox:1.37" }] } } },
  });

  /** All that is in deploy/base as the API server has it. */
  async function installed(): Promise<ReadonlyMap<string, object>> {
    const { stdout } = await run(binaries().kubectl, ["kustomize", join(root, "deploy/base")], { maxBuffer: 16 * 2 ** 20 });
    const objects = (loadAll(stdout) as readonly KubeObject[]).filter(({ kind }) => kind !== "Namespace");
    const list = JSON.parse(
      await kubectl.ok(
        ["get", "-n", releaseNamespace, "-f", "-", "-o", "json", "--ignore-not-found"],
        objects.map((object) => dump(object)).join("---\n"),
      ),
    );
    const items = list.items as readonly KubeObject[];
    return new Map(items.map((item) => [`${item.kind} ${item.metadata.namespace ?? ""}/${item.metadata.name}`, bare(item)]));
  }
  let byHelm: ReadonlyMap<string, object>;

  it("helm install --wait brings everything up, and says the next step", async () => {
    const said = await helm.ok(["install", "nuptse", chart, "--create-namespace", "--wait", "--timeout=90s", ...valueArguments(values)]);
    assert.match(said, /STATUS: deployed/);
    assert.match(said, /helm test nuptse --namespace nuptse-system/);
    const { items } = await json(`get deployments -n ${releaseNamespace}`);
    assert.deepEqual(
      (items as { metadata: { name: string }; status: { readyReplicas: number } }[]).map(({ metadata, status }) => [
        metadata.name,
        status.readyReplicas,
      ]),
      [
        ["nuptse-gateway", 2],
        ["nuptse-operator", 2],
        ["nuptse-trace", 1],
      ],
    );
    await eventually("the kinds to be discovered", timeLimits.reaction, () => kubectl.ok(["explain", "ej.spec.retry"]));
  });

  it("a second one in the cluster is refused", async () => {
    assert.match(await elsewhere.fails(["install", "other", chart, "--create-namespace"]), /invalid ownership metadata/);
    await elsewhere.ok(["uninstall", "other", "--ignore-not-found"]);
  });

  it("its account alone creates labelled pods without a gate, and takes gates off", async () => {
    const create = ["create", "-f", "-", "--dry-run=server", "-o", "json"];
    const gates = async (...as: readonly string[]) =>
      JSON.parse(await kubectl.ok([...create, ...as], pod("probe", { "nuptse.dev/queue": "q" }))).spec.schedulingGates;
    await eventually("the policies to be in force", timeLimits.run, async () => (await gates()) !== undefined);
    assert.deepEqual(await gates(), [{ name: "nuptse.dev/queue" }]);
    assert.equal(await gates(`--as=${operatorUser}`), undefined);
    await kubectl.ok(["create", "-f", "-"], pod("gated", { "nuptse.dev/queue": "q" }));
    await kubectl.ok(["create", "rolebinding", "tess", "--clusterrole=edit", "--user=tess"]);
    const open = ["patch", "pod", "gated", "--type=json", "-p", '[{"op":"remove","path":"/spec/schedulingGates"}]'];
    assert.match(await kubectl.fails([...open, "--as=tess"]), /is taken away by the operator once the queue admits the pod/);
    await kubectl.ok([...open, `--as=${operatorUser}`]);
    await kubectl.ok(["delete", "pod", "gated", "--now"]);
  });

  const accounts: readonly { readonly account: string; readonly may: readonly string[]; readonly mayNot: readonly string[] }[] = [
    {
      account: "nuptse-operator",
      may: ["list nodes", "get configmaps -n tenant", "get secret/nuptse-webhook-tls -n nuptse-system", "create secrets -n nuptse-system"],
      mayNot: [
        "get secrets -n tenant",
        "get secret/other -n nuptse-system",
        "list secrets -n nuptse-system",
        "create secrets -n tenant",
        "create pods -n tenant --subresource=exec",
        "patch nodes",
        "update elasticjobs.nuptse.dev -n tenant",
        "create networkpolicies.networking.k8s.io -n tenant",
        "create clusterrolebindings.rbac.authorization.k8s.io",
      ],
    },
    {
      account: "nuptse-gateway",
      may: ["watch endpointslices.discovery.k8s.io", "list runnerapps.nuptse.dev", "get pods -n nuptse-system"],
      mayNot: [
        "get secrets -n tenant",
        "get secrets -n nuptse-system",
        "get pods -n tenant",
        "patch pods -n nuptse-system",
        "list services",
      ],
    },
    {
      account: "nuptse-trace",
      may: ["create tokenreviews.authentication.k8s.io"],
      mayNot: ["get secrets -n nuptse-system", "list pods", "list elasticjobs.nuptse.dev"],
    },
  ];
  for (const { account, may, mayNot } of accounts)
    it(`${account} may do what it needs, and not more`, async () => {
      const can = async (what: string) =>
        (await kubectl.run(["auth", "can-i", ...what.split(" "), `--as=${accountUser(releaseNamespace, account)}`])).stdout.trim();
      for (const what of may) assert.equal(await can(what), "yes", what);
      for (const what of mayNot) assert.equal(await can(what), "no", what);
    });

  it("an upgrade upgrades the definitions, and leaves what runs alone", async () => {
    await kubectl.ok(["create", "-f", "-"], job);
    byHelm = await installed();
    const crd = ["crd", "elasticjobs.nuptse.dev"];
    const older = [{ op: "remove", path: "/spec/names/shortNames" }];
    await kubectl.ok(["patch", ...crd, "--type=json", "-p", JSON.stringify(older)]);
    const before = await json(`get pods -n ${releaseNamespace}`);
    await helm.ok(["upgrade", "nuptse", chart, "--wait", "--timeout=90s", ...valueArguments(values)]);
    assert.deepEqual((await json(`get ${crd.join(" ")}`)).spec.names.shortNames, ["ej"]);
    const uids = ({ items }: { items: readonly KubeObject[] }) => items.map(({ metadata }) => metadata.uid).sort();
    assert.deepEqual(uids(await json(`get pods -n ${releaseNamespace}`)), uids(before));
    assert.equal((await json("get ej kept")).spec.template.spec.containers[0].image, "busybox:1.37");
  });

  it("helm uninstall leaves the definitions and users' objects", async () => {
    await helm.ok(["uninstall", "nuptse", "--wait", "--timeout=90s"]);
    assert.equal((await json("get ej kept")).metadata.name, "kept");
    const left = await kubectl.ok([
      "get",
      "validatingadmissionpolicies,mutatingadmissionpolicies,validatingwebhookconfigurations,clusterroles",
      "-o",
      "name",
    ]);
    assert.doesNotMatch(left, /nuptse/);
    // an API server goes by a policy for a moment after it is gone
    await eventually("labelled pods to be taken again", timeLimits.run, () =>
      kubectl.ok(["create", "-f", "-", "--dry-run=server"], pod("free", { "nuptse.dev/queue": "q" })),
    );
  });

  it("kubectl apply -k makes the same objects", async () => {
    await kubectl.ok(["apply", "-n", releaseNamespace, "--server-side", "-k", join(root, "deploy/base")]);
    const byKubectl = await installed();
    assert.deepEqual([...byKubectl.keys()].sort(), [...byHelm.keys()].sort());
    for (const [key, object] of byHelm) assert.deepEqual(byKubectl.get(key), object, key);
  });

  it("kubectl delete of all but the definitions takes it away", async () => {
    await kubectl.ok(["delete", "-n", releaseNamespace, "-f", join(root, "deploy/base/nuptse.yaml"), "--wait=false", "--ignore-not-found"]);
    assert.equal((await json("get ej kept")).metadata.name, "kept");
  });
});

describe("the chart in the playground", function () {
  this.timeout(timeLimits.test);
  const binaries = skipUnless(() => ensureBinaries(["kubectl", "helm"]));
  let playground: Playground;
  let kubectl: Kubectl;
  let helm: Helm;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-chart-"));
    playground = await startPlayground({
      kubelet: "stages",
      random: createSeededRandom(1),
      nodes: 2,
      operator: false,
      clock: createSystemClock({ background: true }),
      dataDir: folder,
    });
    const kubeconfig = await readFile(playground.kubeconfigPath, "utf8");
    kubectl = await createKubectl(binaries().kubectl, kubeconfig, releaseNamespace);
    helm = await createHelm(binaries().helm, kubeconfig, releaseNamespace);
  });
  after(async () => {
    await helm?.close();
    await kubectl?.close();
    await playground?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it("helm install --wait brings everything up", async () => {
    // It has no API priority and fairness, and kinds and roles of its own already.
    const here = { ...values, trace: { podAnnotations, persistence: { enabled: false } }, flowControl: { enabled: false } };
    await helm.ok([
      "install",
      "nuptse",
      chart,
      "--take-ownership",
      "--create-namespace",
      "--wait",
      "--timeout=90s",
      ...valueArguments(here),
    ]);
    const ready = await kubectl.ok(["get", "deployments", "-o", "jsonpath={.items[*].status.readyReplicas}"]);
    assert.deepEqual(ready.split(" ").sort(), ["1", "2", "2"]);
  });

  it("helm uninstall takes it away", async () => {
    await helm.ok(["uninstall", "nuptse", "--wait", "--timeout=90s"]);
    assert.equal(await kubectl.ok(["get", "deployments", "-o", "name"]), "");
    assert.match(await kubectl.ok(["get", "crd", "-o", "name"]), /elasticjobs\.nuptse\.dev/);
  });
});
