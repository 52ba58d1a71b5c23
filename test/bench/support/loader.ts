import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./child.ts";
import { fullSecondAfter } from "./manifests.ts";

const script = join(import.meta.dirname, "../processes/loader.ts");
/** It holds its watches and connections before it begins. */
const readyMs = 4000;

/** What the plain loader is to send. */
export interface Load {
  readonly method: "POST" | "PATCH";
  readonly contentType: string;
  /** Paths, with a question mark, of the watches that it holds meanwhile. */
  readonly watched: readonly string[];
  readonly requests: readonly LoadRequest[];
}

export interface LoadRequest {
  readonly path: string;
  readonly body: string;
  /** Posted to somebody else right before, whose answer is waited for. */
  readonly before?: { readonly url: string; readonly body: string };
}

/** Where a load goes; a BenchCluster is one. */
export interface LoadTarget {
  readonly plane: { readonly logsFolder: string };
  /** Of the user that it is sent as. */
  readonly loaderKubeconfig: string;
}

/** The user agent of its requests. */
export const loaderAgent = "bench-loader";

/** One line of JSON with all but the requests, then one line a request: path, body, and address and body of what goes before, with tabs between. */
export function writtenLoad({ requests, ...how }: Load): string {
  const lines = requests.map(({ path, body, before }) =>
    [path, body, ...(before === undefined ? [] : [before.url, before.body])].join("\t"),
  );
  return `${[JSON.stringify(how), ...lines].join("\n")}\n`;
}

/** The inverse of {@link writtenLoad}. */
export function readLoad(text: string): Load {
  const [how = "{}", ...lines] = text.trimEnd().split("\n");
  const requests = lines.map((line) => {
    const [path = "", body = "", url, text = ""] = line.split("\t");
    return { path, body, ...(url !== undefined && { before: { url, body: text } }) };
  });
  return { ...(JSON.parse(how) as Omit<Load, "requests">), requests };
}

/** Sends a load by a process of its own; resolves after its last answer with the instant at which it began (ms). */
export async function sendLoad(cluster: LoadTarget, name: string, load: Load, beforeBegin: () => Promise<void>): Promise<number> {
  const { plane } = cluster;
  const file = join(plane.logsFolder, `${name}.load`);
  await writeFile(file, writtenLoad(load));
  const beginAt = fullSecondAfter(readyMs);
  const child = new Child(script, [cluster.loaderKubeconfig, file, String(beginAt)], join(plane.logsFolder, "loader.log"));
  try {
    const { stdout } = child.process;
    if (stdout === null) throw new Error("the loader has no standard output");
    await Promise.race([once(stdout, "data"), once(child.process, "exit")]);
    stdout.resume();
    if (!child.isRunning || Date.now() > beginAt) throw new Error(`the loader was not ready in time:\n${await child.lastLines()}`);
    await sleep(beginAt - Date.now() - 500);
    await beforeBegin();
    if (child.isRunning) await once(child.process, "exit");
    if (child.process.exitCode !== 0) throw new Error(`the loader failed:\n${await child.lastLines()}`);
    return beginAt;
  } finally {
    await child.end();
  }
}
