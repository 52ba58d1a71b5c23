import assert from "node:assert/strict";
import { tidy } from "./kubectl.ts";
import type { Stage } from "./transcripts.ts";

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

  describe("auth", () => {
    it("can-i asks for oneself and for others", async () => {
      assert.equal(await ok("auth can-i delete pods"), "yes\n");
      await ok("create role reader --verb=get --resource=pods");
      await ok("create rolebinding reader --role=reader --user=alice");
      const asAlice = async (what: string) => (await stage().kubectl.run(["auth", "can-i", ...what.split(" "), "--as=alice"])).stdout;
      assert.equal(await asAlice("get pods"), "yes\n");
      assert.equal(await asAlice("delete pods"), "no\n");
      assert.equal(await asAlice("get pods/log"), "no\n");
    });
  });
}
