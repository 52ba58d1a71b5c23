import { defaultContainer } from "../api/default-container.ts";
import type { ElasticJobSpec } from "../api/elastic-job.gen.ts";
import type { SpecProblem } from "../api/problem.ts";
import { IntervalSet, IntervalSetError } from "../base/interval-set.ts";
import { parseTime } from "../base/time.ts";
import { createSchedule } from "../cron/schedule.ts";
import { ScheduleError } from "../cron/schedule-error.ts";
import { optionProblems } from "./job-options.ts";
import { imageProblems } from "./pod-template.ts";

/** What the CRD's schema cannot say about an ElasticJob's spec; empty when it is right. */
export function elasticJobProblems(spec: ElasticJobSpec): readonly SpecProblem[] {
  return [
    ...scheduleProblems(spec),
    ...shardingProblems(spec),
    ...residentProblems(spec),
    ...reduceProblems(spec),
    ...templateProblems(spec),
    ...argumentProblems(spec),
    ...optionProblems(spec),
  ];
}

function scheduleProblems({ schedule }: ElasticJobSpec): readonly SpecProblem[] {
  if (schedule === undefined) return [];
  const problems: SpecProblem[] = [];
  const { dialect, timeZone, dst } = schedule;
  const startAt = parseTime(schedule.startAt);
  const endAt = parseTime(schedule.endAt);
  const check = (options: Parameters<typeof createSchedule>[0], index?: number) => {
    try {
      createSchedule(options);
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      const part = error.path.replace(/^crons\[\d+\]/, index === undefined ? "$&" : `crons[${index}]`);
      problems.push({ path: part === "" ? "spec.schedule" : `spec.schedule.${part}`, message: error.message });
    }
  };
  // Each part alone, so that one mistake does not hide the others.
  check({ crons: [], timeZone, ...(startAt !== undefined && { startAt }), ...(endAt !== undefined && { endAt }), anchor: 0 });
  for (const [index, cron] of schedule.crons.entries()) check({ crons: [cron], dialect, dst, anchor: 0 }, index);
  return [...problems, ...jitterProblems(schedule, problems.length > 0)];
}

/** Where the gaps of a schedule without startAt are measured: an instant that never moves, so that what is right today is so tomorrow. */
const gapsFrom = Date.UTC(2026, 0, 1);
const gapsMeasured = 100;

/** The order of runs is that of their fire times as long as each begins before the next one is due (decision 42). */
function jitterProblems(schedule: NonNullable<ElasticJobSpec["schedule"]>, wrong: boolean): readonly SpecProblem[] {
  const { jitterSeconds = 0, crons, dialect, timeZone, dst } = schedule;
  if (jitterSeconds === 0 || wrong) return [];
  const startAt = parseTime(schedule.startAt) ?? gapsFrom;
  const { times } = createSchedule({ crons, dialect, timeZone, dst, startAt, anchor: startAt }).between(
    startAt - 1,
    Number.MAX_SAFE_INTEGER,
    gapsMeasured,
  );
  let smallest = Number.POSITIVE_INFINITY;
  for (let index = 1; index < times.length; index++) smallest = Math.min(smallest, (times[index] as number) - (times[index - 1] as number));
  if (jitterSeconds * 1000 < smallest) return [];
  const message = `must be below ${smallest / 1000}, the smallest gap in seconds between fire times of spec.schedule.crons; is ${jitterSeconds}`;
  return [{ path: "spec.schedule.jitterSeconds", message }];
}

function shardingProblems({ sharding }: ElasticJobSpec): readonly SpecProblem[] {
  const total = sharding?.total ?? 1;
  const problems: SpecProblem[] = [];
  if (sharding?.parameters !== undefined && sharding.parameters.length !== total) {
    const message = `has ${sharding.parameters.length} entries; it must have one for each item, so sharding.total = ${total}`;
    problems.push({ path: "spec.sharding.parameters", message });
  }
  try {
    const disabled = IntervalSet.parse(sharding?.disabledItems, total - 1);
    if (disabled.size >= total)
      problems.push({ path: "spec.sharding.disabledItems", message: "leaves no item to run; use spec.suspend to stop a job" });
  } catch (error) {
    if (!(error instanceof IntervalSetError)) throw error;
    problems.push({
      path: "spec.sharding.disabledItems",
      message: `${error.message}; items are numbered from 0 to sharding.total - 1 = ${total - 1}`,
    });
  }
  return problems;
}

/** What means nothing where items are handed to instances that run already. */
function residentProblems({ template, runnerRef, reduce, sharding, queue, ...spec }: ElasticJobSpec): readonly SpecProblem[] {
  const problems: SpecProblem[] = [];
  const refuse = (path: string, message: string) => problems.push({ path, message });
  if ((template === undefined) === (runnerRef === undefined))
    refuse("spec", "must have exactly one of template (pods of its own) and runnerRef (instances of a RunnerApp)");
  if (runnerRef === undefined) {
    if (sharding?.strategy !== undefined)
      refuse("spec.sharding.strategy", "is for the instances of a RunnerApp (spec.runnerRef); leave it out where spec.template is given");
    return problems;
  }
  const ofPods = "is for pods, and a job with spec.runnerRef has none; leave it out";
  if (reduce !== undefined) refuse("spec.reduce", ofPods);
  if ((spec.nodeRules ?? []).length > 0) refuse("spec.nodeRules", ofPods);
  if (spec.safeToEvict !== undefined) refuse("spec.safeToEvict", ofPods);
  if (spec.appendShardingContext === true) refuse("spec.appendShardingContext", ofPods);
  if (queue?.name !== undefined)
    refuse(
      "spec.queue.name",
      "must be left out with spec.runnerRef: the fleet has a share of a queue, and of spec.queue only priority counts",
    );
  const { total = 1, parameters, parametersFrom, disabledItems = "" } = sharding ?? {};
  if (
    sharding?.strategy === "Broadcast" &&
    (total !== 1 || parameters !== undefined || parametersFrom !== undefined || disabledItems !== "")
  )
    refuse(
      "spec.sharding",
      "must have no total, parameters, parametersFrom and disabledItems with strategy Broadcast: there is one item for each instance",
    );
  return problems;
}

/** What stands around a result in its line, and what a file of results may take. */
const resultLineBytes = 32;
const mostResultsBytes = 900 * 1024;

function reduceProblems({ reduce, sharding, results }: ElasticJobSpec): readonly SpecProblem[] {
  const total = sharding?.total ?? 1;
  const maxBytes = results?.maxBytes ?? 1024;
  if (reduce === undefined || total * (maxBytes + resultLineBytes) <= mostResultsBytes) return [];
  const most = Math.floor(mostResultsBytes / total) - resultLineBytes;
  const message = `is ${maxBytes}; the results of ${total} items must fit into one file of 900 KiB for reduce, so it must be at most ${most}`;
  return [{ path: "spec.results.maxBytes", message }];
}

function templateProblems({ template, reduce }: ElasticJobSpec): readonly SpecProblem[] {
  const ofReduce = reduce === undefined ? [] : imageProblems(reduce.template, "spec.reduce.template");
  return [...(template === undefined ? [] : imageProblems(template, "spec.template")), ...ofReduce];
}

function argumentProblems({ template, appendShardingContext }: ElasticJobSpec): readonly SpecProblem[] {
  if (appendShardingContext !== true || template === undefined) return [];
  const name = defaultContainer(template);
  const container = template.spec.containers.find((each) => each.name === name);
  if (container === undefined || container.command !== undefined || container.args !== undefined) return [];
  const message = `needs command or args in the container "${name}": a last argument would take the place of those that its image brings`;
  return [{ path: "spec.appendShardingContext", message }];
}
