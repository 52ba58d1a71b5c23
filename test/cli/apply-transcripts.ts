import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { dump } from "js-yaml";
import { tidy, whenEstablished } from "./kubectl.ts";
import type { Stage } from "./stages.ts";

const configMap = (name: string, value = "1", labels: object = {}) =>
  dump({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data: { a: value } });

/** What people hand over as files, and the kinds that sub-commands make; the same on every API server. */
export function describeApplyTranscripts(stage: () => Stage): void {
  const ok = (args: string, input?: string) => stage().kubectl.ok(args.split(" "), input);
  const run = (args: string, input?: string) => stage().kubectl.run(args.split(" "), input);
  const json = async (args: string) => JSON.parse(await ok(`${args} -o json`));

  describe("files", () => {
    it("apply takes many documents, and all of a folder with -R", async () => {
      assert.equal(
        await ok("apply -f -", `${configMap("doc-1")}---\n${configMap("doc-2")}`),
        "configmap/doc-1 created\nconfigmap/doc-2 created\n",
      );
      const { kubectl } = stage();
      const path = await kubectl.file("tree/a.yaml", configMap("tree-a"));
      await kubectl.file("tree/deep/b.yaml", configMap("tree-b"));
      assert.equal(await ok(`apply -R -f ${dirname(path)}`), "configmap/tree-a created\nconfigmap/tree-b created\n");
      assert.match(await ok(`delete -R -f ${dirname(path)}`), /^configmap "tree-a" deleted.*\nconfigmap "tree-b" deleted/);
    });
    it("a definition and an object of it in one call: the definition is made, the object the second time", async () => {
      const definition = (await readFile(new URL("testdata/widgets.yaml", import.meta.url), "utf8"))
        .replaceAll("test.nuptse.dev", "both.nuptse.dev")
        .replace("shortNames: [wd]", "shortNames: [bw]");
      const object = dump({ apiVersion: "both.nuptse.dev/v1", kind: "Widget", metadata: { name: "second" }, spec: {} });
      const first = await run("apply -f -", `${definition}\n---\n${object}`);
      assert.deepEqual([first.code, first.stdout], [1, "customresourcedefinition.apiextensions.k8s.io/widgets.both.nuptse.dev created\n"]);
      assert.match(first.stderr, /no matches for kind "Widget" in version "both\.nuptse\.dev\/v1"\nensure CRDs are installed first/);
      await whenEstablished(stage().kubectl, "widgets.both.nuptse.dev");
      assert.match(await ok("apply -f -", `${definition}\n---\n${object}`), /\nwidget\.both\.nuptse\.dev\/second created\n$/);
      await ok("delete crd widgets.both.nuptse.dev");
    });
    it("apply after create warns, and goes on", async () => {
      await ok("create -f -", configMap("made-first"));
      const { code, stdout, stderr } = await run("apply -f -", configMap("made-first", "2"));
      assert.deepEqual([code, stdout], [0, "configmap/made-first configured\n"]);
      assert.match(stderr, /^Warning: resource configmaps\/made-first is missing the kubectl\.kubernetes\.io\/last-applied-configuration/);
      assert.deepEqual((await json("get configmap made-first")).data, { a: "2" });
    });
    it("what was applied last can be seen and set", async () => {
      await ok("create -f -", configMap("remembered"));
      assert.equal(
        await ok("apply set-last-applied --create-annotation -f -", configMap("remembered")),
        "configmap/remembered configured\n",
      );
      const seen = JSON.parse(await ok("apply view-last-applied configmap remembered -o json"));
      assert.deepEqual([seen.metadata.name, seen.data], ["remembered", { a: "1" }]);
    });
    for (const [which, flag] of [
      ["of the kinds that are named", " --prune-allowlist=core/v1/ConfigMap"],
      ["of the usual kinds", ""],
    ] as const) {
      it(`apply --prune deletes what is no longer among the files, ${which}`, async () => {
        const set = flag === "" ? "usual" : "named";
        const [kept, goes] = [configMap(`${set}-kept`, "1", { set }), configMap(`${set}-goes`, "1", { set })];
        await ok("apply -f -", `${kept}---\n${goes}`);
        const applied = await ok(`apply --prune -l set=${set}${flag} -f -`, kept);
        assert.equal(applied, `configmap/${set}-kept unchanged\nconfigmap/${set}-goes pruned\n`);
        assert.equal(await ok(`get configmaps -l set=${set} -o name`), `configmap/${set}-kept\n`);
      });
    }
    it("replace --force deletes and makes anew", async () => {
      await ok("create -f -", configMap("forced"));
      const uid = (await json("get configmap forced")).metadata.uid;
      assert.match(
        await ok("replace --force -f -", configMap("forced", "2")),
        /^configmap "forced" deleted.*\nconfigmap\/forced replaced\n$/,
      );
      const { data, metadata } = await json("get configmap forced");
      assert.deepEqual([data, metadata.uid === uid], [{ a: "2" }, false]);
    });
    it("auth reconcile adds what a role lacks", async () => {
      const role = (...verbs: readonly string[]) =>
        dump({
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "Role",
          metadata: { name: "reconciled", namespace: stage().namespace },
          rules: [{ apiGroups: [""], resources: ["pods"], verbs }],
        });
      for (const verb of ["get", "list"])
        assert.match(await ok("auth reconcile -f -", role(verb)), /^role\.rbac\.authorization\.k8s\.io\/reconciled reconciled\n/);
      const { rules } = await json("get role reconciled");
      assert.deepEqual(rules.flatMap((rule: { readonly verbs: readonly string[] }) => rule.verbs).sort(), ["get", "list"]);
    });
  });

  describe("create and autoscale, of kinds that are rarer", () => {
    it("makes ingresses, priority classes and the secrets of registries", async () => {
      assert.equal(await ok("create ingress front --rule=shop.example.test/cart*=shop:80"), "ingress.networking.k8s.io/front created\n");
      const [rule] = (await json("get ingress front")).spec.rules;
      assert.deepEqual(
        [rule.host, rule.http.paths[0].path, rule.http.paths[0].backend],
        ["shop.example.test", "/cart", { service: { name: "shop", port: { number: 80 } } }],
      );
      assert.equal(
        await ok("create priorityclass transcript-high --value=1000"),
        "priorityclass.scheduling.k8s.io/transcript-high created\n",
      );
      assert.equal((await json("get priorityclass transcript-high")).value, 1000);
      await ok("delete priorityclass transcript-high");
      assert.equal(
        await ok("create secret docker-registry pull --docker-server=registry.example.test --docker-username=u --docker-password=p"),
        "secret/pull created\n",
      );
      assert.equal((await json("get secret pull")).type, "kubernetes.io/dockerconfigjson");
      assert.equal(await ok("create service loadbalancer balanced --tcp=80:8080"), "service/balanced created\n");
      const [, row = ""] = tidy(await ok("get service balanced"));
      assert.match(row, /^balanced \| LoadBalancer \| 10\.96\.\d+\.\d+ \| <pending> \| 80:3\d{4}\/TCP \| AGE$/);
      await ok("delete service balanced");
    });
    it("autoscale makes a HorizontalPodAutoscaler", async () => {
      await ok("create deployment by-load --image=busybox:1 --replicas=0");
      assert.equal(await ok("autoscale deployment by-load --min=1 --max=3"), "horizontalpodautoscaler.autoscaling/by-load autoscaled\n");
      const { spec } = await json("get hpa by-load");
      assert.deepEqual(
        [spec.minReplicas, spec.maxReplicas, spec.scaleTargetRef],
        [1, 3, { apiVersion: "apps/v1", kind: "Deployment", name: "by-load" }],
      );
      await ok("delete hpa by-load");
    });
    it("a ReplicationController and a PersistentVolume are kept", async () => {
      const template = { metadata: { labels: { app: "old" } }, spec: { containers: [{ name: "main", image: "busybox:1" }] } };
      const old = { apiVersion: "v1", kind: "ReplicationController", metadata: { name: "old" }, spec: { replicas: 0, template } };
      assert.equal(await ok("apply -f -", dump(old)), "replicationcontroller/old created\n");
      assert.deepEqual((await json("get rc old")).spec.selector, { app: "old" });
      await ok("delete rc old");
      const spec = { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/somewhere" } };
      const volume = { apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "transcript-volume" }, spec };
      assert.equal(await ok("apply -f -", dump(volume)), "persistentvolume/transcript-volume created\n");
      const made = await json("get pv transcript-volume");
      assert.deepEqual(
        [made.spec.persistentVolumeReclaimPolicy, made.spec.volumeMode, made.status.phase],
        ["Retain", "Filesystem", "Pending"],
      );
      await ok("delete pv transcript-volume --wait=false");
    });
  });
}
