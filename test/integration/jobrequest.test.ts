import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { JobRequest, JobRequestSpec } from "../../src/api/job-request.gen.ts";
import { jobRequests } from "../../src/api/resource.ts";
import { formatSeconds } from "../../src/base/time.ts";
import { createKubectl, type Kubectl } from "../cli/kubectl.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, elasticJob, type JobSpec, onceAt, runId } from "./support/jobs.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { isRunning, ownTestCluster, variable } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";
import { together } from "./support/together.ts";

const namespace = "asks";
const crds = join(import.meta.dirname, "../../crds");
/** Never fires by itself while the tests run. */
const yearly = { crons: ["0 0 1 1 *"] };
const minuteMs = 60_000;

const jobRequest = (name: string, spec: Partial<JobRequestSpec>, inNamespace = namespace): JobRequest => ({
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "JobRequest",
  metadata: { name, namespace: inNamespace },
  spec: { jobName: name, ...spec },
});

describe("JobRequest on a real control plane", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: [namespace, "guarded", "going"] });
  let kubectl: Kubectl;
  let operator: OperatorProcess;

  before("start the operator", async function () {
    this.timeout(timeLimits.operatorReady);
    kubectl = await cluster().kubectl(namespace);
    operator = await cluster().operator("operator-a");
    await operator.leading();
  });

  const create = (name: string, spec: JobSpec) => cluster().create(elasticJob(namespace, name, spec));
  const ask = (name: string, spec: Partial<JobRequestSpec>) => cluster().client.create(jobRequests, jobRequest(name, spec));
  const read = (name: string) => cluster().client.get<JobRequest>(jobRequests, { namespace, name });

  /** Resolves with the request as soon as it is in the phase. */
  function until(name: string, phase: string): Promise<JobRequest> {
    return eventually(`the request ${name} to be ${phase}`, timeLimits.run, async () => {
      const request = await read(name);
      if (request.status?.phase === phase) return request;
      throw new Error(`its status is ${JSON.stringify(request.status)}`);
    });
  }

  describe("side by side", () => {
    const bad: readonly { readonly name: string; readonly spec: object; readonly words: RegExp }[] = [
      { name: "nothing asked for", spec: {}, words: /spec: Invalid value: .*must have exactly one of run, backfill, cancel/ },
      { name: "two things asked for", spec: { run: {}, cancel: { run: "x" } }, words: /must have exactly one of run, backfill, cancel/ },
      {
        name: "a backfill that ends before it begins",
        spec: { backfill: { from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z" } },
        words: /spec\.backfill: Invalid value: .*from must be before to/,
      },
      {
        name: "a backfill with too many runs at once",
        spec: { backfill: { from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", parallelism: 21 } },
        words: /spec\.backfill\.parallelism: Invalid value: 21: .*less than or equal to 20/,
      },
      { name: "items that are no set", spec: { run: { items: "all" } }, words: /spec\.run\.items: Invalid value: "all"/ },
      { name: "a cancel of nothing", spec: { cancel: {} }, words: /spec\.cancel\.run: Required value/ },
    ];
    together([
      ...bad.map(({ name, spec, words }) => ({
        name: `the CRD refuses ${name}`,
        run: async () => {
          const request = { ...jobRequest("bad", {}), spec: { jobName: "any", ...spec } };
          assert.match(await kubectl.fails(["create", "--validate=false", "-f", "-"], dump(request)), words);
        },
      })),
      {
        name: "run: its pod gets the parameter, the request ends with it, and kubectl get shows it",
        async run() {
          await create("now", { schedule: yearly, parameter: "usual" });
          await ask("now", { run: { parameter: "special" }, requestedBy: "ada" });
          const request = await until("now", "Succeeded");
          const [pod] = await cluster().podsOf(namespace, "now");
          assert.ok(pod !== undefined);
          assert.equal(variable(pod, "JOB_PARAMETER"), "special");
          assert.equal(variable(pod, "NUPTSE_RUN"), request.status?.run);
          const job = await cluster().until(
            namespace,
            "now",
            "its entry to leave status.active",
            (seen) => seen.status?.active === undefined,
          );
          assert.deepEqual(
            job.status?.history?.map(({ kind, run }) => [kind, run]),
            [["Requested", request.status?.run]],
          );
          const line = (await kubectl.ok(["get", "jr", "now", "--no-headers"])).trim().split(/\s+/);
          assert.deepEqual(line.slice(0, 6), ["now", "now", "run", "Succeeded", request.status?.run, "ada"]);
        },
      },
      {
        name: "the spec cannot be changed",
        async run() {
          await create("fixed", { schedule: yearly });
          await ask("fixed", { suspend: {} });
          const words = await kubectl.fails(["patch", "jr", "fixed", "--type=merge", "-p", '{"spec":{"requestedBy":"eve"}}']);
          assert.match(words, /spec: Invalid value: .*cannot be changed; create another JobRequest instead/);
        },
      },
      {
        name: "cancel: the pod is told to go, and the run is Cancelled",
        async run() {
          const at = armedSecond();
          await create("long", { schedule: onceAt(at), script: { runMs: 600_000 } });
          await cluster().pod(namespace, "long", { item: 0 }, isRunning);
          await ask("long", { cancel: { run: runId(at) } });
          await until("long", "Succeeded");
          assert.equal((await cluster().ended(namespace, "long", runId(at))).phase, "Cancelled");
        },
      },
      {
        name: "retry: only the failed item runs again; markSucceeded corrects the outcome of the fire time",
        async run() {
          const at = armedSecond();
          const script = { cases: [{ item: 1, exitCode: 3 }] };
          await create("again", { schedule: onceAt(at), sharding: { total: 3 }, completion: { failFast: false }, script });
          const first = await cluster().ended(namespace, "again", runId(at));
          assert.deepEqual([first.phase, first.failed], ["Failed", "1"]);
          await ask("again", { retry: { run: runId(at) } });
          const request = await until("again", "Failed");
          assert.equal(request.status?.reason, "RunFailed");
          const retried = await cluster().ended(namespace, "again", request.status?.run as string);
          assert.deepEqual([retried.kind, retried.retryOf, retried.items, retried.failed], ["Retry", runId(at), "1", "1"]);
          await ask("again-by-hand", { jobName: "again", markSucceeded: { run: request.status?.run as string } });
          await until("again-by-hand", "Succeeded");
          const job = await cluster().job(namespace, "again");
          assert.deepEqual(job.status?.outcomes?.notSucceeded, []);
          assert.equal(job.status?.history?.[0]?.reason, "MarkedSucceeded");
        },
      },
      {
        name: "backfill: each fire time of the interval once, with itself as NUPTSE_FIRE_TIME",
        async run() {
          await create("past", { schedule: { crons: ["* * * * *"] }, suspend: true });
          const from = Math.floor(Date.now() / minuteMs) * minuteMs - 10 * minuteMs;
          const backfill = { from: formatSeconds(from), to: formatSeconds(from + 5 * minuteMs), parallelism: 3 };
          await ask("past", { backfill });
          const request = await until("past", "Succeeded");
          assert.deepEqual([request.status?.backfill?.total, request.status?.backfill?.ended], [5, 5]);
          const pods = await cluster().podsOf(namespace, "past");
          const times = pods.map((pod) => variable(pod, "NUPTSE_FIRE_TIME"));
          assert.deepEqual(
            times.sort(),
            [0, 1, 2, 3, 4].map((minute) => formatSeconds(from + minute * minuteMs)),
          );
        },
      },
      {
        name: "suspend: the job says so, and is armed again when the request is deleted",
        async run() {
          await create("held", { schedule: { crons: ["@every 1h"] } });
          await ask("held", { suspend: { reason: "release" } });
          const ready = (reason: string) =>
            cluster().until(namespace, "held", `Ready for ${reason}`, (job) =>
              job.status?.conditions?.some((condition) => condition.type === "Ready" && condition.reason === reason),
            );
          await ready("Suspended");
          await kubectl.ok(["delete", "jr", "held"]);
          await ready("Armed");
        },
      },
      {
        name: "a request for a job that does not exist has failed after 30 s",
        async run() {
          await ask("nobody", { run: {} });
          assert.equal((await until("nobody", "Failed")).status?.reason, "JobNotFound");
        },
      },
      {
        name: "ttlSecondsAfterFinished: the request is deleted",
        async run() {
          await create("brief", { schedule: yearly });
          await ask("brief", { run: {}, ttlSecondsAfterFinished: 1 });
          await eventually("the request to be gone", timeLimits.run, async () => {
            const { items } = await cluster().client.list<JobRequest>(jobRequests, { namespace });
            return items.every((request) => request.metadata.name !== "brief");
          });
        },
      },
    ]);
  });

  describe("as the users that the roles are for", () => {
    const users = new Map<string, Kubectl>();

    before("bind the roles, and install the policies", async function () {
      this.timeout(timeLimits.test);
      await kubectl.ok(["apply", "-f", join(crds, "roles.yaml"), "-f", join(crds, "policies.yaml")]);
      const binaries = await ensureBinaries(["kubectl"]);
      const bound = { vera: "view", edda: "edit", otto: "nuptse-job-operator", anna: "nuptse-job-author" };
      for (const [user, role] of Object.entries(bound)) {
        await kubectl.ok(["create", "rolebinding", user, `--clusterrole=${role}`, `--user=${user}`, "-n", "guarded"]);
        const kubeconfig = await readFile(await cluster().plane.kubeconfigFor(user), "utf8");
        users.set(user, await createKubectl(binaries.kubectl, kubeconfig, "guarded"));
      }
      await cluster().create(elasticJob("guarded", "report", { schedule: yearly }));
      // A policy takes effect a moment after it was stored.
      await eventually("the policy to be in force", timeLimits.run, async () => {
        const request = dump({ ...jobRequest("probe", { jobName: "report", run: {} }, "guarded") });
        return kubectl.fails(["create", "--dry-run=server", "-f", "-"], request).then(
          () => true,
          () => false,
        );
      });
    });
    after("close their kubectls", async () => {
      for (const user of users.values()) await user.close();
    });
    const as = (user: string) => users.get(user) as Kubectl;
    const request = (name: string, requestedBy?: string) =>
      dump(jobRequest(name, { jobName: "report", run: {}, ...(requestedBy !== undefined && { requestedBy }) }, "guarded"));
    const job = (name: string) => dump(elasticJob("guarded", name, { schedule: yearly }));

    it("view may read both kinds and nothing else", async () => {
      assert.match(await as("vera").ok(["get", "ej,jr"]), /report/);
      assert.match(await as("vera").fails(["create", "-f", "-"], request("v1", "vera")), /cannot create resource "jobrequests"/);
      assert.match(await as("vera").fails(["create", "-f", "-"], job("v2")), /cannot create resource "elasticjobs"/);
    });

    it("the job operator may ask, and not edit", async () => {
      await as("otto").ok(["create", "-f", "-"], request("o1", "otto"));
      assert.match(await as("otto").fails(["patch", "ej", "report", "--type=merge", "-p", '{"spec":{"suspend":true}}']), /cannot patch/);
      await as("otto").ok(["delete", "jr", "o1"]);
    });

    it("the job author may edit, and not ask", async () => {
      await as("anna").ok(["create", "-f", "-"], job("a1"));
      assert.match(await as("anna").fails(["create", "-f", "-"], request("a2", "anna")), /cannot create resource "jobrequests"/);
    });

    it("edit may do both", async () => {
      await as("edda").ok(["create", "-f", "-"], job("e1"));
      await as("edda").ok(["create", "-f", "-"], request("e2", "edda"));
    });

    it("requestedBy must be the user's name, and the refusal says it", async () => {
      const words = /spec\.requestedBy: must be the name of the user who asks: otto/;
      assert.match(await as("otto").fails(["create", "-f", "-"], request("x1", "edda")), words);
      assert.match(await as("otto").fails(["create", "-f", "-"], request("x2")), words);
    });

    it("nobody deletes what is protected, until the annotation is taken away", async () => {
      await kubectl.ok(["annotate", "ej", "report", "-n", "guarded", "nuptse.dev/protected=true"]);
      assert.match(await as("anna").fails(["delete", "ej", "report"]), /is protected by its annotation nuptse\.dev\/protected/);
      assert.match(await kubectl.fails(["delete", "ej", "report", "-n", "guarded"]), /is protected by its annotation/);
      await as("anna").ok(["annotate", "ej", "report", "nuptse.dev/protected-"]);
      await as("anna").ok(["delete", "ej", "report"]);
    });

    it("what is protected does not keep its namespace from being deleted", async () => {
      await cluster().create(elasticJob("going", "kept", { schedule: yearly }));
      await kubectl.ok(["annotate", "ej", "kept", "-n", "going", "nuptse.dev/protected=true"]);
      await kubectl.ok(["delete", "namespace", "going", "--timeout=60s"]);
    });
  });
});
