import assert from "node:assert/strict";
import { countWrites } from "../../hack/control-plane/audit.ts";
import { annotations } from "../../src/api/names.ts";
import { customResourceDefinitions, leases } from "../../src/api/resource.ts";
import { formatMicros } from "../../src/base/time.ts";
import type { OperatorProcess } from "./support/operator-process.ts";
import { ownTestCluster } from "./support/test-cluster.ts";
import { timeLimits } from "./support/time-limits.ts";

const definition = { name: "elasticjobs.nuptse.dev" };
const refusal = "this cluster is looked after by another installation";
/** What an installation is watched for before it is taken for gone, and what is waited for after. */
const takenOver = 50_000;

/** Two installations whose leases are in namespaces of their own. */
describe("a second installation in a cluster", function () {
  this.timeout(timeLimits.test);
  const cluster = ownTestCluster({ namespaces: ["first", "second"] });
  let leader: OperatorProcess;

  const start = (namespace: string, user: string) => cluster().operator(user, { lease: "4/3/1", args: ["--lease-namespace", namespace] });
  const claimedBy = async () =>
    (await cluster().client.get(customResourceDefinitions, definition)).metadata.annotations?.[annotations.installation];

  /** Asserts that the process ends by itself, with one line that matches. */
  async function refused(operator: OperatorProcess, words: RegExp): Promise<void> {
    assert.deepEqual(await operator.end(), { code: 1, signal: null }, operator.text);
    const errors = operator.lines.filter(({ level }) => level === "error" || level === "text");
    assert.deepEqual(
      errors.map(({ message }) => message),
      [`${refusal}, this process ends`],
    );
    assert.match(String(errors[0]?.reason), words);
  }

  it("the first one claims the cluster", async () => {
    leader = await start("first", "operator-a");
    await leader.leading();
    assert.equal(await claimedBy(), "first/nuptse-operator");
  });

  it("the second one ends with one line while the first is at work, and has written nothing", async () => {
    await refused(
      await start("second", "operator-b"),
      /^the installation first\/nuptse-operator looks after this cluster and is at work; uninstall one of the two, this one is second\/nuptse-operator/,
    );
    const { byRequest } = await countWrites(cluster().plane.auditEvents({ user: "operator-b" }), "nuptse/");
    assert.deepEqual([...byRequest], []);
    assert.equal(leader.ended, false);
  });

  it("takes over once the first has not renewed its lease for 5 minutes", async () => {
    await leader.stop();
    const renewTime = formatMicros(Date.now() - 301_000);
    await cluster().client.patch(leases, { namespace: "first", name: "nuptse-operator" }, { type: "merge", body: { spec: { renewTime } } });
    leader = await start("second", "operator-c");
    await leader.leading(takenOver + timeLimits.takeOver);
    assert.equal(await claimedBy(), "second/nuptse-operator");
  });

  it("the first one, come back, is the second one now", async () => {
    await refused(await start("first", "operator-d"), /^the installation second\/nuptse-operator looks after this cluster and is at work/);
    assert.equal(leader.ended, false);
  });

  it("whoever leads ends when somebody gives the cluster to another", async () => {
    const body = { metadata: { annotations: { [annotations.installation]: "first/nuptse-operator" } } };
    await cluster().client.patch(customResourceDefinitions, definition, { type: "merge", body });
    await refused(leader, /^the installation first\/nuptse-operator looks after this cluster and has taken it over/);
  });
});
