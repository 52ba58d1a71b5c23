import assert from "node:assert/strict";
import { type DrainView, drainedAt, type GatewayAnswer, type Uptake, uptakeOf } from "../../../../src/runnerapp/rules/drain.ts";

const now = 100_000;
const says = (...answers: readonly GatewayAnswer[]): DrainView => ({ gateways: 2, answersOn: (uid) => (uid === "p" ? answers : []) });
const up = (sessions = 3): GatewayAnswer => ({ state: "Up", sessions });
const drain = (sessions: number): GatewayAnswer => ({ state: "Drain", sessions });
const unknown: GatewayAnswer = { state: "Unknown", sessions: 0 };
const noGateway: DrainView = { gateways: 0, answersOn: () => [] };

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

const isUp: Uptake = { isUp: true, isLagging: false };
const uptakes: readonly { readonly name: string; readonly view?: DrainView; readonly readySince?: number; readonly want: Uptake }[] = [
  { name: "an app that publishes nothing: at once", want: isUp },
  { name: "no gateway is ready: nobody is waited for", view: noGateway, want: isUp },
  { name: "up at all that answer", view: says(up()), want: isUp },
  {
    name: "one does not have it yet: 10 s are waited",
    view: says(up(), unknown),
    want: { isUp: false, isLagging: false, wakeAt: 105_000 },
  },
  { name: "nobody answers: 10 s are waited", view: says(), want: { isUp: false, isLagging: false, wakeAt: 105_000 } },
  { name: "after 10 s it goes on, and says so", view: says(up(), unknown), readySince: 90_000, want: { isUp: true, isLagging: true } },
];

describe("whether an instance that is ready gets traffic", () => {
  for (const { name, view, readySince = 95_000, want } of uptakes)
    it(name, () => {
      assert.deepEqual(uptakeOf(view, "p", readySince, now), want);
    });
});
