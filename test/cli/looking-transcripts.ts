import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { tidy } from "./kubectl.ts";
import type { Stage } from "./stages.ts";

const configMap = (name: string, labels: object = {}) =>
  dump({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data: { a: "1" } });

/** What people look at, and wait for, where no controller runs; the same on every API server. */
export function describeLookingTranscripts(stage: () => Stage): void {
  const ok = (args: string, input?: string) => stage().kubectl.ok(args.split(" "), input);
  const fails = (args: string, input?: string) => stage().kubectl.fails(args.split(" "), input);

  describe("looking", () => {
    it("get takes several kinds, all namespaces, columns of labels and templates", async () => {
      await ok("create -f -", configMap("looked-at", { tier: "a" }));
      await ok("create secret generic looked-at --from-literal=a=1");
      assert.equal(await ok("get configmap/looked-at secret/looked-at -o name"), "configmap/looked-at\nsecret/looked-at\n");
      assert.deepEqual(tidy(await ok("get configmaps -A --field-selector=metadata.name=looked-at")), [
        "NAMESPACE | NAME | DATA | AGE",
        `${stage().namespace} | looked-at | 1 | AGE`,
      ]);
      assert.deepEqual(tidy(await ok("get configmap looked-at -L tier")), ["NAME | DATA | AGE | TIER", "looked-at | 1 | AGE | a"]);
      assert.equal(await ok("get configmap looked-at -o go-template={{.data.a}}"), "1");
      assert.equal(await ok("get configmap nobody --ignore-not-found"), "");
    });
    it("get all is what is in the category", async () => {
      await ok("create deployment of-all --image=busybox:1 --replicas=0");
      await ok("label deployment of-all set=all");
      await ok("create -f -", configMap("not-of-all", { set: "all" }));
      assert.equal(await ok("get all -l set=all -o name"), "deployment.apps/of-all\n");
    });
    it("get tells who owns fields only when it is asked to", async () => {
      await ok("create configmap owned-by --from-literal=a=1");
      const seen = async (more: string) => JSON.parse(await ok(`get configmap owned-by -o json${more}`)).metadata.managedFields;
      assert.equal(await seen(""), undefined);
      const [entry] = await seen(" --show-managed-fields");
      assert.deepEqual([entry.manager, entry.operation, entry.fieldsType], ["kubectl-create", "Update", "FieldsV1"]);
    });
    it("get --watch-only leaves out what there is", async () => {
      const { kubectl } = stage();
      await ok("create -f -", configMap("seen-later"));
      const path = '{.metadata.labels.turn}{"\\n"}';
      const watching = kubectl.start(["get", "configmap", "seen-later", "--watch-only", "-o", `jsonpath=${path}`]);
      try {
        let isOver = false;
        const line = watching.line().finally(() => {
          isOver = true;
        });
        // it does not say when it has begun to watch
        for (let turn = 0; !isOver; turn++) await ok(`label configmap seen-later turn=t${turn} --overwrite`);
        assert.match(await line, /^t\d+$/);
      } finally {
        await watching.stop();
      }
    });
    it("events -w tells what comes", async () => {
      const { kubectl, namespace } = stage();
      await ok("create -f -", configMap("told-of"));
      const told = (name: string, reason: string) =>
        dump({
          apiVersion: "v1",
          kind: "Event",
          metadata: { name, namespace },
          involvedObject: { apiVersion: "v1", kind: "ConfigMap", namespace, name: "told-of" },
          reason,
          message: "it is told",
          type: "Normal",
          lastTimestamp: new Date().toISOString().replace(/\.\d+/, ""),
        });
      await ok("create -f -", told("told-of.1", "Before"));
      const watching = kubectl.start(["events", "--for=configmap/told-of", "--watch", "--no-headers"]);
      try {
        assert.match(await watching.line(), /Normal +Before +ConfigMap\/told-of +it is told/);
        await ok("create -f -", told("told-of.2", "After"));
        assert.match(await watching.line(), /Normal +After +ConfigMap\/told-of +it is told/);
      } finally {
        await watching.stop();
      }
    });
    it("describe tells of deployments, nodes, namespaces and several at once", async () => {
      await ok("create deployment told --image=busybox:1 --replicas=0");
      const deployment = await ok("describe deployment told");
      assert.match(
        deployment,
        /Replicas: +0 desired \| 0 updated \| 0 total \| 0 available \| 0 unavailable\nStrategyType: +RollingUpdate\n/,
      );
      assert.match(deployment, /Containers:\n +busybox:\n +Image: +busybox:1\n/);
      await ok("create -f -", dump({ apiVersion: "v1", kind: "Node", metadata: { name: "told-node" } }));
      const node = await ok("describe node told-node");
      assert.match(node, /Name: +told-node\n/);
      assert.match(node, /Unschedulable: +false\n/);
      assert.match(node, /Non-terminated Pods: +\(0 in total\)\n/);
      await ok("delete node told-node");
      assert.match(await ok("describe namespace kube-public"), /Status: +Active\n\nNo resource quota\.\n\nNo LimitRange resource\.\n/);
      for (const name of ["told-1", "told-2"]) await ok("create -f -", configMap(name, { set: "told" }));
      assert.deepEqual((await ok("describe configmaps -l set=told")).match(/^Name: .*$/gm), [
        "Name:         told-1",
        "Name:         told-2",
      ]);
    });
    it("get shows kinds of the network, of storage, of scaling and of access by their columns", async () => {
      await ok("create pdb columns --selector=app=x --min-available=1");
      await ok("create rolebinding columns --role=none --user=u --group=g --serviceaccount=default:s");
      await ok("create ingress columns --class=c --rule=a.example.test/=shop:80 --rule=b.example.test/=shop:80");
      await ok("create deployment columns --image=busybox:1 --replicas=0");
      await ok("autoscale deployment columns --min=1 --max=3");
      const { kubectl } = stage();
      const object = (apiVersion: string, kind: string, spec: object) =>
        kubectl.ok(["create", "-f", "-"], dump({ apiVersion, kind, metadata: { name: "columns" }, spec }));
      await object("networking.k8s.io/v1", "NetworkPolicy", { podSelector: { matchLabels: { app: "x" } } });
      const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, storageClassName: "slow" };
      await object("v1", "PersistentVolumeClaim", claim);
      const wants: Readonly<Record<string, readonly [string, string]>> = {
        "pdb columns": ["NAME | MIN AVAILABLE | MAX UNAVAILABLE | ALLOWED DISRUPTIONS | AGE", "columns | 1 | N/A | 0 | AGE"],
        "rolebinding columns -o wide": [
          "NAME | ROLE | AGE | USERS | GROUPS | SERVICEACCOUNTS",
          "columns | Role/none | AGE | u | g | default/s",
        ],
        "ingress columns": ["NAME | CLASS | HOSTS | ADDRESS | PORTS | AGE", "columns | c | a.example.test,b.example.test | 80 | AGE"],
        "hpa columns": [
          "NAME | REFERENCE | TARGETS | MINPODS | MAXPODS | REPLICAS | AGE",
          "columns | Deployment/columns | cpu: <unknown>/80% | 1 | 3 | 0 | AGE",
        ],
        "networkpolicy columns": ["NAME | POD-SELECTOR | AGE", "columns | app=x | AGE"],
        "pvc columns": [
          "NAME | STATUS | VOLUME | CAPACITY | ACCESS MODES | STORAGECLASS | VOLUMEATTRIBUTESCLASS | AGE",
          "columns | Pending | slow | <unset> | AGE",
        ],
      };
      for (const [what, want] of Object.entries(wants)) assert.deepEqual(tidy(await ok(`get ${what}`)), want, what);
      await ok("delete pdb,rolebinding,ingress,hpa,deployment,networkpolicy,pvc columns --wait=false");
    });
    it("version and top", async () => {
      assert.match(await ok("version"), /Server Version: v1\.36\./);
      assert.equal(await fails("top pods"), "error: Metrics API not available\n");
    });
    it("proxy hands requests on with the user's rights", async () => {
      await ok("create -f -", configMap("behind-proxy"));
      const proxy = stage().kubectl.start(["proxy", "--port=0"]);
      try {
        const address = /^Starting to serve on (127\.0\.0\.1:\d+)$/.exec(await proxy.line())?.[1];
        const response = await fetch(`http://${address}/api/v1/namespaces/${stage().namespace}/configmaps/behind-proxy`);
        const { data } = (await response.json()) as { readonly data: object };
        assert.deepEqual([response.status, data], [200, { a: "1" }]);
      } finally {
        await proxy.stop();
      }
    });
  });

  describe("waiting for what is not there", () => {
    it("wait --for=create sees it come", async () => {
      const waiting = stage().kubectl.start(["wait", "configmap/yet-to-come", "--for=create", "--timeout=30s"]);
      await ok("create -f -", configMap("yet-to-come"));
      assert.deepEqual(await waiting.ended(), { code: 0, stdout: "configmap/yet-to-come condition met\n", stderr: "" });
    });
    it("wait gives up in time, and says what for", async () => {
      await ok("create -f -", configMap("never-so"));
      assert.match(
        await fails("wait configmap/never-so --for=jsonpath={.data.a}=2 --timeout=1s"),
        /timed out waiting for the condition on configmaps\/never-so/,
      );
    });
  });

  describe("somebody else", () => {
    it("is who --as says, and may what the roles say", async () => {
      await ok("create role looker --verb=get,list --resource=configmaps");
      await ok("create rolebinding looker --role=looker --user=lily");
      assert.deepEqual(tidy(await ok("auth whoami --as=lily")), [
        "ATTRIBUTE | VALUE",
        "Username | lily",
        "Groups | [system:authenticated]",
      ]);
      // a real server's rights follow its roles after a moment
      await eventually("the role to hold", timeLimits.reaction, async () => {
        const rights = await ok("auth can-i --list --as=lily");
        return /^configmaps +\[\] +\[\] +\[get list\]$/m.test(rights) && /^selfsubjectreviews\.authentication\.k8s\.io +/m.test(rights);
      });
      await ok("create -f -", configMap("for-lily"));
      assert.equal(await ok("get configmap for-lily -o name --as=lily"), "configmap/for-lily\n");
      assert.equal(
        await fails("delete configmap for-lily --as=lily"),
        `Error from server (Forbidden): configmaps "for-lily" is forbidden: User "lily" cannot delete resource "configmaps" in API group "" in the namespace "${stage().namespace}"\n`,
      );
    });
  });
}
