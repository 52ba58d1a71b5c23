import assert from "node:assert/strict";
import { dump } from "js-yaml";
import type { Stage } from "./stages.ts";

/** What people do with built-in kinds, most of which typed clients send in protobuf; the same on every API server. */
export function describeBuiltinTranscripts(stage: () => Stage): void {
  const ok = (args: string, input?: string) => stage().kubectl.ok(args.split(" "), input);
  const fails = (args: string, input?: string) => stage().kubectl.fails(args.split(" "), input);
  const json = async (args: string) => JSON.parse(await ok(`${args} -o json`));

  describe("create with a sub-command", () => {
    it("makes a namespace, and deletes it", async () => {
      assert.equal(await ok("create namespace made-here"), "namespace/made-here created\n");
      assert.match(await fails("create namespace made-here"), /\(AlreadyExists\)/);
      assert.match(await fails("create namespace Not_Here"), /Invalid value: "Not_Here"/);
      await ok("delete namespace made-here --wait=false");
    });
    it("makes configmaps and secrets, with what they hold", async () => {
      assert.equal(await ok("create configmap made --from-literal=a=1 --from-literal=b=two"), "configmap/made created\n");
      assert.deepEqual((await json("get configmap made")).data, { a: "1", b: "two" });
      assert.equal(await ok("create secret generic made --from-literal=password=hush"), "secret/made created\n");
      const secret = await json("get secret made");
      assert.deepEqual([secret.type, secret.data], ["Opaque", { password: "aHVzaA==" }]);
    });
    it("makes a deployment, also of no replicas", async () => {
      assert.equal(await ok("create deployment made --image=busybox:1 --replicas=0 -- sleep 9"), "deployment.apps/made created\n");
      const { spec } = await json("get deployment made");
      const [container] = spec.template.spec.containers;
      assert.deepEqual(
        [spec.replicas, spec.selector.matchLabels, container.image, container.command],
        [0, { app: "made" }, "busybox:1", ["sleep", "9"]],
      );
    });
    it("makes roles and their bindings, quotas, budgets, accounts and services", async () => {
      assert.equal(await ok("create serviceaccount made"), "serviceaccount/made created\n");
      assert.equal(await ok("create role made --verb=get,list --resource=pods,pods/log"), "role.rbac.authorization.k8s.io/made created\n");
      const bound = await ok(`create rolebinding made --role=made --serviceaccount=${stage().namespace}:made`);
      assert.equal(bound, "rolebinding.rbac.authorization.k8s.io/made created\n");
      assert.deepEqual((await json("get role made")).rules, [{ apiGroups: [""], resources: ["pods", "pods/log"], verbs: ["get", "list"] }]);
      assert.equal(await ok("create quota made --hard=configmaps=1000"), "resourcequota/made created\n");
      assert.equal(await ok("create pdb made --selector=app=made --min-available=50%"), "poddisruptionbudget.policy/made created\n");
      assert.equal((await json("get pdb made")).spec.minAvailable, "50%");
      assert.equal(await ok("create service clusterip made --tcp=80:8080"), "service/made created\n");
      const [port] = (await json("get service made")).spec.ports;
      assert.deepEqual([port.port, port.targetPort], [80, 8080]);
    });
  });

  describe("changing built-in kinds", () => {
    const deployment = (image: string, replicas: number) =>
      dump({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web" },
        spec: {
          replicas,
          selector: { matchLabels: { app: "web" } },
          template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image }] } },
        },
      });
    const image = async () => (await json("get deployment web")).spec.template.spec.containers.map((each: { image: string }) => each.image);

    it("apply, set, patch, scale, edit and rollout restart change a deployment", async () => {
      assert.equal(await ok("apply -f -", deployment("busybox:1", 0)), "deployment.apps/web created\n");
      assert.equal(await ok("apply -f -", deployment("busybox:1", 0)), "deployment.apps/web unchanged\n");
      assert.equal(await ok("apply -f -", deployment("busybox:2", 0)), "deployment.apps/web configured\n");
      assert.deepEqual(await image(), ["busybox:2"]);
      assert.equal(await ok("set image deployment/web main=busybox:3"), "deployment.apps/web image updated\n");
      assert.deepEqual(await image(), ["busybox:3"]);
      const side = JSON.stringify({ spec: { template: { spec: { containers: [{ name: "side", image: "busybox:4" }] } } } });
      assert.equal(await ok(`patch deployment web -p ${side}`), "deployment.apps/web patched\n");
      assert.deepEqual(await image(), ["busybox:4", "busybox:3"]);
      assert.equal(await ok("scale deployment web --replicas=0"), "deployment.apps/web scaled\n");
      assert.equal(await ok("set env deployment/web -c main A=1"), "deployment.apps/web env updated\n");
      await stage().kubectl.file("editor", '#!/bin/sh\nsed -i "s/busybox:3/busybox:5/" "$1"\n');
      assert.equal(await ok("edit deployment web"), "deployment.apps/web edited\n");
      assert.deepEqual(await image(), ["busybox:4", "busybox:5"]);
      assert.equal(await ok("rollout restart deployment/web"), "deployment.apps/web restarted\n");
      const { annotations } = (await json("get deployment web")).spec.template.metadata;
      assert.match(annotations["kubectl.kubernetes.io/restartedAt"], /^20/);
    });
    it("cordon, taint, label and uncordon change a node", async () => {
      await ok("create -f -", dump({ apiVersion: "v1", kind: "Node", metadata: { name: "transcript-node" } }));
      assert.equal(await ok("cordon transcript-node"), "node/transcript-node cordoned\n");
      assert.equal((await json("get node transcript-node")).spec.unschedulable, true);
      assert.equal(await ok("taint node transcript-node team=a:NoSchedule"), "node/transcript-node tainted\n");
      assert.ok((await json("get node transcript-node")).spec.taints.some((taint: { key: string }) => taint.key === "team"));
      assert.equal(await ok("taint node transcript-node team-"), "node/transcript-node untainted\n");
      assert.equal(await ok("label node transcript-node zone=z1"), "node/transcript-node labeled\n");
      assert.equal(await ok("uncordon transcript-node"), "node/transcript-node uncordoned\n");
      assert.equal((await json("get node transcript-node")).spec.unschedulable, undefined);
      await ok("delete node transcript-node");
    });
    it("drain evicts the pods of a node", async () => {
      await ok("create -f -", dump({ apiVersion: "v1", kind: "Node", metadata: { name: "drained" } }));
      const spec = { nodeName: "drained", terminationGracePeriodSeconds: 0, containers: [{ name: "main", image: "x" }] };
      await ok("create -f -", dump({ apiVersion: "v1", kind: "Pod", metadata: { name: "drained", labels: { app: "drained" } }, spec }));
      const said = await stage().kubectl.run(["drain", "drained", "--force", "--grace-period=0", "--timeout=30s"]);
      assert.match(said.stdout, /evicting pod .*\/drained\npod\/drained evicted\nnode\/drained drained\n/);
      assert.match(await fails("get pod drained"), /NotFound/);
      await ok("delete node drained");
    });
  });

  describe("auth", () => {
    it("can-i asks for oneself and for others", async () => {
      assert.equal(await ok("auth can-i delete pods"), "yes\n");
      await ok("create role reader --verb=get --resource=pods");
      await ok("create rolebinding reader --role=reader --user=alice");
      const asAlice = async (what: string) => (await stage().kubectl.run(["auth", "can-i", ...what.split(" "), "--as=alice"])).stdout;
      assert.equal(await asAlice("get pods"), "yes\n");
      assert.equal(await asAlice("delete pods"), "no\n");
      assert.equal(await asAlice("get pods --subresource=log"), "no\n");
    });
  });
}
