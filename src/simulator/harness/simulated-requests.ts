import type { JobRequest, JobRequestSpec } from "../../api/job-request.gen.ts";
import { jobRequests } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import { type Random, randomInteger } from "../../base/random.ts";
import { formatSeconds } from "../../base/time.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { ApiHistory } from "./api-history.ts";

/** What somebody asks for; what it is about is chosen when it is asked, by what status tells then. */
export interface SimulatedRequest {
  /** From the start of the simulation. */
  readonly atMs: number;
  readonly job: string;
  readonly kind: "run" | "items" | "backfill" | "cancel" | "retry" | "markSucceeded" | "suspend" | "hold" | "nonsense";
  /** The request is deleted so long after its creation. */
  readonly deleteAfterMs?: number;
  readonly ttlSeconds?: number;
  /** Minutes that a backfill covers; absent = up to twelve. */
  readonly minutes?: number;
}

export interface RequestPlayOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly history: ApiHistory;
}

const minuteMs = 60_000;
const kinds: readonly SimulatedRequest["kind"][] = [
  "run",
  "run",
  "items",
  "backfill",
  "cancel",
  "retry",
  "markSucceeded",
  "suspend",
  "hold",
  "nonsense",
];

/** Requests of all sorts, in the first so many milliseconds. */
export function makeRequests(random: Random, jobs: readonly string[], withinMs: number): readonly SimulatedRequest[] {
  return jobs.flatMap((job) =>
    Array.from({ length: randomInteger(random, 5) }, (): SimulatedRequest => {
      const kind = kinds[randomInteger(random, kinds.length)] as SimulatedRequest["kind"];
      const atMs = Math.floor((0.05 + 0.9 * random.next()) * withinMs);
      const deleted = kind === "hold" || random.next() < 0.1;
      return {
        atMs,
        job,
        kind,
        ...(deleted && { deleteAfterMs: 1000 + Math.floor(random.next() * 200_000) }),
        ...(random.next() < 0.4 && { ttlSeconds: randomInteger(random, 600) }),
      };
    }),
  );
}

/** Lets people ask. Their client meets no faults. */
export function playRequests(options: RequestPlayOptions, requests: readonly SimulatedRequest[]): void {
  const { clock } = options;
  for (const [index, request] of requests.entries())
    clock.after(request.atMs, () => void ask(options, request, `${request.kind.toLowerCase()}-${index}`));
}

async function ask(options: RequestPlayOptions, request: SimulatedRequest, name: string): Promise<void> {
  const { client, clock } = options;
  const object: JobRequest = {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "JobRequest",
    metadata: { name, namespace: "default" },
    spec: { jobName: request.job, ttlSecondsAfterFinished: request.ttlSeconds ?? 86_400, ...specOf(options, request) },
  };
  await client.create(jobRequests, object);
  if (request.deleteAfterMs === undefined) return;
  await clock.sleep(request.deleteAfterMs);
  // It may have come to the end of its time before.
  await client.delete(jobRequests, { namespace: "default", name }).catch(() => undefined);
}

function specOf({ clock, random, history }: RequestPlayOptions, { job, kind, minutes }: SimulatedRequest): Partial<JobRequestSpec> {
  const now = clock.now();
  const stored = [...history.jobs.values()].findLast((other) => other.name === job && other.deletedAt === undefined)?.stored;
  const active = stored?.status?.active ?? [];
  const ended = stored?.status?.history ?? [];
  const failed = ended.filter((run) => (run.failed ?? "") !== "");
  const pick = <T>(values: readonly T[]): T | undefined => values[randomInteger(random, Math.max(1, values.length))];
  const someRun = pick(failed)?.run ?? pick(ended)?.run ?? pick(active)?.run ?? "20260101t000000z";
  switch (kind) {
    case "run":
      return { run: { parameter: "asked" } };
    case "items":
      return { run: { items: "0" } };
    case "backfill": {
      const to = Math.floor(now / minuteMs) * minuteMs - minuteMs * randomInteger(random, 10);
      const from = to - minuteMs * (minutes ?? 1 + randomInteger(random, 12));
      const order = random.next() < 0.5 ? ("OldestFirst" as const) : ("NewestFirst" as const);
      return { backfill: { from: formatSeconds(from), to: formatSeconds(to), parallelism: 1 + randomInteger(random, 3), order } };
    }
    case "cancel":
      return { cancel: { run: pick(active)?.run ?? someRun } };
    case "retry":
      return { retry: { run: someRun } };
    case "markSucceeded":
      return { markSucceeded: { run: someRun } };
    case "suspend":
      return { suspend: { until: formatSeconds(now + 20_000 + randomInteger(random, 300_000)) } };
    case "hold":
      return { suspend: { reason: "until it is deleted" } };
    case "nonsense":
      return random.next() < 0.5 ? { jobName: "nobody", run: {} } : { run: { items: "0-9999" } };
  }
}
