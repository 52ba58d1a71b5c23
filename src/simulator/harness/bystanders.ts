import type { JobRequest } from "../../api/job-request.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import {
  configMaps,
  controllerRevisions,
  customResourceDefinitions,
  elasticJobs,
  leases,
  pods,
  type Resource,
  resourceName,
  jobRequests,
} from "../../api/resource.ts";
import { type Random, randomInteger } from "../../base/random.ts";
import { formatSeconds } from "../../base/time.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Commit } from "../apiserver/api-server.ts";
import type { ApiHistory, JobFacts } from "./api-history.ts";
import { operatorAgent } from "./operator-agent.ts";

const widgets: Resource = { group: "example.com", version: "v1", plural: "widgets", kind: "Widget", namespaced: true };

/** Objects of other people in the operator's reach, some of which look very much like its own. Resolves with the UID of what owns the pods. */
export async function addBystanders(client: KubeClient): Promise<string> {
  await client.create(customResourceDefinitions, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: "object", properties: { spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } },
          },
        },
      ],
    },
  } as unknown as KubeObject);
  const owner = (await client.create(widgets, widget("job-0"))).metadata.uid as string;
  await client.create(pods, foreignPod("web-7d9f-abcde", owner, {}));
  await client.create(pods, foreignPod("web-7d9f-fghij", owner, { "nuptse.dev/job": "job-0", "nuptse.dev/run": "20200101t000000z" }));
  return owner;
}

/** Pods with labels of a job that exists and an owner of their own: of a run long past, of the next run, and under the next run's pod's name. */
export async function addLookalikes(
  client: KubeClient,
  owner: string,
  job: JobFacts,
  fireTime: number,
  random: Random,
  history: ApiHistory,
): Promise<void> {
  const run = runIdOf(fireTime);
  const own = { "nuptse.dev/job": job.name, "nuptse.dev/job-uid": job.uid, "nuptse.dev/item": "0", "nuptse.dev/attempt": "1" };
  const suffix = randomInteger(random, 36 ** 5)
    .toString(36)
    .padStart(5, "0");
  await client.create(pods, foreignPod(`copy-${suffix}-past`, owner, { ...own, "nuptse.dev/run": "20200101t000000z" }));
  await client.create(pods, foreignPod(`copy-${suffix}-next`, owner, { ...own, "nuptse.dev/run": run }));
  history.foreignNames.add(fireTime);
  const name = `${job.name.slice(0, 18)}-${job.uid.slice(0, 8)}-${run}-0-1`;
  await client.create(pods, foreignPod(name, owner, {})).catch((error: { readonly code?: number }) => {
    // The run was quicker.
    if (!String(error).includes("exists")) throw error;
  });
}

/** The operator writes status, leases, events, pods, revisions and results files of its jobs, and nothing else of anybody. */
export function checkTouched(commit: Commit, say: (text: string) => void): void {
  if (!commit.userAgent.startsWith(operatorAgent)) return;
  const kind = resourceName(commit.resource);
  if (kind === "events" || kind.startsWith("events.") || kind === resourceName(leases)) return;
  const { object, previous, type } = commit;
  const what = `${type} ${kind} ${object.metadata.namespace}/${object.metadata.name}`;
  if (kind === resourceName(elasticJobs)) {
    const same = type === "MODIFIED" && sameBut(previous as unknown as KubeObject, object as unknown as KubeObject);
    if (!same) say(`the operator changed more than status: ${what}`);
    return;
  }
  if (kind === resourceName(jobRequests)) {
    const ended = (object as unknown as JobRequest).status?.endedAt !== undefined;
    const same =
      type === "MODIFIED" ? sameBut(previous as unknown as KubeObject, object as unknown as KubeObject) : type === "DELETED" && ended;
    if (!same) say(`the operator changed more than a request's status, or deleted one that had not ended: ${what}`);
    return;
  }
  const owner = (previous ?? object).metadata.ownerReferences as
    | readonly { readonly kind: string; readonly controller?: boolean; readonly uid: string }[]
    | undefined;
  const labels = (object.metadata.labels ?? {}) as Readonly<Record<string, string>>;
  const ours = owner?.some(
    (reference) => reference.controller === true && reference.kind === "ElasticJob" && reference.uid === labels["nuptse.dev/job-uid"],
  );
  if (![pods, controllerRevisions, configMaps].some((own) => kind === resourceName(own)) || ours !== true)
    say(`the operator touched what is not its own: ${what}`);
  else if (type === "MODIFIED" && object.metadata.deletionTimestamp === undefined && kind !== resourceName(configMaps))
    say(`the operator changed an object that it may only create and delete: ${what}`);
}

function sameBut(before: KubeObject, after: KubeObject): boolean {
  const rest = (object: KubeObject) =>
    JSON.stringify({
      ...object,
      status: undefined,
      metadata: { ...object.metadata, resourceVersion: undefined, managedFields: undefined },
    });
  return rest(before) === rest(after);
}

function widget(name: string): KubeObject {
  return {
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name, namespace: "default", labels: { "nuptse.dev/job": name } },
    spec: { size: 3 },
  } as KubeObject;
}

function foreignPod(name: string, owner: string, labels: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "default",
      labels: { app: "web", ...labels },
      ownerReferences: [
        { apiVersion: "example.com/v1", kind: "Widget", name: "job-0", uid: owner, controller: true, blockOwnerDeletion: false },
      ],
    },
    spec: { containers: [{ name: "web", image: "web" }] },
  } as unknown as KubeObject;
}

/** 20261120t160000z */
export function runIdOf(fireTime: number): string {
  return formatSeconds(fireTime).replaceAll(/[-:]/g, "").toLowerCase();
}
