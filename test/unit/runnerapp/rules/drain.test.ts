import assert from "node:assert/strict";
import { type DrainView, drainedAt, type GatewayAnswer, lagsFrom, upFrom } from "../../../../src/runnerapp/rules/drain.ts";

const now = 100_000;
const heardSince = 20_000;
const says = (...answers: readonly GatewayAnswer[]): DrainView => ({
  gateways: 2,
  heardSince,
  answersOn: (uid) => (uid === "p" ? answers : []),
});
const up = (sessions = 3): GatewayAnswer => ({ state: "Up", sessions, since: 1000 });
const drain = (sessions: number): GatewayAnswer => ({ state: "Drain", sessions, since: 1000 });
const unknown: GatewayAnswer = { state: "Unknown", sessions: 0, since: 30_000 };
const down: GatewayAnswer = { state: "Down", sessions: 0, since: 40_000 };
const noGateway: DrainView = { gateways: 0, heardSince, answersOn: () => [] };

const drains: readonly { readonly name: string; readonly view?: DrainView; readonly closedAt?: number; readonly want: number }[] = [
  { name: "an app that publishes nothing: the drain time", want: 120_000 },
  { name: "no gateway is ready: the drain time", view: noGateway, want: 120_000 },
  { name: "no gateway answers: the drain time", view: says(), want: 120_000 },
  { name: "connections are left at one of two: the drain time", view: says(drain(0), drain(1)), want: 120_000 },
  { name: "no connection is left at all that answer: now", view: says(drain(0), unknown), want: now },
  { name: "one that is silent is not waited for", view: says(drain(0)), want: now },
  { name: "one has not seen it yet and may send it the next connection: the drain time", view: says(drain(0), up(0)), want: 120_000 },
  { name: "closed in what is the future after the clock was set back: from now on", closedAt: 500_000, want: 130_000 },
];

describe("when an instance is drained", () => {
  for (const { name, view, closedAt = 90_000, want } of drains)
    it(name, () => {
      assert.equal(drainedAt(view, "p", closedAt, 30_000, now), want);
    });
});

interface UptakeRow {
  readonly name: string;
  readonly view?: DrainView;
  readonly readySince?: number;
  readonly want: number | undefined;
}

const uptakes: readonly UptakeRow[] = [
  { name: "an app that publishes nothing: at once", want: undefined },
  { name: "no gateway is ready: nobody is waited for", view: noGateway, want: undefined },
  { name: "up at all that answer", view: says(up()), want: undefined },
  { name: "one does not have it yet: 10 s are waited", view: says(up(), unknown), want: 105_000 },
  { name: "nobody answers: 10 s are waited", view: says(), want: 105_000 },
  { name: "ready in what is the future after the clock was set back: 10 s from now on", view: says(), readySince: 500_000, want: 110_000 },
  { name: "after 10 s it goes on", view: says(up(), unknown), readySince: 90_000, want: undefined },
];

describe("from when on an instance that is ready gets traffic", () => {
  for (const { name, view, readySince = 95_000, want } of uptakes)
    it(name, () => {
      assert.equal(upFrom(view, "p", readySince, now), want);
    });
});

const lags: readonly UptakeRow[] = [
  { name: "never in an app that publishes nothing", want: undefined },
  { name: "never while no gateway is ready", view: noGateway, want: undefined },
  { name: "never while it is up at all that answer", view: says(up()), want: undefined },
  { name: "10 s after it became ready, where a gateway was without it all the time", view: says(up(), unknown), want: 105_000 },
  { name: "10 s after a gateway began to answer that does not have it", view: says(unknown), readySince: 5000, want: 40_000 },
  { name: "10 s after its check failed at a gateway", view: says(up(), down), readySince: 5000, want: 50_000 },
  { name: "10 s after the last gateway fell silent", view: says(), readySince: 5000, want: 30_000 },
];

describe("from when on gateways lag behind with an instance that is ready", () => {
  for (const { name, view, readySince = 95_000, want } of lags)
    it(name, () => {
      assert.equal(lagsFrom(view, "p", readySince), want);
    });
});
