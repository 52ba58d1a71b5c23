import assert from "node:assert/strict";
import { runnerApps } from "../../src/api/resource.ts";
import type { Stage } from "../../src/simulator/harness/stage.ts";
import { app, capacity, conditions, living, open, readyPods, status, web } from "./support/fleets.ts";

/** Alternatives of so many cores. */
const cores = (...amounts: readonly string[]) =>
  amounts.map((cpu) => ({ containers: [{ name: "main", resources: { requests: { cpu } } }] }));

/** What the instances ask for, in order. */
const asked = async (stage: Stage) => (await living(stage)).map(({ spec }) => spec.containers[0]?.resources?.requests?.["cpu"]).sort();

/** Nodes of three cores. */
const small = (...names: readonly string[]) => open({ nodes: names.map((name) => ({ name, capacity: capacity("3") })) });

describe("simulation of fleets: alternatives of resources", function () {
  this.timeout(120_000);

  it("an instance that finds no node gets the next alternative after its time, and those that fit keep theirs", async () => {
    const stage = await small("n1");
    await stage.create(runnerApps, app({ replicas: 2, resourceOptions: cores("2", "1"), optionTimeoutSeconds: 60 }));
    await stage.advance(50_000);
    assert.deepEqual(await asked(stage), ["2", "2"]);
    assert.equal((await readyPods(stage)).length, 1);
    await stage.advance(40_000);
    assert.deepEqual(await asked(stage), ["1", "2"]);
    assert.equal((await readyPods(stage)).length, 2);
    await stage.advance(5000);
    assert.equal((await status(stage))?.optionTries, undefined);
    const pods = (await living(stage)).map(({ metadata }) => metadata.uid).sort();
    await stage.advance(3_600_000);
    assert.deepEqual((await living(stage)).map(({ metadata }) => metadata.uid).sort(), pods);
  });

  it("an alternative of its own nodes goes there", async () => {
    const stage = await open({
      nodes: [
        { name: "n1", capacity: capacity("10"), labels: { disk: "fast" } },
        { name: "n2", capacity: capacity("10"), labels: { disk: "slow" } },
      ],
    });
    const resourceOptions = [{ nodeSelector: { disk: "faster" } }, { nodeSelector: { disk: "slow" } }];
    await stage.create(runnerApps, app({ replicas: 1, resourceOptions, optionTimeoutSeconds: 30 }));
    await stage.advance(60_000);
    assert.deepEqual(
      (await readyPods(stage)).map(({ spec }) => spec.nodeName),
      ["n2"],
    );
  });

  it("when none fits it says so and tries them again with longer waits, also through an operator that is killed; room ends it", async () => {
    const stage = await small("n1");
    await stage.create(runnerApps, app({ replicas: 1, resourceOptions: cores("8", "4"), optionTimeoutSeconds: 60 }));
    await stage.advance(70_000);
    assert.deepEqual(await asked(stage), ["4"]);
    stage.killOperator();
    stage.startOperator();
    await stage.advance(80_000);
    assert.deepEqual(await asked(stage), ["8"]);
    assert.ok((await conditions(stage))?.includes("Degraded=True: NoOptionFits"), String(await conditions(stage)));
    // The second round waits twice as long.
    await stage.advance(80_000);
    assert.deepEqual(await asked(stage), ["8"]);
    await stage.addNode({ name: "n2", capacity: capacity("10") });
    await stage.advance(30_000);
    assert.equal((await readyPods(stage)).length, 1);
    assert.ok((await conditions(stage))?.includes("Degraded=False: Serving"), String(await conditions(stage)));
  });

  it("an alternative that the API server refuses is told by its number, and nothing is rolled out", async () => {
    const stage = await small("n1");
    await stage.create(runnerApps, app({ replicas: 1, resourceOptions: cores("1", "banana") }));
    await stage.advance(10_000);
    assert.deepEqual(await asked(stage), []);
    const ready = (await status(stage))?.conditions?.find(({ type }) => type === "Ready");
    assert.equal(ready?.reason, "TemplateRefused");
    assert.match(ready?.message ?? "", /with spec\.resourceOptions\[1\]: /);
    await stage.patchSpec(runnerApps, web, { resourceOptions: cores("1", "2") });
    await stage.advance(10_000);
    assert.deepEqual(await asked(stage), ["1"]);
  });
});
