import assert from "node:assert/strict";
import { markedYaml } from "../../../../src/cli/plugin/fleet/marked-yaml.ts";
import type { RunnerApp, RunnerAppStatus } from "../../../../src/api/runner-app.gen.ts";
import { makeQueue } from "../../../support/builders/tenant-queue.ts";
import { appOf, clusterOf, instanceOf } from "./fleet-double.ts";
import { kubectlNuptse, refusal } from "./plugin-double.ts";

const serving = [instanceOf(0), instanceOf(1), instanceOf(2)];
const objects = clusterOf(appOf(), serving);
const withCanary = (phase: string, spec: object = {}) =>
  clusterOf(
    appOf({
      spec: { replicas: 10, canary: { replicas: "20%" }, ...spec },
      status: {
        updateRevision: "web-2222222222",
        canary: { revision: "web-2222222222", phase, target: 2, failed: 1 },
      } as RunnerAppStatus,
    }),
    serving,
  );
const patched = (outcome: { readonly writes: readonly { readonly verb: string; readonly object: unknown }[] }) =>
  outcome.writes.map(({ object }) => (object as { readonly body: unknown }).body);
const generation = { op: "test", path: "/metadata/generation", value: 1 };

describe("cli/plugin acts on fleets", () => {
  it("restart writes an instant after every pod's creation and after the last restart, whatever the clocks say", async () => {
    const at = async (app: RunnerApp, now: string) => {
      const [body] = patched(await kubectlNuptse(["restart", "web"], { objects: clusterOf(app, serving), now }));
      return (body as { readonly spec: { readonly restartedAt: string } }).spec.restartedAt;
    };
    assert.equal(await at(appOf(), "2026-11-21T12:30:00.200Z"), "2026-11-21T12:30:01Z");
    assert.equal(await at(appOf(), "2026-11-21T11:00:00Z"), "2026-11-21T12:00:01Z");
    assert.equal(await at(appOf({ spec: { restartedAt: "2026-11-21T12:40:00Z" } }), "2026-11-21T12:30:00Z"), "2026-11-21T12:40:01Z");
  });
  it("restart of one instance is refused for another pod of its name: it names the UID", async () => {
    const { writes, results } = await kubectlNuptse(["restart", "web", "-i", "1"], { objects });
    assert.deepEqual(writes, [
      {
        verb: "patch",
        resource: "pods",
        object: {
          name: "web-11111-1",
          namespace: "tenant",
          type: "merge",
          body: { metadata: { uid: "uid-1", annotations: { "nuptse.dev/restart": "2026-11-21T12:30:00Z" } } },
        },
      },
    ]);
    assert.deepEqual(results, ["pod/web-11111-1 (instance 1) is to be replaced"]);
  });
  it("set-image writes where the containers are, and nothing when they have the image", async () => {
    assert.deepEqual(patched(await kubectlNuptse(["set-image", "web", "main=web:2"], { objects })), [
      [generation, { op: "add", path: "/spec/template/spec/containers/0/image", value: "web:2" }],
    ]);
    const none = await kubectlNuptse(["set-image", "web", "*=web:1"], { objects });
    assert.deepEqual([none.code, none.writes, none.notes], [0, [], ["web has these images already"]]);
  });
  it("an edit that meets another one says so", async () => {
    const newer = clusterOf({ ...appOf(), metadata: { ...appOf().metadata, generation: 1 } }, serving);
    const failures = {
      "patch runnerapps.nuptse.dev": refusal(422, "Invalid", "the server rejected our request due to an error in our request"),
    };
    const { code, notes } = await kubectlNuptse(["set-image", "web", "main=web:2"], { objects: newer, failures });
    assert.deepEqual([code, notes], [1, ["error: the server rejected our request due to an error in our request"]]);
  });

  describe("undo", () => {
    const template = (image: string) => ({ spec: { containers: [{ name: "main", image }] } });
    const cases = [
      { name: "goes to the newest other revision where no change is under way", given: objects, args: [], want: "web:2" },
      { name: "goes to what the fleet came from while one is", given: withCanary("Rolling"), args: [], want: "web:1" },
      { name: "goes to the revision that is named", given: objects, args: ["--to-revision", "2"], want: "web:2" },
    ];
    for (const { name, given, args, want } of cases)
      it(name, async () => {
        assert.deepEqual(patched(await kubectlNuptse(["rollout", "undo", "web", ...args], { objects: given })), [
          [generation, { op: "replace", path: "/spec/template", value: template(want) }],
        ]);
      });
    it("to what it has is refused", async () => {
      const { code, notes } = await kubectlNuptse(["rollout", "undo", "web", "--to-revision", "1"], { objects });
      assert.deepEqual([code, notes], [1, ["error: web has the template of revision 1 already"]]);
    });
  });

  describe("promote", () => {
    it("to a larger share, with no word about the next change", async () => {
      const outcome = await kubectlNuptse(["rollout", "promote", "web", "--to", "50%"], { objects: withCanary("Held") });
      assert.deepEqual(patched(outcome), [{ spec: { canary: { replicas: "50%" } }, metadata: { uid: "app-uid" } }]);
      assert.deepEqual([outcome.results, outcome.notes], [["runnerapp.nuptse.dev/web promoted from 20% to 50%"], []]);
    });
    const cases = [
      { name: "to less", given: withCanary("Held"), to: "10%", code: 2, words: /--to 10% is less than now, 20%/ },
      { name: "to no share", given: withCanary("Held"), to: "half", code: 2, words: /share of whole percent such as 50%/ },
      { name: "of what has failed", given: withCanary("AutoPaused"), to: "50%", code: 1, words: /the change has failed/ },
      { name: "without a canary", given: objects, to: "50%", code: 1, words: /has no spec\.canary/ },
    ];
    for (const { name, given, to, code, words } of cases)
      it(`refuses it ${name}`, async () => {
        const outcome = await kubectlNuptse(["rollout", "promote", "web", "--to", to], { objects: given });
        assert.deepEqual([outcome.code, outcome.writes], [code, []]);
        assert.match(outcome.notes.join("\n"), words);
      });
  });

  it("resume of a roll-out that stands still by failure is heeded for its revision", async () => {
    assert.deepEqual(patched(await kubectlNuptse(["rollout", "resume", "web"], { objects: withCanary("AutoPaused") })), [
      { metadata: { annotations: { "nuptse.dev/resume": "web-2222222222/2026-11-21T12:30:00Z" }, uid: "app-uid" } },
    ]);
    assert.deepEqual(patched(await kubectlNuptse(["rollout", "resume", "web"], { objects: withCanary("Paused", { paused: true }) })), [
      { spec: { paused: false }, metadata: { uid: "app-uid" } },
    ]);
  });

  describe("rollout status without watching", () => {
    const cases = [
      { name: "done", given: objects, code: 0, want: "web is rolled out: 3 of 3 are available" },
      {
        name: "not seen yet",
        given: clusterOf({ ...appOf(), metadata: { ...appOf().metadata, generation: 2 } }, serving),
        code: 0,
        want: "waiting for the operator to see the newest change",
      },
      {
        name: "restarts that are asked for in this second",
        given: clusterOf(appOf({ spec: { restartedAt: "2026-11-21T12:30:01Z" } }), serving),
        code: 0,
        want: "3 to be restarted, 3 of 3 available",
      },
      {
        name: "a pause",
        given: withCanary("Paused", { paused: true }),
        code: 1,
        want: "error: spec.paused is true, and 0 of 10 have the change; kubectl nuptse rollout resume web",
      },
    ];
    for (const { name, given, code, want } of cases)
      it(name, async () => {
        const outcome = await kubectlNuptse(["rollout", "status", "web", "--no-watch"], { objects: given });
        assert.deepEqual([outcome.code, [...outcome.results, ...outcome.notes]], [code, [want]]);
      });
  });

  it("exec hands over to kubectl, with the exit code of the command", async () => {
    const args = ["exec", "web", "-i", "2", "--context", "c", "--", "ls", "-l"];
    const { code, writes, notes } = await kubectlNuptse(args, { objects, handedOver: 3 });
    assert.deepEqual([code, notes], [3, []]);
    assert.deepEqual(writes, [
      {
        verb: "run",
        resource: "kubectl",
        object: ["exec", "web-11111-2", "--namespace=tenant", "--container=main", "--context=c", "--", "ls", "-l"],
      },
    ]);
    const without = await kubectlNuptse(args, { objects });
    assert.deepEqual([without.code, without.notes], [1, ["error: kubectl is not in PATH, and exec needs it"]]);
  });

  describe("render", () => {
    const queues = {
      namespaces: [{ metadata: { name: "tenant", labels: { team: "red" } } }],
      "tenantqueues.nuptse.dev": [
        makeQueue("corp", { capacity: { nodeSelector: { pool: "batch" }, tolerations: [{ key: "batch", operator: "Exists" }] } }),
        makeQueue("red", { parent: "corp", namespaceSelector: { matchLabels: { team: "red" } }, defaultQueue: true }),
      ],
    };
    const pod = async (args: readonly string[], given = objects) => {
      const { results, notes } = await kubectlNuptse(["render", "web", "-o", "json", ...args], { objects: given });
      return { pod: JSON.parse(results.join("\n")) as import("../../../../src/api/core.ts").Pod, notes };
    };
    it("is of the queue that is the namespace's default, and runs on that queue's nodes", async () => {
      const nodes = [{ metadata: { name: "n1" } }];
      const { pod: made, notes } = await pod([], { ...objects, ...queues, nodes } as never);
      assert.equal(made.metadata.labels?.["nuptse.dev/queue"], "red");
      assert.deepEqual(made.spec.nodeSelector, { pool: "batch" });
      assert.ok(made.spec.tolerations?.some(({ key }) => key === "batch"));
      assert.deepEqual(notes, []);
    });
    it("has the lowest number that is free, and leaves out nodes that the fleet excludes", async () => {
      const status = { nodeRules: [{ node: "n1", effect: "Exclude", failures: 3, expiresAt: "2026-11-21T13:00:00Z", reason: "Exit" }] };
      const ready = { conditions: [{ type: "Ready", status: "True" }] };
      const nodes = ["n1", "n2"].map((name) => ({ metadata: { name }, status: ready }));
      const given = clusterOf(appOf({ status: status as RunnerAppStatus }), [instanceOf(0), instanceOf(2)], { nodes });
      const { pod: made, notes } = await pod([], given);
      assert.equal(made.metadata.annotations?.["nuptse.dev/instance"], "1");
      const [term] = made.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
      assert.deepEqual(term?.matchFields, [{ key: "metadata.name", operator: "NotIn", values: ["n1"] }]);
      assert.deepEqual(notes, ["TenantQueues and the namespace may not be read here: what a queue adds is not shown"]);
    });
    it("in the place of an instance it has that number", async () => {
      assert.equal((await pod(["-i", "1"])).pod.metadata.annotations?.["nuptse.dev/instance"], "1");
      const none = await kubectlNuptse(["render", "web", "-i", "7"], { objects });
      assert.deepEqual([none.code, none.notes.at(-1)], [1, "error: web has no instance 7: kubectl nuptse app web"]);
    });
    it("marks what is not in the template, and stays YAML", () => {
      const own = { a: 1, list: [{ name: "x", image: "i" }, "same"], text: "one\ntwo" };
      const made = {
        a: 2,
        list: [{ name: "x", image: "i", env: [{ name: "E" }] }, "same", "more"],
        text: "one\ntwo",
        added: { deep: "line\nline" },
      };
      assert.deepEqual(markedYaml(made, own), [
        "a: 2  # nuptse",
        "list:",
        "  - name: x",
        "    image: i",
        "    env:  # nuptse",
        "      - name: E  # nuptse",
        "  - same",
        "  - more  # nuptse",
        "text: |-",
        "  one",
        "  two",
        "added:  # nuptse",
        "  deep: |-",
        "    line",
        "    line",
      ]);
    });
  });
});
