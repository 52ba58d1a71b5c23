/** One thing that is wrong with an object, in the same words for webhook, command line and conditions. */
export interface SpecProblem {
  /** "spec.schedule.crons[1]" */
  readonly path: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** "spec.schedule.crons[1]: what is wrong", several joined by "; ". */
export const problemsText = (problems: readonly SpecProblem[]): string =>
  problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
