import assert from "node:assert/strict";
import { dump } from "js-yaml";
import type { ControllerRevision, Pod } from "../../src/api/core.ts";
import type { ElasticJob, ElasticJobRun } from "../../src/api/elastic-job.gen.ts";
import { controllerRevisions, elasticJobs, pods } from "../../src/api/resource.ts";
import { formatSeconds, parseTime } from "../../src/base/time.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, elasticJob, every, type JobSpec, onceAt, runId } from "./support/jobs.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { isRunning, ownTestCluster, type TestCluster, variable } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { together } from "./support/together.ts";
import { assertExactlyOnce, createdPods, fireTimesBetween } from "./support/witness.ts";

const namespace = "jobs";
const doomedTaint = { key: "doomed", effect: "NoSchedule" } as const;
/** On a busy machine a run may still be at work when the next fire time comes. */
const lateIsNotNever = { onOverlap: "FireAll" } as const;
const noBackoff = { initialSeconds: 0, factor: 1, maxSeconds: 0 };
const onProcessNode = { nodeSelector: { kubelet: "process" }, tolerations: [{ key: "process", operator: "Exists" }] };

describe("ElasticJob on a real control plane", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({
    namespaces: [namespace],
    nodes: [...["n1", "n2", "n3"].map((name) => ({ name })), { name: "doomed", labels: { doomed: "yes" }, taints: [doomedTaint] }],
    processNodes: ["p1", "p2"].map((name) => ({
      name,
      labels: { kubelet: "process" },
      taints: [{ key: "process", effect: "NoSchedule" }],
    })),
  });
  let operator: OperatorProcess;

  before("start the operator", async function () {
    this.timeout(timeLimits.operatorReady);
    operator = await cluster().operator("operator-a");
    await operator.ready();
    await operator.leading();
  });

  const create = (name: string, spec: JobSpec) => cluster().create(elasticJob(namespace, name, spec));
  const ended = (name: string, run: string) => cluster().ended(namespace, name, run);

  describe("side by side", () => {
    together([
      {
        name: "fires on time, never early, and every item once",
        async run() {
          const from = armedSecond();
          await create("punctual", { schedule: every(4, from, 3), sharding: { total: 3 }, misfire: lateIsNotNever });
          const fireTimes = fireTimesBetween(4, from, from + 8000);
          for (const time of fireTimes) assert.equal((await ended("punctual", runId(time))).phase, "Succeeded");
          await assertExactlyOnce(cluster(), { namespace, job: "punctual", fireTimes, items: 3 });
        },
      },
      {
        name: "gives each item its environment, runs its command, and keeps what it writes as its result",
        async run() {
          const at = armedSecond();
          const script = 'printf %s "$SHARDING_ITEM/$SHARDING_TOTAL_COUNT $SHARDING_PARAMETER $JOB_PARAMETER" > "$NUPTSE_RESULT_FILE"';
          await create("results", {
            schedule: onceAt(at),
            sharding: { total: 3, parameters: ["north", "south", "$(HOME) is text"] },
            parameter: "everywhere",
            podSpec: onProcessNode,
            container: { command: ["sh", "-c", script] },
          });
          const run = await ended("results", runId(at));
          assert.deepEqual([run.phase, run.succeeded, run.attempts], ["Succeeded", "0-2", 3]);
          const job = await cluster().job(namespace, "results");
          assert.deepEqual(job.status?.results, {
            run: runId(at),
            items: [
              { item: 0, value: "0/3 north everywhere" },
              { item: 1, value: "1/3 south everywhere" },
              { item: 2, value: "2/3 $(HOME) is text everywhere" },
            ],
          });
          const [pod] = await cluster().podsOf(namespace, "results");
          assert.ok(pod !== undefined);
          const environment = ["NUPTSE_JOB", "NUPTSE_RUN", "NUPTSE_FIRE_TIME", "NUPTSE_ATTEMPT", "JOB_COMPLETION_INDEX"];
          assert.deepEqual(
            environment.map((name) => variable(pod, name)),
            ["results", runId(at), formatSeconds(at), "1", "0"],
          );
        },
      },
      {
        name: "leaves disabled items out and has no more items at work than parallelism allows",
        async run() {
          const at = armedSecond();
          await create("narrow", { schedule: onceAt(at), sharding: { total: 6, disabledItems: "1,4", parallelism: 2 } });
          const run = await ended("narrow", runId(at));
          assert.deepEqual([run.phase, run.succeeded, run.total], ["Succeeded", "0,2-3,5", 4]);
          const records = cluster()
            .world.ledger.records()
            .filter((record) => record.job === "narrow");
          for (const { startedAt = 0 } of records) {
            const atWork = records.filter((other) => (other.startedAt ?? 0) <= startedAt && (other.endedAt ?? 0) > startedAt);
            assert.ok(atWork.length <= 2, `${atWork.length} items at work at once`);
          }
        },
      },
      {
        name: "repeats a failed attempt on its node, then on another one with the failed node left out",
        async run() {
          const at = armedSecond();
          await create("stubborn", {
            schedule: onceAt(at),
            retry: { sameNode: 1, otherNodes: 1, backoff: noBackoff },
            script: { cases: [{ attempt: 4 }, { exitCode: 7 }] },
          });
          const run = await ended("stubborn", runId(at));
          assert.deepEqual([run.phase, run.attempts], ["Succeeded", 4]);
          const job = await cluster().job(namespace, "stubborn");
          const nodes = cluster()
            .world.ledger.startsOf(job.metadata.uid as string, runId(at), 0)
            .map((record) => record.node);
          assert.equal(nodes.length, 4);
          assert.equal(nodes[1], nodes[0], "the second attempt is on the node of the first");
          assert.equal(nodes[3], nodes[2], "the fourth is on the node of the third");
          assert.notEqual(nodes[2], nodes[0], "the third is elsewhere");
        },
      },
      {
        name: "fails a run whose attempts are used up, says which item and why, and recovers at the next fire time",
        async run() {
          const from = armedSecond();
          await create("unlucky", {
            schedule: every(8, from, 2),
            misfire: lateIsNotNever,
            sharding: { total: 2 },
            retry: { otherNodes: 1, backoff: noBackoff },
            podSpec: onProcessNode,
            container: { command: ["sh", "-c", `[ "$SHARDING_ITEM" = 0 ] || [ "$NUPTSE_RUN" != ${runId(from)} ] || exit 3`] },
          });
          const run = await ended("unlucky", runId(from));
          assert.deepEqual([run.phase, run.reason, run.succeeded, run.failed], ["Failed", "ItemsFailed", "0", "1"]);
          assert.deepEqual(
            run.failures?.map(({ item, attempt, exitCode }) => ({ item, attempt, exitCode })),
            [{ item: 1, attempt: 2, exitCode: 3 }],
          );
          await ended("unlucky", runId(from + 8000));
          const job = await cluster().job(namespace, "unlucky");
          assert.equal(job.status?.consecutiveFailures, 0);
          await eventually("the events of a failure and a recovery", timeLimits.reaction, async () => {
            const reasons = (await cluster().eventsOf(namespace, "unlucky")).map((event) => event.reason);
            return reasons.includes("RunFailed") && reasons.includes("RunRecovered");
          });
        },
      },
      {
        name: "runs an item elsewhere when its pod is deleted by force",
        run: () => failsOver("forced", async (pod) => remove(cluster(), pod, 0)),
      },
      {
        name: "runs an item elsewhere when its pod is evicted, also when its program exits with 0 on TERM",
        run: () =>
          failsOver(
            "evicted",
            async (pod) => {
              const { name, namespace = "" } = pod.metadata;
              const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
              await cluster().plane.client.text({
                method: "POST",
                path: `/api/v1/namespaces/${namespace}/pods/${name}/eviction`,
                body: eviction,
              });
            },
            "exitsZero",
          ),
      },
      {
        name: "runs an item elsewhere when the object of its node is deleted",
        async run() {
          const at = armedSecond();
          const term = { weight: 100, preference: { matchExpressions: [{ key: "doomed", operator: "Exists" }] } };
          await create("nodeless", {
            schedule: onceAt(at),
            failover: { limit: 3 },
            retry: { backoff: noBackoff },
            podSpec: {
              tolerations: [{ key: "doomed", operator: "Exists" }],
              affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [term] } },
            },
            script: { cases: [{ attempt: 1, runMs: "forever" }] },
          });
          const first = await cluster().pod(namespace, "nodeless", {}, isRunning);
          assert.equal(first.spec.nodeName, "doomed");
          await cluster().world.deleteNode("doomed");
          const run = await ended("nodeless", runId(at));
          assert.deepEqual([run.phase, run.attempts, run.lost], ["Succeeded", 2, 1]);
        },
      },
      {
        name: "Forbid with Skip: a fire time that comes while a run is at work is dropped, and said so",
        async run() {
          const from = armedSecond();
          await create("forbidding", { schedule: every(5, from, 3), script: { runMs: 6000 } });
          await ended("forbidding", runId(from));
          await ended("forbidding", runId(from + 10_000));
          await assertExactlyOnce(cluster(), { namespace, job: "forbidding", fireTimes: [from, from + 10_000], items: 1 });
          const { outcomes } = (await cluster().job(namespace, "forbidding")).status ?? {};
          assert.deepEqual(outcomes?.notSucceeded, [{ fireTime: formatSeconds(from + 5000), outcome: "Skipped" }]);
          await eventSaid("forbidding", "RunSkipped", /Overlap/);
        },
      },
      {
        name: "Forbid with FireAll: what came while a run was at work is made up for, oldest first",
        async run() {
          const from = armedSecond();
          const long = { runMs: 4500, onTerm: "dies" } as const;
          await create("catching-up", { schedule: every(2, from, 3), misfire: { onOverlap: "FireAll" }, script: long });
          const fireTimes = fireTimesBetween(2, from, from + 4000);
          const runs: ElasticJobRun[] = [];
          for (const time of fireTimes) runs.push(await ended("catching-up", runId(time)));
          assert.deepEqual(
            runs.map((run) => [run.phase, run.kind]),
            [
              ["Succeeded", "Schedule"],
              ["Succeeded", "Misfire"],
              ["Succeeded", "Misfire"],
            ],
          );
          const begun = runs.map((run) => parseTime(run.startedAt) ?? 0);
          assert.deepEqual(
            begun,
            [...begun].sort((a, b) => a - b),
          );
          await assertExactlyOnce(cluster(), { namespace, job: "catching-up", fireTimes, items: 1 });
        },
      },
      {
        name: "Replace: the earlier run is cancelled, and the new one starts when its pods have ended",
        async run() {
          const from = armedSecond();
          await create("replacing", {
            schedule: every(4, from, 2),
            concurrencyPolicy: "Replace",
            podSpec: onProcessNode,
            container: { command: ["sh", "-c", `[ "$NUPTSE_RUN" != ${runId(from)} ] || exec sleep 60`] },
          });
          const [first, second] = [await ended("replacing", runId(from)), await ended("replacing", runId(from + 4000))];
          assert.deepEqual([first.phase, first.reason, second.phase], ["Cancelled", "Replaced", "Succeeded"]);
          assert.ok((parseTime(first.endedAt) ?? 0) <= (parseTime(second.startedAt) ?? 0), "the second began after the first had ended");
        },
      },
      {
        name: "Allow: runs overlap",
        async run() {
          const from = armedSecond();
          await create("allowing", { schedule: every(2, from, 2), concurrencyPolicy: "Allow", script: { runMs: 4000 } });
          const [first, second] = [await ended("allowing", runId(from)), await ended("allowing", runId(from + 2000))];
          assert.deepEqual([first.phase, second.phase], ["Succeeded", "Succeeded"]);
          assert.ok((parseTime(second.startedAt) ?? 0) < (parseTime(first.endedAt) ?? 0), "the second began while the first was at work");
        },
      },
      {
        name: "runTimeoutSeconds ends a run, its pods with it",
        async run() {
          const at = armedSecond();
          await create("run-timeout", { schedule: onceAt(at), runTimeoutSeconds: 2, sharding: { total: 2 }, script: { runMs: "forever" } });
          const run = await ended("run-timeout", runId(at));
          assert.deepEqual([run.phase, run.reason, run.failed], ["Failed", "RunTimeout", "0-1"]);
          const left = (await cluster().podsOf(namespace, "run-timeout")).filter(isRunning);
          assert.deepEqual(left, []);
        },
      },
      {
        name: "itemTimeoutSeconds ends an attempt, which counts and is retried",
        async run() {
          const at = armedSecond();
          await create("item-timeout", {
            schedule: onceAt(at),
            itemTimeoutSeconds: 1,
            retry: { otherNodes: 1, backoff: noBackoff },
            script: { cases: [{ attempt: 1, runMs: "forever" }] },
          });
          const run = await ended("item-timeout", runId(at));
          assert.deepEqual([run.phase, run.attempts, run.lost], ["Succeeded", 2, 0]);
        },
      },
      {
        name: "startTimeoutSeconds ends an attempt whose image cannot be pulled",
        async run() {
          const at = armedSecond();
          await create("start-timeout", { schedule: onceAt(at), startTimeoutSeconds: 5, script: { pullFailures: "forever" } });
          const run = await ended("start-timeout", runId(at));
          assert.deepEqual([run.phase, run.reason], ["Failed", "ItemsFailed"]);
          assert.match(run.failures?.[0]?.message ?? "", /^ImagePull/);
        },
      },
      {
        name: "keeps as many ended runs in status as history says",
        async run() {
          const from = armedSecond();
          await create("forgetful", { schedule: every(4, from, 4), history: { succeeded: 2, failed: 1 } });
          await ended("forgetful", runId(from + 12_000));
          const { history } = (await cluster().job(namespace, "forgetful")).status ?? {};
          assert.deepEqual(
            history?.map((run) => run.run),
            [runId(from + 12_000), runId(from + 8000)],
          );
        },
      },
      {
        name: "suspend lets the run at work go on and starts none; a resume makes up for nothing",
        async run() {
          const from = armedSecond();
          await create("suspended", { schedule: every(5, from), script: { runMs: 1500 } });
          await cluster().pod(namespace, "suspended", {}, isRunning);
          await cluster().edit(namespace, "suspended", { suspend: true });
          assert.equal((await ended("suspended", runId(from))).phase, "Succeeded");
          await cluster().until(namespace, "suspended", "to say so", (job) => condition(job, "Ready")?.reason === "Suspended");
          const resumedAt = from + 11_000;
          await until(resumedAt);
          await cluster().edit(namespace, "suspended", { suspend: false });
          const next = await cluster().until(namespace, "suspended", "to run again", (job) => (job.status?.history?.length ?? 0) >= 2);
          await cluster().edit(namespace, "suspended", { suspend: true });
          const runs = next.status?.history?.map((run) => parseTime(run.fireTime) ?? 0) ?? [];
          assert.equal(runs.at(-1), from);
          assert.ok((runs.at(-2) ?? 0) > resumedAt, "nothing of the time of the suspension ran");
        },
      },
      {
        name: "a template edit counts for new runs, while a run under way keeps the revision it began with",
        async run() {
          const from = armedSecond();
          const script = { cases: [{ item: 0, runMs: 2000 }] };
          await create("revised", { schedule: every(10, from, 2), sharding: { total: 2, parallelism: 1 }, parameter: "old", script });
          await cluster().pod(namespace, "revised", { item: 0 }, isRunning);
          await cluster().edit(namespace, "revised", { parameter: "new" });
          const first = await ended("revised", runId(from));
          const second = await ended("revised", runId(from + 10_000));
          assert.deepEqual([first.phase, second.phase], ["Succeeded", "Succeeded"]);
          assert.notEqual(first.revision, second.revision);
          const parameters = (await cluster().podsOf(namespace, "revised")).map((pod) => variable(pod, "JOB_PARAMETER"));
          assert.deepEqual(parameters, ["old", "old", "new", "new"]);
          assert.equal((await cluster().job(namespace, "revised")).status?.currentRevision, second.revision);
        },
      },
      {
        name: "is written, looked at and deleted with kubectl; what belonged to it goes with it",
        async run() {
          const kubectl = await cluster().kubectl(namespace);
          const at = armedSecond();
          const manifest = dump(elasticJob(namespace, "by-hand", { schedule: onceAt(at), sharding: { total: 2 } }));
          assert.equal(await kubectl.ok(["apply", "-f", "-"], manifest), "elasticjob.nuptse.dev/by-hand created\n");
          await kubectl.ok(["wait", "--for=condition=Ready", "ej/by-hand", "--timeout=20s"]);
          await kubectl.ok(["wait", "--for=condition=LastRunSucceeded", "ej/by-hand", "--timeout=30s"]);
          assert.match(
            await kubectl.ok(["get", "ej", "by-hand"]),
            /^NAME +SCHEDULE +SUSPEND +PROGRESS +LAST-RUN +LAST-FIRE +NEXT +READY +AGE\nby-hand +@every 1h +false +2\/2 +Succeeded +\d+s +True +\d+s\n$/,
          );
          assert.match(await kubectl.ok(["describe", "ej", "by-hand"]), /Reason: +ScheduleEnded[\s\S]*Events: +<none>/);
          await kubectl.ok(["delete", "ej", "by-hand"]);
          await eventually("pods and revisions to be collected", timeLimits.run, async () => {
            const revisions = await cluster().client.list<ControllerRevision>(controllerRevisions, {
              namespace,
              labelSelector: "nuptse.dev/job=by-hand",
            });
            return revisions.items.length === 0 && (await cluster().podsOf(namespace, "by-hand")).length === 0;
          });
        },
      },
      {
        name: "starts over when a job is deleted and made again under its name",
        async run() {
          const at = armedSecond();
          const first = await create("reborn", { schedule: onceAt(at) });
          await ended("reborn", runId(at));
          await cluster().client.delete(elasticJobs, { namespace, name: "reborn" });
          const again = armedSecond();
          const second = await create("reborn", { schedule: onceAt(again) });
          assert.equal((await ended("reborn", runId(again))).phase, "Succeeded");
          assert.notEqual(first.metadata.uid, second.metadata.uid);
          const { ledger } = cluster().world;
          assert.deepEqual([...ledger.runsOf(second.metadata.uid as string).keys()], [again]);
        },
      },
    ]);

    async function failsOver(name: string, takeAway: (pod: Pod) => Promise<void>, onTerm: "dies" | "exitsZero" = "dies"): Promise<void> {
      const at = armedSecond();
      await create(name, {
        schedule: onceAt(at),
        sharding: { total: 2 },
        retry: { backoff: noBackoff },
        script: { cases: [{ item: 1, attempt: 1, runMs: "forever", onTerm }] },
      });
      await takeAway(await cluster().pod(namespace, name, { item: 1 }, isRunning));
      const run = await ended(name, runId(at));
      assert.deepEqual([run.phase, run.succeeded, run.attempts, run.lost], ["Succeeded", "0-1", 3, 1]);
      const records = cluster()
        .world.ledger.records()
        .filter((record) => record.job === name && record.item === 1);
      assert.equal(records.length, 2);
      assert.notEqual(records[1]?.node, records[0]?.node);
      await eventSaid(name, "ItemFailedOver", /item 1 was lost on n\d/);
    }

    async function eventSaid(name: string, reason: string, words: RegExp): Promise<void> {
      await eventually(`the event ${reason} of ${name}`, timeLimits.reaction, async () =>
        (await cluster().eventsOf(namespace, name)).some((event) => event.reason === reason && words.test(event.note ?? "")),
      );
    }
  });

  describe("misfire.onDowntime, over a stop of the operator", () => {
    const policies = ["FireOnce", "FireAll", "Skip"] as const;
    const nameOf = (policy: string) => `down-${policy.toLowerCase()}`;
    let from = 0;
    let stopped = 0;
    let restarted = 0;

    before("stop the operator for some fire times", async function () {
      this.timeout(timeLimits.test);
      from = armedSecond();
      // They are looked at one after the other, while all of them go on firing.
      const history = { succeeded: 20 };
      for (const onDowntime of policies) await create(nameOf(onDowntime), { schedule: every(3, from), misfire: { onDowntime }, history });
      for (const policy of policies) await ended(nameOf(policy), runId(from));
      const end = await operator.stop();
      assert.deepEqual(end, { code: 0, signal: null }, operator.text);
      stopped = Date.now();
      await until(Math.max(stopped, from) + 8000);
      operator = await cluster().operator("operator-b");
      await operator.leading();
      const { time } = await operator.said("controllers begin");
      restarted = Date.parse(String(time));
      // A run of a fire time after the restart shows that nothing more of the past is to come; the first may find a made-up one at work.
      const isNew = (run: ElasticJobRun) => (parseTime(run.fireTime) ?? 0) > restarted;
      for (const policy of policies)
        await cluster().until(namespace, nameOf(policy), "to go on", (job) => job.status?.history?.some(isNew));
      for (const policy of policies) await cluster().edit(namespace, nameOf(policy), { suspend: true });
    });

    const missed = (policy: string) => {
      const runs = cluster()
        .world.ledger.records()
        .filter((record) => record.job === nameOf(policy))
        .map((record) => record.fireTime ?? 0);
      return [...new Set(runs)].filter((time) => time > stopped && time < restarted).sort((a, b) => a - b);
    };
    const passed = () => fireTimesBetween(3, from, restarted).filter((time) => time > stopped);

    it("FireAll runs all that passed", () => {
      assert.ok(passed().length >= 2);
      assert.deepEqual(missed("FireAll"), passed());
    });
    it("FireOnce runs the newest of what passed", () => assert.deepEqual(missed("FireOnce"), passed().slice(-1)));
    it("Skip runs none of what passed", () => assert.deepEqual(missed("Skip"), []));
    it("runs nothing twice and nothing early", async () => {
      for (const policy of policies) {
        const records = cluster()
          .world.ledger.records()
          .filter((record) => record.job === nameOf(policy));
        const fireTimes = [...new Set(records.map((record) => record.fireTime ?? 0))].sort((a, b) => a - b);
        await assertExactlyOnce(cluster(), { namespace, job: nameOf(policy), fireTimes, items: 1 });
      }
    });
  });

  describe("over all of it", () => {
    it("created no pod before its fire time", async () => {
      for (const pod of await createdPods(cluster().plane, namespace)) {
        const [, date = "", time = ""] = pod.name.match(/-(\d{8})t(\d{6})z-\d+-\d+$/) ?? [];
        const fireTime = Date.parse(`${date.replace(/(....)(..)(..)/, "$1-$2-$3")}T${time.replace(/(..)(..)(..)/, "$1:$2:$3")}Z`);
        assert.ok(pod.receivedAt >= fireTime, `${pod.name} was received at ${new Date(pod.receivedAt).toISOString()}`);
      }
    });
  });
});

async function remove(cluster: TestCluster, pod: Pod, gracePeriodSeconds: number): Promise<void> {
  const { name, namespace: of = "" } = pod.metadata;
  await cluster.client.delete(pods, { namespace: of, name }, { gracePeriodSeconds });
}

function condition(job: ElasticJob, type: string) {
  return job.status?.conditions?.find((each) => each.type === type);
}

function until(instant: number): Promise<true> {
  return eventually(`the clock to show ${formatSeconds(instant)}`, instant - Date.now() + timeLimits.reaction, () => Date.now() >= instant);
}
