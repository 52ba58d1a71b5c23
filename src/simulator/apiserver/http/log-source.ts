import type { Status } from "../../../api/meta.ts";

/** A line of a container's log. */
export interface LogLine {
  /** When it was written, in milliseconds since the epoch. */
  readonly time: number;
  /** Without the line break. */
  readonly line: string;
}

/** What part of a log is wanted. `timestamps` and `limitBytes` are the server's business. */
export interface LogOptions {
  /** Go on with what is written until the container ends; absent or false = what there is now. */
  readonly follow?: boolean;
  /** The container's run before its last restart. */
  readonly previous?: boolean;
  /** Only lines from this instant on, in milliseconds since the epoch. */
  readonly sinceTime?: number;
  /** Only this many lines of what there is already; what follows is not limited. */
  readonly tailLines?: number;
  /** Aborted when the reader went away: the source must then end its iteration. */
  readonly signal: AbortSignal;
}

/** Whoever runs containers and holds their logs: in an embedded cluster its kubelets. */
export interface LogSource {
  /**
   * The log of one container, or a Status that says why there is none (container waiting: 400 BadRequest).
   * The server has checked that pod and container exist.
   */
  open(
    namespace: string,
    pod: string,
    container: string,
    options: LogOptions,
  ): AsyncIterable<LogLine> | Status | Promise<AsyncIterable<LogLine> | Status>;
}
