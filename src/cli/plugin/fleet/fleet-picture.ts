import type { ControllerRevision, Node, Pod } from "../../../api/core.ts";
import { controllerOf, type KubeObject } from "../../../api/meta.ts";
import { controllerRevisions, nodes, pods } from "../../../api/resource.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";
import { ApiError } from "../../../kube/errors.ts";
import { eventTime, type ShownEvent } from "../job-picture.ts";
import type { Cluster } from "../plugin-context.ts";
import { readEvents } from "../read-picture.ts";
import { podsOfApp, readApp } from "./app-name.ts";

/** What is known of a fleet at one moment: everything that its views and causes are made of. */
export interface FleetPicture {
  readonly app: RunnerApp;
  /** Those that it controls. */
  readonly pods: readonly Pod[];
  /** What the nodes of its pods are, as far as the user may read them. */
  readonly nodes: readonly Node[];
  /** Oldest first; none where the user may not read them. */
  readonly revisions: readonly ControllerRevision[];
  /** About the app, oldest first. */
  readonly events: readonly ShownEvent[];
  readonly now: number;
}

/** Whether the object controls the other. */
export const isOf = ({ metadata: { uid } }: RunnerApp, { metadata }: KubeObject): boolean => controllerOf(metadata)?.uid === uid;

/** Reads all that is known of a fleet. What the user may not read is left out. */
export async function readFleet(cluster: Pick<Cluster, "client" | "namespace">, text: string, now: () => number): Promise<FleetPicture> {
  const { client, namespace } = cluster;
  const app = await readApp(cluster, text);
  const [listed, revisions, events] = await Promise.all([
    client.list<Pod>(pods, { namespace, labelSelector: podsOfApp(app) }),
    readRevisions(cluster, app),
    readEvents(cluster, `involvedObject.kind=RunnerApp,involvedObject.name=${app.metadata.name}`),
  ]);
  const own = listed.items.filter((pod) => isOf(app, pod));
  const ofNodes = await readNodes(
    cluster,
    own.flatMap(({ spec }) => spec.nodeName ?? []),
  );
  return {
    app,
    pods: own,
    nodes: ofNodes,
    revisions,
    events: events
      .filter(({ involvedObject }) => involvedObject?.uid === undefined || involvedObject.uid === app.metadata.uid)
      .sort((a, b) => eventTime(a) - eventTime(b)),
    now: now(),
  };
}

/** The revisions of an app, oldest first; none where the user may not read them. */
export async function readRevisions(
  { client, namespace }: Pick<Cluster, "client" | "namespace">,
  app: RunnerApp,
): Promise<readonly ControllerRevision[]> {
  const { items } = await client
    .list<ControllerRevision>(controllerRevisions, { namespace, labelSelector: podsOfApp(app) })
    .catch(noneOf<ControllerRevision>);
  return items.filter((revision) => isOf(app, revision)).sort((a, b) => a.revision - b.revision);
}

/** Nodes that are asked for one by one; beyond them one list is less. */
const mostAsked = 20;

/** Nodes by name, as far as the user may read them. */
export async function readNodes({ client }: Pick<Cluster, "client">, names: readonly string[]): Promise<readonly Node[]> {
  const wanted = new Set(names);
  if (wanted.size > mostAsked) {
    const { items } = await client.list<Node>(nodes).catch(noneOf<Node>);
    return items.filter(({ metadata }) => wanted.has(metadata.name));
  }
  const read = await Promise.all(
    [...wanted].map((name) =>
      client.get<Node>(nodes, { name }).catch((error: unknown) => {
        if (error instanceof ApiError) return undefined;
        throw error;
      }),
    ),
  );
  return read.filter((node) => node !== undefined);
}

/** For `catch`: who may not list finds nothing. */
export function noneOf<T>(error: unknown): { readonly items: readonly T[] } {
  if (error instanceof ApiError) return { items: [] };
  throw error;
}
