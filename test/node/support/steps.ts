const notes: string[] = [];

/** Adds a line to what is printed of the present step. */
export function note(text: string): void {
  notes.push(text);
}

/** Called in a `describe` whose tests are the steps of one story: prints each as it ends, with how long it took and what it noted. After one that fails the others are skipped. */
export function stepByStep(): void {
  let start = 0;
  let failed = false;
  beforeEach(function () {
    if (failed) this.skip();
    start = performance.now();
    notes.length = 0;
  });
  afterEach(function () {
    const test = this.currentTest;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (test?.isPending() === true) return;
    failed = test?.isFailed() === true;
    console.log(`  ${failed ? "FAIL" : "ok  "} ${seconds.padStart(5)} s  ${test?.title}`);
    for (const text of notes) console.log(`               ${text}`);
  });
}
