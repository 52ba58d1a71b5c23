import type { ElasticJob, ElasticJobSpec } from "../api/elastic-job.gen.ts";
import type { RunnerApp } from "../api/runner-app.gen.ts";

/** What a field of the source became that has no equal, or what a person has to see to. */
export interface Note {
  /** The field of the source, `spec.jobTemplate.spec.ttlSecondsAfterFinished`; empty = the whole. */
  readonly path: string;
  /** A sentence or two, without a line's end. */
  readonly text: string;
}

/** One job, converted. */
export interface Conversion {
  /** What it was, for people: `CronJob default/backup`. */
  readonly source: string;
  readonly manifest: ElasticJob;
  readonly notes: readonly Note[];
  /** The CronJob that it was made from, as a cut-over writes it back; absent for what never was in a cluster. */
  readonly cronJob?: object;
  /** A row of XXL-JOB's table: its id, and those of the jobs that it starts when it has succeeded. */
  readonly xxl?: { readonly id: number; readonly children: readonly number[] };
}

/** A Deployment, converted. */
export interface AppConversion {
  /** What it was, for people: `Deployment shop/web`. */
  readonly source: string;
  readonly manifest: RunnerApp;
  readonly notes: readonly Note[];
}

/** What holds for all jobs of one call. */
export interface ConvertOptions {
  /** The zone of schedules that name none: of the controller-manager (CronJob) or the JVM. */
  readonly timeZone: string;
  /** The image of jobs whose source names none (ElasticJob for Java, XXL-JOB). */
  readonly image?: string | undefined;
  /** The RunnerApp whose instances have the handlers of XXL-JOB's beans; absent = beans become programs of an image. */
  readonly runner?: string | undefined;
  /** For jobs whose source names none. */
  readonly namespace?: string | undefined;
  /** Now, in milliseconds: whether a zone changes its clocks is asked for the year that follows. */
  readonly now: number;
}

/** The input cannot be converted. The message names the place and says what would be right. */
export class ConvertError extends Error {
  constructor(path: string, message: string) {
    super(path === "" ? message : `${path}: ${message}`);
    this.name = "ConvertError";
  }
}

/** The notes of one job as they are found. */
export class Notes {
  readonly #notes: Note[] = [];

  add(path: string, text: string): void {
    this.#notes.push({ path, text });
  }

  all(): readonly Note[] {
    return [...this.#notes];
  }
}

/** The manifest of a job that had one line of description, or none. */
export function describedJob(name: string, description: string | undefined, spec: ElasticJobSpec, options: ConvertOptions): ElasticJob {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "ElasticJob",
    metadata: {
      name,
      ...(options.namespace !== undefined && { namespace: options.namespace }),
      ...(description !== undefined && { annotations: { "kubernetes.io/description": description } }),
    },
    spec,
  };
}
