/** What the sockets answer, as text that comes in pieces, made into values. Formats as of HAProxy 3.0 and 3.2; measured. */

/** Answers in interactive mode each end with this; so many have come as there are of it. */
const prompt = "\n> ";

/** Collects what a socket in interactive mode says until `count` answers are there, however it is cut. */
export class ReplyCollector {
  #text = "";
  #replies: string[] = [];
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  /** Returns all answers once the last one is complete. */
  add(text: string): readonly string[] | undefined {
    // A prompt may be cut in two: what is left over begins the next search.
    this.#text += text;
    for (let end = this.#text.indexOf(prompt); end !== -1; end = this.#text.indexOf(prompt)) {
      this.#replies.push(this.#text.slice(0, end).replace(/^\n+|\n+$/g, ""));
      this.#text = this.#text.slice(end + prompt.length);
    }
    return this.#replies.length >= this.#count ? this.#replies : undefined;
  }
}

/**
 * What was wrong with a command, by its answer with severities as numbers; undefined = nothing. Setters that succeed say nothing, or tell
 * with a severity of information; that it does not know a command HAProxy tells in the same way.
 */
export function commandError(reply: string): string | undefined {
  if (reply === "") return undefined;
  const [, severity, text = reply] = /^\[(\d)\]: ?([\s\S]*)$/.exec(reply) ?? [];
  if (severity !== undefined && Number(severity) >= 5 && !text.startsWith("Unknown command")) return undefined;
  // What `set server addr` did it tells as a warning.
  if (/^(?:IP|port) changed from '|^no need to change /.test(text)) return undefined;
  return text.split("\n", 1)[0]?.trim() || "no answer";
}

/** An answer that holds what was asked for; throws what HAProxy says instead. */
export function contentOf(reply: string): string {
  if (!/^\[\d\]:/.test(reply)) return reply;
  throw new Error(`HAProxy refused a question: ${commandError(reply) ?? reply}`);
}

/** The state of one server that runs. */
export interface ServerState {
  readonly backend: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly maintenance: boolean;
  /** Drained by `set server state drain`, which we never say. */
  readonly drained: boolean;
  /** Takes traffic as far as health checks are concerned. */
  readonly up: boolean;
}

const running = 2;
const starting = 1;
/** SRV_ADMF_FMAINT, SRV_ADMF_IMAINT, SRV_ADMF_CMAINT, and the two of drain: include/haproxy/server-t.h. */
const forcedMaintenance = 0x01 | 0x04;
const forcedDrain = 0x08;

/** `show servers state`; columns are found by their names. Throws for another format. */
export function parseServerStates(reply: string): readonly ServerState[] {
  const [version, heading, ...rows] = contentOf(reply).split("\n");
  if (version?.trim() !== "1" || heading === undefined || !heading.startsWith("# "))
    throw new Error("show servers state: not of version 1");
  const names = heading.slice(2).trim().split(" ");
  const column = (name: string): number => {
    const index = names.indexOf(name);
    if (index === -1) throw new Error(`show servers state: no column ${name}`);
    return index;
  };
  const backend = column("be_name");
  const server = column("srv_name");
  const address = column("srv_addr");
  const port = column("srv_port");
  const weight = column("srv_uweight");
  const administrative = column("srv_admin_state");
  const operational = column("srv_op_state");
  return rows
    .filter((row) => row !== "")
    .map((row) => {
      const cells = row.split(" ");
      if (cells.length < names.length) throw new Error("show servers state: a row is cut off");
      const state = Number(cells[administrative]);
      return {
        backend: cells[backend] as string,
        name: cells[server] as string,
        address: cells[address] as string,
        port: Number(cells[port]),
        weight: Number(cells[weight]),
        maintenance: (state & forcedMaintenance) !== 0,
        drained: (state & forcedDrain) !== 0,
        up: [running, starting].includes(Number(cells[operational])),
      };
    });
}

/** `show map <file>`: value by key. */
export function parseMap(reply: string): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  for (const line of contentOf(reply).split("\n")) {
    const [, key, value] = /^0x[0-9a-f]+ (\S+) (\S+)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) entries.set(key, value);
    else if (line !== "") throw new Error("show map: a line is not of address, key and value");
  }
  return entries;
}

/** `show backend`: names. */
export const parseBackends = (reply: string): readonly string[] =>
  contentOf(reply)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));

export interface ProcessInfo {
  readonly pid: number;
  readonly version: string;
  /** Of the structure that it runs; undefined for a configuration that is not ours. */
  readonly structure?: string;
  readonly uptimeSeconds: number;
}

/** `show info`. */
export function parseInfo(reply: string): ProcessInfo {
  const fields = new Map(
    contentOf(reply)
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const pid = Number(fields.get("pid"));
  if (!Number.isInteger(pid)) throw new Error("show info: no Pid");
  const structure = /^nuptse ([0-9a-f]+)$/.exec(fields.get("description") ?? "")?.[1];
  return {
    pid,
    version: fields.get("version") ?? "",
    uptimeSeconds: Number(fields.get("uptime_sec") ?? 0),
    ...(structure !== undefined && { structure }),
  };
}

/** Sessions by server, of `show stat <backend> 4 -1`. */
export function parseSessions(reply: string): ReadonlyMap<string, number> {
  const rows = statRows(reply, ["svname", "scur", "qcur"]);
  return new Map(rows.map(([server = "", current, queued]) => [server, Number(current) + Number(queued)]));
}

/** What passes through a backend. */
export interface BackendFigures {
  /** Open now, those that wait in its queue too. */
  readonly sessions: number;
  /** Begun in the last second. */
  readonly rate: number;
}

/** Figures by backend, of `show stat <backend, or -1 for all> 2 -1`. */
export function parseBackendFigures(reply: string): ReadonlyMap<string, BackendFigures> {
  const rows = statRows(reply, ["pxname", "svname", "scur", "rate"]).filter(([, row]) => row === "BACKEND");
  return new Map(rows.map(([backend = "", , sessions, rate]) => [backend, { sessions: Number(sessions), rate: Number(rate) }]));
}

/** Cells of the named columns, row by row. Of columns before the words of checks, which may hold commas. */
function statRows(reply: string, columns: readonly string[]): readonly (readonly string[])[] {
  const [heading = "", ...rows] = contentOf(reply).split("\n");
  const names = heading.replace(/^# /, "").split(",");
  const indexes = columns.map((name) => names.indexOf(name));
  if (indexes.includes(-1)) throw new Error("show stat: columns are missing");
  return rows
    .filter((row) => row !== "")
    .map((row) => {
      const cells = row.split(",");
      return indexes.map((index) => cells[index] ?? "");
    });
}

export interface MasterProcesses {
  readonly master: number;
  readonly workers: readonly number[];
  /** Workers of before a reload, which end their connections. */
  readonly oldWorkers: readonly number[];
}

/** `show proc` of the master socket. */
export function parseProcesses(reply: string): MasterProcesses {
  let part: "master" | "workers" | "old" | "programs" = "master";
  let master: number | undefined;
  const workers: number[] = [];
  const oldWorkers: number[] = [];
  for (const line of reply.split("\n")) {
    if (line.startsWith("# workers")) part = "workers";
    else if (line.startsWith("# old workers")) part = "old";
    else if (line.startsWith("# ")) part = "programs";
    const [pid, kind] = line.trim().split(/\s+/);
    if (pid === undefined || !/^\d+$/.test(pid)) continue;
    if (kind === "master") master = Number(pid);
    else if (kind === "worker" && part === "workers") workers.push(Number(pid));
    else if (kind === "worker" && part === "old") oldWorkers.push(Number(pid));
  }
  if (master === undefined) throw new Error("show proc: no master");
  return { master, workers, oldWorkers };
}

export interface ReloadVerdict {
  readonly succeeded: boolean;
  /** What HAProxy said meanwhile. */
  readonly log: string;
}

/** `reload` of the master socket, as of HAProxy 2.7. */
export function parseReload(reply: string): ReloadVerdict {
  const [, verdict, log = ""] = /^Success=([01])\n(?:--\n)?([\s\S]*)$/.exec(reply) ?? [];
  if (verdict === undefined) throw new Error("reload: HAProxy gave no verdict");
  return { succeeded: verdict === "1", log: log.trim() };
}

/** Lines of the configuration file that HAProxy complains about. */
export function complainedLines(log: string, file: string): readonly number[] {
  const lines = [...log.matchAll(/\[ALERT\][^\n]*?\[([^\]\s]+):(\d+)\]/g)];
  return lines.filter(([, path]) => path === file).map(([, , line]) => Number(line));
}
