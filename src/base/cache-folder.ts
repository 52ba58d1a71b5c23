import { homedir } from "node:os";
import { join } from "node:path";

/** The folder of everything that is kept between runs: $XDG_CACHE_HOME/nuptse, or ~/.cache/nuptse. */
export function cacheFolder(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "nuptse");
}
