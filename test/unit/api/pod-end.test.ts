import assert from "node:assert/strict";
import type { Pod } from "../../../src/api/core.ts";
import { hasEnded } from "../../../src/api/pod-end.ts";

const running = { running: {} };
const ended = { terminated: { exitCode: 0 } };

function pod(restartPolicy: string, phase: string, ...states: readonly object[]): Pod {
  const containers = [{ name: "main", image: "main" }];
  const containerStatuses = states.map((state) => ({ name: "main", state }));
  return { metadata: { name: "p" }, spec: { restartPolicy, containers }, status: { phase, containerStatuses } } as unknown as Pod;
}

const table: readonly (readonly [string, Pod, boolean])[] = [
  ["a pod that waits has not ended", pod("Never", "Pending"), false],
  ["one that runs has not", pod("Never", "Running", running), false],
  ["one whose containers have, has, though its phase does not say so yet", pod("Never", "Running", ended), true],
  ["one whose containers start again has not", pod("Always", "Running", ended), false],
  ["one that succeeded has", pod("OnFailure", "Succeeded", ended), true],
  ["one that failed without ever running has", pod("Never", "Failed"), true],
];

describe("the end of a pod", () => {
  for (const [sentence, each, want] of table) it(sentence, () => assert.equal(hasEnded(each), want));
});
