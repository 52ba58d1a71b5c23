import type { Duplex } from "node:stream";
import type { Pod } from "../../../api/core.ts";
import type { Status } from "../../../api/meta.ts";

/** What is to be run beside a container, or which of its streams are wanted. */
export interface StreamRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Empty = the container's own program is attached to. */
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** A program whose streams are held by a client. */
export interface StreamedProcess {
  /** Called with everything that it writes, from now on. */
  onOutput(listener: (stream: "stdout" | "stderr", chunk: Buffer) => void): void;
  /** Writes to its standard input. */
  write(chunk: Buffer): void;
  /** Its standard input has come to its end. */
  endInput(): void;
  /** The client went away: a program that was run for it ends, one that was attached to goes on. */
  leave(): void;
  /** Resolves with the exit code, 128 + n for a program that died of signal n. Rejects when it could not be started. */
  readonly ended: Promise<number>;
}

/** Whoever runs containers: in an embedded cluster its kubelets. */
export interface StreamSource {
  /** Starts a command beside a container, or attaches to it; or a Status that says why not. The server has checked that pod and container exist. */
  open(request: StreamRequest): StreamedProcess | Status | Promise<StreamedProcess | Status>;
  /** Connects to a port of a pod; both directions end apart. Rejects with why that cannot be done. */
  connect(pod: Pod, port: number): Promise<Duplex>;
}
