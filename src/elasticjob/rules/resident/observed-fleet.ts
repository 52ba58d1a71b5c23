import type { FoundFleet } from "../../../api/fleet.ts";

/** A fleet as a job sees it: its instances, and what room others leave there. */
export interface ObservedFleet {
  readonly fleet: FoundFleet;
  /** Why its executors are to be given nothing, whoever they are. */
  readonly hindrance?: string;
  /**
   * False until what status says of all jobs has been counted, after this process began to lead: nobody knows before what room there is.
   */
  readonly isCounted: boolean;
  /** Places that this job could have on an instance, with what it has there: what others have, and what those before it wait for, is taken off. */
  roomOn(instance: string): number;
  /** The same for the fleet as a whole. */
  readonly room: number;
}

/** What a job has at work in a fleet, and what it waits for: for the count of places. */
export interface PlaceClaim {
  /** The RunnerApp's name. */
  readonly runner: string;
  /** Tasks by instance, those included that are only decided. */
  readonly held: ReadonlyMap<string, number>;
  /** Places waited for, by instance; under `anywhere` those that may be on any. */
  readonly wanted: ReadonlyMap<string, number>;
  /** Of the queue terms: who has the higher one comes first, then who waits longest. */
  readonly priority: number;
  readonly since: number;
}

/** Stands for whichever instance has room. */
export const anywhere = "";
