import { MissingComponent, UnsuitableMachine } from "../../hack/control-plane/missing-component.ts";
import type { MissingEntry } from "./run-summary.ts";

const missing: MissingEntry[] = [];

/** The components that suites of this process had to do without. */
export function missingComponents(): readonly MissingEntry[] {
  return missing;
}

/**
 * Called in a `describe`: before its tests, gets what they need, however long that takes, and returns the function that hands it to them.
 * Where `component` rejects with MissingComponent, the suite is skipped and the reporter says why; with CI=true it fails, but for
 * machines that cannot have it at all (UnsuitableMachine).
 */
export function skipUnless<T>(component: () => Promise<T>): () => T {
  let result: { readonly value: T } | undefined;
  before(async function () {
    this.timeout(0);
    try {
      result = { value: await component() };
    } catch (error) {
      if (!(error instanceof MissingComponent)) throw error;
      if (process.env.CI === "true" && !(error instanceof UnsuitableMachine)) throw error;
      missing.push({ component: error.component, hint: error.hint, suite: this.test?.parent?.fullTitle() ?? "" });
      this.skip();
    }
  });
  return () => {
    if (result === undefined) throw new Error("a component is there only while tests run");
    return result.value;
  };
}
