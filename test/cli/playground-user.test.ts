import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { addPlaygroundUser, userKubeconfig } from "../../src/simulator/harness/playground-user.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { usePlayground } from "./stages.ts";

/** Users of few rights, and the policies that the playground ships, as the real kubectl sees them. */
describe("a user of the playground", function () {
  this.timeout(60_000);
  const stage = usePlayground({ kubelet: "stages", policies: true });
  let admin: Kubectl;
  let alice: Kubectl;

  before(async () => {
    const { kubectl, kubeconfig, playground } = stage();
    admin = kubectl;
    const user = { name: "alice", roles: ["job-operator", "job-author"], namespace: "default", token: "token-of-alice" };
    await addPlaygroundUser(playground.client, user);
    const tools = await ensureBinaries(["kubectl"]);
    alice = await createKubectl(tools.kubectl, userKubeconfig(kubeconfig, user));
  });
  after(() => alice?.close());

  const words = (text: string): string[] => text.split(" ");
  const pod = (name: string, labels: object, spec: object = {}) =>
    dump({ apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: { containers: [{ name: "main", image: "x" }], ...spec } });

  it("is who the token says, and may what the roles say, in the namespace", async () => {
    assert.match(await alice.ok(words("auth whoami")), /Username +alice/);
    assert.equal(await alice.ok(words("auth can-i list elasticjobs")), "yes\n");
    assert.equal((await alice.run(words("auth can-i delete nodes"))).stdout.trim(), "no");
    assert.equal(await alice.ok(words("get elasticjobs -o name")), "");
  });
  it("is refused the rest in the words of a real server", async () => {
    assert.equal(
      await alice.fails(words("get secrets")),
      'Error from server (Forbidden): secrets is forbidden: User "alice" cannot list resource "secrets" in API group "" in the namespace "default"\n',
    );
    assert.equal(
      await alice.fails(words("get elasticjobs -n kube-system")),
      'Error from server (Forbidden): elasticjobs.nuptse.dev is forbidden: User "alice" cannot list resource "elasticjobs" in API group "nuptse.dev" in the namespace "kube-system"\n',
    );
    assert.match(await alice.fails(words("get nodes")), /cannot list resource "nodes" in API group "" at the cluster scope/);
    assert.match(await alice.fails(words("get pods --as=bob")), /User "alice" cannot impersonate resource "users"/);
  });
  it("asks in no other name: the shipped policy says so", async () => {
    const request = (requestedBy: string) =>
      dump({
        apiVersion: "nuptse.dev/v1alpha1",
        kind: "JobRequest",
        metadata: { generateName: "trigger-" },
        spec: { jobName: "nightly", requestedBy, run: {} },
      });
    assert.match(await alice.fails(words("create -f -"), request("mallory")), /must be the name of the user who asks: alice/);
    assert.match(await alice.ok(words("create -f -"), request("alice")), /created/);
  });
  it("pods of a queue begin with its gate, which only who may admit takes away", async () => {
    const role = {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "pods" },
      rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["*"] }],
    };
    await admin.ok(words("create -f -"), dump(role));
    await admin.ok(words("create rolebinding pods --role=pods --user=alice"));
    await alice.ok(words("create -f -"), pod("queued", { "nuptse.dev/queue": "team-a" }));
    assert.equal(await alice.ok(words("get pod queued -o jsonpath={.spec.schedulingGates[*].name}")), "nuptse.dev/queue");
    const open = ["patch", "pod", "queued", "--type=json", "-p", '[{"op":"remove","path":"/spec/schedulingGates"}]'];
    assert.match(await alice.fails(open), /is taken away by the operator once the queue admits the pod/);
    assert.match(await alice.fails(words("label pod queued nuptse.dev/queue-")), /cannot be changed on a pod that has not ended/);
    assert.match(await admin.ok(open), /patched/);
    await alice.ok(words("create -f -"), pod("free", {}));
    assert.equal(await alice.ok(words("get pod free -o jsonpath={.spec.schedulingGates}")), "");
  });
  it("a role that is not there is refused, with those that are", async () => {
    await assert.rejects(
      addPlaygroundUser(stage().playground.client, { name: "bob", roles: ["king"], token: "t" }),
      /--role: there is no ClusterRole "king"; there are: .*nuptse-job-operator/,
    );
  });
});
