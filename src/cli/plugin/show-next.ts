import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import { elasticJobs } from "../../api/resource.ts";
import { utc } from "../../cron/zone.ts";
import { UsageError } from "../command-context.ts";
import { parseInstant } from "../instant.ts";
import { calendarTable, type FiringJob, fireCalendar } from "./fire-calendar.ts";
import type { NextFlags } from "./next.ts";
import type { Cluster, PluginContext } from "./plugin-context.ts";
import { printValue } from "./print.ts";
import { suspension } from "./job-picture.ts";
import { readCalendarRevisions, readJob, readRequests } from "./read-picture.ts";
import { scheduleOfJob, zoneOfJob } from "./schedule-of-job.ts";
import { withCluster } from "./with-cluster.ts";

const defaultCount = 20;
const defaultCountWithEnd = 1000;
/** The last instant that a fire time may have. */
const endOfTime = Date.UTC(9999, 11, 31, 23, 59, 59);

/** Prints the calendar of coming fire times. */
export async function showNext(context: PluginContext, name: string | undefined, flags: NextFlags): Promise<void> {
  const { clock, output } = context;
  if (name !== undefined && flags.allNamespaces)
    throw new UsageError("-A is about all jobs: leave out the job, or name its namespace with -n");
  const all = flags.allNamespaces === true;
  const [jobs, requests, revisions] = await withCluster(context, flags, async (cluster) => {
    const [found, asked] = await Promise.all([readJobs(cluster, name, all), readRequests(cluster, all)]);
    return [found, asked, await readCalendarRevisions(cluster, found)] as const;
  });
  const now = clock.now();
  const zone = name === undefined || jobs[0] === undefined ? utc : zoneOfJob(jobs[0]);
  const from = flags.from === undefined ? now : parseInstant("--from", flags.from, zone);
  const to = flags.to === undefined ? endOfTime : parseInstant("--to", flags.to, zone);
  if (to <= from) throw new UsageError("--to is not after --from: choose a later one");
  const limit = flags.count ?? (flags.to === undefined ? defaultCount : defaultCountWithEnd);

  const suspending = requests.filter((request) => request.spec.suspend !== undefined && request.status?.phase === "Running");
  const firing: FiringJob[] = [];
  const silent = { suspended: 0, without: 0, wrong: 0 };
  for (const job of jobs) {
    const schedule = scheduleOfJob(job, revisions);
    const namespace = job.metadata.namespace ?? "default";
    const ofNamespace = suspending.filter((request) => request.metadata.namespace === namespace);
    const asked = suspension(ofNamespace, job.metadata.name, now);
    const until = Date.parse(asked?.spec.suspend?.until ?? "") || undefined;
    if (job.spec.suspend === true || (asked !== undefined && until === undefined)) silent.suspended++;
    else if (job.spec.schedule === undefined) silent.without++;
    else if (schedule === undefined) silent.wrong++;
    else {
      const { name: jobName } = job.metadata;
      firing.push({ namespace, name: jobName, zone: zoneOfJob(job), schedule, ...(until !== undefined && { notBefore: until }) });
    }
  }
  const { entries, truncated } = fireCalendar(firing, from, to, limit);
  if (flags.output === "json" || flags.output === "yaml") await printValue(output, flags.output, entries);
  else if (entries.length > 0) {
    const look = { jobs: firing, now, namespaces: all, wide: flags.output === "wide" };
    for (const line of calendarTable(entries, look)) output.result(line);
  } else output.result("Nothing fires.");
  if (truncated && flags.to !== undefined) output.note(`these are the first ${limit}; --count shows more`);
  const left = [
    silent.suspended > 0 ? `${silent.suspended} suspended` : "",
    silent.without > 0 ? `${silent.without} without a schedule` : "",
    silent.wrong > 0 ? `${silent.wrong} with a wrong one` : "",
  ].filter((part) => part !== "");
  if (left.length > 0) output.note(`left out: ${left.join(", ")}`);
}

/** Jobs of one page; a list of all of them at once may be too much for one answer. */
const pageSize = 2000;

async function readJobs(cluster: Cluster, name: string | undefined, all: boolean): Promise<readonly ElasticJob[]> {
  if (name !== undefined) return [await readJob(cluster, name)];
  const jobs: ElasticJob[] = [];
  let next: string | undefined;
  do {
    const page = await cluster.client.list<ElasticJob>(elasticJobs, {
      ...(!all && { namespace: cluster.namespace }),
      limit: pageSize,
      ...(next !== undefined && { continue: next }),
    });
    jobs.push(...page.items);
    next = page.metadata.continue || undefined;
  } while (next !== undefined);
  return jobs;
}
