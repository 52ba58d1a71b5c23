import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Agent, request } from "undici";
import { labels } from "../../src/api/names.ts";
import { pods, services, tenantQueues } from "../../src/api/resource.ts";
import { MissingComponent } from "../../hack/control-plane/missing-component.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { skipUnless } from "../support/skip.ts";
import { eventually } from "./support/eventually.ts";
import { elasticJob, type JobSpec } from "./support/jobs.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { LocalForwarder, ownAddress } from "./support/proxyable-address.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const home = "nuptse-system";
const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

interface Answer {
  readonly status: number;
  readonly body: {
    readonly error?: string;
    readonly workloads?: readonly { readonly position?: number; readonly loses?: { readonly to: object } }[];
  };
}

const queued = (queue: object, items: number): JobSpec => ({
  sharding: { total: items },
  queue: { name: "shared", ...queue },
  script: { runMs: "forever" } as never,
  container: { resources: { requests: { cpu: "1" } } },
});

/** The leader's answers through the service proxy of a real API server, and directly, with two tenants in one queue. */
describe("explaining waiting work", function () {
  this.timeout(timeLimits.test);
  const address = skipUnless(() => {
    const found = ownAddress();
    return found === undefined
      ? Promise.reject(new MissingComponent("an address besides loopback", "the API server's proxy refuses loopback addresses"))
      : Promise.resolve(found);
  });
  const cluster = ownTestCluster({ namespaces: ["team-a", "team-b", home] });
  let kubectl: Kubectl;
  let operator: OperatorProcess;
  let forwarder: LocalForwarder;
  let explainPort = 0;
  let annToken = "";
  const kubeconfigs = new Map<string, string>();

  /** `kubectl nuptse`, as a process of its own, as the user. */
  const plugin = (user: string, ...args: readonly string[]): Promise<Said> => {
    const kubeconfig = user === "admin" ? cluster().plane.kubeconfig : (kubeconfigs.get(user) as string);
    return run(process.execPath, [join(root, "src/cli/kubectl-plugin.ts"), ...args, "--kubeconfig", kubeconfig], {
      timeout: timeLimits.run,
    });
  };
  const direct = async (query: string, token?: string): Promise<Answer> => {
    const reply = await fetch(`http://127.0.0.1:${explainPort}/v1/why?${query}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    return { status: reply.status, body: (await reply.json()) as Answer["body"] };
  };
  /** Through the proxy, as the administrator unless a token says otherwise. */
  const proxied = async (query: string): Promise<Answer> => {
    const { status, text } = await cluster().plane.client.send({
      path: `/api/v1/namespaces/${home}/services/nuptse-explain/proxy/v1/why?${query}`,
    });
    return { status, body: JSON.parse(text) as Answer["body"] };
  };
  const bind = async (namespace: string, role: string, ...subjects: readonly string[]) => {
    const named = `${role}-${subjects.join("-").replaceAll(/[^a-z]+/g, "-")}`;
    await kubectl.ok([
      "create",
      "rolebinding",
      named,
      "-n",
      namespace,
      `--clusterrole=${role}`,
      ...subjects.map((subject) => `--${subject}`),
    ]);
  };

  before("start an operator that serves explanations, two tenants, and work that waits", async function () {
    this.timeout(timeLimits.test);
    const { client, plane } = cluster();
    kubectl = await cluster().kubectl("default");
    await kubectl.ok(["apply", "-f", join(root, "crds/roles.yaml")]);
    for (const user of ["ann", "bob"]) kubeconfigs.set(user, await plane.kubeconfigFor(user));
    await kubectl.ok(["create", "serviceaccount", "ann", "-n", "team-a"]);
    annToken = (await kubectl.ok(["create", "token", "ann", "-n", "team-a"])).trim();
    await kubectl.ok(["create", "clusterrole", "looks", "--verb=get,list", "--resource=tenantqueues.nuptse.dev"]);
    await kubectl.ok(["create", "clusterrolebinding", "looks", "--clusterrole=looks", "--group=system:authenticated"]);
    await bind("team-a", "view", "user=ann", "user=bob", "serviceaccount=team-a:ann");
    await bind(home, "nuptse-explain", "user=ann", "serviceaccount=team-a:ann");

    const pod = (name: string, leads: boolean) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: home, labels: leads ? { [labels.leader]: "true" } : {} },
      spec: { containers: [{ name: "operator", image: "registry.example/nuptse:1" }] },
    });
    await client.create(pods, pod("nuptse-0", false));
    await client.create(pods, pod("nuptse-1", true));
    operator = await cluster().operator("operator-a", {
      lease: "4/3/1",
      args: ["--lease-namespace", home, "--explain-address", "127.0.0.1:0", "--pod", "nuptse-0"],
    });
    explainPort = (await operator.said("operator starts", timeLimits.operatorReady))["explainPort"] as number;
    forwarder = await LocalForwarder.start(address(), explainPort);
    await client.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "nuptse-explain", namespace: home },
      spec: { ports: [{ port: 80 }] },
    } as never);
    // The proxy dials only what is the address of a pod of the namespace: one that nobody starts, and so nobody else writes the status of.
    const [name, ip] = ["nuptse-explained", forwarder.address];
    const gated = pod(name, false);
    await client.create(pods, { ...gated, spec: { ...gated.spec, schedulingGates: [{ name: "test/never" }] } } as never);
    const status = { podIP: ip, podIPs: [{ ip }] };
    await client.patch(pods, { namespace: home, name }, { type: "merge", body: { status } }, { subresource: "status" });
    await plane.client.text({
      method: "POST",
      path: `/api/v1/namespaces/${home}/endpoints`,
      body: {
        metadata: { name: "nuptse-explain" },
        subsets: [{ addresses: [{ ip, targetRef: { kind: "Pod", namespace: home, name } }], ports: [{ port: forwarder.port }] }],
      },
    });

    const queue = (name: string, spec: object) =>
      client.create(tenantQueues, { apiVersion: "nuptse.dev/v1alpha1", kind: "TenantQueue", metadata: { name }, spec } as never);
    await queue("corp", { capacity: { resources: { cpu: 2 } } });
    await queue("shared", { parent: "corp", namespaceSelector: {} });
    await operator.leading();
    await cluster().create(elasticJob("team-b", "hog", queued({ priority: 20 }, 2)));
    await cluster().create(elasticJob("team-b", "merger", queued({ priority: 10 }, 1)));
    await cluster().create(elasticJob("team-a", "mine", queued({}, 1)));
    await plugin("admin", "run", "hog", "-n", "team-b");
    await cluster().until("team-b", "hog", "to have the whole queue", ({ status }) => status?.active?.[0]?.admitted?.items === 2);
    await plugin("admin", "run", "merger", "-n", "team-b");
    await plugin("admin", "run", "mine", "-n", "team-a");
    for (const [namespace, name] of [
      ["team-b", "merger"],
      ["team-a", "mine"],
    ] as const)
      await cluster().until(namespace, name, "to wait", ({ status }) => status?.active?.[0]?.reason === "QueuePending");
  });
  after("close the way to the operator", () => forwarder?.close());

  it("a tenant is told its place and what it lacks, and of others' work only the queue", async () => {
    const { stdout, stderr } = await plugin("ann", "why", "mine", "-n", "team-a");
    assert.equal(stderr, "");
    assert.match(stdout, /place +number 2 of those that wait in shared/);
    assert.match(stdout, /behind +work of shared comes first in shared, by priority and age/);
    assert.match(stdout, /lacks +1 cpu, of which 0 are free in corp; it is with shared 2 \(2 borrowed\)/);
    assert.doesNotMatch(stdout, /team-b|merger|hog/);
  });

  it("the same of the line of a queue", async () => {
    const { stdout, stderr } = await plugin("ann", "queue", "shared", "-n", "team-a");
    assert.equal(stderr, "");
    assert.match(stdout, /1 +work of shared +10 +0\/1/);
    assert.match(stdout, /2 +ElasticJob team-a\/mine +0 +0\/1/);
    assert.doesNotMatch(stdout, /team-b|merger|hog/);
  });

  it("who may get the other is told its name", async () => {
    const { stdout } = await plugin("admin", "why", "mine", "-n", "team-a");
    assert.match(stdout, /behind +ElasticJob team-b\/merger comes first in shared/);
  });

  it("who lacks the ClusterRole nuptse-explain is told so in one line, and what status says", async () => {
    const { stdout, stderr } = await plugin("bob", "why", "mine", "-n", "team-a");
    assert.match(stderr, /^the operator cannot be asked [^\n]*ClusterRole nuptse-explain in nuptse-system[^\n]*\n$/);
    assert.match(stdout, /- Queue: run \S+ waits: waits for its share of the TenantQueue shared/);
  });

  it("the API server's proxy takes the caller's token away, so that a token proves nothing behind it", async () => {
    const { server, authorityPem } = cluster().plane;
    const path = `/api/v1/namespaces/${home}/services/nuptse-explain/proxy/v1/why?namespace=team-a&name=mine`;
    const dispatcher = new Agent({ connect: { ca: authorityPem } });
    const reply = await request(`${server}${path}`, { dispatcher, headers: { authorization: `Bearer ${annToken}` } });
    assert.deepEqual(
      [reply.statusCode, await reply.body.json()],
      [401, { error: "the UID of the object is needed, or a bearer token of somebody who may get it" }],
    );
    await dispatcher.close();
  });

  it("behind the proxy a UID is a proof, of its own object only", async () => {
    const { metadata } = await cluster().job("team-a", "mine");
    const other = await cluster().job("team-b", "merger");
    const right = await proxied(`namespace=team-a&name=mine&uid=${metadata.uid}`);
    assert.deepEqual([right.status, right.body.workloads?.[0]?.position], [200, 2]);
    assert.deepEqual(Object.keys(right.body.workloads?.[0]?.loses?.to ?? {}), ["queue", "ref"]);
    for (const query of [
      `namespace=team-b&name=merger&uid=${metadata.uid}`,
      `namespace=team-a&name=mine&uid=${other.metadata.uid}`,
      "namespace=team-a&name=mine&uid=11111111-2222-4333-8444-555555555555",
    ])
      assert.equal((await proxied(query)).status, 404, query);
  });

  it("a token counts for whoever reaches the operator directly: TokenReview, then SubjectAccessReview", async () => {
    const own = await direct("namespace=team-a&name=mine", annToken);
    assert.deepEqual([own.status, own.body.workloads?.[0]?.position], [200, 2]);
    assert.deepEqual(Object.keys(own.body.workloads?.[0]?.loses?.to ?? {}), ["queue", "ref"]);
    const others = await direct("namespace=team-b&name=merger", annToken);
    assert.deepEqual([others.status, others.body.error], [403, "this user may not get elasticjobs team-b/merger"]);
    assert.equal((await direct("namespace=team-a&name=mine", "not-a-token")).status, 401);
    await bind("team-b", "nuptse-job-viewer", "serviceaccount=team-a:ann");
    const named = await eventually("the new right to count", timeLimits.reaction, async () => {
      const { body } = await direct("namespace=team-a&name=mine", annToken);
      const to = body.workloads?.[0]?.loses?.to;
      return to !== undefined && "name" in to ? to : undefined;
    });
    assert.partialDeepStrictEqual(named, { kind: "ElasticJob", namespace: "team-b", name: "merger" });
  });

  it("only the leader's pod has the label by which its Service finds it", async () => {
    const labelled = await eventually("the label to move", timeLimits.reaction, async () => {
      const { items } = await cluster().client.list(pods, { namespace: home, labelSelector: `${labels.leader}=true` });
      return items.length === 1 && items[0]?.metadata.name === "nuptse-0" ? items : undefined;
    });
    assert.equal(labelled.length, 1);
  });

  it("with the operator away the plugin answers from status, and one line says so", async () => {
    await operator.kill();
    const { stdout, stderr } = await plugin("ann", "why", "mine", "-n", "team-a");
    assert.match(stderr, /^the operator cannot be asked for its place in the queue: [^\n]+\n$/);
    assert.match(stdout, /- Queue: run \S+ waits: waits for its share of the TenantQueue shared/);
    assert.doesNotMatch(stdout, /place/);
    const queue = await plugin("ann", "queue", "shared", "-n", "team-a");
    assert.match(queue.stderr, /^the operator cannot be asked, so figures are from status[^\n]+\n$/);
    assert.match(queue.stdout, /^shared +cpu/m);
  });
});
