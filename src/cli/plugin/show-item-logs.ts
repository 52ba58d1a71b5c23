import type { ElasticJob, ElasticJobRun } from "../../api/elastic-job.gen.ts";
import type { ItemLog } from "../../api/item-log.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import { UsageError } from "../command-context.ts";
import { askLeader } from "./ask-leader.ts";
import { CommandFailure } from "./command-failure.ts";
import { mostLogs } from "./log-merge.ts";
import type { LogsFlags } from "./logs.ts";
import type { Cluster, PluginContext } from "./plugin-context.ts";

/** What only logs of containers can do. */
const ofPods = ["container", "follow", "timestamps"] as const;

/** Of a MiB each. */
const mostPages = 64;

/** Prints what the items of a run wrote at executors, one after the other: their lines have no times that could be compared. */
export async function showItemLogs(
  { output, style }: PluginContext,
  cluster: Cluster,
  job: ElasticJob,
  { run, items }: ElasticJobRun,
  flags: LogsFlags,
): Promise<void> {
  const refused = ofPods.find((flag) => flags[flag] !== undefined);
  if (refused !== undefined)
    throw new UsageError(`--${refused} is for pods: run ${run} was given to executors, which keep whole logs of items`);
  const all = IntervalSet.parse(items);
  const chosen = [...all].filter((item) => flags.item?.has(item) ?? true);
  if (chosen.length === 0) throw new CommandFailure(`run ${run} has the items ${all}, and not ${flags.item}`);
  if (chosen.length > mostLogs)
    throw new CommandFailure(`${chosen.length} items of run ${run} have logs: choose at most ${mostLogs} with -i, such as -i 0-9`);
  let isAny = false;
  for (const item of chosen) {
    const lines = await readLog(cluster, job, run, item, flags);
    if ("problem" in lines) {
      if (chosen.length === 1) throw new CommandFailure(lines.problem);
      output.note(`item ${item}: ${lines.problem}`);
      continue;
    }
    isAny = true;
    const prefix = chosen.length > 1 ? `${style.busy(`[${item}]`)} ` : "";
    const shown = flags.tail === undefined ? lines.text : lines.text.slice(Math.max(0, lines.text.length - flags.tail));
    for (const line of shown) output.result(prefix + line);
  }
  if (!isAny) throw new CommandFailure(`none of these items of run ${run} has a log`);
}

/** All lines of one item, page by page. */
async function readLog(
  cluster: Cluster,
  { metadata }: ElasticJob,
  run: string,
  item: number,
  { attempt, explainService }: LogsFlags,
): Promise<{ readonly text: readonly string[] } | { readonly problem: string }> {
  const { namespace = "default", name, uid = "" } = metadata;
  const text: string[] = [];
  let page: Pick<ItemLog, "nextLine" | "attempt"> | undefined;
  let pages = 0;
  do {
    const word = await askLeader(cluster, explainService, "log", {
      namespace,
      name,
      uid,
      run,
      item: String(item),
      ...((page?.attempt ?? attempt) !== undefined && { attempt: String(page?.attempt ?? attempt) }),
      ...(page?.nextLine !== undefined && { from: String(page.nextLine) }),
    });
    if (word.kind === "silent") return { problem: word.problem };
    const [log] = word.answer.logs;
    if (log === undefined) break;
    if (log.text !== "") text.push(...log.text.replace(/\n$/, "").split("\n"));
    page = log;
    pages++;
  } while (page.nextLine !== undefined && pages < mostPages);
  return { text };
}
