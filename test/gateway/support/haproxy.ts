import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Component } from "../../../hack/control-plane/component.ts";
import { Watchdog } from "../../../hack/control-plane/watchdog.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { haproxyArguments } from "../../../src/gateway/local-haproxy.ts";
import { createMasterSocket, type MasterSocket } from "../../../src/haproxy/master-socket.ts";
import { parseInfo } from "../../../src/haproxy/rules/replies.ts";
import { filesOf, type GatewaySettings } from "../../../src/haproxy/rules/settings.ts";
import { createRuntimeSocket, type RuntimeSocket } from "../../../src/haproxy/runtime-socket.ts";
import { freeRange } from "./free-range.ts";

/** A real HAProxy with master and worker, on loopback, and the folder of its gateway. */
export interface TestHaproxy {
  readonly settings: GatewaySettings;
  readonly runtime: RuntimeSocket;
  readonly master: MasterSocket;
  /** Starts it with the file that is in the folder; resolves when it answers. */
  start(): Promise<void>;
  /** SIGKILL of the worker that runs now, which ends the master too. */
  kill(): Promise<void>;
  readonly running: boolean;
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** Ports that a test may publish on, of each pool. */
export const poolSize = 60;

/** Prepares a folder; nothing runs before `start`. */
export async function createTestHaproxy(program: string, overrides: Partial<GatewaySettings> = {}): Promise<TestHaproxy> {
  const folder = await mkdtemp(join(tmpdir(), "nuptse-gateway-"));
  const watchdog = new Watchdog();
  watchdog.removeAtEnd(folder);
  const first = await freeRange(2 * poolSize + 3);
  const settings: GatewaySettings = {
    folder,
    bind: ["127.0.0.1"],
    pools: [
      { first, last: first + poolSize - 1 },
      { first: first + poolSize, last: first + 2 * poolSize - 1 },
    ],
    httpPort: first + 2 * poolSize,
    httpsPort: first + 2 * poolSize + 1,
    metricsBind: `127.0.0.1:${first + 2 * poolSize + 2}`,
    maxConnections: 2000,
    gateways: 1,
    threads: 2,
    hardStopAfterSeconds: 10,
    sparePorts: 20,
    ...overrides,
  };
  const { statsSocket, masterSocket } = filesOf(settings);
  const clock = createSystemClock();
  const runtime = createRuntimeSocket({ path: statsSocket, clock });
  const component = new Component({
    name: "haproxy",
    binary: program,
    args: haproxyArguments(folder),
    logPath: join(folder, "log"),
    watchdog,
    isReady: async () => (await runtime.ask(["show info"])).length === 1,
  });
  return {
    settings,
    runtime,
    master: createMasterSocket({ path: masterSocket, clock }),
    async start() {
      component.launch();
      await component.ready();
    },
    async kill() {
      const { pid } = parseInfo((await runtime.ask(["show info"]))[0] ?? "");
      process.kill(pid, "SIGKILL");
      await component.kill("SIGCONT");
      while (component.pid !== undefined) await clock.sleep(10);
    },
    get running() {
      return component.pid !== undefined;
    },
    log: () => component.lastLines(),
    async stop() {
      await component.end();
      await watchdog.close();
    },
  };
}
