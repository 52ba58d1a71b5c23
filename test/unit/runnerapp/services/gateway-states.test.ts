import assert from "node:assert/strict";
import type { GatewayState, ServerReport, ServiceFigures } from "../../../../src/api/gateway-state.ts";
import { settle, VirtualClock } from "../../../../src/base/virtual-clock.ts";
import { createGatewayStates, type GatewayStates } from "../../../../src/runnerapp/services/gateway-states.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { gateway, publishingApp } from "../../../support/builders/published-services.ts";

const app = publishingApp({ rows: [{ name: "api", gatewayPort: 21_000 }] });
const up = (pod: string, service = "tenant/api"): ServerReport => ({ service, pod, address: "10.1.0.1", state: "up" });
const drain = (pod: string, sessions: number): ServerReport => ({ ...up(pod), state: "drain", sessions });

/** Gateways that answer when the test says so. */
class Gateways {
  readonly asked: string[] = [];
  readonly changes: string[][] = [];
  readonly errors: string[] = [];
  readonly clock = new VirtualClock(at("12:00:00"));
  readonly #waiting = new Map<string, PromiseWithResolvers<GatewayState>>();
  #version = 1;
  readonly states: GatewayStates = createGatewayStates({
    clock: this.clock,
    ask: (address, { after, figures }, signal) => {
      const what = figures === undefined ? (after === undefined ? "" : ` after ${after}`) : ` figures of ${figures}`;
      this.asked.push(`${address}${what}`);
      const answer = Promise.withResolvers<GatewayState>();
      this.#waiting.set(figures === undefined ? address : `${address} figures`, answer);
      signal.addEventListener("abort", () => answer.reject(new Error("aborted")));
      return answer.promise;
    },
    onChange: (services) => this.changes.push([...services]),
    onError: (error) => this.errors.push((error as Error).message),
  });

  async answer(number: number, servers: readonly ServerReport[]): Promise<void> {
    this.#waiting.get(`10.0.0.${number}`)?.resolve({ version: this.#version++, lagSeconds: 0, servers });
    await settle();
  }

  async tell(number: number, services: readonly ServiceFigures[], servers: readonly ServerReport[]): Promise<void> {
    this.#waiting.get(`10.0.0.${number} figures`)?.resolve({ version: this.#version++, lagSeconds: 0, servers, services });
    await settle();
  }

  async fail(number: number): Promise<void> {
    this.#waiting.get(`10.0.0.${number}`)?.reject(new Error("refused"));
    await settle();
  }

  answers(pod: string): readonly string[] | undefined {
    return this.states
      .viewOf(app)
      ?.answersOn(pod)
      .map(({ state, sessions }) => `${state} ${sessions}`);
  }
}

describe("states of gateways", () => {
  it("every gateway that is ready is asked again and again, from its last answer on", async () => {
    const world = new Gateways();
    world.states.follow([gateway(1), gateway(2), gateway(3, "starting"), gateway(4, "leaving")]);
    assert.equal(world.states.viewOf(app)?.gateways, 2);
    assert.deepEqual(world.answers("pod-1"), []);
    await world.answer(1, [up("pod-1")]);
    await world.answer(2, [drain("pod-1", 3)]);
    assert.deepEqual(world.answers("pod-1"), ["Up 0", "Drain 3"]);
    assert.deepEqual(world.answers("pod-2"), ["Unknown 0", "Unknown 0"]);
    assert.deepEqual(world.asked, ["10.0.0.1", "10.0.0.2", "10.0.0.1 after 1", "10.0.0.2 after 2"]);
    assert.deepEqual(world.changes, [["tenant/api"], ["tenant/api"]]);
  });

  it("only services of which something else is said are told of", async () => {
    const world = new Gateways();
    world.states.follow([gateway(1)]);
    await world.answer(1, [up("pod-1"), up("pod-2", "tenant/other")]);
    await world.answer(1, [up("pod-1"), { ...up("pod-2", "tenant/other"), state: "down" }]);
    assert.deepEqual(world.changes, [["tenant/api", "tenant/other"], ["tenant/other"]]);
  });

  it("an instance of two services is up, or drained, where both are", async () => {
    const world = new Gateways();
    const both = publishingApp({
      services: [
        { name: "api", port: 80 },
        { name: "more", port: 81 },
      ],
      rows: [
        { name: "api", gatewayPort: 21_000 },
        { name: "more", gatewayPort: 21_001 },
      ],
    });
    world.states.follow([gateway(1)]);
    await world.answer(1, [drain("pod-1", 0), up("pod-1", "tenant/more"), up("pod-1", "far/api")]);
    const answers = world.states.viewOf(both)?.answersOn("pod-1");
    const since = at("12:00:00");
    assert.deepEqual(answers, [
      { state: "Drain", sessions: 0, since },
      { state: "Up", sessions: 0, since },
    ]);
  });

  it("a gateway that does not answer says nothing more; it is told of once, and asked anew after a second", async () => {
    const world = new Gateways();
    world.states.follow([gateway(1)]);
    await world.answer(1, [up("pod-1")]);
    await world.fail(1);
    assert.deepEqual(world.answers("pod-1"), []);
    assert.equal(world.states.viewOf(app)?.gateways, 1);
    await world.clock.runUntil(at("12:00:01"));
    await world.fail(1);
    await world.clock.runUntil(at("12:00:02"));
    assert.deepEqual(world.asked, ["10.0.0.1", "10.0.0.1 after 1", "10.0.0.1", "10.0.0.1"]);
    assert.deepEqual(world.errors, ["the gateway at 10.0.0.1 does not tell its state"]);
    await world.answer(1, [up("pod-1")]);
    assert.deepEqual(world.answers("pod-1"), ["Up 0"]);
  });

  it("one that goes is not asked any more, and not waited for", async () => {
    const world = new Gateways();
    world.states.follow([gateway(1), gateway(2)]);
    await world.answer(1, [up("pod-1")]);
    world.states.follow([gateway(2), gateway(1, "leaving")]);
    await settle();
    assert.equal(world.states.viewOf(app)?.gateways, 1);
    assert.deepEqual(world.answers("pod-1"), []);
    assert.deepEqual(world.errors, []);
  });

  it("an answer tells since when it is so, and the view since when the same gateways answer", async () => {
    const world = new Gateways();
    world.states.follow([gateway(1)]);
    const since = () => world.states.viewOf(app)?.answersOn("pod-1")[0]?.since;
    const heardSince = () => world.states.viewOf(app)?.heardSince;
    await world.clock.runUntil(at("12:00:10"));
    await world.answer(1, [up("pod-1")]);
    await world.clock.runUntil(at("12:00:20"));
    await world.answer(1, [up("pod-1"), up("pod-2")]);
    assert.deepEqual([since(), heardSince()], [at("12:00:10"), at("12:00:10")]);
    await world.answer(1, [{ ...up("pod-1"), state: "down" }]);
    assert.deepEqual([since(), heardSince()], [at("12:00:20"), at("12:00:10")]);
    await world.clock.runUntil(at("12:00:30"));
    await world.answer(1, []);
    assert.equal(since(), at("12:00:10"), "it has never been there, as far as this gateway says");
    await world.fail(1);
    assert.equal(heardSince(), at("12:00:30"));
  });

  it("figures of all that answer in time are one: the sum, and of an instance the worst", async () => {
    const world = new Gateways();
    world.states.follow([gateway(1), gateway(2), gateway(3)]);
    const asked = world.states.figures("tenant");
    assert.equal(world.states.figures("tenant"), asked, "for a second nobody is asked anew");
    const figures = (sessions: number, rate: number): ServiceFigures => ({ service: "tenant/api", sessions, rate });
    await world.tell(1, [figures(2, 5)], [up("pod-1"), drain("pod-2", 2)]);
    await world.tell(2, [figures(3, 4)], [{ ...up("pod-1"), state: "down" }, drain("pod-2", 0), up("pod-3")]);
    await world.clock.runUntil(at("12:00:03"));
    assert.deepEqual(await asked, {
      gateways: { ready: 3, told: 2 },
      services: [{ service: "tenant/api", instances: { up: 1, down: 1, drain: 1, maint: 0 }, sessions: 5, rate: 9 }],
    });
    assert.deepEqual(
      world.asked.filter((each) => each.includes("figures")),
      ["10.0.0.1 figures of tenant", "10.0.0.2 figures of tenant", "10.0.0.3 figures of tenant"],
    );
    assert.notEqual(world.states.figures("tenant"), asked);
  });

  it("an app that publishes nothing has no view", () => {
    assert.equal(new Gateways().states.viewOf(publishingApp()), undefined);
  });
});
