import { StringDecoder } from "node:string_decoder";
import { TimedOutError } from "./errors.ts";

/** What a {@link LineStream} asks of the connection behind it. */
export interface LineSource {
  pause(): void;
  resume(): void;
  /** The reader wants no more. */
  cancel(): void;
}

/** So many lines may wait for a slow reader before the connection is stopped, and so few before it goes on. */
const pauseAt = 512;
const resumeAt = 64;

/**
 * Turns chunks of bytes into lines for one reader. Lines are parsed when they are read, so that one that is not JSON fails at the
 * reader, and a reader that stops early does not pay for what it leaves.
 */
export class LineStream implements AsyncIterable<unknown> {
  readonly #what: string;
  readonly #json: boolean;
  readonly #source: LineSource;
  readonly #decoder = new StringDecoder("utf8");
  #partial: string[] = [];
  #lines: string[] = [];
  #from = 0;
  #paused = false;
  #end: { readonly error?: Error } | undefined;
  #wake: (() => void) | undefined;

  /** @param what verb and object, for errors */
  constructor(what: string, json: boolean, source: LineSource) {
    this.#what = what;
    this.#json = json;
    this.#source = source;
  }

  push(chunk: Buffer): void {
    this.#split(this.#decoder.write(chunk));
    if (!this.#paused && this.#lines.length - this.#from >= pauseAt) {
      this.#paused = true;
      this.#source.pause();
    }
  }

  /** The server ended the stream; what has come is still read. */
  end(): void {
    if (this.#end !== undefined) return;
    this.#split(this.#decoder.end());
    if (this.#partial.length > 0) this.#addLine(this.#partial.join(""));
    this.#finish({});
  }

  /** The connection broke: the reader gets what has come, then the error. */
  fail(error: Error): void {
    if (this.#end === undefined) this.#finish({ error });
  }

  /** Our side wants no more: the reader gets nothing more, and no error. */
  stop(): void {
    this.#lines = [];
    this.#from = 0;
    this.#finish({});
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return {
      next: async () => {
        while (this.#from >= this.#lines.length) {
          if (this.#end?.error !== undefined) {
            const { error } = this.#end;
            this.#end = {};
            throw error;
          }
          if (this.#end !== undefined) return { done: true, value: undefined };
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
        return { done: false, value: this.#shift() };
      },
      return: async () => {
        if (this.#end === undefined) this.#source.cancel();
        this.stop();
        return { done: true, value: undefined };
      },
    };
  }

  #split(text: string): void {
    let start = 0;
    for (let newline = text.indexOf("\n"); newline >= 0; newline = text.indexOf("\n", start)) {
      const rest = text.slice(start, newline);
      start = newline + 1;
      if (this.#partial.length === 0) {
        this.#addLine(rest);
      } else {
        this.#partial.push(rest);
        this.#addLine(this.#partial.join(""));
        this.#partial = [];
      }
    }
    if (start < text.length) this.#partial.push(text.slice(start));
  }

  #addLine(line: string): void {
    if (this.#json && line.trim() === "") return;
    this.#lines.push(line);
    this.#notify();
  }

  #shift(): unknown {
    const line = this.#lines[this.#from++] as string;
    if (this.#from === this.#lines.length) {
      this.#lines = [];
      this.#from = 0;
    }
    if (this.#paused && this.#lines.length - this.#from <= resumeAt) {
      this.#paused = false;
      this.#source.resume();
    }
    if (!this.#json) return line;
    try {
      return JSON.parse(line);
    } catch (error) {
      throw new TimedOutError(`${this.#what}: the answer holds a line that is not JSON`, { cause: error });
    }
  }

  #finish(end: { readonly error?: Error }): void {
    this.#end = end;
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
