import assert from "node:assert/strict";
import type { Notification } from "../../../src/api/notification.ts";
import { bodyOf, signature } from "../../../src/notify/body.ts";

const failed: Notification = {
  receiver: "ops",
  event: "Failed",
  of: { kind: "ElasticJob", namespace: "tenant", name: "report", uid: "u1" },
  run: { id: "20261121t120000z", fireTime: Date.UTC(2026, 10, 21, 12) },
  at: Date.UTC(2026, 10, 21, 12, 0, 3, 250),
  reason: "ItemsFailed",
  message: "run 20261121t120000z failed: 1 of <3> items & more",
  consecutiveFailures: 2,
  quietMs: 0,
};

describe("what a receiver gets", () => {
  it("JSON: what happened to which run of which job, under a key that is the same whenever it comes", () => {
    assert.deepEqual(JSON.parse(bodyOf(failed, "JSON")), {
      version: 1,
      key: "u1/20261121t120000z/Failed",
      event: "Failed",
      job: { namespace: "tenant", name: "report", uid: "u1" },
      run: "20261121t120000z",
      fireTime: "2026-11-21T12:00:00Z",
      at: "2026-11-21T12:00:03.250Z",
      reason: "ItemsFailed",
      message: "run 20261121t120000z failed: 1 of <3> items & more",
      consecutiveFailures: 2,
    });
  });

  it("JSON of an app: the app, and the nodes that it is about", () => {
    const { run, consecutiveFailures, ...common } = failed;
    const excluded: Notification = {
      ...common,
      event: "NodeExcluded",
      of: { kind: "RunnerApp", namespace: "tenant", name: "web", uid: "u2" },
      nodes: ["n1"],
      reason: "Exit",
      message: "nodes are left out: n1",
    };
    assert.deepEqual(JSON.parse(bodyOf(excluded, "JSON")), {
      version: 1,
      key: "u2/2026-11-21T12:00:03.250Z/NodeExcluded",
      event: "NodeExcluded",
      app: { namespace: "tenant", name: "web", uid: "u2" },
      nodes: ["n1"],
      at: "2026-11-21T12:00:03.250Z",
      reason: "Exit",
      message: "nodes are left out: n1",
    });
    assert.deepEqual(JSON.parse(bodyOf(excluded, "Slack")), { text: "*tenant/web* :no_entry: node left out\nnodes are left out: n1" });
  });

  it("Slack: one text, in which its marks are escaped", () => {
    assert.deepEqual(JSON.parse(bodyOf(failed, "Slack")), {
      text: "*tenant/report* :red_circle: failed (2 in a row)\nrun 20261121t120000z failed: 1 of &lt;3&gt; items &amp; more",
    });
  });

  it("the signature is HMAC-SHA-256 over time, dot and body", () => {
    // printf '1795262400.{}' | openssl dgst -sha256 -hmac secret
    assert.equal(
      signature("secret", "{}", 1_795_262_400_900),
      "t=1795262400,v1=30ec5002948f9a3f19e66e797377fc293f0bcda552a0b8bd98d47406360a7f02",
    );
  });
});
