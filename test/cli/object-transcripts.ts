import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { tidy } from "./kubectl.ts";
import type { Stage } from "./stages.ts";

/** What people do with workloads, Services and accounts where no controller runs; the same on every API server. */
export function describeObjectTranscripts(stage: () => Stage): void {
  const ok = (args: string, input?: string) => stage().kubectl.ok(args.split(" "), input);
  const fails = (args: string, input?: string) => stage().kubectl.fails(args.split(" "), input);
  const json = async (args: string) => JSON.parse(await ok(`${args} -o json`));
  const heads = async (args: string) => tidy(await ok(args))[0];
  const workload = (kind: string, name: string, more: object = {}) =>
    dump({
      apiVersion: "apps/v1",
      kind,
      metadata: { name },
      spec: {
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "busybox:1" }] } },
        ...more,
      },
    });

  describe("workloads", () => {
    it("create job and cronjob, and a job from a cronjob", async () => {
      assert.equal(await ok("create cronjob nightly-work --image=busybox:1 --schedule=@daily"), "cronjob.batch/nightly-work created\n");
      assert.equal(await ok("create job by-hand --from=cronjob/nightly-work"), "job.batch/by-hand created\n");
      assert.equal(await ok("create job alone --image=busybox:1 -- echo hello"), "job.batch/alone created\n");
      const { spec, metadata } = await json("get job alone");
      assert.deepEqual([spec.backoffLimit, spec.template.spec.restartPolicy, metadata.labels["job-name"]], [6, "Never", "alone"]);
      assert.equal(await heads("get job alone -o wide"), "NAME | STATUS | COMPLETIONS | DURATION | AGE | CONTAINERS | IMAGES | SELECTOR");
      const [, row = ""] = tidy(await ok("get cronjob nightly-work"));
      assert.match(row, /^nightly-work \| @daily \| <none> \| False \| \d \| <none> \| AGE$/);
      assert.match(await ok("describe job alone"), /Completions: +1\n/);
      await ok("delete job alone by-hand --wait=false");
      await ok("delete cronjob nightly-work --wait=false");
    });
    it("statefulsets and daemonsets are made, scaled, set and shown", async () => {
      assert.equal(
        await ok("apply -f -", workload("StatefulSet", "ordered", { serviceName: "ordered", replicas: 0 })),
        "statefulset.apps/ordered created\n",
      );
      assert.equal(await ok("scale sts ordered --replicas=0 --current-replicas=0"), "statefulset.apps/ordered scaled\n");
      assert.equal(await ok("set image sts/ordered main=busybox:2"), "statefulset.apps/ordered image updated\n");
      assert.equal(await heads("get sts -o wide"), "NAME | READY | AGE | CONTAINERS | IMAGES");
      assert.match(
        await fails("apply -f -", workload("StatefulSet", "ordered", { serviceName: "other", replicas: 0 })),
        /updates to statefulset spec for fields other than/,
      );
      assert.equal(await ok("apply -f -", workload("DaemonSet", "everywhere")), "daemonset.apps/everywhere created\n");
      assert.equal(
        await heads("get ds -o wide"),
        "NAME | DESIRED | CURRENT | READY | UP-TO-DATE | AVAILABLE | NODE SELECTOR | AGE | CONTAINERS | IMAGES | SELECTOR",
      );
      assert.match(await ok("describe ds everywhere"), /Selector: +app=everywhere\n/);
      await ok("delete sts,ds --all");
    });
    it("set changes resources, accounts and selectors", async () => {
      await ok("create deployment worn --image=busybox:1 --replicas=0");
      assert.equal(
        await ok("set resources deployment/worn --limits=cpu=200m,memory=64Mi"),
        "deployment.apps/worn resource requirements updated\n",
      );
      assert.equal(await ok("set serviceaccount deployment/worn builder"), "deployment.apps/worn serviceaccount updated\n");
      const pod = (await json("get deployment worn")).spec.template.spec;
      assert.deepEqual([pod.containers[0].resources.limits, pod.serviceAccountName], [{ cpu: "200m", memory: "64Mi" }, "builder"]);
      await ok("rollout pause deployment/worn");
      assert.equal((await json("get deployment worn")).spec.paused, true);
      assert.equal(await ok("rollout resume deployment/worn"), "deployment.apps/worn resumed\n");
    });
  });

  describe("services", () => {
    it("expose and create service give addresses, or none", async () => {
      await ok("create deployment shown --image=busybox:1 --replicas=0");
      assert.equal(await ok("expose deployment shown --port=80 --target-port=8080"), "service/shown exposed\n");
      await ok("create service clusterip bare --clusterip=None");
      await ok("create service nodeport outside --tcp=80:8080");
      await ok("create service externalname alias --external-name=db.example.test");
      const rows = tidy(await ok("get services shown bare outside alias"));
      assert.equal(rows[0], "NAME | TYPE | CLUSTER-IP | EXTERNAL-IP | PORT(S) | AGE");
      assert.match(rows[1] ?? "", /^shown \| ClusterIP \| 10\.96\.\d+\.\d+ \| <none> \| 80\/TCP \| AGE$/);
      assert.match(rows[2] ?? "", /^bare \| ClusterIP \| None \| <none> \| <none> \| AGE$/);
      assert.match(rows[3] ?? "", /^outside \| NodePort \| 10\.96\.\d+\.\d+ \| <none> \| 80:3\d{4}\/TCP \| AGE$/);
      assert.match(rows[4] ?? "", /^alias \| ExternalName \| <none> \| db\.example\.test \| <none> \| AGE$/);
      assert.equal(await ok("set selector service shown app=other"), "service/shown selector updated\n");
      assert.match(await ok("describe service shown"), /IP: +10\.96\./);
      await ok("delete service shown bare outside alias");
    });
  });

  describe("accounts and the rest", () => {
    it("create token, clusterrole and clusterrolebinding", async () => {
      await ok("create serviceaccount bearer");
      assert.match(await ok("create token bearer --duration=10m"), /^ey[\w-]+\.[\w-]+\.[\w-]+\n?$/);
      assert.match(await fails("create token nobody"), /serviceaccounts "nobody" not found/);
      assert.match(await fails("create token bearer --duration=1m"), /may not specify a duration less than 10 minutes/);
      assert.equal(
        await ok("create clusterrole transcript-reader --verb=get --resource=pods"),
        "clusterrole.rbac.authorization.k8s.io/transcript-reader created\n",
      );
      const bound = await ok(
        `create clusterrolebinding transcript-reader --clusterrole=transcript-reader --serviceaccount=${stage().namespace}:bearer`,
      );
      assert.equal(bound, "clusterrolebinding.rbac.authorization.k8s.io/transcript-reader created\n");
      await ok("delete clusterrolebinding,clusterrole transcript-reader");
    });
    it("api-versions and cluster-info", async () => {
      const versions = (await ok("api-versions")).split("\n");
      for (const version of ["v1", "apps/v1", "batch/v1", "admissionregistration.k8s.io/v1"])
        assert.ok(versions.includes(version), version);
      assert.match(await ok("cluster-info"), /Kubernetes control plane.* is running at .*https:\/\/127\.0\.0\.1:/);
    });
    it("apply -k applies what a kustomization names", async () => {
      const { kubectl } = stage();
      await kubectl.file("kustom/kustomization.yaml", "namePrefix: k-\nresources: [map.yaml]\n");
      const path = await kubectl.file(
        "kustom/map.yaml",
        dump({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "map" }, data: { a: "1" } }),
      );
      assert.equal(await ok(`apply -k ${path.replace("/map.yaml", "")}`), "configmap/k-map created\n");
    });
    it("get -w tells what comes", async () => {
      const { kubectl } = stage();
      const watching = kubectl.start(["get", "configmaps", "-w", "-o", "name", "--field-selector=metadata.name=watched"]);
      try {
        await ok("create configmap watched --from-literal=a=1");
        assert.equal(await watching.line(), "configmap/watched");
        await ok("label configmap watched seen=yes");
        assert.equal(await watching.line(), "configmap/watched");
      } finally {
        await watching.stop();
      }
    });
    it("a finalizer that nobody removes keeps its object, and says since when", async () => {
      const held = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "stuck", finalizers: ["example.test/never"] } };
      await ok("create -f -", dump(held));
      assert.match(await fails("delete configmap stuck --timeout=2s"), /timed out waiting for the condition/);
      assert.match(await ok("get configmap stuck -o jsonpath={.metadata.deletionTimestamp}"), /^20/);
      await ok('patch configmap stuck --type=merge -p {"metadata":{"finalizers":null}}');
      assert.match(await fails("get configmap stuck"), /NotFound/);
    });
  });
}
