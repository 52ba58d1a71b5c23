import assert from "node:assert/strict";
import { silentLogger } from "../../src/api/logger.ts";
import { customResourceDefinitions, elasticJobs } from "../../src/api/resource.ts";
import { createKubeClient } from "../../src/kube/kube-client.ts";
import { inProcessTransport } from "../../src/simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../src/simulator/harness/crds.ts";
import { createFrame } from "../../src/simulator/harness/frame.ts";
import type { PlaygroundFault } from "../../src/simulator/harness/playground-fault.ts";
import { createPlaygroundFaults } from "../../src/simulator/harness/playground-faults.ts";
import { startPlaygroundOperator } from "../../src/simulator/harness/playground-operator.ts";
import { createWorld } from "../../src/simulator/world/world.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into statuses
type Loose = any;

const start = Date.UTC(2026, 10, 22, 12);

/** A playground on virtual time with one fault in it, 30 s after its start; `meanwhile` is a moment after the fault began. */
async function played(fault: PlaygroundFault, work: { readonly job: object; readonly meanwhile?: object }) {
  const { clock, chance, server, client } = createFrame(1, start);
  for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
  const told: string[] = [];
  const closing = new AbortController();
  const life = (async () => {
    const world = await createWorld({
      client: createKubeClient(inProcessTransport(server, { userAgent: "world" })),
      clock,
      random: chance(),
      nodes: [1, 2, 3].map((number) => ({ name: `node-${number}` })),
      kubelet: { kind: "stages" },
    });
    const breakIt = createPlaygroundFaults({ server, world, clock, operator: () => operator, signal: closing.signal });
    const operator = startPlaygroundOperator({ server, clock, random: chance(), logger: silentLogger, speed: 1 });
    await operator.leading();
    const tell = (line: string) => void told.push(`${Math.round((clock.now() - start) / 1_000)} s ${line}`);
    await client.create(elasticJobs, work.job as never);
    await clock.sleep(start + 30_000 - clock.now());
    const broken = breakIt(fault, tell);
    await clock.sleep(1_000);
    if (work.meanwhile !== undefined) await client.create(elasticJobs, work.meanwhile as never);
    await broken;
    await clock.sleep(start + 300_000 - clock.now());
    await operator.stop();
    await world.close();
    server.close();
  })();
  life.catch(() => undefined);
  await clock.runUntil(start + 330_000);
  await life;
  const read = (path: string): Loose => server.handle({ method: "GET", path, userAgent: "test" }).body;
  const lease = read("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/nuptse-operator");
  const status = (name: string): Loose => read(`/apis/nuptse.dev/v1alpha1/namespaces/default/elasticjobs/${name}`).status;
  return { told, status, transitions: lease.spec.leaseTransitions as number };
}

const job = (name: string, cron: string, more: object, runMs: number) => ({
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "ElasticJob",
  metadata: { namespace: "default", name },
  spec: {
    schedule: { crons: [cron] },
    template: {
      metadata: { annotations: { "simulate.nuptse.dev/script": JSON.stringify({ runMs }) } },
      spec: { restartPolicy: "Never", containers: [{ name: "main", image: "x" }] },
    },
    ...more,
  },
});
const every10s = "*/10 * * * * ?";

describe("faults of a playground", function () {
  this.timeout(60_000);

  it("kill-node: what ran there is done elsewhere or again, and the node is back", async () => {
    const retry = { otherNodes: 1, backoff: { initialSeconds: 1, maxSeconds: 20 } };
    const { told, status } = await played("kill-node", {
      job: job("long", "20 0 12 22 11 ? 2026", { sharding: { total: 6 }, retry }, 60_000),
    });
    assert.match(
      told[0] ?? "",
      /^30 s kill-node: node-\d is dead, with 2 pods; the cluster notices in 40 s, and the node is back in 90 s$/,
    );
    assert.match(told[1] ?? "", /^120 s kill-node: node-\d is back; what ran on it has ended$/);
    assert.deepEqual(
      status("long").history.map((run: { readonly phase: string }) => run.phase),
      ["Succeeded"],
    );
  });

  it("lose-watch: what changed meanwhile is found by listing anew", async () => {
    const { told, status } = await played("lose-watch", {
      job: job("old", every10s, {}, 1_000),
      meanwhile: job("new", every10s, {}, 1_000),
    });
    assert.match(
      told[0] ?? "",
      /^30 s lose-watch: the operator's [1-9]\d* watches say nothing for 20 s, and what happens meanwhile is lost$/,
    );
    assert.match(
      told[1] ?? "",
      /^50 s lose-watch: the watches are broken off, and their past is forgotten: the operator has to list anew$/,
    );
    for (const name of ["old", "new"]) assert.equal(Date.parse(status(name).lastSuccessTime) >= start + 270_000, true, name);
  });

  it("crash-operator: another one leads once the lease has run out, and goes on", async () => {
    const { told, status, transitions } = await played("crash-operator", { job: job("old", every10s, {}, 1_000) });
    assert.match(told[0] ?? "", /^30 s crash-operator: the operator is killed as by kill -9/);
    const seconds = Number(/^(\d+) s crash-operator: another operator leads$/.exec(told[1] ?? "")?.[1]);
    // the lease lasts 15 s, a standby looks every 2 s, and it begins 1 s later
    assert.ok(seconds >= 43 && seconds <= 52, told[1]);
    assert.equal(transitions, 1);
    assert.equal(Date.parse(status("old").lastSuccessTime) >= start + 270_000, true);
  });
});
