import assert from "node:assert/strict";
import { join } from "node:path";
import { dump } from "js-yaml";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { whenEstablished } from "./kubectl.ts";
import type { Stage } from "./stages.ts";

const crds = join(import.meta.dirname, "../../crds");
const daemons = "system:serviceaccount:kube-system:daemon-set-controller";
const rbac = { apiVersion: "rbac.authorization.k8s.io/v1" };

const ours = (kind: string, metadata: object, spec: object) => dump({ apiVersion: "nuptse.dev/v1alpha1", kind, metadata, spec });
const queue = (name: string, spec: object = {}, metadata: object = {}) => ours("TenantQueue", { name, ...metadata }, spec);
const pod = (name: string, metadata: object = {}, spec: object = {}) =>
  dump({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, ...metadata },
    spec: { containers: [{ name: "main", image: "busybox:1" }], ...spec },
  });
const queued = (name: string, more: object = {}) => pod(name, { labels: { "nuptse.dev/queue": "red" }, ...more });

/** What the policies that ship refuse and allow, by whom it is asked; the same on every API server. */
export function describePolicyTranscripts(stage: () => Stage): void {
  const words = (args: string) => args.split(" ");
  const ok = (args: string, input?: string) => stage().kubectl.ok(words(args), input);

  /** It is refused in these words. A real server takes a moment to see a new policy, so a dry run goes before. */
  async function refused(args: string, said: RegExp, input?: string): Promise<void> {
    const { kubectl } = stage();
    await eventually(`${args} to be refused`, timeLimits.reaction, async () => {
      const { code, stderr, stdout } = await kubectl.run([...words(args), "--dry-run=server"], input);
      assert.notEqual(code, 0, stdout);
      assert.match(stderr, said);
      return true;
    });
    assert.match(await kubectl.fails(words(args), input), said);
  }

  before(async () => {
    const { kubectl, namespace } = stage();
    for (const name of ["elasticjob", "jobrequest", "tenantqueue"]) {
      await kubectl.ok(["apply", "--server-side", "-f", join(crds, `${name}.yaml`)]);
      await whenEstablished(kubectl, `${name}s.nuptse.dev`);
    }
    for (const name of ["policies", "queue-policies"]) await kubectl.ok(["apply", "--server-side", "-f", join(crds, `${name}.yaml`)]);
    const everything = { ...rbac, kind: "ClusterRole", metadata: { name: "transcript-everything" } };
    const rules = [
      { apiGroups: [""], resources: ["pods", "pods/status"], verbs: ["*"] },
      { apiGroups: ["nuptse.dev"], resources: ["jobrequests", "elasticjobs"], verbs: ["*"] },
      { apiGroups: ["nuptse.dev"], resources: ["tenantqueues"], verbs: ["get", "list", "create", "update", "patch", "delete"] },
    ];
    await ok("apply -f -", dump({ ...everything, rules }));
    const lead = [{ apiGroups: ["nuptse.dev"], resources: ["tenantqueues"], resourceNames: ["lhotse"], verbs: ["subdivide"] }];
    await ok("apply -f -", dump({ ...rbac, kind: "ClusterRole", metadata: { name: "transcript-lead" }, rules: lead }));
    const binding = (role: string, ...users: readonly string[]) =>
      ok(`create clusterrolebinding ${role} --clusterrole=${role} ${users.map((user) => `--user=${user}`).join(" ")}`);
    await binding("transcript-everything", "alice", "lead", daemons);
    await binding("transcript-lead", "lead");
    await ok(`create namespace ${namespace}-strict`);
    // no controller makes it
    await ok(`create serviceaccount default -n ${namespace}-strict`);
    await ok(`label namespace ${namespace}-strict nuptse.dev/require-queue=true`);
    await eventually("the roles to hold", timeLimits.reaction, async () =>
      (await Promise.all(["alice", "lead", daemons].map((user) => kubectl.run(words(`auth can-i create pods --as=${user}`))))).every(
        ({ stdout }) => stdout === "yes\n",
      ),
    );
  });

  describe("requests", () => {
    const request = (requestedBy: string) => ours("JobRequest", { generateName: "trigger-" }, { jobName: "nightly", requestedBy, run: {} });

    it("are made in the name of who asks", async () => {
      await refused(
        "create -f - --as=alice",
        /ValidatingAdmissionPolicy 'nuptse-requested-by' with binding 'nuptse-requested-by' denied request: spec\.requestedBy: must be the name of the user who asks: alice/,
        request("mallory"),
      );
      assert.match(await ok("create -f - --as=alice", request("alice")), /^jobrequest\.nuptse\.dev\/trigger-\w{5} created\n$/);
    });
  });

  describe("deletions", () => {
    it("spare what is annotated, until that is taken away", async () => {
      const template = { spec: { containers: [{ name: "main", image: "busybox:1" }] } };
      const metadata = { name: "precious", annotations: { "nuptse.dev/protected": "true" } };
      await ok("create -f -", ours("ElasticJob", metadata, { template }));
      await refused("delete elasticjob precious", /is protected by its annotation nuptse\.dev\/protected; take that away first/);
      await ok("annotate elasticjob precious nuptse.dev/protected-");
      assert.match(await ok("delete elasticjob precious"), /deleted/);
    });
    it("spare a queue that holds admitted work", async () => {
      await ok("create -f -", queue("busy"));
      const admitted = (count: number) => `patch tenantqueue busy --subresource=status --type=merge -p {"status":{"admitted":${count}}}`;
      await ok(admitted(3));
      await refused(
        "delete tenantqueue busy",
        /holds 3 admitted workloads; set spec\.stopPolicy: HoldAndDrain and wait until they have ended/,
      );
      await ok(admitted(0));
      assert.match(await ok("delete tenantqueue busy"), /deleted/);
    });
  });

  describe("pods of a queue", () => {
    const gates = (name: string) => ok(`get pod ${name} -o jsonpath={.spec.schedulingGates[*].name}`);
    const refusedPatch = (name: string, patch: object, said: RegExp) =>
      refused(`patch pod ${name} --as=alice --type=merge -p ${JSON.stringify(patch)}`, said);
    const open = '--type=json -p [{"op":"remove","path":"/spec/schedulingGates"}]';

    it("begin with its gate, which only who may admit takes away", async () => {
      await eventually("the gate to be set", timeLimits.reaction, async () => {
        const seen = await ok("create --dry-run=server -o jsonpath={.spec.schedulingGates[*].name} -f -", queued("probe"));
        return seen === "nuptse.dev/queue";
      });
      await ok("create -f - --as=alice", queued("gated"));
      assert.equal(await gates("gated"), "nuptse.dev/queue");
      await refused(
        `patch pod gated --as=alice ${open}`,
        /the gate nuptse\.dev\/queue is taken away by the operator once the queue admits the pod/,
      );
      assert.match(await ok(`patch pod gated ${open}`), /patched/);
      assert.equal(await gates("gated"), "");
    });
    it("keep their queue, and are no pods of the operator", async () => {
      await ok("create -f - --as=alice", queued("keeps"));
      await refusedPatch(
        "keeps",
        { metadata: { labels: { "nuptse.dev/queue": null } } },
        /nuptse\.dev\/queue cannot be changed on a pod that has not ended/,
      );
      await refusedPatch(
        "keeps",
        { metadata: { annotations: { "nuptse.dev/surge": "true" } } },
        /nuptse\.dev\/surge is set by the operator/,
      );
      for (const label of ["nuptse.dev/job-uid", "nuptse.dev/app"])
        await refused(
          "create -f - --as=alice",
          new RegExp(`${label.replace(".", "\\.")} is set by the operator`),
          pod("pretends", { labels: { "nuptse.dev/queue": "red", [label]: "x" } }),
        );
      await ok('patch pod keeps --subresource=status --type=merge -p {"status":{"phase":"Succeeded"}}');
      assert.match(await ok('patch pod keeps --as=alice --type=merge -p {"metadata":{"labels":{"nuptse.dev/queue":null}}}'), /patched/);
    });
    it("of a DaemonSet are left alone", async () => {
      await ok(`create -f - --as=${daemons}`, queued("daemon"));
      assert.equal(await gates("daemon"), "");
    });
    it("and pods of none are left alone", async () => {
      await ok("create -f - --as=alice", pod("free"));
      assert.equal(await gates("free"), "");
      assert.match(await ok("label pod free --as=alice nuptse.dev/app=x"), /labeled/);
    });
    it("are all that a strict namespace takes", async () => {
      const strict = `${stage().namespace}-strict`;
      await refused(
        `create -f - --as=alice -n ${strict}`,
        new RegExp(`pods of the namespace ${strict} name a TenantQueue \\(its label nuptse\\.dev/require-queue\\)`),
        pod("nameless"),
      );
      assert.match(await ok(`create -f - --dry-run=server --as=alice -n ${strict}`, queued("named")), /created/);
      assert.match(await ok(`create -f - --dry-run=server --as=${daemons} -n ${strict}`, pod("daemon")), /created/);
    });
  });

  describe("queues", () => {
    it("are divided by who holds the verb on the one above, and moved by who holds it on both", async () => {
      for (const name of ["lhotse", "hermes"]) await ok("create -f -", queue(name));
      await ok("create -f -", queue("hermes-a", { parent: "hermes" }));
      await refused("create -f - --as=lead", /spec\.parent: lead needs the verb subdivide on tenantqueues, to write a root/, queue("mine"));
      await refused(
        "create -f - --as=lead",
        /spec\.parent: lead needs the verb subdivide on the TenantQueue hermes/,
        queue("mine", { parent: "hermes" }),
      );
      assert.match(await ok("create -f - --as=lead", queue("mine", { parent: "lhotse" })), /created/);
      await refused(
        'patch tenantqueue mine --as=lead --type=merge -p {"spec":{"parent":"hermes"}}',
        /spec\.parent: lead needs the verb subdivide on the TenantQueue hermes/,
      );
      await refused(
        'patch tenantqueue hermes-a --as=lead --type=merge -p {"spec":{"parent":"lhotse"}}',
        /spec\.parent: lead needs the verb subdivide on the TenantQueue hermes, from which it is taken/,
      );
      await refused("delete tenantqueue hermes-a --as=lead", /spec\.parent: lead needs the verb subdivide on the TenantQueue hermes/);
      assert.match(await ok("delete tenantqueue mine --as=lead"), /deleted/);
    });
    it("that have nodes for themselves let no other pod tolerate these", async () => {
      const tolerations = [{ key: "team", value: "red", effect: "NoSchedule" }];
      await ok("create -f -", queue("alone", { capacity: { tolerations } }, { labels: { "nuptse.dev/exclusive": "true" } }));
      const tolerating = (toleration: object) => pod("intruder", {}, { tolerations: [toleration] });
      const said = /the nodes that team taints are for pods of the TenantQueue alone and those below it/;
      await refused("create -f - --as=alice", said, tolerating(tolerations[0] as object));
      await refused("create -f - --as=alice", said, tolerating({ operator: "Exists" }));
      assert.match(await ok("create -f - --dry-run=server --as=alice", tolerating({ key: "other", operator: "Exists" })), /created/);
      const many = (count: number) =>
        pod("intruder", {}, { tolerations: Array.from({ length: count }, (_, i) => ({ ...tolerations[0], key: `k${i}` })) });
      assert.match(await ok("create -f - --dry-run=server --as=alice", many(490)), /created/);
      await refused("create -f - --as=alice", /spec\.tolerations: at most 500/, many(501));
      await ok("delete tenantqueue alone");
    });
  });
}
