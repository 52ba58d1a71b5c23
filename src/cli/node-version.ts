/** The oldest Node that has everything that is used. */
const oldest = 24;

/** Why this Node cannot run the program, in one line; undefined when it can. */
export function nodeVersionProblem(version: string): string | undefined {
  const major = Number(/^v?(\d+)/.exec(version)?.[1] ?? 0);
  return major >= oldest ? undefined : `nuptse needs Node ${oldest} or newer, and this is ${version}; install one, or put it first in PATH`;
}
