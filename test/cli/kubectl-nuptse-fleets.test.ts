import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { simulateAnnotation } from "../../src/simulator/world/pod-script.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import type { Outcome } from "./kubectl.ts";
import { plain, usePlugin } from "./plugin-fixture.ts";

const namespace = "shop";

interface AppOptions {
  readonly spec?: object;
  /** How the kubelet plays its pods. */
  readonly script?: object;
  readonly image?: string;
}

const template = (image: string, script: object = {}) => ({
  metadata: { annotations: { [simulateAnnotation]: JSON.stringify({ log: ["serves"], ...script }) } },
  spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image }] },
});

const app = (name: string, { spec = {}, script = {}, image = "registry.example/web:1" }: AppOptions = {}) =>
  dump({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name, namespace },
    spec: { replicas: 3, template: template(image, script), ...spec },
  });

/** Names of pods with the hash of their revision replaced. */
const named = (lines: readonly string[]) => lines.map((line) => line.replaceAll(/\b([a-z]+)-[0-9a-f]{5}-(\d+)\b/g, "$1-HASH-$2"));

describe("kubectl nuptse for fleets", function () {
  this.timeout(timeLimits.test);
  const plugin = usePlugin(namespace);
  const run = (args: string, input?: string): Promise<Outcome> => plugin().run(args, input);
  const ok = async (args: string, input?: string): Promise<readonly string[]> => named(await plugin().ok(args, input));
  const fails = async (args: string): Promise<string> => {
    const { code, stderr } = await run(args);
    assert.equal(code, 1, stderr);
    return plain(stderr).join("\n");
  };
  const kubectl = () => plugin().kubectl;
  const create = async (name: string, options?: AppOptions) => {
    await kubectl().ok(["apply", "-f", "-"], app(name, options));
  };
  const settled = (name: string) => ok(`rollout status ${name} --timeout 60s`);
  const podsOf = async (name: string) => (await run(`app ${name} -o name`)).stdout.trim().split("\n");
  /** Waits until a line of what the command prints matches each of these. */
  const shows = (args: string, ...wanted: readonly RegExp[]) =>
    eventually(args, timeLimits.reaction, async () => {
      const lines = await ok(args);
      for (const want of wanted)
        assert.ok(
          lines.some((line) => want.test(line)),
          `${want} in\n${lines.join("\n")}`,
        );
      return lines;
    });

  before(async () => {
    await create("web");
    await settled("web");
  });

  describe("shows", () => {
    it("app is a table of all fleets", async () => {
      await create("broken", { spec: { replicas: 2 }, script: { pullFailures: "forever" } });
      await shows(
        "app",
        /^APP \| DESIRED \| READY \| UP-TO-DATE \| AVAILABLE \| CANARY \| REASON \| AGE \| INSTANCES$/,
        /^web \| 3 \| 3 \| 3 \| 3 \| - \| Serving \| SPAN$/,
        /^broken \| 2 \| 0 \| 2 \| 0 \| - \| \w+ \| SPAN \| 2 InstallFailed$/,
      );
    });
    it("app NAME is all of one: instances with their reasons, revisions, conditions", async () => {
      const lines = await ok("app web");
      assert.deepEqual(lines.slice(0, 5), [
        "RunnerApp: | web",
        "Namespace: | shop",
        "Instances: | 3 of 3 available",
        "Roll-out: | all have what spec.template says",
        "Budgets: | 0 may be missing, 1 may run besides",
      ]);
      const from = lines.indexOf("Revisions");
      assert.deepEqual(lines.slice(from, from + 8), [
        "Revisions",
        " | REVISION | IS | INSTANCES | AGE | IMAGES",
        " | 1 | Spec,Stable | 3 | SPAN | registry.example/web:1",
        "",
        "Instances",
        " | INSTANCE | REASON | POD | NODE | REVISION | RESTARTS | AGE | LAST-EXIT",
        " | 0 | Serving | web-HASH-0 | NODE | 1 | 0 | SPAN",
        " | 1 | Serving | web-HASH-1 | NODE | 1 | 0 | SPAN",
      ]);
    });
    it("-o json is for scripts", async () => {
      const { instances, available } = JSON.parse((await run("app web -o json")).stdout) as {
        readonly instances: readonly { readonly reason: string; readonly instance: string }[];
        readonly available: number;
      };
      assert.deepEqual([available, instances.map(({ instance, reason }) => `${instance} ${reason}`)], [3, ["0 None", "1 None", "2 None"]]);
    });
    it("a name that is none is told with what was perhaps meant", async () => {
      assert.equal(await fails("app wbe"), `error: there is no RunnerApp "wbe" in namespace "shop"; did you mean web?`);
      assert.equal(await fails("why web"), `error: there is no ElasticJob "web" in namespace "shop"; did you mean the RunnerApp ra/web?`);
    });
    it("logs of all instances carry their numbers and pods, of one none", async () => {
      assert.deepEqual([...(await ok("logs ra/web"))].sort(), ["[0 web-HASH-0] serves", "[1 web-HASH-1] serves", "[2 web-HASH-2] serves"]);
      assert.deepEqual(await ok("logs ra/web -i 1"), ["serves"]);
      assert.equal(await fails("logs ra/web -i 7"), "error: web has no pod of instance 7, so there are no logs: kubectl nuptse why ra/web");
    });
    it("node shows what of ours is where", async () => {
      const lines = await ok("node");
      assert.equal(lines[0], "NODE | STATE | INSTANCES | ITEMS | LEFT-OUT-BY");
      const counted = lines.slice(1).reduce((sum, line) => sum + Number(line.split(" | ")[2]), 0);
      assert.equal(counted, 5);
      assert.match(
        (await ok("node node-1")).join("\n"),
        /^Node: \| NODE\nState: \| Ready\nOurs: \| \d instances of fleets, 0 items of jobs/,
      );
    });
    it("render marks what the operator adds", async () => {
      const lines = await ok("render web");
      for (const want of [
        " | name: web-HASH-3 | # nuptse",
        " | nuptse.dev/app: web | # nuptse",
        " | nuptse.dev/instance: '3' | # nuptse",
        " | - image: registry.example/web:1",
        " | name: main",
        " | - name: NUPTSE_APP | # nuptse",
      ])
        assert.ok(lines.includes(want), `${want} in\n${lines.join("\n")}`);
      // It is a pod, whatever is marked.
      await kubectl().ok(["create", "--dry-run=server", "-f", "-"], (await run("render web")).stdout);
    });
    it("kubectl completes apps, nodes and images by it", async () => {
      assert.match(await kubectl().ok(["__complete", "nuptse", "app", "w"]), /^web\n:4\n/);
      assert.match(await kubectl().ok(["__complete", "nuptse", "why", "ra"]), /^ra\/broken\nra\/web\n:4\n/);
      assert.match(await kubectl().ok(["__complete", "nuptse", "evacuate", "node-1"]), /^node-1\n:4\n/);
      assert.match(await kubectl().ok(["__complete", "nuptse", "set-image", "web", ""]), /^main=registry.example\/web:1\n:4\n/);
      assert.match(await kubectl().ok(["__complete", "nuptse", "rollout", "pro"]), /^promote\t/);
    });
  });

  describe("steers a roll-out", () => {
    before(async () => {
      await create("canary", { spec: { replicas: 4, minReadySeconds: 1, canary: { replicas: "25%" } } });
      await settled("canary");
    });

    it("set-image --wait rolls out to the share of the canary, and is held there", async () => {
      const lines = await ok("set-image canary main=registry.example/web:2 --wait");
      assert.equal(lines[0], "runnerapp.nuptse.dev/canary image updated");
      assert.equal(
        lines.at(-1),
        "held at its share: 1 of 4 have the change; kubectl nuptse rollout promote canary goes on",
        lines.join("\n"),
      );
    });
    it("why says so", async () => {
      await shows(
        "why ra/canary",
        /^RunnerApp canary in shop serves: 4 of 4 are available\.$/,
        /^- CanaryHeld: the change has come to the share of spec\.canary\.replicas; 1 of 4 have the change$/,
        /to do \| kubectl nuptse rollout promote canary goes on; kubectl nuptse rollout undo canary goes back$/,
      );
    });
    it("promote gives it to all", async () => {
      const lines = await ok("rollout promote canary --wait");
      assert.equal(lines[0], "runnerapp.nuptse.dev/canary promoted from 25% to 100%");
      assert.equal(lines.at(-1), "canary is rolled out: 4 of 4 are available");
      assert.deepEqual(await ok("rollout history canary"), [
        "REVISION | IS | INSTANCES | AGE | IMAGES",
        "1 | - | 0 | SPAN | registry.example/web:1",
        "2 | Spec,Stable | 4 | SPAN | registry.example/web:2",
      ]);
    });
    it("history --revision prints a template", async () => {
      assert.match((await run("rollout history canary --revision 1")).stdout, /image: registry\.example\/web:1/);
      assert.equal(await fails("rollout history canary --revision 9"), "error: canary has no revision 9; there are 1, 2");
    });
    it("undo goes back", async () => {
      const lines = await ok("rollout undo canary --wait");
      assert.equal(lines[0], "runnerapp.nuptse.dev/canary rolled back to revision 1 (registry.example/web:1)");
      assert.equal(lines.at(-1), "canary is rolled out: 4 of 4 are available");
    });
    it("pause and resume", async () => {
      assert.deepEqual(await ok("rollout pause canary"), ["runnerapp.nuptse.dev/canary paused"]);
      await ok("set-image canary *=registry.example/web:3");
      await shows("why ra/canary", /^- Paused: spec\.paused is true; 0 of 4 have the change$/);
      assert.match(
        await fails("rollout status canary"),
        /^error: spec\.paused is true, and 0 of 4 have the change; kubectl nuptse rollout resume canary$/,
      );
      const lines = await ok("rollout resume canary --wait");
      assert.deepEqual([lines[0], lines.at(-1)], ["runnerapp.nuptse.dev/canary resumed", "canary is rolled out: 4 of 4 are available"]);
    });
    it("a change that fails stands still with exit code 1; resume goes on in spite of it, undo goes back", async () => {
      const spec = {
        retry: { sameNode: 0, otherNodes: 0 },
        canary: { replicas: "50%" },
        // Else it serves for the moment before it fails.
        minReadySeconds: 2,
        template: template("registry.example/web:4", { startMs: [10, 10], runMs: [100, 100], exitCode: 3 }),
      };
      await kubectl().ok(["patch", "ra", "canary", "--type=merge", "-p", JSON.stringify({ spec })]);
      assert.match(
        await fails("rollout status canary --timeout 60s"),
        /^error: RolloutPaused: the roll-out of revision canary-\w+ stands still: instance \d (and \d more )?failed/,
      );
      await shows(
        "why ra/canary",
        /^- RolloutPaused: the roll-out stands still: instance \d (and \d more )?failed; \d of 4 have the change$/,
        /^- CrashLoop: instances? [\d,-]+: its program ended: exit 3$/,
        /to do \| kubectl nuptse logs ra\/canary -i \d --previous$/,
      );
      assert.match(await fails("rollout promote canary"), /^error: the change has failed/);
      assert.match(
        (await ok("rollout resume canary"))[0] ?? "",
        /^runnerapp\.nuptse\.dev\/canary resumed in spite of \d failed instances$/,
      );
      await ok("rollout undo canary");
      await shows("rollout status canary --timeout 60s", /^canary is rolled out: 4 of 4 are available$/);
    });
    it("what is no image is exit code 2", async () => {
      const typed = await run("set-image web main=Web:1");
      assert.deepEqual([typed.code, typed.stderr.split(":")[0]], [2, "error"]);
      assert.equal(await fails("set-image web sidecar=x:1"), 'error: web has no container "sidecar"; there are main');
    });
  });

  describe("restarts, suspends and moves", () => {
    it("restart --wait replaces every instance", async () => {
      const before = await podsOf("web");
      const uids = async () =>
        (await kubectl().ok(["get", ...(await podsOf("web")), "-o", "jsonpath={.items[*].metadata.uid}"])).split(" ");
      const old = await uids();
      const lines = await ok("restart web --wait --timeout 60s");
      assert.deepEqual(
        [lines[0], lines.at(-1)],
        ["runnerapp.nuptse.dev/web restarts 3 instances, one after the other", "web is rolled out: 3 of 3 are available"],
      );
      await eventually("those that were replaced to be gone", timeLimits.settled, async () => {
        const now = await uids();
        assert.deepEqual([now.length, now.filter((uid) => old.includes(uid))], [before.length, []]);
        return true;
      });
    });
    it("restart -i replaces one", async () => {
      const { instances } = JSON.parse((await run("app web -o json")).stdout) as {
        readonly instances: readonly { readonly instance: string }[];
      };
      const number = instances[1]?.instance ?? "";
      const lines = await ok(`restart web -i ${number} --wait --timeout 60s`);
      assert.match(lines[0] ?? "", new RegExp(`^pod/web-HASH-\\d \\(instance ${number}\\) is to be replaced$`));
      assert.match(await fails("restart web -i 99"), /^error: web has no pod of instance 99; there are \d, \d, \d$/);
    });
    it("suspend and resume of an app", async () => {
      await create("night", { spec: { replicas: 1 } });
      await settled("night");
      assert.deepEqual((await ok("suspend ra/night --wait")).at(-1), "night is suspended, and has no instances");
      await shows("why ra/night", /^RunnerApp night in shop is suspended: 0 of 0 are available\.$/, /^- Suspended: /);
      const wrong = await run("suspend ra/night --until 2h");
      assert.deepEqual(
        [wrong.code, wrong.stderr],
        [2, "error: --until is for jobs: a fleet stays suspended until kubectl nuptse resume\n"],
      );
      assert.deepEqual(await ok("resume ra/night"), ["runnerapp.nuptse.dev/night resumed"]);
      assert.deepEqual((await settled("night")).at(-1), "night is rolled out: 1 of 1 are available");
    });
    it("evacuate empties a node, why and node tell of it, and --cancel gives it back", async () => {
      await create("spread", { spec: { replicas: 4 } });
      await settled("spread");
      const node = await kubectl().ok(["get", (await podsOf("spread"))[0] as string, "-o", "jsonpath={.spec.nodeName}"]);
      const lines = plain((await run(`evacuate ${node} --wait --timeout 60s`)).stdout);
      assert.deepEqual([lines[0], lines.at(-1)], ["node/NODE is being evacuated", "no instance is left of node NODE"]);
      const shown = await ok(`node ${node}`);
      assert.equal(shown[1], "State: | Ready,Evacuating: it is annotated nuptse.dev/evacuate, so instances leave it");
      assert.deepEqual(await ok(`evacuate node/${node} --cancel`), ["node/NODE is given back: instances that have not left yet stay"]);
      assert.equal((await ok(`node ${node}`))[1], "State: | Ready");
    });
    it("evacuate of one instance", async () => {
      const lines = await ok("evacuate ra/spread -i 2 --wait --timeout 60s");
      assert.match(lines[0] ?? "", /^pod\/spread-HASH-\d \(instance 2\) is to leave node NODE$/);
      assert.equal(lines.at(-1), "no instance is left of these instances");
      const typed = await run("evacuate ra/spread");
      assert.equal(typed.code, 2);
    });
  });

  describe("why says what ails instances", () => {
    const cases: readonly {
      readonly name: string;
      readonly app: string;
      readonly options: AppOptions;
      readonly want: readonly RegExp[];
    }[] = [
      {
        name: "an image that cannot be had",
        app: "typo",
        options: { script: { pullFailures: "forever" } },
        want: [
          /^RunnerApp typo in shop has too few instances: 0 of 3 are available\.$/,
          /^- Image: instances 0-2: the image registry\.example\/web:1 cannot be had \(ImagePullBackOff: /,
          /to do \| is its name right, and may the node pull it\? kubectl nuptse set-image typo/,
        ],
      },
      {
        name: "no node that fits",
        app: "picky",
        options: { spec: { template: { spec: { nodeSelector: { disk: "ssd" }, containers: [{ name: "main", image: "x:1" }] } } } },
        want: [/^- NoNode: instances 0-2: no node takes the pod: 0\/4 nodes are available/],
      },
      {
        name: "a program that ends",
        app: "ending",
        options: { spec: { replicas: 1 }, script: { startMs: [10, 10], runMs: [100, 100], exitCode: 0 } },
        want: [/^- CrashLoop: instance 0: its program ended with 0, and should go on for ever$/],
      },
      {
        name: "too little memory",
        app: "hungry",
        options: { spec: { replicas: 1 }, script: { startMs: [10, 10], runMs: [100, 100], outOfMemory: true } },
        want: [/^- OOMKilled: instance 0: it went over its memory limit$/],
      },
      {
        name: "what it refers to is not there",
        app: "config",
        options: { spec: { replicas: 1 }, script: { configError: 'configmap "settings" not found' } },
        want: [/^- Config: instance 0: cannot be made: CreateContainerConfigError: configmap "settings" not found$/],
      },
      {
        name: "a template that the API server refuses",
        app: "wrong",
        options: { spec: { template: { spec: { containers: [{ name: "main", image: "x:1", ports: [{ containerPort: 99999 }] }] } } } },
        want: [/^- NotAccepted: the API server refuses pods of spec\.template, and the fleet is kept as it was: spec\.template/],
      },
      {
        name: "nothing",
        app: "fine",
        options: {},
        want: [/^RunnerApp fine in shop serves: 3 of 3 are available\.$/, /^Nothing is wrong\.$/],
      },
    ];
    for (const tc of cases)
      it(tc.name, async () => {
        await create(tc.app, tc.options);
        await shows(`why ra/${tc.app}`, ...tc.want);
      });
    it("of a single pod too", async () => {
      const [pod = ""] = await podsOf("fine");
      assert.deepEqual(await ok(`why ${pod}`), [
        `Instance 0 of RunnerApp fine in shop, pod fine-HASH-0 on NODE, serves.`,
        "Nothing is wrong.",
      ]);
    });
    it("a quota", async () => {
      const quota = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "small", namespace }, spec: { hard: { pods: "0" } } };
      await kubectl().ok(["create", "-f", "-"], dump(quota));
      await create("poor");
      await shows("why ra/poor", /^- Quota: a ResourceQuota leaves no room: .*exceeded quota: small/);
      await kubectl().ok(["delete", "quota", "small"]);
    });
  });
});

describe("kubectl nuptse exec", function () {
  this.timeout(timeLimits.test);
  const plugin = usePlugin("shells", { kubelet: "process" });
  const run = (...args: string[]): Promise<Outcome> => plugin().kubectl.run(["nuptse", ...args]);

  it("runs a command in an instance, with its streams and its exit code", async () => {
    const container = { name: "main", image: "x:1", command: ["sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait; done"] };
    const fleet = {
      apiVersion: "nuptse.dev/v1alpha1",
      kind: "RunnerApp",
      metadata: { name: "shell" },
      spec: { replicas: 1, template: { spec: { terminationGracePeriodSeconds: 2, containers: [container] } } },
    };
    await plugin().kubectl.ok(["create", "-f", "-"], dump(fleet));
    await plugin().ok("rollout status shell --timeout 60s");
    const { code, stdout, stderr } = await run("exec", "shell", "--", "sh", "-c", "echo $NUPTSE_APP; echo bad >&2; exit 3");
    assert.deepEqual([code, stdout], [3, "shell\n"], stderr);
    assert.match(stderr, /^bad\n/);
    const none = await run("exec", "shell", "-i", "4", "--", "true");
    assert.deepEqual([none.code, none.stderr], [1, "error: shell has no pod of instance 4; there are 0\n"]);
  });
});
