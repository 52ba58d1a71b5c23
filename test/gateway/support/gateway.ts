import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { type Logger, silentLogger } from "../../../src/api/logger.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { type Agent, type AgentOptions, createAgent } from "../../../src/gateway/agent.ts";
import { createGatewayFiles } from "../../../src/gateway/files.ts";
import type { ServiceSource, SourceView } from "../../../src/gateway/source.ts";
import { createHaproxyProgram } from "../../../src/haproxy/program.ts";
import type { PublishedService } from "../../../src/haproxy/rules/published-service.ts";
import { parseServerStates } from "../../../src/haproxy/rules/replies.ts";
import { filesOf, type GatewaySettings } from "../../../src/haproxy/rules/settings.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { eventually } from "../../integration/support/eventually.ts";
import { patience } from "../../support/patience.ts";
import { createTestHaproxy, type TestHaproxy } from "./haproxy.ts";

/** An agent beside a real HAProxy; what it serves is said here. */
export interface TestGateway {
  readonly haproxy: TestHaproxy;
  readonly settings: GatewaySettings;
  readonly agent: Agent;
  readonly reloads: { readonly succeeded: number; readonly failed: number };
  /** Says what there is to serve, and wakes the agent; does not wait. */
  offer(services: readonly PublishedService[], rest?: Partial<SourceView>): void;
  /** The same, and waits until HAProxy has it. */
  serve(services: readonly PublishedService[]): Promise<void>;
  /** Waits until nothing is left to be done. */
  settled(): Promise<void>;
  /** Ends the agent as a crash does, and starts another one beside the same HAProxy. */
  restartAgent(): Promise<void>;
  stopAgent(): Promise<void>;
  /** What HAProxy has, one line a server, sorted. */
  servers(): Promise<readonly string[]>;
  /** Throws where HAProxy has other servers after a reload of the file: what goes over the socket must be in it too. */
  reloadChangesNothing(): Promise<void>;
  close(): Promise<void>;
}

export const reactionMs = 15_000 * patience;

export async function startGateway(
  program: string,
  options: Partial<Pick<AgentOptions, "timings" | "render">> & {
    readonly settings?: Partial<GatewaySettings>;
    readonly logger?: Logger;
    /** Where services come from; absent = what is said by `offer` and `serve`. */
    readonly source?: ServiceSource;
  } = {},
): Promise<TestGateway> {
  const haproxy = await createTestHaproxy(program, options.settings);
  const clock = createSystemClock({ background: true });
  let view: SourceView = { complete: true, services: [], problems: new Map(), silentForMs: 0 };
  let listener: (() => void) | undefined;
  const offered: ServiceSource = {
    view: () => view,
    onChange: (listen) => {
      listener = listen;
    },
  };
  const reloads = { succeeded: 0, failed: 0 };
  const create = () =>
    createAgent({
      settings: haproxy.settings,
      source: options.source ?? offered,
      runtime: haproxy.runtime,
      master: haproxy.master,
      program: createHaproxyProgram(program),
      files: createGatewayFiles(haproxy.settings),
      clock,
      logger: options.logger ?? silentLogger,
      metrics: {
        ...noMetrics,
        count(name, labels) {
          if (name !== "nuptse_gateway_reloads_total") return;
          reloads[(labels as { readonly result: "succeeded" | "failed" }).result]++;
        },
      },
      timings: { gatherMs: 20, reloadGapMs: 100, probeMs: 100, fileDelayMs: 50, resyncMs: 1000, ...options.timings },
      ...(options.render !== undefined && { render: options.render }),
    });
  let agent = create();
  await agent.start();
  await haproxy.start();
  const offer = (services: readonly PublishedService[], rest: Partial<SourceView> = {}) => {
    view = { complete: true, problems: new Map(), silentForMs: 0, ...rest, services };
    listener?.();
  };
  const settled = () =>
    eventually("the gateway to be up to date", reactionMs, () => agent.notReady() === undefined && agent.lagMs() === 0).then(
      () => undefined,
    );
  await settled();
  async function servers(): Promise<readonly string[]> {
    const [reply = ""] = await haproxy.runtime.ask(["show servers state"]);
    const lines = parseServerStates(reply).map(
      ({ backend, name, address, port, weight, maintenance }) =>
        `${backend}/${name} ${address}:${port} ${weight}${maintenance ? " maint" : ""}`,
    );
    return lines.sort();
  }
  return {
    haproxy,
    settings: haproxy.settings,
    get agent() {
      return agent;
    },
    reloads,
    offer,
    async serve(services) {
      offer(services);
      await settled();
      await eventually("all services to be told of", reactionMs, () => agent.state.services.length === services.length);
    },
    settled,
    async restartAgent() {
      await agent.stop();
      agent = create();
      await agent.start();
    },
    stopAgent: () => agent.stop(),
    servers,
    async reloadChangesNothing() {
      if (!haproxy.running || agent.notReady() !== undefined) return;
      // A reload of the agent's own may be under way.
      await settled();
      const before = await eventually("the file to be as new as what runs", reactionMs, async () => {
        const now = await servers();
        const text = await readFile(filesOf(haproxy.settings).configuration, "utf8");
        const written = [...text.matchAll(/^ {2}server (\S+ \S+) .* weight (\d+)/gm)].map(([, server, weight]) => `${server} ${weight}`);
        // Without the backend, and without the mark of maintenance.
        const running = now.map((line) => line.slice(line.indexOf("/") + 1).replace(/ maint$/, ""));
        return JSON.stringify(written.sort()) === JSON.stringify(running.sort()) ? now : undefined;
      });
      await eventually("a reload", reactionMs, async () => (await haproxy.master.reload()).succeeded);
      assert.deepEqual(await servers(), before);
      await settled();
    },
    async close() {
      await agent.stop();
      await haproxy.stop();
    },
  };
}
