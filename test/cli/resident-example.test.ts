import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import { usePlugin } from "./plugin-fixture.ts";

describe("examples/executors/resident.yaml in the playground: items for processes that already run", function () {
  this.timeout(timeLimits.test);
  const plugin = usePlugin("shop", { kubelet: "process" });
  const get = (what: string) => plugin().kubectl.ok(["get", "ej", "greetings", "-o", `jsonpath=${what}`]);

  before(async () => {
    const { kubectl } = plugin();
    await kubectl.ok(["apply", "-f", join(import.meta.dirname, "../../examples/executors/resident.yaml")]);
    await kubectl.ok(["wait", "ra/greeters", "--for=condition=Ready", `--timeout=${timeLimits.run / 1000}s`]);
    await eventually("a run to end", timeLimits.run, async () => (await get("{.status.history[0].phase}")) === "Succeeded");
  });

  it("six items are two for each of three instances, by name", async () => {
    const [run] = JSON.parse(await get("{.status.history}")) as { items: string; total: number; pods?: unknown }[];
    assert.deepEqual([run?.items, run?.total], ["0-5", 6]);
    const { kubectl } = plugin();
    const logs = await kubectl.ok(["logs", "-l", "nuptse.dev/app=greeters", "--prefix", "--tail=-1"]);
    const greeted = new Map<string, Set<string>>();
    for (const line of logs.split("\n")) {
      const [, pod = "", name = ""] = /^\[pod\/(\S+)\/greeter\] hello (\w+)$/.exec(line) ?? [];
      if (name !== "") greeted.set(pod, (greeted.get(pod) ?? new Set()).add(name));
    }
    assert.deepEqual([...greeted.values()].map((names) => [...names].sort().join()).sort(), ["Ada,Edsger", "Barbara,Grace", "Donald,Tony"]);
  });

  it("no pod was made for them", async () => {
    const { kubectl } = plugin();
    assert.equal(await kubectl.ok(["get", "pods", "-l", "nuptse.dev/job=greetings", "-o", "name"]), "");
  });

  it("kubectl nuptse executors shows the fleet, its instances and their places", async () => {
    const lines = await plugin().ok("executors");
    assert.match(lines[0] ?? "", /INSTANCE/);
    assert.equal(lines.filter((line) => line.includes("greeters")).length, 3);
  });
});
