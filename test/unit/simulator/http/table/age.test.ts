import assert from "node:assert/strict";
import { ageSince, humanDuration } from "../../../../../src/simulator/apiserver/http/table/age.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

describe("ages in tables", () => {
  // the expectations of k8s.io/apimachinery/pkg/util/duration
  const cases: readonly { readonly duration: number; readonly want: string }[] = [
    { duration: -2 * second, want: "<invalid>" },
    { duration: -2 * second + 1, want: "0s" },
    { duration: 0, want: "0s" },
    { duration: second - 1, want: "0s" },
    { duration: 2 * minute - 1, want: "119s" },
    { duration: 2 * minute, want: "2m" },
    { duration: 2 * minute + second, want: "2m1s" },
    { duration: 10 * minute - second, want: "9m59s" },
    { duration: 10 * minute, want: "10m" },
    { duration: 3 * hour - minute, want: "179m" },
    { duration: 3 * hour, want: "3h" },
    { duration: 3 * hour + minute, want: "3h1m" },
    { duration: 8 * hour - 1, want: "7h59m" },
    { duration: 8 * hour, want: "8h" },
    { duration: 2 * day - 1, want: "47h" },
    { duration: 2 * day, want: "2d" },
    { duration: 2 * day + hour, want: "2d1h" },
    { duration: 8 * day, want: "8d" },
    { duration: 2 * 365 * day - 1, want: "729d" },
    { duration: 2 * 365 * day, want: "2y" },
    { duration: 2 * 365 * day + day, want: "2y1d" },
    { duration: 8 * 365 * day, want: "8y" },
  ];
  for (const tc of cases) it(`${tc.duration} ms are ${tc.want}`, () => assert.equal(humanDuration(tc.duration), tc.want));

  it("counts from an instant", () => assert.equal(ageSince("2026-11-21T18:00:00Z", Date.UTC(2026, 10, 21, 18, 0, 42)), "42s"));
  it("says when there is no instant", () => assert.equal(ageSince(undefined, 0), "<unknown>"));
  it("says when the instant is none", () => assert.equal(ageSince("soon", 0), "<invalid>"));
});
