import type { Action, CreateAction, DeleteAction } from "../../api/action.ts";
import type { Container, Pod, PodSpec } from "../../api/core.ts";
import { isImagePull } from "../../api/image-pull.ts";
import { controllerOf, identityOf, type KubeObject, ownedBy } from "../../api/meta.ts";
import { annotations, labels } from "../../api/names.ts";
import { withPlacement } from "../../api/node-rule.ts";
import { pods as podResource } from "../../api/resource.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import { shortHash } from "../../base/hash.ts";
import { parseTime } from "../../base/time.ts";

/** A pod that pulls the images of a revision to a node, as the operator keeps it. */
export interface PrefetchPod extends KubeObject {
  /** Of the RunnerApp; both empty when it is none of ours. */
  readonly app: string;
  readonly appUid: string;
  readonly revision: string;
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Proven: the node has all images. Pulling: one cannot be pulled yet. Failed: the kubelet did not take it. */
  readonly state: "Waiting" | "Pulling" | "Proven" | "Failed";
  readonly isDeleting: boolean;
}

/** What the kubelet says of a container only after it has pulled the image. */
const afterPull: ReadonlySet<string> = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "CrashLoopBackOff",
]);

/** Reads a pod that pulls images. */
export function prefetchPod({ metadata, status }: Pod): PrefetchPod {
  const owner = controllerOf(metadata);
  const own = metadata.labels ?? {};
  const isOurs = owner?.kind === "RunnerApp" && own[labels.prefetch] === owner.name;
  const containers = status?.containerStatuses ?? [];
  const waits = containers.flatMap(({ state }) => state?.waiting?.reason ?? []);
  const isProven =
    containers.length > 0 &&
    containers.every(({ containerID = "", state }) => containerID !== "" || afterPull.has(state?.waiting?.reason ?? ""));
  const hasEnded = status?.phase === "Failed" || status?.phase === "Succeeded";
  return {
    metadata: identityOf(metadata),
    app: isOurs ? owner.name : "",
    appUid: isOurs ? owner.uid : "",
    revision: own[labels.revision] ?? "",
    node: metadata.annotations?.[annotations.prefetchNode] ?? "",
    createdAt: parseTime(metadata.creationTimestamp) ?? 0,
    state: isProven ? "Proven" : hasEnded ? "Failed" : waits.some(isImagePull) ? "Pulling" : "Waiting",
    isDeleting: metadata.deletionTimestamp !== undefined,
  };
}

/** A command that no image has: the kubelet pulls the image, makes the container, and nothing of the image runs. */
const nothing = ["/nuptse.dev/prefetch"];
/** Small, and the same twice, as namespaces with quotas ask for. */
const least = { cpu: "10m", memory: "16Mi" };
/** As the Pod Security Standard "restricted" asks for (decision 76). */
const harmless = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  runAsUser: 65534,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

/** The pod that pulls images of a revision to a node; its name is a function of both, so that making it twice makes one. */
export function renderPrefetch(app: RunnerApp, revision: string, template: PodSpec, node: string): Pod {
  const name = `${app.metadata.name}-prefetch-${shortHash(`${app.metadata.uid} ${revision} ${node}`, 10)}`;
  const { tolerations, imagePullSecrets, serviceAccountName, runtimeClassName } = template;
  const affinity = withPlacement(undefined, [], node);
  const containers = template.containers.map(
    ({ name: of, image, imagePullPolicy }): Container => ({
      name: of,
      ...(image !== undefined && { image }),
      ...(imagePullPolicy !== undefined && { imagePullPolicy }),
      command: nothing,
      resources: { requests: least, limits: least },
      securityContext: harmless,
    }),
  );
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: app.metadata.namespace as string,
      labels: { [labels.prefetch]: app.metadata.name, [labels.revision]: revision },
      annotations: { [annotations.prefetchNode]: node },
      ownerReferences: ownedBy(app),
    },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      containers,
      ...(affinity !== undefined && { affinity }),
      ...(tolerations !== undefined && { tolerations }),
      ...(imagePullSecrets !== undefined && { imagePullSecrets }),
      ...(serviceAccountName !== undefined && { serviceAccountName }),
      ...(runtimeClassName !== undefined && { runtimeClassName }),
    },
  };
}

/** What is to be pulled where. */
export interface PrefetchWish {
  readonly revision: string;
  readonly template: PodSpec;
  /** Where, the first ones first. */
  readonly nodes: readonly string[];
  /** Where what is there stays, too. */
  readonly kept: ReadonlySet<string>;
}

/** So many nodes pull at a time: a registry is not to be stormed. */
const mostPulling = 10;

/** Makes the pods that are missing, and deletes those that nobody needs any more: each holds its images on its node. */
export function stepPrefetch(app: RunnerApp, existing: readonly PrefetchPod[], wish: PrefetchWish | undefined): readonly Action[] {
  const wanted = new Set([...(wish?.nodes ?? []), ...(wish?.kept ?? [])]);
  const ofWish = existing.filter(({ revision, node }) => revision === wish?.revision && wanted.has(node));
  const actions: Action[] = existing.filter((pod) => !pod.isDeleting && !ofWish.includes(pod)).map((pod) => deletionOf(app, pod));
  if (wish === undefined) return actions;
  const known = new Set(ofWish.map(({ node }) => node));
  const asked = new Set(wish.nodes);
  const room = mostPulling - ofWish.filter(({ node, state }) => asked.has(node) && (state === "Waiting" || state === "Pulling")).length;
  const missing = wish.nodes.filter((node) => !known.has(node)).slice(0, Math.max(0, room));
  const creations = missing.map((node): CreateAction => {
    const object = renderPrefetch(app, wish.revision, wish.template, node);
    return { tag: "create", resource: podResource, object, lane: "prefetch" };
  });
  return [...actions, ...creations];
}

function deletionOf({ metadata: { namespace } }: RunnerApp, { metadata }: PrefetchPod): DeleteAction {
  const ref = { namespace: namespace as string, name: metadata.name };
  return { tag: "delete", resource: podResource, ref, uid: metadata.uid as string };
}

/** Whether a pod of the created ones is one that pulls images. */
export const isPrefetch = ({ metadata }: KubeObject): boolean => metadata.labels?.[labels.prefetch] !== undefined;
