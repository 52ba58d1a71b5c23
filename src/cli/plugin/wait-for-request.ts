import type { ElasticJob } from "../../api/elastic-job.gen.ts";
import type { JobRequest } from "../../api/job-request.gen.ts";
import type { Timer } from "../../base/clock.ts";
import { CommandFailure } from "./command-failure.ts";
import type { Cluster, PluginContext } from "./plugin-context.ts";
import { backfillLine, progressFrame, progressNews } from "./progress.ts";
import { isOver, requestLine } from "./request-text.ts";
import { type RunView, runViews } from "./run-view.ts";
import { type Watched, watchJob } from "./watch-job.ts";

/** An operator takes a request within a second; one that is silent for so long is not running, or has much to do. */
const patienceMs = 30_000;
const redrawMs = 1000;

/**
 * Waits until a request has ended and shows how it goes: drawn over and over on a terminal, as lines elsewhere. Rejects with CommandFailure
 * when it ends as Failed.
 */
export async function waitForRequest(context: PluginContext, cluster: Cluster, job: ElasticJob, created: JobRequest): Promise<void> {
  const { clock, output, style, terminal, signal } = context;
  let request = created;
  let run: RunView | undefined;
  let ended = -1;
  let redraw: Timer | undefined;
  const draw = () => {
    if (terminal === undefined) return;
    redraw?.cancel();
    const lines =
      request.spec.backfill !== undefined
        ? [backfillLine(request, style)]
        : run === undefined
          ? [requestLine(request)]
          : progressFrame(run, clock.now(), terminal.rows, style);
    terminal.draw(lines);
    redraw = clock.after(redrawMs, draw);
  };
  const tell = (watched: Watched) => {
    const found = watched.requests.find(({ metadata }) => metadata.uid === created.metadata.uid);
    if (found === undefined) throw new CommandFailure(`the request ${created.metadata.name} was deleted`);
    request = found;
    const id = request.status?.run;
    const view = id === undefined ? undefined : runViews(watched).find((each) => each.run === id);
    if (terminal === undefined) {
      // The others are about a run that was there before: its items are no news.
      if (view !== undefined && (request.spec.run !== undefined || request.spec.retry !== undefined))
        for (const line of progressNews(view, run)) output.result(line);
      const { backfill } = request.status ?? {};
      if (backfill?.ended !== undefined && backfill.ended !== ended) {
        ended = backfill.ended;
        output.result(
          `backfill: ${ended} of ${backfill.total ?? 0} runs have ended${backfill.failed ? `, ${backfill.failed} failed` : ""}`,
        );
      }
    }
    run = view ?? run;
    draw();
    return isOver(request);
  };
  const impatience = clock.after(patienceMs, () => {
    if (request.status?.phase === undefined)
      output.note(
        `the operator has not taken the request for ${patienceMs / 1000} s: is it running? (kubectl get lease -A); still waiting`,
      );
  });
  try {
    await watchJob(cluster, job, { clock, signal, request: created.metadata.name }, tell);
  } catch (error) {
    if (signal.aborted) output.note(`the request ${created.metadata.name} goes on; kubectl nuptse status ${job.metadata.name} shows it`);
    throw error;
  } finally {
    impatience.cancel();
    redraw?.cancel();
  }
  const line = requestLine(request);
  if (request.status?.phase === "Failed") throw new CommandFailure(line);
  output.result(line);
}
