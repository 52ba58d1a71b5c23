// The thread in which SQLite blocks, so that nobody else does. Its file is opened at the first request, and again at the next one after
// an error that an open file does not get over.
import { parentPort, workerData } from "node:worker_threads";
import { SqliteDatabase } from "./sqlite-database.ts";
import type { NumberedRequest, SqliteAnswer, SqliteRequest } from "./sqlite-messages.ts";
import { TraceQueryError } from "./store.ts";

const { path } = workerData as { readonly path: string };
/** SQLITE_BUSY, SQLITE_LOCKED, SQLITE_FULL: they pass, and the file is as it was. */
const passing: ReadonlySet<number> = new Set([5, 6, 13]);
let database: SqliteDatabase | undefined;

parentPort?.on("message", ({ id, request }: NumberedRequest) => {
  let answer: SqliteAnswer;
  try {
    answer = { id, value: answerTo(request) };
  } catch (error) {
    const isQuery = error instanceof TraceQueryError;
    if (!isQuery && !passing.has(((error as { errcode?: number }).errcode ?? 0) & 0xff)) closeFile();
    answer = { id, error: { message: error instanceof Error ? error.message : String(error), isQuery } };
  }
  parentPort?.postMessage(answer);
});

function answerTo(request: SqliteRequest): unknown {
  if (request.call === "close") return closeFile();
  database ??= new SqliteDatabase(path);
  switch (request.call) {
    case "append":
      return database.append(request.rows);
    case "query":
      return database[request.kind](request.query);
    case "prune":
      return database.prune(request.retention, request.now);
  }
}

function closeFile(): void {
  const open = database;
  database = undefined;
  try {
    open?.close();
  } catch {
    // What cannot be closed is given up with the thread.
  }
}
