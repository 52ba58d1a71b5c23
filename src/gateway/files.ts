import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Configuration, type RenderedFile, renderMap } from "../haproxy/rules/configuration.ts";
import { filesOf, type GatewaySettings } from "../haproxy/rules/settings.ts";

/** The files that HAProxy reads. Each is replaced as a whole, so that a HAProxy that starts at any moment finds a whole one. */
export interface GatewayFiles {
  /** Whether there is a configuration from an earlier life. */
  exists(): Promise<boolean>;
  /** Writes certificates, maps and, last, the configuration; does nothing that is so already. */
  install(configuration: Configuration, rendered: RenderedFile): Promise<void>;
  /** Writes a configuration beside the one in use, with all that it needs to be checked; returns its path. */
  stage(configuration: Configuration, rendered: RenderedFile): Promise<string>;
  /** Remembers configuration and maps as they are on the disk; what is returned puts them back. */
  snapshot(): Promise<() => Promise<void>>;
  /** Keeps the configuration in use as one that has proved itself; the last five are kept for people to look at. */
  keep(rendered: RenderedFile): Promise<void>;
}

const kept = 5;

export function createGatewayFiles(settings: Pick<GatewaySettings, "folder">): GatewayFiles {
  const files = filesOf(settings);
  const history = join(settings.folder, "history");
  /** What is on the disk, as far as we wrote it. */
  const written = new Map<string, string>();
  let sequence: number | undefined;

  async function write(path: string, text: string): Promise<void> {
    if (written.get(path) === text) return;
    written.delete(path);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const staged = `${path}.new`;
    const handle = await open(staged, "w", 0o600);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    await rename(staged, path);
    written.set(path, text);
  }

  async function writeParts({ certificates }: Configuration): Promise<void> {
    for (const [path, text] of certificates) await write(path, text);
  }

  return {
    exists: () =>
      readFile(files.configuration, "utf8").then(
        (text) => text !== "",
        () => false,
      ),
    async install(configuration, rendered) {
      await writeParts(configuration);
      for (const [name, entries] of configuration.maps) await write(files.maps[name], renderMap(entries));
      await write(files.configuration, rendered.text);
    },
    async stage(configuration, rendered) {
      await writeParts(configuration);
      // A map that does not exist yet would be refused; what is in it makes no difference to the check.
      for (const name of configuration.maps.keys()) {
        if (!written.has(files.maps[name])) await write(files.maps[name], "");
      }
      const path = `${files.configuration}.candidate`;
      await write(path, rendered.text);
      return path;
    },
    async snapshot() {
      // The configuration last: HAProxy may be started at any moment, and finds the maps of before under the one of after, which is harmless.
      const paths = [...Object.values(files.maps), files.configuration];
      const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => undefined)));
      return async () => {
        for (const [index, path] of paths.entries()) {
          const text = texts[index];
          if (text !== undefined) await write(path, text);
        }
      };
    },
    async keep(rendered) {
      await mkdir(history, { recursive: true, mode: 0o700 });
      const names = (await readdir(history)).filter((name) => /^haproxy\.\d+\.cfg$/.test(name));
      const numbers = names.map((name) => Number(name.split(".")[1])).sort((one, other) => one - other);
      sequence = Math.max(sequence ?? 0, numbers.at(-1) ?? 0) + 1;
      const path = join(history, `haproxy.${sequence}.cfg`);
      await write(path, rendered.text);
      written.delete(path);
      for (const number of numbers.slice(0, Math.max(0, numbers.length + 1 - kept)))
        await rm(join(history, `haproxy.${number}.cfg`), { force: true });
    },
  };
}
