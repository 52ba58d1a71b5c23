import type { ElasticJobSpec } from "../../../src/api/elastic-job.gen.ts";
import { JobWorld } from "./job-world.ts";

/** A job that fires at every full hour, accepted at 11:10, with nothing going on. */
export const quiet = (spec: Partial<ElasticJobSpec> = {}): JobWorld => JobWorld.accepted({ spec, start: "11:10:00" });

/** The id of the run of a request by its name (at most four characters) at a time of day without colons; the letter is b for a backfill. */
export const idOf = (time: string, name: string, letter = "r"): string =>
  `20261121t${time}z-${letter}${Buffer.from(name).toString("hex").padEnd(8, "0").slice(0, 8)}`;
