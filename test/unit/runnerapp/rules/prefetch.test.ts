import assert from "node:assert/strict";
import type { ContainerStatus, Pod } from "../../../../src/api/core.ts";
import { type PrefetchPod, prefetchPod, renderPrefetch, stepPrefetch } from "../../../../src/runnerapp/rules/prefetch.ts";
import { runnerApp } from "../../../support/builders/runner-app.ts";

const app = runnerApp();
const template = {
  containers: [
    { name: "main", image: "web:2", imagePullPolicy: "Always", env: [{ name: "SECRET", value: "x" }] },
    { name: "side", image: "side:1" },
  ],
  imagePullSecrets: [{ name: "pull" }],
  serviceAccountName: "web",
  volumes: [{ name: "data", emptyDir: {} }],
};
const made = (node: string, revision = "web-2"): Pod => {
  const pod = renderPrefetch(app, revision, template, node);
  return { ...pod, metadata: { ...pod.metadata, uid: `uid-${node}`, creationTimestamp: "2026-11-21T12:00:00Z" } };
};
const one = (status: Partial<ContainerStatus>): ContainerStatus => ({ name: "main", ...status });
const waits = (reason: string) => one({ state: { waiting: { reason } } });
const started = one({ containerID: "runtime://1", state: { terminated: { exitCode: 128, reason: "StartError" } } });

describe("a pod that pulls images", () => {
  it("runs nothing of them, has nothing of the app, and is bound to its node by the scheduler", () => {
    const { metadata, spec } = made("n1");
    assert.match(metadata.name, /^web-prefetch-[0-9a-z]{10}$/);
    assert.notEqual(metadata.name, made("n2").metadata.name);
    assert.notEqual(metadata.name, made("n1", "web-3").metadata.name);
    assert.equal(metadata.labels?.["nuptse.dev/app"], undefined);
    assert.deepEqual(
      spec.containers.map(({ name, image, imagePullPolicy, command, env }) => ({ name, image, imagePullPolicy, command, env })),
      [
        { name: "main", image: "web:2", imagePullPolicy: "Always", command: ["/nuptse.dev/prefetch"], env: undefined },
        { name: "side", image: "side:1", imagePullPolicy: undefined, command: ["/nuptse.dev/prefetch"], env: undefined },
      ],
    );
    assert.deepEqual(spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms, [
      { matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }] },
    ]);
    assert.deepEqual(
      [
        spec.restartPolicy,
        spec.nodeName,
        spec["volumes"],
        spec["imagePullSecrets"],
        spec.serviceAccountName,
        spec["automountServiceAccountToken"],
      ],
      ["Never", undefined, undefined, [{ name: "pull" }], "web", false],
    );
  });

  const states: readonly (readonly [name: string, status: Pod["status"], want: PrefetchPod["state"]])[] = [
    ["no kubelet has it", {}, "Waiting"],
    ["one of two images is there", { phase: "Pending", containerStatuses: [started, waits("ContainerCreating")] }, "Waiting"],
    ["an image cannot be pulled", { phase: "Pending", containerStatuses: [started, waits("ImagePullBackOff")] }, "Pulling"],
    ["all containers were made, and found no command", { phase: "Failed", containerStatuses: [started, started] }, "Proven"],
    [
      "a runtime that looks for the command before it makes a container",
      { phase: "Pending", containerStatuses: [waits("CreateContainerError")] },
      "Proven",
    ],
    ["the kubelet does not take it", { phase: "Failed", reason: "OutOfpods" }, "Failed"],
  ];
  for (const [name, status, want] of states)
    it(`${name}: ${want}`, () => assert.equal(prefetchPod({ ...made("n1"), status: status ?? {} }).state, want));

  it("of somebody else is nobody's", () => {
    const { metadata, ...rest } = made("n1");
    assert.equal(prefetchPod({ ...rest, metadata: { ...metadata, ownerReferences: [] } }).appUid, "");
  });
});

describe("where images are pulled", () => {
  const pull = (node: string, state: PrefetchPod["state"] = "Proven", revision = "web-2") =>
    ({ ...prefetchPod(made(node, revision)), state }) satisfies PrefetchPod;
  const acts = (existing: readonly PrefetchPod[], nodes: readonly string[] | undefined, kept: readonly string[] = []) =>
    stepPrefetch(app, existing, nodes && { revision: "web-2", template, nodes, kept: new Set(kept) }).map((action) =>
      action.tag === "create"
        ? `create ${action.object.metadata.annotations?.["nuptse.dev/prefetch-node"]}`
        : action.tag === "delete"
          ? `delete ${action.uid}`
          : action.tag,
    );
  const many = Array.from({ length: 12 }, (_, index) => `m${index}`);

  it("is made once a node", () => assert.deepEqual(acts([pull("n1")], ["n1", "n2"]), ["create n2"]));
  it("goes when no instance waits for it there", () => assert.deepEqual(acts([pull("n1"), pull("n2")], ["n2"]), ["delete uid-n1"]));
  it("stays while an instance there starts from it", () => assert.deepEqual(acts([pull("n1")], [], ["n1"]), []));
  it("goes with its revision", () => assert.deepEqual(acts([pull("n1", "Pulling", "web-1")], ["n1"]), ["delete uid-n1", "create n1"]));
  it("goes when nothing is changed", () => assert.deepEqual(acts([pull("n1")], undefined), ["delete uid-n1"]));
  it("is at ten nodes at a time", () => assert.equal(acts([], many).length, 10));
  it("those that have it make room", () =>
    assert.equal(
      acts(
        many.slice(0, 5).map((node) => pull(node)),
        many,
      ).length,
      7,
    ));
});
