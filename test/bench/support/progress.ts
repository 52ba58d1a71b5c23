const begun = performance.now();

/** A line on stderr with the seconds since the start: stdout belongs to the result. */
export function tell(text: string): void {
  process.stderr.write(`${((performance.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${text}\n`);
}
