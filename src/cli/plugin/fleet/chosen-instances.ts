import type { Pod } from "../../../api/core.ts";
import { pods } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import type { IntervalSet } from "../../../base/interval-set.ts";
import { NotFound } from "../../../kube/errors.ts";
import { type InstancePod, instancePod, isLiving } from "../../../runnerapp/rules/instance.ts";
import { CommandFailure } from "../command-failure.ts";
import type { Cluster } from "../plugin-context.ts";
import { podsOfApp } from "./app-name.ts";
import { isOf } from "./fleet-picture.ts";
import { appOfPod } from "./show-why-app.ts";

/** A pod of a fleet, and what rules read of it. */
export interface ChosenPod {
  readonly pod: Pod;
  readonly facts: InstancePod;
}

/** The living pods of a fleet by the numbers of their instances. Rejects with CommandFailure when one that is asked for has none. */
export async function chosenInstances(
  { client, namespace }: Pick<Cluster, "client" | "namespace">,
  app: RunnerApp,
  numbers: IntervalSet | undefined,
): Promise<readonly ChosenPod[]> {
  const { items } = await client.list<Pod>(pods, { namespace, labelSelector: podsOfApp(app) });
  const living = items
    .filter((pod) => isOf(app, pod))
    .map((pod) => ({ pod, facts: instancePod(pod) }))
    .filter(({ facts }) => isLiving(facts))
    .sort((a, b) => Number(a.facts.instance) - Number(b.facts.instance) || a.facts.createdAt - b.facts.createdAt);
  const chosen = numbers === undefined ? living : living.filter(({ facts }) => numbers.has(Number(facts.instance)));
  const there = new Set(living.map(({ facts }) => facts.instance));
  const absent = [...(numbers ?? [])].filter((number) => !there.has(String(number)));
  if (absent.length > 0) {
    const known = there.size === 0 ? "it has no pods" : `there are ${[...there].slice(0, 20).join(", ")}`;
    throw new CommandFailure(`${app.metadata.name} has no pod of instance ${absent.slice(0, 5).join(", ")}; ${known}`);
  }
  return chosen;
}

/** The pod of an instance by its name. Rejects with CommandFailure when it is none. */
export async function readInstancePod({ client, namespace }: Pick<Cluster, "client" | "namespace">, name: string): Promise<ChosenPod> {
  const pod = await client.get<Pod>(pods, { namespace, name }).catch((error: unknown) => {
    if (!(error instanceof NotFound) || error.isUnknownKind) throw error;
    throw new CommandFailure(`there is no pod "${name}" in namespace "${namespace}"`, { cause: error });
  });
  if (appOfPod(pod) === undefined) throw new CommandFailure(`the pod ${name} is no instance of a RunnerApp`);
  return { pod, facts: instancePod(pod) };
}
