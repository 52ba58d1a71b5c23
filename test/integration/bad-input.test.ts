import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { dump } from "js-yaml";
import { installCrds } from "../../hack/control-plane/objects.ts";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import { namespaces, pods, resourceQuotas } from "../../src/api/resource.ts";
import type { Kubectl } from "../cli/kubectl.ts";
import { ownControlPlane } from "./control-plane-fixture.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, elasticJob, every, type JobSpec, onceAt, runId, secondFromNow } from "./support/jobs.ts";
import { OperatorProcess } from "./support/operator-process.ts";
import { grantedRequests, grantOperatorRights, operatorGroup } from "./support/operator-rights.ts";
import { isRunning, ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { together } from "./support/together.ts";
import { assertExactlyOnce, fireTimesBetween } from "./support/witness.ts";

const namespace = "bad";
/** For how long requests are counted once everything bad has been said. */
const quietMs = 5000;

describe("bad input", function () {
  this.timeout(timeLimits.test);

  describe("jobs", () => {
    const cluster = ownTestCluster({ namespaces: [namespace, "quota", "taken", "going", "good"] });
    let operator: OperatorProcess;
    let kubectl: Kubectl;

    before("start the operator", async function () {
      this.timeout(timeLimits.operatorReady);
      kubectl = await cluster().kubectl(namespace);
      operator = await cluster().operator("operator-a");
      await operator.leading();
    });

    const create = (name: string, spec: JobSpec) => cluster().create(elasticJob(namespace, name, spec));
    const refusedByCrd = async (job: ElasticJob | object, words: RegExp) => {
      assert.match(await kubectl.fails(["apply", "--validate=false", "-f", "-"], dump(job)), words);
    };

    /** Resolves when the job says that it is not ready, why, and what would be right; and when an event says so. */
    async function notReady(name: string, reason: string, words: RegExp): Promise<void> {
      const job = await cluster().until(namespace, name, `Ready=False, ${reason}`, (seen) => condition(seen, "Ready")?.reason === reason);
      const ready = condition(job, "Ready");
      assert.equal(ready?.status, "False");
      assert.match(ready?.message ?? "", words);
      assert.equal(condition(job, "Stalled")?.status, "True");
      const event = await eventually(`the event ${reason}`, timeLimits.reaction, async () =>
        (await cluster().eventsOf(namespace, name)).find((each) => each.reason === reason),
      );
      assert.match(event.note ?? "", words);
    }

    together([
      {
        name: "the CRD refuses a job with neither pods nor a fleet",
        run: () =>
          refusedByCrd(
            { apiVersion: "nuptse.dev/v1alpha1", kind: "ElasticJob", metadata: { name: "empty", namespace }, spec: {} },
            /spec: Invalid value: must have exactly one of template \(pods of its own\) and runnerRef/,
          ),
      },
      {
        name: "the CRD refuses parameters that are not one for each item",
        run: () =>
          refusedByCrd(
            elasticJob(namespace, "uneven", { sharding: { total: 3, parameters: ["a"] } }),
            /spec\.sharding: Invalid value: .*must hold one parameter for each item, so its length must equal sharding\.total/,
          ),
      },
      {
        name: "the CRD refuses a retry rule that matches on nothing, or on two things",
        async run() {
          const words = /spec\.retry\.rules\[0\]: Invalid value: .*must have exactly one of onExitCodes, onPodConditions and onReasons/;
          await refusedByCrd(elasticJob(namespace, "rule-none", { retry: { rules: [{ action: "Ignore" }] } }), words);
          const both = { onReasons: ["Evicted" as const], onPodConditions: [{ type: "DisruptionTarget" }], action: "Ignore" as const };
          await refusedByCrd(elasticJob(namespace, "rule-both", { retry: { rules: [both] } }), words);
        },
      },
      {
        name: "the CRD refuses a retry rule on the exit code 0",
        async run() {
          const rules = [{ onExitCodes: { operator: "In" as const, values: [3, 0] }, action: "FailItem" as const }];
          const words = /spec\.retry\.rules\[0\]\.onExitCodes\.values: Invalid value: .*must not list 0 with In/;
          await refusedByCrd(elasticJob(namespace, "rule-zero", { retry: { rules } }), words);
        },
      },
      {
        name: "the CRD refuses a retry rule on a condition that only tells how far a pod has come",
        async run() {
          const rules = [{ onPodConditions: [{ type: "Ready" }], action: "FailItem" as const }];
          const words =
            /spec\.retry\.rules\[0\]\.onPodConditions\[0\]\.type: Invalid value: .*must be a condition that tells why a pod ended/;
          await refusedByCrd(elasticJob(namespace, "rule-ready", { retry: { rules } }), words);
        },
      },
      ...["101%", "ten", -1, 10_001].map((maxFailedItems) => ({
        name: `the CRD refuses completion.maxFailedItems: ${maxFailedItems}`,
        run: () =>
          refusedByCrd(
            elasticJob(namespace, "bearing", { completion: { maxFailedItems } }),
            /spec\.completion\.maxFailedItems: Invalid value/,
          ),
      })),
      {
        name: "the CRD refuses two nodeRules for one node",
        async run() {
          const nodeRules = [
            { node: "n1", effect: "Avoid" as const },
            { node: "n1", effect: "Prefer" as const },
          ];
          await refusedByCrd(elasticJob(namespace, "torn", { nodeRules }), /spec\.nodeRules\[1\]: Duplicate value/);
        },
      },
      {
        name: "appendShardingContext where a last argument would replace those of the image",
        async run() {
          await create("appending", { appendShardingContext: true });
          await notReady("appending", "InvalidSpec", /^spec\.appendShardingContext: needs command or args in the container "/);
        },
      },
      {
        name: "an impossible cron",
        async run() {
          await create("impossible", { schedule: { crons: ["0 0 30 2 *", "*/5 * * * *"] } });
          await notReady("impossible", "InvalidSpec", /^spec\.schedule\.crons\[0\]: /);
        },
      },
      {
        name: "a cron that is none",
        async run() {
          await create("gibberish", { schedule: { crons: ["every day"] } });
          await notReady("gibberish", "InvalidSpec", /^spec\.schedule\.crons\[0\]: /);
        },
      },
      {
        name: "an unknown zone",
        async run() {
          await create("nowhere", { schedule: { crons: ["@hourly"], timeZone: "Europe/Atlantis" } });
          await notReady("nowhere", "InvalidSpec", /^spec\.schedule\.timeZone: .*Atlantis/);
        },
      },
      {
        name: "a disabled item that does not exist",
        async run() {
          await create("beyond", { sharding: { total: 3, disabledItems: "1,3" } });
          await notReady("beyond", "InvalidSpec", /^spec\.sharding\.disabledItems: .*items are numbered from 0 to sharding\.total - 1 = 2/);
        },
      },
      {
        name: "a template that the API server refuses, and goes on when it is put right",
        async run() {
          const at = secondFromNow(9000);
          await create("wrong", { schedule: onceAt(at), container: { resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } } });
          await notReady("wrong", "TemplateRefused", /spec\.template\.spec\.containers\[0\]\.resources\.requests/);
          const { template } = elasticJob(namespace, "wrong", {}).spec;
          await cluster().edit(namespace, "wrong", { template });
          await cluster().until(namespace, "wrong", "to be ready", (job) => condition(job, "Ready")?.status === "True");
          assert.equal((await cluster().ended(namespace, "wrong", runId(at))).phase, "Succeeded");
        },
      },
      {
        name: "a template with a field that Kubernetes does not know",
        async run() {
          await create("typo", { container: { imagePullPolice: "Always" } });
          await notReady("typo", "TemplateRefused", /imagePullPolice/);
        },
      },
      {
        name: "an image that cannot be one",
        async run() {
          await create("pictureless", { container: { image: "bad image" } });
          await notReady("pictureless", "InvalidSpec", /^spec\.template\.spec\.containers\[0\]\.image: /);
        },
      },
      {
        name: "a ResourceQuota without room: the run waits, burns no attempt, and goes on when the quota is raised",
        async run() {
          const at = armedSecond();
          const quota = {
            apiVersion: "v1",
            kind: "ResourceQuota",
            metadata: { name: "tight", namespace: "quota" },
            spec: { hard: { pods: "1" } },
          };
          await cluster().client.create(resourceQuotas, quota);
          await eventually("the quota to count", timeLimits.reaction, async () => {
            const { status } = await cluster().client.get<typeof quota & { status?: { hard?: object } }>(resourceQuotas, quota.metadata);
            return status?.hard !== undefined;
          });
          await cluster().create(elasticJob("quota", "squeezed", { schedule: onceAt(at), sharding: { total: 3 }, script: { runMs: 500 } }));
          const waiting = await cluster().until("quota", "squeezed", "to wait for the quota", (job) => {
            return job.status?.active?.[0]?.reason === "QuotaExceeded";
          });
          assert.match(waiting.status?.active?.[0]?.message ?? "", /exceeded quota: tight/);
          assert.equal(condition(waiting, "Ready")?.status, "True");
          await eventually("the event RunWaiting", timeLimits.reaction, async () =>
            (await cluster().eventsOf("quota", "squeezed")).some((event) => event.reason === "RunWaiting"),
          );
          await cluster().client.patch(resourceQuotas, quota.metadata, { type: "merge", body: { spec: { hard: { pods: "10" } } } });
          const run = await cluster().ended("quota", "squeezed", runId(at));
          assert.deepEqual([run.phase, run.succeeded, run.attempts], ["Succeeded", "0-2", 3]);
        },
      },
      {
        name: "somebody else's pod under our name: the run fails with NameTaken, and the pod is left alone",
        async run() {
          const at = secondFromNow(6000);
          const job = await cluster().create(elasticJob("taken", "robbed", { schedule: onceAt(at) }));
          const name = `robbed-${job.metadata.uid?.slice(0, 8)}-${runId(at)}-0-1`;
          const spec = { containers: [{ name: "other", image: "busybox:1.37" }], nodeName: "nowhere" };
          const foreign = await cluster().client.create<Pod>(pods, {
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name, namespace: "taken" },
            spec,
          });
          const run = await cluster().ended("taken", "robbed", runId(at));
          assert.deepEqual([run.phase, run.reason], ["Failed", "NameTaken"]);
          assert.match(run.message ?? "", new RegExp(name));
          const left = await cluster().client.get(pods, { namespace: "taken", name });
          assert.deepEqual([left.metadata.uid, left.metadata.deletionTimestamp], [foreign.metadata.uid, undefined]);
        },
      },
      {
        name: "other jobs go on",
        async run() {
          const from = armedSecond();
          const spec: JobSpec = { schedule: every(4, from, 4), sharding: { total: 2 }, misfire: { onOverlap: "FireAll" } };
          await cluster().create(elasticJob("good", "steady", spec));
          await cluster().ended("good", "steady", runId(from + 12_000));
          const fireTimes = fireTimesBetween(4, from, from + 12_000);
          await assertExactlyOnce(cluster(), { namespace: "good", job: "steady", fireTimes, items: 2 });
        },
      },
    ]);

    it("a namespace that is being deleted: the job says so, nothing new is started or asked for again and again", async () => {
      const from = armedSecond();
      const stays = {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "held", namespace: "going", finalizers: ["nuptse.dev/test"] },
      };
      await cluster().plane.client.text({ method: "POST", path: "/api/v1/namespaces/going/configmaps", body: stays });
      await cluster().create(
        elasticJob("going", "doomed", { schedule: every(2, from), concurrencyPolicy: "Allow", script: { runMs: 500 } }),
      );
      await cluster().pod("going", "doomed", {}, isRunning);
      // Without the namespace controller the job stays in its dying namespace, and goes on to fire.
      await cluster().plane.pause("kube-controller-manager");
      try {
        await cluster().client.delete(namespaces, { name: "going" });
        const job = await cluster().until(
          "going",
          "doomed",
          "to say so",
          (seen) => condition(seen, "Ready")?.reason === "NamespaceTerminating",
        );
        assert.equal(condition(job, "Ready")?.status, "False");
        const since = Date.now();
        await eventually("some fire times to pass", quietMs + timeLimits.reaction, countedFor(quietMs));
        const filter = { user: "operator-a", namespace: "going", resource: "pods", verbs: ["create"], since };
        const asked = await Array.fromAsync(cluster().plane.auditEvents(filter));
        assert.deepEqual(asked, [], "no pod is asked for any more");
      } finally {
        await cluster().plane.resume("kube-controller-manager");
      }
      await eventually("the job to go with its namespace", timeLimits.run, async () => {
        const { status } = await cluster().plane.client.send({ path: "/apis/nuptse.dev/v1alpha1/namespaces/going/elasticjobs/doomed" });
        return status === 404;
      });
    });

    it("causes no hot loop: once said, nothing is asked of the API server any more", async () => {
      const since = Date.now();
      // The lead, and whose cluster it is.
      const routine = new Set(["leases", "customresourcedefinitions"]);
      await eventually("the time in which requests are counted", quietMs + timeLimits.reaction, () => Date.now() >= since + quietMs);
      const seen = new Map<string, number>();
      for await (const event of cluster().plane.auditEvents({ user: "operator-a", since })) {
        if (event.objectRef === undefined || event.verb === "watch" || routine.has(event.objectRef.resource)) continue;
        const { verb, objectRef } = event;
        const key = `${verb} ${objectRef.resource} ${objectRef.namespace}/${objectRef.name}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      assert.deepEqual([...seen], []);
    });

    it("needs no right besides those of its role", async () => {
      const used = new Set<string>();
      for await (const { verb, objectRef } of cluster().plane.auditEvents({ user: "operator-a" })) {
        if (objectRef === undefined) continue;
        const { apiGroup, resource, subresource } = objectRef;
        used.add(`${verb} ${apiGroup}/${subresource === "" ? resource : `${resource}/${subresource}`}`);
      }
      const granted = grantedRequests();
      assert.deepEqual(
        [...used].filter((request) => !granted.has(request)),
        [],
      );
    });

    it("is no reason to end", () => assert.equal(operator.ended, false, operator.text));
  });

  describe("the way to the cluster", () => {
    const plane = ownControlPlane();

    /** Runs an operator to its end, which must come by itself with the code 1 and one line. */
    async function lastWords(kubeconfig: string): Promise<string> {
      const operator = new OperatorProcess({ kubeconfig });
      assert.deepEqual(await operator.end(), { code: 1, signal: null }, operator.text);
      const lines = operator.text.trimEnd().split("\n");
      assert.equal(lines.length, 1, operator.text);
      return lines[0] ?? "";
    }

    async function file(name: string, content: string): Promise<string> {
      const path = join(dirname(plane().kubeconfig), name);
      await writeFile(path, content);
      return path;
    }

    it("no kubeconfig there: one line that says what to do", async () => {
      assert.match(
        await lastWords("/nowhere/kubeconfig"),
        /^error: there is no kubeconfig \/nowhere\/kubeconfig: name one with --kubeconfig/,
      );
    });

    it("a kubeconfig that is not YAML: one line that says what to do", async () => {
      const path = await file("broken.kubeconfig", "clusters: [\n");
      assert.match(await lastWords(path), /^error: the kubeconfig .*broken\.kubeconfig is not YAML: .*repair it or name another one/);
    });

    it("a kubeconfig that names what it does not hold: one line that says what to do", async () => {
      const path = await file("hollow.kubeconfig", dump({ "current-context": "a", contexts: [{ name: "a", context: { cluster: "b" } }] }));
      assert.match(await lastWords(path), /^error: the kubeconfig .*hollow\.kubeconfig is malformed: .*names the cluster "b"/);
    });

    together([
      {
        name: "missing CRDs and missing permissions: a line for each, waited for, and ready when they are there",
        async run() {
          const operator = new OperatorProcess({ kubeconfig: await plane().kubeconfigFor("operator-late", [operatorGroup]) });
          try {
            const forbidden = await operator.said("the operator's account lacks a permission; bind it to the operator's ClusterRole");
            assert.match(forbidden.message, /operator-late/);
            await grantOperatorRights(plane().client);
            await operator.said("the CustomResourceDefinitions are not installed; install them with: kubectl apply -f crds/");
            assert.match((await operator.readiness()).text, /elasticjobs/);
            await eventually("some tries to have been counted", quietMs + timeLimits.reaction, countedFor(quietMs));
            const tries = await Array.fromAsync(plane().auditEvents({ user: "operator-late", resource: "elasticjobs" }));
            assert.ok(tries.length <= 40, `${tries.length} requests for the missing kind`);
            await installCrds(plane().client);
            await operator.ready();
            await operator.leading();
          } finally {
            await operator.kill();
          }
          const said = operator.lines.filter((line) => line.level === "warn").map((line) => line.message);
          assert.deepEqual(said, [...new Set(said)], "no line is said twice within a minute");
        },
      },
      {
        name: "an API server that cannot be reached: said once, waited for, and ready when it is there",
        async run() {
          const port = await freePort();
          const text = (await readFile(plane().kubeconfig, "utf8")).replace(/server: .*/, `server: https://127.0.0.1:${port}`);
          const operator = new OperatorProcess({ kubeconfig: await file("unreachable.kubeconfig", text) });
          try {
            const line = await operator.said("the API server cannot be reached; check its address and the network (trying again)");
            assert.match(line.message, /ECONNREFUSED/);
            assert.equal((await operator.readiness()).status, 503);
            assert.equal(operator.ended, false);
            await eventually("several tries to be made", quietMs + timeLimits.reaction, countedFor(quietMs));
            const said = operator.lines.filter((each) => each.message.includes("cannot be reached")).map((each) => each.message);
            assert.deepEqual(said, [...new Set(said)], "no line is said twice");
            const { port: real } = new URL(plane().server);
            const forward = await listen(
              createServer((socket) => forwardTo(socket, Number(real))),
              port,
            );
            try {
              // The scenario beside this one installs what it needs.
              await operator.ready();
            } finally {
              await operator.kill();
              forward.close();
            }
          } finally {
            await operator.kill();
          }
        },
      },
    ]);
  });
});

function countedFor(durationMs: number): () => boolean {
  const since = performance.now();
  return () => performance.now() >= since + durationMs;
}

async function freePort(): Promise<number> {
  const server = await listen(createServer(), 0);
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function listen(server: Server, port: number): Promise<Server> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Carries bytes between a connection and a port of this machine. */
function forwardTo(socket: Socket, port: number): void {
  const other = connect(port, "127.0.0.1");
  for (const [from, to] of [
    [socket, other],
    [other, socket],
  ] as const) {
    from.on("error", () => to.destroy());
    from.pipe(to);
  }
}

function condition(job: ElasticJob, type: string) {
  return job.status?.conditions?.find((each) => each.type === type);
}
