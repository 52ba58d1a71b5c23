import { attemptColumns, stateColumns } from "./schema.ts";

/** The databases that hold a trace. */
export type Engine = "sqlite" | "postgres";

/** One step of the schema. Steps are never edited once released; a new one is added. */
export interface Migration {
  /** Counts from 1 without gaps. */
  readonly version: number;
  /** Statements, run in one transaction. */
  readonly statements: (engine: Engine) => readonly string[];
}

const optionalColumns: ReadonlySet<string> = new Set(["exit_code", "fire_time", "total", "succeeded", "failed", "lost"]);

const columns = (list: typeof attemptColumns): string =>
  list
    .map(({ name, type }) => {
      const mayMiss = optionalColumns.has(name) || name === "started_at";
      return `${name} ${type}${mayMiss ? "" : " not null"}`;
    })
    .join(", ");

const id = (engine: Engine): string =>
  engine === "sqlite" ? "id integer primary key" : "id bigint generated always as identity primary key";

/** All steps, oldest first. */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    statements: (engine) => [
      `create table nuptse_attempts (${id(engine)}, ${columns(attemptColumns)})`,
      "create unique index nuptse_attempts_key on nuptse_attempts (namespace, job, run, item, attempt, job_uid)",
      "create index nuptse_attempts_of_job on nuptse_attempts (namespace, job, ended_at, id)",
      "create index nuptse_attempts_by_end on nuptse_attempts (ended_at, id)",
      `create table nuptse_states (${id(engine)}, ${columns(stateColumns)})`,
      "create unique index nuptse_states_key on nuptse_states (namespace, job, run, change_key, job_uid)",
      "create index nuptse_states_of_job on nuptse_states (namespace, job, at, id)",
      "create index nuptse_states_by_time on nuptse_states (at, id)",
      "create index nuptse_runs_of_job on nuptse_states (namespace, job, at, id) where final = 1",
      "create index nuptse_runs_by_time on nuptse_states (at, id) where final = 1",
    ],
  },
];

/** The table of versions that have been applied. */
export const versionTable = "create table if not exists nuptse_trace_versions (version integer primary key)";

/** What is still to be done, given the versions in the table. Throws an Error when a newer program has been at work. */
export function missingMigrations(applied: readonly number[]): readonly Migration[] {
  const newest = migrations.at(-1)?.version ?? 0;
  const ahead = Math.max(0, ...applied);
  if (ahead > newest)
    throw new Error(`the trace's schema has version ${ahead}, made by a newer nuptse; this one knows versions up to ${newest}`);
  return migrations.filter(({ version }) => !applied.includes(version));
}
