import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { linesOf } from "../../base/lines.ts";
import type { ServerIdentity } from "../apiserver/http/http-server.ts";
import { isFields } from "../apiserver/json.ts";
import type { ServerState, StateEntry } from "../apiserver/server-state.ts";

/** A playground as it was saved. */
export interface SavedPlayground {
  readonly state: ServerState;
  /** So that kubeconfigs that were given out stay good. */
  readonly identity: ServerIdentity;
  /** The cluster's wall time, in milliseconds since the epoch. */
  readonly savedAt: number;
}

/** A file that cannot be loaded; the message names it and says why. */
export class StateFileError extends Error {
  override readonly name = "StateFileError";
}

const format = "nuptse playground";
const version = 1;
/** Objects that are made text before others have their turn: some milliseconds. */
const entriesAtOnce = 200;

/**
 * Saves a playground: a line of JSON about it, a line for each object, and a last line with their number and a digest of all before, so that a file
 * that is cut or changed is told from a good one. Whoever reads the path finds the former contents or the whole of the new ones. It holds secrets
 * and is made for its owner alone. Rejects when it cannot be written; then the path is as it was.
 * @param program the version of this program, for those who cannot read it
 */
export async function writeStateFile(path: string, saved: SavedPlayground, program: string): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(draft, "w", 0o600);
    try {
      await writeLines(file, saved, program);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeLines(file: FileHandle, { state, identity, savedAt }: SavedPlayground, program: string): Promise<void> {
  const digest = createHash("sha256");
  const write = async (text: string): Promise<void> => {
    digest.update(text);
    await file.writeFile(text);
  };
  await write(`${JSON.stringify({ format, version, program, savedAt, revision: state.revision, identity })}\n`);
  for (let at = 0; at < state.entries.length; at += entriesAtOnce) {
    const slice = state.entries.slice(at, at + entriesAtOnce);
    await write(slice.map(({ group, plural, object }) => `${JSON.stringify([group, plural, object])}\n`).join(""));
  }
  await file.writeFile(`${JSON.stringify({ objects: state.entries.length, sha256: digest.digest("hex") })}\n`);
}

/** Reads what {@link writeStateFile} wrote. Rejects with StateFileError for anything else. */
export async function readStateFile(path: string, program: string): Promise<SavedPlayground> {
  const refused = (why: string): StateFileError => new StateFileError(`${path}: ${why}`);
  const digest = createHash("sha256");
  let head: ReturnType<typeof headOf> | undefined;
  const entries: StateEntry[] = [];
  let held: string | undefined;
  let number = 0;
  const take = (line: string): void => {
    digest.update(`${line}\n`);
    number++;
    if (number === 1) head = headOf(line, program, refused);
    else entries.push(entryOf(line, () => refused(`line ${number} is no object: the file is damaged`)));
  };
  try {
    for await (const line of linesOf(createReadStream(path))) {
      // the last line is not counted
      if (held !== undefined) take(held);
      held = line;
    }
  } catch (error) {
    if (error instanceof StateFileError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw refused(code === "ENOENT" ? "there is no such file" : message);
  }
  head ??= headOf(held ?? "", program, refused);
  const end = parsed(held ?? "");
  if (!isFields(end) || typeof end.sha256 !== "string")
    throw refused(`it is cut short: the end is missing after ${entries.length} objects`);
  if (end.objects !== entries.length || end.sha256 !== digest.digest("hex"))
    throw refused("it is damaged: its contents are not what was saved");
  const { identity, savedAt, revision } = head;
  return { state: { revision, entries }, identity, savedAt };
}

function headOf(line: string, program: string, refused: (why: string) => StateFileError) {
  const head = parsed(line);
  if (!isFields(head) || head.format !== format) throw refused("this is no saved playground");
  if (typeof head.version === "number" && head.version > version)
    throw refused(
      `it was saved by nuptse ${String(head.program)} in format ${head.version}; this is nuptse ${program}, which knows none above ${version}`,
    );
  const { identity, savedAt, revision } = head;
  const whole =
    isFields(identity) && ["caPem", "certificatePem", "privateKeyPem", "token"].every((key) => typeof identity[key] === "string");
  if (!whole || typeof savedAt !== "number" || typeof revision !== "number") throw refused("its first line is damaged");
  return { identity: identity as unknown as ServerIdentity, savedAt, revision };
}

function entryOf(line: string, refused: () => StateFileError): StateEntry {
  const entry = parsed(line);
  if (!Array.isArray(entry)) throw refused();
  const [group, plural, object] = entry as readonly unknown[];
  const named = isFields(object) && isFields(object.metadata) && typeof object.metadata.name === "string";
  if (typeof group !== "string" || typeof plural !== "string" || !named) throw refused();
  return { group, plural, object: object as unknown as StateEntry["object"] };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
