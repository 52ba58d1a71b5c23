import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { operatorEventReasons } from "../api/reasons.ts";
import { apiVersionOf, deployments } from "../api/resource.ts";
import type { KubeClient } from "../kube/client.ts";
import type { EventRecorder } from "../runtime/event-recorder.ts";
import type { TraceBuffer, TraceTrouble } from "../trace/buffer.ts";

const reasonOf: Readonly<Record<TraceTrouble["kind"], string>> = {
  unavailable: operatorEventReasons.traceUnavailable,
  dropping: operatorEventReasons.traceRowsDropped,
  recovered: operatorEventReasons.traceRecovered,
};

/** Tells of the trace's troubles by events on the operator's own Deployment; the buffer has logged them already. */
export function tellTraceTrouble(options: {
  readonly trace: Pick<TraceBuffer, "onTrouble">;
  readonly recorder: Pick<EventRecorder, "record">;
  readonly client: Pick<KubeClient, "get">;
  readonly deployment: ObjectRef;
}): void {
  const { trace, recorder, client, deployment } = options;
  let known: Promise<KubeObject> | undefined;
  // `kubectl describe` looks for events by UID; without it `kubectl get events` still shows them.
  const lookUp = (): Promise<KubeObject> =>
    client.get<KubeObject>(deployments, deployment).then(
      ({ metadata }) => regarding(metadata.uid),
      () => {
        known = undefined;
        return regarding();
      },
    );
  const regarding = (uid?: string): KubeObject => ({
    apiVersion: apiVersionOf(deployments),
    kind: deployments.kind,
    metadata: { ...deployment, ...(uid !== undefined && { uid }) },
  });
  trace.onTrouble(({ kind, note }) => {
    known ??= lookUp();
    void known.then((object) =>
      recorder.record({
        tag: "event",
        regarding: object,
        type: kind === "recovered" ? "Normal" : "Warning",
        reason: reasonOf[kind],
        note: note.slice(0, 1024),
      }),
    );
  });
}
