import assert from "node:assert/strict";
import type { EventAction } from "../../../src/api/action.ts";
import { settle } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createDeploymentEvents } from "../../../src/operator/deployment-events.ts";
import { tellTraceTrouble } from "../../../src/operator/trace-trouble.ts";
import type { TraceTrouble } from "../../../src/trace/buffer.ts";
import { type Answer, failure, ok, scriptedTransport } from "../runtime/scripted-transport.ts";

async function told(answer: Answer, troubles: readonly TraceTrouble[]): Promise<readonly EventAction[]> {
  const recorded: EventAction[] = [];
  let listener: (trouble: TraceTrouble) => void = () => undefined;
  const tell = createDeploymentEvents({
    recorder: { record: (action) => void recorded.push(action) },
    client: createKubeClient(scriptedTransport(() => answer).transport),
    deployment: { namespace: "nuptse-system", name: "nuptse" },
  });
  tellTraceTrouble({ onTrouble: (listen) => (listener = listen) }, tell);
  for (const trouble of troubles) listener(trouble);
  await settle();
  return recorded;
}

const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { namespace: "nuptse-system", name: "nuptse" } };

describe("operator/trace-trouble: an event on the operator's own Deployment", () => {
  it("tells of trouble as Warning and of its end as Normal", async () => {
    const events = await told(ok({ ...deployment, metadata: { ...deployment.metadata, uid: "u1" } }), [
      { kind: "unavailable", note: "away" },
      { kind: "dropping", note: "lost" },
      { kind: "recovered", note: "back" },
    ]);
    assert.deepEqual(
      events.map(({ type, reason, note, regarding }) => [type, reason, note, regarding.kind, regarding.metadata.uid]),
      [
        ["Warning", "TraceUnavailable", "away", "Deployment", "u1"],
        ["Warning", "TraceRowsDropped", "lost", "Deployment", "u1"],
        ["Normal", "TraceRecovered", "back", "Deployment", "u1"],
      ],
    );
  });

  it("tells it without the UID where the Deployment may not be read", async () => {
    const [event] = await told(failure(403, "Forbidden"), [{ kind: "unavailable", note: "away" }]);
    assert.deepEqual(event?.regarding, deployment);
  });
});
