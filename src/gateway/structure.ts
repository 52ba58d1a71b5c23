/**
 * Brings a new structure into a running HAProxy, or leaves all as it is.
 *
 * A configuration goes through four gates: `haproxy -c` on a file of its own; a look whether its file descriptors suffice and a try of the ports that are
 * new, since a reload that fails by them makes the old worker let go of all of its listeners for a moment (measured: some connections are reset); the
 * reload, whose verdict the master gives; and, after it, a look at what runs. Where one says no, the services that it is about are found: by the lines that HAProxy complains about, else by halves among
 * those that are new or changed. They keep what they had before, or are left out, and the rest proceeds. After a reload that failed the last good
 * files go back and are loaded, since HAProxy 3.2 may not answer on its socket until it has been given a good one (measured).
 */
import { readFile } from "node:fs/promises";
import type { Logger } from "../api/logger.ts";
import type { MasterSocket } from "../haproxy/master-socket.ts";
import type { HaproxyProgram } from "../haproxy/program.ts";
import { type Configuration, type RenderedFile, renderFile } from "../haproxy/rules/configuration.ts";
import { complainedLines } from "../haproxy/rules/replies.ts";
import { filesOf, type GatewaySettings } from "../haproxy/rules/settings.ts";
import { leastDescriptors, type ListenRange, listenRanges, newPorts } from "../haproxy/rules/listening.ts";
import { descriptorLimit } from "./descriptor-limit.ts";
import type { GatewayFiles } from "./files.ts";
import { isTaken } from "./port-probe.ts";

export interface StructureOptions {
  readonly settings: GatewaySettings;
  readonly files: GatewayFiles;
  readonly program: HaproxyProgram;
  readonly master: MasterSocket;
  readonly logger: Logger;
  /** Tests break a configuration here as no service can. */
  readonly render?: (configuration: Configuration) => RenderedFile;
  /** Told how each reload ended. */
  readonly onReload: (result: "succeeded" | "failed") => void;
}

/** How it ended. `refused`: what HAProxy said, by service; after `failed` nothing has changed. */
export interface StructureOutcome {
  readonly loaded?: Configuration;
  readonly refused: ReadonlyMap<string, string>;
}

export interface StructureChanger {
  /**
   * @param build the configuration without the named services' changes
   * @param present the structure that runs: nothing is done where only refused changes differ from it
   * @param suspects services that are new or changed, of which one may be what HAProxy does not take
   */
  change(
    build: (without: ReadonlySet<string>) => Configuration,
    present: string | undefined,
    suspects: readonly string[],
  ): Promise<StructureOutcome>;
  readonly render: (configuration: Configuration) => RenderedFile;
}

interface Verdict {
  readonly ok: boolean;
  readonly log: string;
  /** Services that HAProxy's words point at. */
  readonly blamed: readonly string[];
}

/** So many services that HAProxy does not take are left out in one go; beyond that all waits for the next try. */
const mostRounds = 8;

export function createStructureChanger(options: StructureOptions): StructureChanger {
  const { settings, files, program, master, logger, onReload } = options;
  const render = options.render ?? renderFile;
  /** What HAProxy listens on; undefined while that is not known. */
  let listening: readonly ListenRange[] | undefined;

  async function tryPorts(configuration: Configuration): Promise<Verdict> {
    const rendered = render(configuration);
    for (const range of listening === undefined ? [] : newPorts(listenRanges(rendered.text), listening)) {
      if (!(await isTaken(range))) continue;
      const owner = rendered.ownerOfLine(range.line);
      const log = `cannot bind ${range.host}:${range.first}: Address already in use`;
      return { ok: false, log, blamed: owner === undefined ? [] : [owner] };
    }
    return { ok: true, log: "", blamed: [] };
  }

  /** What all services together need and this process may not have. */
  async function tooManyDescriptors(configuration: Configuration): Promise<string | undefined> {
    const [worker] = (await master.processes()).workers;
    const limit = worker === undefined ? undefined : await descriptorLimit(worker);
    const needed = leastDescriptors(render(configuration).text);
    if (limit === undefined || needed <= limit) return undefined;
    return `at least ${needed} file descriptors are needed, and HAProxy may have ${limit}: raise its limit (ulimit -n), or lower --max-connections`;
  }

  async function check(configuration: Configuration): Promise<Verdict> {
    const rendered = render(configuration);
    const path = await files.stage(configuration, rendered);
    const { ok, log } = await program.check(path);
    return { ok, log, blamed: ok ? [] : blamedBy(log, path, rendered) };
  }

  async function load(configuration: Configuration): Promise<Verdict> {
    const rendered = render(configuration);
    const putBack = await files.snapshot();
    await files.install(configuration, rendered);
    const { succeeded, log } = await master.reload();
    onReload(succeeded ? "succeeded" : "failed");
    if (succeeded) {
      listening = listenRanges(rendered.text);
      await files.keep(rendered);
      return { ok: true, log, blamed: [] };
    }
    await putBack();
    const back = await master.reload();
    if (!back.succeeded) logger.error("the last good configuration was not taken back", { log: firstAlert(back.log) });
    return { ok: false, log, blamed: blamedBy(log, filesOf(settings).configuration, rendered) };
  }

  /** Those of the suspects with whose changes the check fails, by halves: each probe takes the time of one `haproxy -c`. */
  async function bisect(suspects: readonly string[], passes: (only: readonly string[]) => Promise<boolean>): Promise<readonly string[]> {
    if (suspects.length <= 1) return suspects;
    const middle = Math.ceil(suspects.length / 2);
    const bad: string[] = [];
    for (const half of [suspects.slice(0, middle), suspects.slice(middle)]) {
      if (!(await passes(half))) bad.push(...(await bisect(half, passes)));
    }
    return bad;
  }

  return {
    render,
    async change(build, present, suspects) {
      const refused = new Map<string, string>();
      const leftOut = (extra: readonly string[] = []) => new Set([...refused.keys(), ...extra]);
      const refuse = (blamed: readonly string[], log: string) => {
        for (const key of blamed) refused.set(key, firstAlert(log));
        logger.warn("HAProxy does not take what these services ask for", { services: blamed, reason: firstAlert(log) });
      };
      if (present !== undefined && listening === undefined) {
        // What runs was loaded from the file that is there.
        const text = await readFile(filesOf(settings).configuration, "utf8").catch(() => undefined);
        if (text !== undefined) listening = listenRanges(text);
      }
      for (let round = 0; round < mostRounds; round++) {
        const configuration = build(leftOut());
        if (configuration.structure === present) return { loaded: configuration, refused };
        const left = suspects.filter((key) => !refused.has(key));
        const checked = await check(configuration);
        if (!checked.ok) {
          const passes = async (only: readonly string[]) => (await check(build(leftOut(left.filter((key) => !only.includes(key)))))).ok;
          const blamed = known(checked.blamed, left) ?? (await bisect(left, passes));
          if (blamed.length === 0) return { refused: new Map([["", firstAlert(checked.log)]]) };
          refuse(blamed, checked.log);
          continue;
        }
        const shortage = await tooManyDescriptors(configuration);
        if (shortage !== undefined) return { refused: new Map([["", shortage]]) };
        const free = await tryPorts(configuration);
        if (!free.ok) {
          const frees = async (only: readonly string[]) => (await tryPorts(build(leftOut(left.filter((key) => !only.includes(key)))))).ok;
          const blamed = known(free.blamed, left) ?? (await bisect(left, frees));
          if (blamed.length === 0) return { refused: new Map([["", firstAlert(free.log)]]) };
          refuse(blamed, free.log);
          continue;
        }
        const loaded = await load(configuration);
        if (loaded.ok) return { loaded: configuration, refused };
        const tries = async (only: readonly string[]) => (await load(build(leftOut(left.filter((key) => !only.includes(key)))))).ok;
        if (isNobodysFault(loaded.log)) return { refused: new Map([["", firstAlert(loaded.log)]]) };
        const blamed = known(loaded.blamed, left) ?? (await bisect(left, tries));
        if (blamed.length === 0) return { refused: new Map([["", firstAlert(loaded.log)]]) };
        refuse(blamed, loaded.log);
      }
      return { refused };
    },
  };
}

/** Owners of the lines, and of the frontends that could not be bound, that HAProxy complains about. */
function blamedBy(log: string, path: string, rendered: RenderedFile): readonly string[] {
  const ofLines = complainedLines(log, path).map((line) => rendered.ownerOfLine(line));
  return [...new Set(ofLines.filter((owner) => owner !== undefined))];
}

/** What all services together need and this machine does not have: no service is better than another, so all keep what they have. */
const isNobodysFault = (log: string): boolean => /FD limit|file descriptors|out of memory|not enough memory/i.test(log);

/** Undefined where HAProxy blames nobody whose change could be taken back. */
function known(blamed: readonly string[], suspects: readonly string[]): readonly string[] | undefined {
  const found = blamed.filter((key) => suspects.includes(key));
  return found.length === 0 ? undefined : found;
}

/** The first thing that HAProxy calls an alert, without the number of the process, clipped. */
export function firstAlert(log: string): string {
  const line = log.split("\n").find((candidate) => candidate.startsWith("[ALERT]")) ?? log.split("\n", 1)[0] ?? "";
  return line.replace(/^\[ALERT\]\s*\(\d+\)\s*:\s*/, "").slice(0, 300) || "HAProxy gave no reason";
}
