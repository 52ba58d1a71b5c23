import assert from "node:assert/strict";
import { parametersOf, queryOf } from "../../../src/trace/query-text.ts";

describe("trace/query-text", () => {
  it("a query goes over the network and comes back the same", () => {
    const query = {
      namespace: "shop",
      job: "etl",
      run: "r",
      item: 3,
      from: 0,
      to: 2000,
      results: ["Failed", "Lost"],
      limit: 7,
      cursor: "1-2",
    };
    assert.deepEqual(queryOf(parametersOf(query)), query);
  });

  it("instants may be RFC 3339", () => {
    assert.deepEqual(queryOf(new URLSearchParams("from=2026-11-21T12:00:00Z")), { from: Date.UTC(2026, 10, 21, 12) });
  });

  const refused = [
    { text: "jobs=etl", want: /jobs is not known; there are namespace, job, run/ },
    { text: "limit=ten", want: /limit must be a whole number/ },
    { text: "from=yesterday", want: /from must be milliseconds since the epoch or RFC 3339/ },
  ];
  for (const tc of refused) it(`refuses ${tc.text}`, () => assert.throws(() => queryOf(new URLSearchParams(tc.text)), tc.want));
});
