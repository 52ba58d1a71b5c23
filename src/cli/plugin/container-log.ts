import type { Pod } from "../../api/core.ts";
import { pods, resourcePath } from "../../api/resource.ts";
import { errorFromResponse } from "../../kube/errors.ts";
import type { Transport } from "../../kube/transport.ts";
import { type StampedLine, stampedLine } from "./log-merge.ts";

/** What of a log is wanted. */
export interface LogQuery {
  readonly container: string;
  readonly follow: boolean;
  /** Absent = all. */
  readonly tail?: number;
  /** That of the container before it was started again. */
  readonly previous?: boolean;
}

/** The log of a container, line by line. Rejects with an ApiError, BadRequest when the container has not begun. */
export async function openLog(transport: Transport, pod: Pod, query: LogQuery, signal: AbortSignal): Promise<AsyncIterable<StampedLine>> {
  const { namespace, name } = pod.metadata;
  const { status, headers, lines } = await transport.stream(
    {
      method: "GET",
      path: resourcePath(pods, namespace, name, "log"),
      query: {
        container: query.container,
        // Also where nobody wants to see them: they are what logs are merged by.
        timestamps: "true",
        ...(query.follow && { follow: "true" }),
        ...(query.previous === true && { previous: "true" }),
        ...(query.tail !== undefined && { tailLines: String(query.tail) }),
      },
      accept: "*/*",
    },
    signal,
  );
  if (status < 300) return stamped(lines);
  let body: unknown;
  for await (const line of lines) {
    body = line;
    break;
  }
  throw errorFromResponse(`get pods/log ${namespace}/${name}`, { status, headers, body });
}

async function* stamped(lines: AsyncIterable<unknown>): AsyncGenerator<StampedLine> {
  for await (const line of lines) yield stampedLine(String(line));
}
