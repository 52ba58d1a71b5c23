/** A schedule that cannot be used: says what is wrong and what would be right. */
export class ScheduleError extends Error {
  /** Which part of the schedule is meant, relative to it: `crons[1]`, `timeZone`, `endAt`; empty where the thrower saw only one text. */
  readonly path: string;

  constructor(message: string, path = "") {
    super(message);
    this.name = "ScheduleError";
    this.path = path;
  }
}

/** Names of the fields of a cron expression as messages write them; `expression` where no single field is to blame. */
export type CronFieldName = "expression" | "second" | "minute" | "hour" | "day-of-month" | "month" | "day-of-week" | "year" | "@every";

/** A cron expression that is refused. The message names the field, the character and what would be right. */
export class CronError extends ScheduleError {
  readonly field: CronFieldName;
  /** 1-based position, in the text as it was given, of the first character that is wrong. */
  readonly position: number;
  /** True where the text is well formed but no date ever matches (30 February, a year beyond 2099). */
  readonly neverFires: boolean;
  readonly #problem: string;

  constructor(
    field: CronFieldName,
    position: number,
    problem: string,
    options: { readonly neverFires?: boolean; readonly path?: string } = {},
  ) {
    super(`${field === "expression" ? "" : `${field}, `}character ${position}: ${problem}`, options.path);
    this.name = "CronError";
    this.field = field;
    this.position = position;
    this.neverFires = options.neverFires ?? false;
    this.#problem = problem;
  }

  /** The same error, said of the given part of a schedule. */
  withPath(path: string): CronError {
    return new CronError(this.field, this.position, this.#problem, { neverFires: this.neverFires, path });
  }
}

/** A time zone that is refused. */
export class ZoneError extends ScheduleError {
  constructor(message: string, path = "") {
    super(message, path);
    this.name = "ZoneError";
  }

  /** The same error, said of the given part of a schedule. */
  withPath(path: string): ZoneError {
    return new ZoneError(this.message, path);
  }
}
