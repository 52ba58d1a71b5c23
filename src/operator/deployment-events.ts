import type { KubeObject, ObjectRef } from "../api/meta.ts";
import { apiVersionOf, deployments } from "../api/resource.ts";
import type { KubeClient } from "../kube/client.ts";
import type { EventRecorder } from "../runtime/event-recorder.ts";

/** Says something in an event on the operator's own Deployment. */
export type TellDeployment = (type: "Normal" | "Warning", reason: string, note: string) => void;

/** Troubles of the operator itself are told on its Deployment, not on thousands of objects. */
export function createDeploymentEvents(options: {
  readonly recorder: Pick<EventRecorder, "record">;
  readonly client: Pick<KubeClient, "get">;
  readonly deployment: ObjectRef;
}): TellDeployment {
  const { recorder, client, deployment } = options;
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
  return (type, reason, note) => {
    known ??= lookUp();
    void known.then((object) => recorder.record({ tag: "event", regarding: object, type, reason, note: note.slice(0, 1024) }));
  };
}
