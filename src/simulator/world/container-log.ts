import { closeSync, createReadStream, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { linesOf } from "../../base/lines.ts";
import type { LogLine, LogOptions } from "../apiserver/http/log-source.ts";

export interface ContainerLogOptions {
  readonly path: string;
  /** Wall time in milliseconds. */
  readonly now: () => number;
  /** Beyond this size the file becomes the one old generation that is kept; absent = 10 MiB, as the kubelet's. */
  readonly maxBytes?: number;
}

/** A line without an end is written out at this length. */
const longestLineBytes = 256 * 1024;
const usualMaxBytes = 10 * 2 ** 20;
/** What a line costs in memory beside its text. */
const lineCost = 64;

/**
 * The log of one start of one container: a file in the CRI's form ("2026-11-21T12:00:00.123000000Z stdout F text"), one line a line.
 * Writing is synchronous, so that whoever reads later misses nothing of what was written before. What cannot be written, on a full disk, is
 * lost, and so is to a reader what it is too slow for: no program waits for its log.
 */
export class ContainerLog {
  readonly #options: ContainerLogOptions;
  readonly #followers = new Set<(line: LogLine | undefined) => void>();
  readonly #partial: Record<"stdout" | "stderr", Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  #file: number;
  #size = 0;
  #rotated = false;
  #ended = false;

  /** Creates the file, and its folder where needed. */
  constructor(options: ContainerLogOptions) {
    this.#options = options;
    mkdirSync(dirname(options.path), { recursive: true });
    this.#file = openSync(options.path, "w");
  }

  append(stream: "stdout" | "stderr", chunk: Buffer): void {
    if (this.#ended) return;
    let rest = this.#partial[stream].length === 0 ? chunk : Buffer.concat([this.#partial[stream], chunk]);
    let lines: string[] = [];
    const end = rest.lastIndexOf(10);
    if (end >= 0) {
      // all at once: programs print millions of short lines
      lines = rest.toString("utf8", 0, end).split("\n");
      rest = rest.subarray(end + 1);
    }
    if (rest.length > longestLineBytes) {
      lines.push(rest.toString("utf8"));
      rest = Buffer.alloc(0);
    }
    // A copy: a slice would keep the whole chunk alive.
    this.#partial[stream] = Buffer.from(rest);
    this.#write(stream, lines);
  }

  /** Writes what had no line end and lets those who follow go. */
  end(): void {
    if (this.#ended) return;
    for (const stream of ["stdout", "stderr"] as const) {
      const rest = this.#partial[stream];
      if (rest.length > 0) this.#write(stream, [rest.toString("utf8")]);
    }
    this.#ended = true;
    closeSync(this.#file);
    for (const follower of this.#followers) follower(undefined);
    this.#followers.clear();
  }

  /** The lines that there are, then with `follow` those that come. */
  async *read(options: Omit<LogOptions, "previous">): AsyncGenerator<LogLine> {
    let coming: (LogLine | undefined)[] = [];
    let waiting = 0;
    let wake: (() => void) | undefined;
    const follower = (line: LogLine | undefined) => {
      coming.push(line);
      waiting += lineCost + (line?.line.length ?? 0);
      // the older half of it, as a generation of the file is lost
      if (waiting > this.#maxBytes) {
        coming = coming.slice(coming.length >> 1);
        waiting = coming.reduce((sum, each) => sum + lineCost + (each?.line.length ?? 0), 0);
      }
      wake?.();
    };
    const onAbort = () => follower(undefined);
    // Subscribed in the same turn in which the files are opened: no line is lost between, none comes twice.
    const follows = options.follow === true && !this.#ended;
    if (follows) this.#followers.add(follower);
    options.signal.addEventListener("abort", onAbort, { once: true });
    try {
      const since = options.sinceTime ?? Number.NEGATIVE_INFINITY;
      let tail: LogLine[] = [];
      for await (const line of this.#written()) {
        if (line.time < since) continue;
        if (options.tailLines === undefined) yield line;
        else if (options.tailLines > 0) {
          tail.push(line);
          if (tail.length >= 2 * options.tailLines) tail = tail.slice(-options.tailLines);
        }
      }
      if (options.tailLines !== undefined) yield* tail.slice(-options.tailLines);
      while (follows && !options.signal.aborted) {
        const lines = coming;
        coming = [];
        waiting = 0;
        for (const line of lines) {
          if (line === undefined) return;
          if (line.time >= since) yield line;
        }
        if (coming.length > 0) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#followers.delete(follower);
      options.signal.removeEventListener("abort", onAbort);
    }
  }

  /** The last lines, at most 80 and 2 KiB: what stands in for a missing termination message. */
  async tail(): Promise<string> {
    const lines: string[] = [];
    const signal = new AbortController().signal;
    for await (const { line } of this.read({ tailLines: 80, signal })) lines.push(line);
    const text = Buffer.from(lines.length === 0 ? "" : `${lines.join("\n")}\n`);
    return text.subarray(Math.max(0, text.length - 2_048)).toString("utf8");
  }

  get #maxBytes(): number {
    return this.#options.maxBytes ?? usualMaxBytes;
  }

  #write(stream: string, lines: readonly string[]): void {
    if (lines.length === 0) return;
    const time = this.#options.now();
    const stamp = `${new Date(time).toISOString().slice(0, 23)}000000Z ${stream} F `;
    this.#keep(Buffer.from(`${stamp}${lines.join(`\n${stamp}`)}\n`));
    for (const line of lines) for (const follower of this.#followers) follower({ time, line });
  }

  #keep(bytes: Buffer): void {
    const { path } = this.#options;
    try {
      // half a write is written over by the next one
      if (writeSync(this.#file, bytes, 0, bytes.length, this.#size) < bytes.length) return;
      this.#size += bytes.length;
      if (this.#size <= this.#maxBytes) return;
      renameSync(path, `${path}.1`);
      const full = this.#file;
      this.#file = openSync(path, "w");
      closeSync(full);
      this.#size = 0;
      this.#rotated = true;
    } catch {
      // a full disk, or a folder that somebody took away: the cluster goes on without these lines
    }
  }

  async *#written(): AsyncGenerator<LogLine> {
    const { path } = this.#options;
    const files = [...(this.#rotated ? [openSync(`${path}.1`, "r")] : []), openSync(path, "r")];
    // what half a write left behind is no line
    const sized = files.map((file, index) => ({ file, size: index === files.length - 1 ? this.#size : fstatSync(file).size }));
    const open = new Set(files);
    try {
      for (const { file, size } of sized) {
        if (size === 0) continue;
        // closed by the stream, also when nobody reads on
        open.delete(file);
        for await (const text of linesOf(createReadStream("", { fd: file, start: 0, end: size - 1 }))) {
          const first = text.indexOf(" ");
          const second = text.indexOf(" ", first + 1);
          const third = text.indexOf(" ", second + 1);
          yield { time: Date.parse(text.slice(0, first)), line: text.slice(third + 1) };
        }
      }
    } finally {
      for (const file of open) closeSync(file);
    }
  }
}
