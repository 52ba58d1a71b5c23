import assert from "node:assert/strict";
import type { ServicesAnswer } from "../../../../src/api/gateway-state.ts";
import type { RunnerApp } from "../../../../src/api/runner-app.gen.ts";
import { VirtualClock } from "../../../../src/base/virtual-clock.ts";
import type { AppStore } from "../../../../src/runnerapp/services/app-index.ts";
import { createFiguresEndpoint, type FiguresEndpointOptions } from "../../../../src/runnerapp/services/figures-endpoint.ts";
import { at } from "../../../support/builders/elastic-job.ts";
import { publishingApp } from "../../../support/builders/published-services.ts";

const rows = [{ name: "api", gatewayPort: 21_000 }];
const mine = publishingApp({ name: "mine", rows });
const far = publishingApp({ name: "far", namespace: "far", rows });
const summary = (service: string) => ({ service, instances: { up: 1, down: 0, drain: 0, maint: 0 }, sessions: 2, rate: 3 });
const answer: ServicesAnswer = {
  gateways: { ready: 2, told: 2 },
  services: [summary("tenant/api"), summary("tenant/other"), summary("far/api")],
};

describe("GET /v1/services", () => {
  const asked: string[] = [];
  const ask = (url: string, more: Partial<FiguresEndpointOptions> & { readonly method?: string } = {}) =>
    createFiguresEndpoint({
      apps: () => ({ all: (): readonly RunnerApp[] => [mine, far] }) as unknown as AppStore,
      states: {
        figures: (namespace) => {
          asked.push(namespace);
          return Promise.resolve(answer);
        },
      },
      clock: new VirtualClock(at("12:00:00")),
      mayAnswer: () => true,
      ...more,
    })({ method: more.method ?? "GET", url });
  beforeEach(() => asked.splice(0));

  it("tells of the services of those whose UIDs are known to the caller, and asks for one namespace where that is enough", async () => {
    const { status, body } = await ask("/v1/services?uid=uid-mine");
    assert.deepEqual([status, body, asked], [200, { ...answer, services: [summary("tenant/api")] }, ["tenant"]]);
  });

  it("of several namespaces at once", async () => {
    const { body } = await ask("/v1/services?uid=uid-mine,uid-far,uid-nobody");
    assert.deepEqual([(body as ServicesAnswer).services.map(({ service }) => service), asked], [["tenant/api", "far/api"], ["*"]]);
  });

  it("of a UID that nobody has there is nothing, and no gateway is asked", async () => {
    const { status, body } = await ask("/v1/services?uid=uid-nobody");
    assert.deepEqual([status, body, asked], [200, { gateways: { ready: 0, told: 0 }, services: [] }, []]);
  });

  const many = Array.from({ length: 101 }, (_, index) => `uid-${index}`).join(",");
  const refused: readonly {
    readonly name: string;
    readonly url?: string;
    readonly more?: Parameters<typeof ask>[1];
    readonly want: readonly [number, RegExp];
  }[] = [
    { name: "without a UID", url: "/v1/services", want: [400, /uid must be UIDs/] },
    { name: "with an empty one", url: "/v1/services?uid=a,,b", want: [400, /uid must be UIDs/] },
    { name: "with something else", url: "/v1/services?uid=a&namespace=b", want: [400, /nothing else/] },
    { name: "with too many", url: `/v1/services?uid=${many}`, want: [400, /at most 100/] },
    { name: "by another method", more: { method: "POST" }, want: [405, /GET only/] },
    { name: "of a process that does not lead", more: { mayAnswer: () => false }, want: [503, /does not lead/] },
  ];
  for (const { name, url = "/v1/services?uid=uid-mine", more, want } of refused)
    it(`is refused ${name}`, async () => {
      const { status, body } = await ask(url, more);
      assert.equal(status, want[0]);
      assert.match((body as { readonly error: string }).error, want[1]);
    });

  it("says so where gateways are not asked at all", async () => {
    const endpoint = createFiguresEndpoint({
      apps: () => ({ all: () => [mine] }) as unknown as AppStore,
      clock: new VirtualClock(at("12:00:00")),
      mayAnswer: () => true,
    });
    const { status, body } = await endpoint({ method: "GET", url: "/v1/services?uid=uid-mine" });
    assert.deepEqual([status, body], [503, { error: "the operator does not ask the gateways (--gateway-state-ca-file)" }]);
  });
});
