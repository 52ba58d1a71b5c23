import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { KubeObject } from "../../api/meta.ts";
import { annotations } from "../../api/names.ts";
import { configMaps, elasticJobs, namespaces, resourceQuotas } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import { type Random, randomInteger } from "../../base/random.ts";
import type { KubeClient } from "../../kube/client.ts";
import { NotFound } from "../../kube/errors.ts";
import type { ApiHistory } from "./api-history.ts";
import { addLookalikes } from "./bystanders.ts";
import { fireTimesBetween } from "./fire-times.ts";
import type { SimulatedEdit, SimulatedJob } from "./job-mix.ts";

export interface PeopleOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly history: ApiHistory;
  /** The UID of what owns the pods of others. */
  readonly strangerUid: string;
}

/** What people did, by kind. */
export type PeopleCounts = Record<
  "asked" | "suspended" | "rescheduled" | "edited" | "recreated" | "lookalikes" | "calendars" | "quotas" | "observed",
  number
>;

/** What nobody did. */
export const noPeople: PeopleCounts = {
  asked: 0,
  suspended: 0,
  rescheduled: 0,
  edited: 0,
  recreated: 0,
  lookalikes: 0,
  calendars: 0,
  quotas: 0,
  observed: 0,
};

/** Creates the jobs and carries out what their owners do to them. Its client meets no faults. */
export async function playPeople(options: PeopleOptions, jobs: readonly SimulatedJob[]): Promise<PeopleCounts> {
  const { client, clock } = options;
  const counts: PeopleCounts = { ...noPeople };
  for (const { manifest, calendar, edits } of jobs) {
    if (calendar !== undefined) await client.create(configMaps, calendarOf(manifest, calendar));
    await client.create(elasticJobs, manifest);
    for (const edit of edits) clock.after(edit.atMs, () => void play(options, manifest, edit, counts));
  }
  return counts;
}

async function play(options: PeopleOptions, manifest: ElasticJob, edit: SimulatedEdit, counts: PeopleCounts): Promise<void> {
  const { client, clock, history, random } = options;
  const ref = { namespace: "default", name: manifest.metadata.name };
  if (edit.kind === "calendar") {
    counts.calendars++;
    await writeCalendar(client, manifest, edit.dates);
    return;
  }
  const job = [...history.jobs.values()].findLast((other) => other.name === ref.name && other.deletedAt === undefined);
  // Between a deletion and the new creation there is nothing to be edited.
  if (job === undefined) return;
  switch (edit.kind) {
    case "patch":
      await client.patch(elasticJobs, ref, { type: "merge", body: { spec: edit.spec } });
      if (edit.spec["suspend"] === true) counts.suspended++;
      else if (edit.spec["schedule"] !== undefined) counts.rescheduled++;
      else counts.edited++;
      return;
    case "recreate":
      await client.delete(elasticJobs, ref);
      await clock.sleep(edit.afterMs);
      await client.create(elasticJobs, manifest);
      counts.recreated++;
      return;
    case "lookalikes": {
      // A quota that happens to be there holds for them too.
      if (history.quotas > 0) return;
      const now = clock.now();
      const next = fireTimesBetween(job.versions.at(-1) ?? job.stored, now + 120_000, now + 1_200_000)[0];
      if (next === undefined) return;
      await addLookalikes(client, options.strangerUid, job, next, random, history);
      counts.lookalikes++;
    }
  }
}

function calendarOf(manifest: ElasticJob, dates: string): KubeObject {
  const name = manifest.spec.schedule?.calendars?.[0]?.name ?? "";
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: { dates } };
  return object;
}

/** Creates, changes or deletes the job's calendar. */
async function writeCalendar(client: KubeClient, manifest: ElasticJob, dates: string | undefined): Promise<void> {
  const calendar = calendarOf(manifest, dates ?? "");
  const ref = { namespace: "default", name: calendar.metadata.name };
  if (dates === undefined) {
    await client.delete(configMaps, ref);
    return;
  }
  try {
    await client.patch(configMaps, ref, { type: "merge", body: { data: { dates } } });
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
    await client.create(configMaps, calendar);
  }
}

/** The namespace is only observed for a while. */
export function playObservation({ client, clock }: PeopleOptions, atMs: number, forMs: number, counts: PeopleCounts): void {
  const annotate = async (value: string | null) => {
    const body = { metadata: { annotations: { [annotations.observe]: value } } };
    await client.patch(namespaces, { name: "default" }, { type: "merge", body });
  };
  clock.after(atMs, () => void annotate("true").then(() => counts.observed++));
  clock.after(atMs + forMs, () => void annotate(null));
}

/** A quota of pods that comes and goes: refusals that are true for a while. */
export function playQuota(options: PeopleOptions, atMs: number, forMs: number, counts: PeopleCounts): void {
  const { client, clock, random } = options;
  const quota = {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "few-pods", namespace: "default" },
    spec: { hard: { pods: String(3 + randomInteger(random, 4)) } },
  };
  clock.after(atMs, () => void client.create(resourceQuotas, quota).then(() => counts.quotas++));
  clock.after(atMs + forMs, () => void client.delete(resourceQuotas, { namespace: "default", name: "few-pods" }));
}
