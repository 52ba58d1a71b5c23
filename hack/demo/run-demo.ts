import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pod } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import { elasticJobs, nodes, pods } from "../../src/api/resource.ts";
import { formatSeconds } from "../../src/base/time.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { startPlayground } from "../../src/simulator/harness/playground.ts";
import { type Attempt, seeAttempts } from "./attempts.ts";
import { applyJob, readJob } from "./manifests.ts";
import type { Screen } from "./screen.ts";
import { copyTexts } from "./text-folder.ts";
import { blockLines, changeLines, resultLines, type Snapshot } from "./view.ts";
import { countWords, readResult, type WordCount } from "./word-count.ts";

export interface DemoOptions {
  /** Of the checkout. */
  readonly root: string;
  /** An empty directory for everything that the demo makes. */
  readonly directory: string;
  readonly screen: Screen;
  /** Ends the demo. */
  readonly signal: AbortSignal;
  /** Go on after the result, until the signal. */
  readonly stay: boolean;
}

const namespace = "default";
const counted = "word-count";
/** The item whose node is drained; item 1 fails by itself, as its manifest says. */
const drainedItem = 2;
/** From its container's start: long enough to be seen at work, and before its end. */
const drainAfterMs = 3000;
const topWords = 10;
const pollMs = 100;
/** From the start of the cluster to the merged result. */
const limitMs = 55_000;

/** Runs the demo; true when the merged result is right. Throws when the run does not end in time, or the signal aborts before the result. */
export async function runDemo({ root, directory, screen, signal, stay }: DemoOptions): Promise<boolean> {
  const { paint, line } = screen;
  const texts = copyTexts(root, join(directory, "texts"));
  const began = Date.now();
  line("starting a cluster of 4 nodes in this process, with the operator in it ...");
  const playground = await startPlayground({
    kubelet: "process",
    nodes: 4,
    dataDir: join(directory, "cluster"),
    random: { next: () => Math.random() },
  });
  try {
    const { client } = playground;
    const kubectl = `kubectl --kubeconfig ${playground.kubeconfigPath}`;
    const seconds = () => `${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s`;
    const say = (text: string) => line(`${paint("dim", seconds())}  ${text}`);
    say(`the API server answers at ${playground.url}`);

    await applyJob(client, readJob(join(root, "examples/hello.yaml"), namespace));
    say("applied examples/hello.yaml: every minute");
    const startAt = Math.ceil((Date.now() + 2500) / 1000) * 1000;
    const schedule = { crons: ["@every 1h"], startAt: formatSeconds(startAt), endAt: formatSeconds(startAt + 60_000) };
    await applyJob(client, readJob(join(root, "examples/word-count.yaml"), namespace, { parameter: texts.path, schedule }));
    say(`applied examples/word-count.yaml, with another schedule (once, at ${schedule.startAt.slice(11, 19)} UTC) and another`);
    say(`folder: ${texts.path} (${texts.files} files of this project, ${(texts.bytes / 1e6).toFixed(1)} MB)`);
    line();

    const watcher = createWatcher(client, screen, say);
    let drained = false;
    let result: string | undefined;
    while (result === undefined) {
      const snapshot = await watcher.look();
      const victim = [...snapshot.attempts.values()].find((attempt) => toBeDrained(attempt));
      if (!drained && victim?.node !== undefined) {
        drained = true;
        await drain(client, victim, victim.node, say, paint("failover", "demo"));
      }
      result = endedResult(snapshot);
      if (Date.now() - began > limitMs) throw new Error(`the run has not ended after ${limitMs / 1000} s`);
      await sleep(pollMs, undefined, { signal });
    }
    const snapshot = await watcher.look();
    screen.block([]);
    line();
    const right = showResult(readResult(result, topWords), countWords(texts.path, topWords), screen) && showStory(snapshot, screen);
    line();
    line(
      stay
        ? "The cluster stays up until Ctrl-C. To look around, in another terminal:"
        : "On a terminal the cluster stays up after this, to look around with, for instance:",
    );
    for (const words of [
      "get ej",
      `describe ej ${counted}`,
      `get pods -L nuptse.dev/item,nuptse.dev/attempt -o wide`,
      `logs -l nuptse.dev/job=${counted} --prefix`,
      "explain ej.spec",
    ]) {
      line(`  ${kubectl} ${words}`);
    }
    line();
    while (stay && !signal.aborted) {
      await watcher.look();
      await sleep(pollMs * 3, undefined, { signal }).catch(() => undefined);
    }
    return right;
  } finally {
    screen.block([]);
    await playground.close();
  }
}

function toBeDrained(attempt: Attempt): boolean {
  const { job, item, state, startedAt } = attempt;
  return (
    job === counted && item === drainedItem && attempt.attempt === 1 && state === "Running" && Date.now() >= (startedAt ?? 0) + drainAfterMs
  );
}

/** What `kubectl drain` does to the pods of a node. */
async function drain(client: KubeClient, victim: Attempt, node: string, say: (text: string) => void, who: string): Promise<void> {
  say(`${who}: drains ${node} for maintenance, where item ${victim.item} is in the middle of its work:`);
  say(`${who}: kubectl cordon ${node}; kubectl delete pod ${victim.pod}`);
  await client.patch(nodes, { name: node }, { type: "merge", body: { spec: { unschedulable: true } } });
  await client.delete(pods, { namespace, name: victim.pod });
}

/** What the reduce of the counted run wrote, once the run has ended. Throws when it did not succeed. */
function endedResult(snapshot: Snapshot): string | undefined {
  const status = snapshot.jobs.find((job) => job.metadata.name === counted)?.status;
  const run = status?.history?.[0];
  if (run === undefined) return undefined;
  if (run.phase !== "Succeeded") throw new Error(`the run ended as ${run.phase}: ${run.message ?? run.reason ?? ""}`);
  return status?.results?.run === run.run ? (status.results.reduce ?? "") : undefined;
}

/** Looks at jobs and pods, and shows what changed since it last did. */
function createWatcher(client: KubeClient, screen: Screen, say: (text: string) => void): { look(): Promise<Snapshot> } {
  let before: Snapshot = { jobs: [], attempts: new Map() };
  return {
    async look() {
      const [jobList, podList] = await Promise.all([
        client.list<ElasticJob>(elasticJobs, { namespace }),
        client.list<Pod>(pods, { namespace, labelSelector: "nuptse.dev/job" }),
      ]);
      const now = Date.now();
      const after: Snapshot = { jobs: jobList.items, attempts: seeAttempts(before.attempts, podList.items, now) };
      for (const line of changeLines(before, after, screen.paint)) say(line);
      before = after;
      screen.block(["", ...blockLines(after, now, screen.paint)]);
      return after;
    },
  };
}

function showResult(merged: WordCount, direct: WordCount, { line, paint }: Screen): boolean {
  line(paint("strong", "Merged from the results of the 4 items by one more pod (reduce), as it stands in the status of the job:"));
  for (const text of resultLines(merged, topWords, paint)) line(text);
  const right = JSON.stringify(merged) === JSON.stringify(direct);
  if (right) line(paint("good", "Equal to a count of the same files in one go."));
  else line(paint("bad", `WRONG: a count of the same files in one go gives ${JSON.stringify(direct)}`));
  return right;
}

/** True when the run went as it was meant to go: one retry, one failover. */
function showStory(snapshot: Snapshot, { line, paint }: Screen): boolean {
  const run = snapshot.jobs.find((job) => job.metadata.name === counted)?.status?.history?.[0];
  const failed = [...snapshot.attempts.values()].filter((attempt) => attempt.job === counted && attempt.state === "Failed").length;
  const right = failed === 1 && run?.lost === 1;
  line(
    right
      ? `On the way item 1 failed and was ${paint("retry", "tried again")}, and item ${drainedItem} lost its node and was ${paint("failover", "failed over")}.`
      : paint("bad", `NOT AS MEANT: ${failed} attempts failed and ${run?.lost ?? 0} items were lost; one of each was meant`),
  );
  return right;
}
