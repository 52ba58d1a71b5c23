import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dump } from "js-yaml";
import { simulateAnnotation } from "../../src/simulator/world/pod-script.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { usePlugin } from "./plugin-fixture.ts";

/** Items of one core each that last as long as they may. */
const job = (namespace: string, name: string, items: number): string =>
  dump({
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: { name, namespace },
    spec: {
      sharding: { total: items },
      // Only who gives back in time may have what is lent.
      queue: { onReclaim: "Stop" },
      template: {
        metadata: { annotations: { [simulateAnnotation]: JSON.stringify({ runMs: "forever" }) } },
        spec: { containers: [{ name: "main", image: "registry.example/work:1", resources: { requests: { cpu: "1" } } }] },
      },
    },
  });

describe("examples/tenantqueue.yaml: Lhotse and Hermes share a cluster half and half, Base and Runner share Lhotse's half", function () {
  this.timeout(timeLimits.test);
  const plugin = usePlugin("runners");

  before(async () => {
    const { kubectl } = plugin();
    await kubectl.ok(["apply", "-f", "-"], await readFile(join(import.meta.dirname, "../../examples/tenantqueue.yaml"), "utf8"));
    await kubectl.ok(["create", "namespace", "base"]);
    await kubectl.ok(["label", "namespace", "runners", "team=lhotse", "part=runner"]);
    await kubectl.ok(["label", "namespace", "base", "team=lhotse", "part=base"]);
  });

  it("each has its guarantee of the 32 cores of the playground's nodes, and Runner borrows what Hermes leaves idle", async () => {
    const { kubectl, ok } = plugin();
    await kubectl.ok(["apply", "-f", "-"], job("runners", "fleet", 20));
    await eventually("the fleet to be admitted", timeLimits.settled, async () => {
      await ok("run fleet");
      return true;
    });
    await eventually("queues to tell of it", timeLimits.settled, async () => {
      assert.deepEqual(await ok("queue"), [
        "QUEUE | RESOURCE | USE | USED | GUARANTEED | FAIR-SHARE | ADMITTED | WAITING | OLDEST | WHY",
        "corp | cpu | [###############.........] | 20 | 32 | 20 | 1 | 0",
        "├─ hermes | cpu | [::::::::::::............] | 0 | 16 | - | 0 | 0",
        "├─ leftovers | cpu | [........................] | 0 | - | - | 0 | 0",
        "└─ lhotse | cpu | [############+++.........] | 20 | 16 | 20 | 1 | 0",
        " | ├─ lhotse-base | cpu | [::......................] | 0 | 3200m | - | 0 | 0",
        " | └─ lhotse-runner | cpu | [#########++++++.........] | 20 | 12800m | 20 | 1 | 0",
      ]);
      return true;
    });
  });
});
