import assert from "node:assert/strict";
import type { KubeObject } from "../../../src/api/meta.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { labelLeader } from "../../../src/operator/leader-label.ts";
import { type Answer, failure, ok, scriptedTransport } from "../runtime/scripted-transport.ts";

/** Pods with the label; a pod that is not there is not found. */
function bench(pods: Record<string, boolean>, trouble: (count: number, words: string) => Answer | undefined = () => undefined) {
  const clock = new VirtualClock(0);
  let leads = true;
  let count = 0;
  const errors: unknown[] = [];
  const script = scriptedTransport(({ method, path, query, body }) => {
    const bad = trouble(++count, `${method} ${path}`);
    if (bad !== undefined) return bad;
    if (method === "GET") {
      assert.equal(query?.["labelSelector"], "nuptse.dev/leader=true");
      const items = Object.keys(pods).filter((name) => pods[name]);
      return ok({ metadata: {}, items: items.map((name): KubeObject => ({ metadata: { name, namespace: "home" } })) });
    }
    const name = path.split("/").at(-1) as string;
    if (!(name in pods)) return failure(404, "NotFound");
    pods[name] = (body as { metadata: { labels: Record<string, unknown> } }).metadata.labels["nuptse.dev/leader"] === "true";
    return ok({ metadata: { name } });
  });
  const label = () =>
    labelLeader({
      client: createKubeClient(script.transport),
      clock,
      random: { next: () => 0.5 },
      namespace: "home",
      pod: "new",
      fence: () => leads,
      onError: (error) => errors.push(error),
    });
  return { label, clock, errors, pods, ...script, depose: () => (leads = false) };
}

describe("operator/leader-label: only the leader's pod is in its Service", () => {
  it("takes the label from the leader before, and then labels its own pod", async () => {
    const { label, pods, words } = bench({ old: true, new: false, standby: false });
    await label();
    assert.deepEqual(pods, { old: false, new: true, standby: false });
    assert.deepEqual(words(), ["list pods in home", "patch pods home/old", "patch pods home/new"]);
  });
  it("done twice, or by a process that was started anew in its pod, it changes nothing", async () => {
    const { label, pods, words } = bench({ new: true });
    await label();
    await label();
    assert.deepEqual(pods, { new: true });
    assert.equal(words().filter((word) => word.startsWith("patch")).length, 2);
  });
  it("a pod that is gone meanwhile does not matter", async () => {
    const { label, pods } = bench({ old: true, new: false }, (_, words) => (words.endsWith("/old") ? failure(404, "NotFound") : undefined));
    await label();
    assert.equal(pods["new"], true);
  });
  it("what fails is told and tried again", async () => {
    const { label, pods, clock, errors } = bench({ old: true, new: false }, (count) =>
      count <= 2 ? failure(403, "Forbidden") : undefined,
    );
    const done = label();
    await clock.runUntil(2000);
    await done;
    assert.deepEqual([pods, errors.length], [{ old: false, new: true }, 2]);
  });
  it("who leads no more writes nothing, and gives up", async () => {
    const stage = bench({ new: false }, () => failure(500, "InternalError"));
    const done = stage.label();
    await stage.clock.runUntil(100);
    stage.depose();
    await stage.clock.runUntil(10_000);
    await done;
    assert.deepEqual([stage.pods, stage.words()], [{ new: false }, ["list pods in home"]]);
  });
});
