import assert from "node:assert/strict";
import type { Lease } from "../../../src/api/core.ts";
import { type Claimed, type HolderVerdict, judgeHolder, readClaim, type WatchedLease } from "../../../src/runtime/claim-rules.ts";

const ours = "nuptse-system/nuptse-operator";
const claims: readonly { readonly value: string | undefined; readonly want: Claimed }[] = [
  { value: undefined, want: { by: "nobody" } },
  { value: "", want: { by: "nobody" } },
  { value: ours, want: { by: "us" } },
  { value: "team-a/nuptse-operator", want: { by: "other", namespace: "team-a", name: "nuptse-operator" } },
  { value: "nuptse-system/nuptse.b", want: { by: "other", namespace: "nuptse-system", name: "nuptse.b" } },
  { value: "team-a", want: { by: "unreadable" } },
  { value: "a/b/c", want: { by: "unreadable" } },
  { value: "../nuptse-operator", want: { by: "unreadable" } },
];

const server = Date.UTC(2026, 10, 21, 9, 0, 0);
const lease = (resourceVersion: string, renewTime: string): Lease => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "nuptse-operator", namespace: "team-a", resourceVersion },
  spec: { renewTime },
});
const longAgo = lease("7", "2026-11-21T08:55:00.000000Z");
const lately = lease("7", "2026-11-21T08:55:00.001000Z");
const seen = (version: string, agoMs: number): WatchedLease => ({ version, since: 100_000 - agoMs });
const now = { monotonic: 100_000, server };
const still = (version: string, agoMs: number): HolderVerdict => ({ kind: "unknown", watched: seen(version, agoMs) });

const verdicts: readonly {
  readonly name: string;
  readonly watched: WatchedLease | undefined;
  readonly lease: Lease | undefined;
  readonly server?: number | undefined;
  readonly want: HolderVerdict;
}[] = [
  { name: "the first look says nothing, however old it is", watched: undefined, lease: longAgo, want: still("7", 0) },
  { name: "the first look says nothing where there is none", watched: undefined, lease: undefined, want: still("", 0) },
  { name: "somebody wrote to it", watched: seen("6", 2000), lease: lately, want: { kind: "alive" } },
  { name: "somebody wrote an old time to it", watched: seen("6", 2000), lease: longAgo, want: { kind: "alive" } },
  { name: "somebody made it", watched: seen("", 29_000), lease: lately, want: { kind: "alive" } },
  { name: "it was deleted: it is watched anew", watched: seen("7", 29_000), lease: undefined, want: still("", 0) },
  { name: "not watched for long enough", watched: seen("7", 29_999), lease: longAgo, want: still("7", 29_999) },
  { name: "nothing was written, and it was renewed 5 minutes ago", watched: seen("7", 30_000), lease: longAgo, want: { kind: "gone" } },
  {
    name: "nothing was written, and it was renewed less than 5 minutes ago",
    watched: seen("7", 60_000),
    lease: lately,
    want: still("7", 60_000),
  },
  { name: "the API server's time is not known", watched: seen("7", 60_000), lease: longAgo, server: undefined, want: still("7", 60_000) },
  { name: "it is not there, and was not", watched: seen("", 30_000), lease: undefined, server: undefined, want: { kind: "gone" } },
  { name: "it was never renewed", watched: seen("7", 30_000), lease: lease("7", ""), want: { kind: "gone" } },
];

describe("the claim of a cluster", () => {
  for (const { value, want } of claims) it(`${value ?? "no annotation"}: ${want.by}`, () => assert.deepEqual(readClaim(value, ours), want));
});

describe("whether another installation is gone", () => {
  for (const { name, watched, lease, want, ...given } of verdicts)
    it(name, () => assert.deepEqual(judgeHolder(watched, lease, { ...now, ...given }), want));
});
