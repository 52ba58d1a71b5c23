import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Pod } from "../../../api/core.ts";
import type { Clock } from "../../../base/clock.ts";
import type { LogLine, LogOptions, LogSource } from "./log-source.ts";
import { isTrue } from "./request-info.ts";
import { isStatus, Refusal } from "./status.ts";

/** What of `pods/log` is asked for, as the query says it. */
interface LogQuery {
  readonly container: string;
  readonly timestamps: boolean;
  readonly limitBytes: number;
  readonly options: Omit<LogOptions, "signal">;
}

/**
 * Answers `pods/log` of a pod that exists: text, one line as it comes, until the log ends, the limit is reached or the reader goes away.
 * A pod without a node has no log at all (204).
 * Throws a Refusal (400, 422) as long as nothing was sent.
 */
export async function sendLog(
  pod: Pod,
  query: Readonly<Record<string, string>>,
  response: ServerResponse,
  parts: { readonly source: LogSource | undefined; readonly clock: Clock },
): Promise<void> {
  const wanted = readQuery(query, parts.clock.now());
  const container = chooseContainer(pod, wanted.container);
  if ((pod.spec.nodeName ?? "") === "") {
    response.writeHead(204, { "cache-control": "no-cache, private" });
    response.end();
    return;
  }
  if (parts.source === undefined) throw Refusal.of(503, "nothing runs containers here: there are no logs");
  const aborted = new AbortController();
  response.on("close", () => aborted.abort());
  const options = { ...wanted.options, signal: aborted.signal };
  const lines = await parts.source.open(pod.metadata.namespace ?? "", pod.metadata.name, container, options);
  if (isStatus(lines)) throw new Refusal(lines);
  response.writeHead(200, { "content-type": "text/plain", "cache-control": "no-cache, private" });
  response.flushHeaders();
  await copyLines(lines, response, wanted, aborted.signal);
  response.end();
}

async function copyLines(lines: AsyncIterable<LogLine>, response: ServerResponse, wanted: LogQuery, signal: AbortSignal): Promise<void> {
  let left = wanted.limitBytes;
  try {
    for await (const { time, line } of lines) {
      if (signal.aborted) return;
      const bytes = Buffer.from(`${wanted.timestamps ? `${nanoInstant(time)} ` : ""}${line}\n`);
      const ready = response.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left <= 0) return;
      if (!ready) await once(response, "drain", { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** RFC 3339 with nine digits, the form of log timestamps. */
function nanoInstant(time: number): string {
  return new Date(time).toISOString().replace("Z", "000000Z");
}

/** The container that is meant: the named one, or the only or first one. Throws a Refusal with 400 where there is none of that name. */
export function chooseContainer(pod: Pod, wanted: string): string {
  const names = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map((container) => container.name);
  if (wanted !== "") {
    if (names.includes(wanted)) return wanted;
    throw Refusal.of(400, `container ${wanted} is not valid for pod ${pod.metadata.name}`);
  }
  const [only, another] = pod.spec.containers;
  if (only !== undefined && another === undefined) return only.name;
  const choices = pod.spec.containers.map((container) => container.name).join(" ");
  throw Refusal.of(400, `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${choices}]`);
}

function readQuery(query: Readonly<Record<string, string>>, now: number): LogQuery {
  const tailLines = integer(query, "tailLines", 0);
  const sinceSeconds = integer(query, "sinceSeconds", 1);
  const sinceTime = query["sinceTime"] === undefined ? undefined : Date.parse(query["sinceTime"]);
  if (sinceTime !== undefined && sinceSeconds !== undefined) {
    throw invalid("", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified");
  }
  if (Number.isNaN(sinceTime)) throw Refusal.of(400, `parsing time "${query["sinceTime"]}": not RFC 3339`);
  const since = sinceTime ?? (sinceSeconds === undefined ? undefined : now - sinceSeconds * 1000);
  return {
    container: query["container"] ?? "",
    timestamps: isTrue(query["timestamps"]),
    limitBytes: integer(query, "limitBytes", 1) ?? Number.POSITIVE_INFINITY,
    options: {
      follow: isTrue(query["follow"]),
      previous: isTrue(query["previous"]),
      ...(since === undefined ? {} : { sinceTime: since }),
      ...(tailLines === undefined ? {} : { tailLines }),
    },
  };
}

function integer(query: Readonly<Record<string, string>>, name: string, least: number): number | undefined {
  const text = query[name];
  if (text === undefined || text === "") return undefined;
  if (!/^-?\d+$/.test(text)) throw Refusal.of(400, `${name}: "${text}" is not a whole number`);
  const value = Number(text);
  if (value < least) throw invalid(name, `Invalid value: ${value}: must be greater than ${least === 0 ? "or equal to 0" : least - 1}`);
  return value;
}

function invalid(field: string, problem: string): Refusal {
  const at = field === "" ? problem : `${field}: ${problem}`;
  return Refusal.of(422, `PodLogOptions "" is invalid: ${at}`, { kind: "PodLogOptions", causes: [{ field, message: problem }] });
}
