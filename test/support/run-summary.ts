/** What the reporter tells of one run of mocha, as JSON in the file that {@link summaryVariable} names. */
export interface RunSummary {
  readonly passed: number;
  /** Tests and hooks that failed, by full title. */
  readonly failed: readonly string[];
  /** Tests that did not run, by full title. */
  readonly skipped: readonly string[];
  readonly missing: readonly MissingEntry[];
}

/** A component that this machine lacks, and the suite that needs it. */
export interface MissingEntry {
  readonly component: string;
  /** What a person can do about it. */
  readonly hint: string;
  /** Full title of the suite: the skipped tests of the component are those whose full titles begin with it. */
  readonly suite: string;
}

/** The environment variable that tells the reporter where to write. */
export const summaryVariable = "NUPTSE_TEST_SUMMARY";
