import type { KubeObject } from "../api/meta.ts";
import { labels } from "../api/names.ts";
import { pods } from "../api/resource.ts";
import { type BackoffPolicy, backoffDelay } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import { NotFound } from "../kube/errors.ts";

export interface LeaderLabelOptions {
  readonly client: Pick<KubeClient, "list" | "patch">;
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace: string;
  /** The pod of this process. */
  readonly pod: string;
  /** Whether this process still leads. */
  readonly fence: () => boolean;
  readonly onError: (error: unknown) => void;
}

/** No longer, since a process that is to end waits for it. */
const backoff: BackoffPolicy = { initialMs: 500, factor: 2, maxMs: 5000, jitter: 0.3 };

/**
 * Labels the pod of the leader, so that a Service finds it, and takes the label from pods of leaders before it: one that was killed with its node
 * cannot do so itself. Tried again until it is done, or this process leads no more; to be called when it begins to lead. Never rejects.
 */
export async function labelLeader({ client, clock, random, namespace, pod, fence, onError }: LeaderLabelOptions): Promise<void> {
  const write = (name: string, value: "true" | null) =>
    client.patch(pods, { namespace, name }, { type: "merge", body: { metadata: { labels: { [labels.leader]: value } } } }, { fence });
  for (let failures = 0; fence(); ) {
    try {
      // The others first: of two in the Service one would refuse to answer.
      const labelled = await client.list<KubeObject>(pods, { namespace, labelSelector: `${labels.leader}=true` });
      for (const { metadata } of labelled.items) if (metadata.name !== pod) await write(metadata.name, null).catch(unlessGone);
      await write(pod, "true");
      return;
    } catch (error) {
      if (!fence()) return;
      onError(error);
      failures += 1;
      await clock.sleep(backoffDelay(backoff, failures, random));
    }
  }
}

function unlessGone(error: unknown): void {
  if (!(error instanceof NotFound)) throw error;
}
