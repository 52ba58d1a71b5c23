import assert from "node:assert/strict";
import { nodeVersionProblem } from "../../../src/cli/node-version.ts";

describe("cli/node-version", () => {
  const cases = [
    { version: "v24.0.0", wantProblem: false },
    { version: "v26.1.0", wantProblem: false },
    { version: "v22.21.1", wantProblem: true },
    { version: "v8.0.0", wantProblem: true },
  ];
  for (const { version, wantProblem } of cases) {
    it(`${version} ${wantProblem ? "is told that it is too old" : "will do"}`, () => {
      const problem = nodeVersionProblem(version);
      assert.equal(problem !== undefined, wantProblem);
      if (problem !== undefined) assert.match(problem, new RegExp(`Node 24 or newer, and this is ${version}`));
    });
  }
});
