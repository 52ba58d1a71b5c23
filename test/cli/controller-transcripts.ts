import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { tidy } from "./kubectl.ts";
import type { Stage } from "./stages.ts";

const patience = "--timeout=60s";
const sleeping = ["sleep", "600"];

const workload = (kind: "DaemonSet" | "StatefulSet", name: string, more: object = {}) =>
  dump({
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "main", image: "busybox:1", command: sleeping }] },
      },
      ...more,
    },
  });

/** What people do where controllers and kubelets are at work, on two nodes "node-1" and "node-2"; the same on every cluster. */
export function describeControllerTranscripts(stage: () => Stage): void {
  const words = (args: string) => args.split(" ");
  const ok = (args: string, input?: string) => stage().kubectl.ok(words(args), input);
  const fails = (args: string) => stage().kubectl.fails(words(args));
  const imageOf = (what: string) => ok(`get ${what} -o jsonpath={.spec.template.spec.containers[0].image}`);
  /** The heads, then a revision a line and what it was made for. */
  const historyOf = async (what: string) => tidy((await ok(`rollout history ${what}`)).trim()).slice(1);

  describe("rollout of a Deployment", () => {
    before(async () => {
      await ok("create deployment web --image=busybox:1 --replicas=2 -- sleep 600");
      const patch = { spec: { template: { spec: { terminationGracePeriodSeconds: 0 } } } };
      await ok(`patch deployment web -p ${JSON.stringify(patch)}`);
    });
    after(() => ok("delete deployment web --timeout=60s"));

    it("status waits until it is rolled out", async () => {
      assert.match(await ok(`rollout status deployment/web ${patience}`), /deployment "web" successfully rolled out\n$/);
      assert.deepEqual(tidy(await ok("get deployment web")), ["NAME | READY | UP-TO-DATE | AVAILABLE | AGE", "web | 2/2 | 2 | 2 | AGE"]);
      assert.match(await ok("describe deployment web"), /Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable\n/);
    });
    it("history tells of revisions, and shows one of them", async () => {
      const before = await historyOf("deployment/web");
      await ok("set image deployment/web busybox=busybox:2");
      await ok(`rollout status deployment/web ${patience}`);
      const [last = ""] = before.slice(-1);
      const revision = Number(/^(\d+)/.exec(last)?.[1]) + 1;
      assert.deepEqual(await historyOf("deployment/web"), [...before, `${revision} | <none>`]);
      const shown = await ok(`rollout history deployment/web --revision=${revision}`);
      assert.match(shown, new RegExp(`^deployment\\.apps/web with revision #${revision}\nPod Template:\n +Labels:`));
      assert.match(shown, /Image:\tbusybox:2\n/);
      assert.match(await fails("rollout history deployment/web --revision=99"), /unable to find the specified revision/);
    });
    it("undo goes back to the one before, or to the one that is named", async () => {
      assert.equal(await imageOf("deployment/web"), "busybox:2");
      assert.equal(await ok("rollout undo deployment/web"), "deployment.apps/web rolled back\n");
      await ok(`rollout status deployment/web ${patience}`);
      assert.equal(await imageOf("deployment/web"), "busybox:1");
      const revisions = (await historyOf("deployment/web")).map((line) => Number(/^\d+/.exec(line)?.[0]));
      assert.equal(await ok(`rollout undo deployment/web --to-revision=${revisions.at(-2)}`), "deployment.apps/web rolled back\n");
      await ok(`rollout status deployment/web ${patience}`);
      assert.equal(await imageOf("deployment/web"), "busybox:2");
      assert.match(await fails("rollout undo deployment/web --to-revision=99"), /unable to find specified revision 99 in history/);
    });
    it("a paused one goes nowhere, until it is resumed", async () => {
      assert.equal(await ok("rollout pause deployment/web"), "deployment.apps/web paused\n");
      assert.match(await fails("rollout undo deployment/web"), /(cannot|unable to) rollback a paused deployment; resume it first/i);
      await ok("set image deployment/web busybox=busybox:3");
      assert.match(await fails("rollout status deployment/web --timeout=2s"), /timed out waiting for the condition/);
      await ok("rollout resume deployment/web");
      assert.match(await ok(`rollout status deployment/web ${patience}`), /successfully rolled out/);
    });
    it("restart replaces its pods", async () => {
      const pods = () => ok("get pods -l app=web -o name --field-selector=status.phase=Running");
      const before = (await pods()).trim().split("\n");
      await ok("rollout restart deployment/web");
      await ok(`rollout status deployment/web ${patience}`);
      await eventually("the old pods to be gone", timeLimits.reaction, async () => {
        const now = await pods();
        return !before.some((pod) => now.includes(pod));
      });
    });
    it("scale and wait", async () => {
      await ok("scale deployment web --replicas=3");
      assert.match(await ok(`wait deployment/web --for=jsonpath={.status.availableReplicas}=3 ${patience}`), /condition met/);
      assert.match(await ok(`wait pods -l app=web --for=condition=Ready ${patience}`), /(pod\/web-\S+ condition met\n){3}/);
      await ok("scale deployment web --replicas=1");
      assert.match(await ok(`wait deployment/web --for=jsonpath={.status.replicas}=1 ${patience}`), /condition met/);
    });
    it("delete --cascade=orphan leaves what it made", async () => {
      await ok("create deployment left --image=busybox:1 --replicas=0");
      await ok("wait deployment/left --for=jsonpath={.status.observedGeneration}=1 --timeout=30s");
      await ok("delete deployment left --cascade=orphan --timeout=30s");
      const left = () => ok("get rs -l app=left -o name");
      assert.match(await left(), /^replicaset\.apps\/left-\w+\n$/);
      await ok("delete rs -l app=left");
    });
  });

  describe("rollout of StatefulSets and DaemonSets", () => {
    for (const [kind, short, more] of [
      ["StatefulSet", "sts", { serviceName: "numbered", replicas: 2 }],
      ["DaemonSet", "ds", {}],
    ] as const) {
      it(`status, history and undo of a ${kind}`, async () => {
        const what = `${short}/rolled-${short}`;
        await ok("apply -f -", workload(kind, `rolled-${short}`, more));
        await ok(`rollout status ${what} ${patience}`);
        await ok(`set image ${what} main=busybox:2`);
        await ok(`rollout status ${what} ${patience}`);
        assert.deepEqual(await historyOf(what), ["REVISION | CHANGE-CAUSE", "1 | <none>", "2 | <none>"]);
        assert.match(await ok(`rollout undo ${what}`), new RegExp(`^${kind.toLowerCase()}\\.apps/rolled-${short} rolled back\n`));
        await ok(`rollout status ${what} ${patience}`);
        assert.equal(await imageOf(what), "busybox:1");
        assert.deepEqual(await historyOf(what), ["REVISION | CHANGE-CAUSE", "2 | <none>", "3 | <none>"]);
        await ok(`delete ${what} --timeout=60s`);
      });
    }
  });

  describe("jobs", () => {
    it("run to their end, and say so", async () => {
      await ok("create job counts --image=busybox:1 -- echo done");
      assert.equal(await ok(`wait job/counts --for=condition=Complete ${patience}`), "job.batch/counts condition met\n");
      assert.match(tidy(await ok("get job counts"))[1] ?? "", /^counts \| Complete \| 1\/1 \| /);
      assert.match(await ok("describe job counts"), /Pods Statuses: +0 Active \(0 Ready\) \/ 1 Succeeded \/ 0 Failed\n/);
      await ok("delete job counts --timeout=60s");
      await eventually("its pod to go", timeLimits.reaction, async () => (await ok("get pods -l job-name=counts -o name")) === "");
    });
  });

  describe("drain", () => {
    it("keeps a disruption budget, passes DaemonSets over, and lets a bare pod go when forced", async () => {
      await ok("apply -f -", workload("DaemonSet", "everywhere"));
      await ok(`rollout status ds/everywhere ${patience}`);
      await ok("apply -f -", workload("StatefulSet", "guarded", { serviceName: "guarded", replicas: 1 }));
      await ok(`rollout status sts/guarded ${patience}`);
      await ok("create pdb guarded --selector=app=guarded --min-available=1");
      await ok(`wait pdb/guarded --for=jsonpath={.status.currentHealthy}=1 ${patience}`);
      const node = await ok("get pod guarded-0 -o jsonpath={.spec.nodeName}");

      assert.match(await fails(`drain ${node}`), /cannot delete DaemonSet-managed Pods.*everywhere/);
      const kept = await stage().kubectl.run(words(`drain ${node} --ignore-daemonsets --timeout=3s`));
      assert.notEqual(kept.code, 0);
      assert.match(kept.stderr, /Cannot evict pod as it would violate the pod's disruption budget/);
      await ok("delete pdb guarded");
      const drained = await ok(`drain ${node} --ignore-daemonsets ${patience}`);
      assert.match(drained, new RegExp(`pod/guarded-0 evicted\nnode/${node} drained\n$`));
      await eventually("the pod to run elsewhere", timeLimits.reaction, async () => {
        const at = await ok("get pod guarded-0 -o jsonpath={.spec.nodeName}/{.status.phase}");
        return /^node-\d\/Running$/.test(at) && !at.startsWith(`${node}/`);
      });
      const other = node === "node-1" ? "node-2" : "node-1";
      const spec = { nodeName: other, terminationGracePeriodSeconds: 0, containers: [{ name: "main", image: "x", command: sleeping }] };
      await ok("create -f -", dump({ apiVersion: "v1", kind: "Pod", metadata: { name: "bare" }, spec }));
      assert.match(await fails(`drain ${other} --ignore-daemonsets`), /cannot delete Pods that declare no controller.*bare/);
      assert.match(await ok(`drain ${other} --ignore-daemonsets --force --pod-selector=app!=guarded ${patience}`), /pod\/bare evicted\n/);
      for (const each of [node, other]) assert.equal(await ok(`uncordon ${each}`), `node/${each} uncordoned\n`);
      await ok("delete ds,sts --all --timeout=60s");
    });
  });
}
