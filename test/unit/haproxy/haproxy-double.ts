import type { Command } from "../../../src/haproxy/rules/diff.ts";
import type { Maps } from "../../../src/haproxy/rules/configuration.ts";
import type { ServerState } from "../../../src/haproxy/rules/replies.ts";
import { filesOf, type GatewaySettings, type MapName } from "../../../src/haproxy/rules/settings.ts";

/** What HAProxy makes of commands, as its manual and tests on real ones say; throws for what it would refuse. */
export class HaproxyDouble {
  readonly #servers = new Map<string, ServerState>();
  readonly #maps = new Map<MapName, Map<string, string>>([
    ["ports", new Map()],
    ["exact", new Map()],
    ["prefix", new Map()],
  ]);
  readonly #files: Readonly<Record<string, MapName>>;

  constructor(settings: Pick<GatewaySettings, "folder">) {
    this.#files = Object.fromEntries(Object.entries(filesOf(settings).maps).map(([name, file]) => [file, name as MapName]));
  }

  run({ text }: Command): void {
    const words = text.split(" ");
    const at = words[2] ?? "";
    const [backend = "", name = ""] = at.split("/");
    const state = this.#servers.get(at);
    const must = (present: boolean) => {
      if ((state !== undefined) !== present) throw new Error(`${text}: ${present ? "no such server" : "already exists"}`);
    };
    const change = (fields: Partial<ServerState>) => this.#servers.set(at, { ...(state as ServerState), ...fields });
    if (/^add server \S+ \S+:\d+ check [\w ]+ weight (?:0|100)(?: cookie \S+)?$/.test(text)) {
      must(false);
      const [, address = "", port = ""] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(words[3] ?? "") ?? [];
      const weight = Number(/ weight (\d+)/.exec(text)?.[1]);
      this.#servers.set(at, { backend, name, address, port: Number(port), weight, maintenance: true, drained: false, up: false });
    } else if (text.startsWith("enable health ")) must(true);
    else if (text.startsWith("del server ")) {
      must(true);
      if (state?.maintenance !== true) throw new Error(`${text}: Only servers in maintenance mode can be deleted.`);
      this.#servers.delete(at);
    } else if (text.startsWith("shutdown sessions server ")) return;
    else if (text.startsWith("set server ")) {
      must(true);
      const [what, value, , port] = words.slice(3);
      if (what === "state" && value === "maint") change({ maintenance: true, up: false });
      else if (what === "state" && value === "ready") change({ maintenance: false, drained: false, up: true });
      else if (what === "weight") change({ weight: Number(value) });
      else if (what === "addr") change({ address: value as string, port: Number(port) });
      else throw new Error(`${text}: unknown`);
    } else this.#changeMap(text);
  }

  #changeMap(text: string): void {
    const [verb, , file = "", key = "", value = ""] = text.split(" ");
    const map = this.#maps.get(this.#files[file] as MapName);
    if (map === undefined || key === "") throw new Error(`${text}: Unknown map identifier`);
    if (verb === "add" && map.has(key)) throw new Error(`${text}: twice`);
    if (verb !== "add" && !map.has(key)) throw new Error(`${text}: Key not found.`);
    if (verb === "del") map.delete(key);
    else map.set(key, value);
  }

  servers(backends: Iterable<string>): ReadonlyMap<string, readonly ServerState[]> {
    const all = [...this.#servers.values()];
    return new Map([...backends].map((name) => [name, all.filter(({ backend }) => backend === name)]));
  }

  get maps(): Maps {
    return new Map([...this.#maps].map(([name, entries]) => [name, new Map(entries)]));
  }
}
