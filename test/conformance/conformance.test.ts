import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import { createHttpTransport, type HttpTransport } from "../../src/kube/http-transport.ts";
import type { Transport } from "../../src/kube/transport.ts";
import { ownControlPlane, sharedControlPlane } from "../integration/control-plane-fixture.ts";
import type { ControlPlane } from "../../hack/control-plane/control-plane.ts";
import { ApiServer } from "../../src/simulator/apiserver/api-server.ts";
import { type HttpServer, startHttpServer } from "../../src/simulator/apiserver/http/http-server.ts";
import type { Row } from "./row.ts";
import { rows } from "./rows.ts";
import { install, simulatedServer, transcriptOf, userAgent } from "./servers.ts";

/** The table, run against the embedded API server and against a real one: what they answer must be the same. */
describe("conformance", () => {
  describe("of the API server alone", () => {
    const plane = sharedControlPlane();
    compare(
      plane,
      rows.filter((row) => row.needs === undefined),
      false,
    );
  });

  describe("of the controllers beside it", () => {
    const plane = ownControlPlane({ components: { controllerManager: true } });
    compare(
      plane,
      rows.filter((row) => row.needs === "controllers"),
      true,
    );
  });
});

/** The same table through the embedded server's HTTPS front: sockets, JSON and headers change nothing. */
describe("conformance of the HTTPS front", () => {
  let front: HttpServer;
  let folder: string;
  let overHttps: HttpTransport;
  let inProcess: Transport;

  before(async () => {
    const clock = createSystemClock({ background: true });
    const server = new ApiServer({ clock, random: createSeededRandom(7), controllers: false });
    front = await startHttpServer({ server, clock });
    folder = await mkdtemp(join(tmpdir(), "nuptse-conformance-"));
    const kubeconfig = join(folder, "kubeconfig");
    await writeFile(kubeconfig, front.kubeconfig());
    const credentials = await loadCredentials({ kubeconfig, clock });
    overHttps = createHttpTransport({ credentials, clock, random: createSeededRandom(1), userAgent });
    await install(overHttps);
    inProcess = await simulatedServer(false);
  });

  after(async () => {
    overHttps?.close();
    await front?.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const row of rows.filter((one) => one.needs === undefined)) {
    it(row.name, async function () {
      this.timeout(30_000);
      const [want, got] = await Promise.all([transcriptOf(inProcess, row), transcriptOf(overHttps, row)]);
      assert.deepEqual(got, want);
    });
  }
});

function compare(plane: () => ControlPlane, table: readonly Row[], controllers: boolean): void {
  let real: HttpTransport;
  let simulated: Transport;

  before(async function () {
    this.timeout(60_000);
    const clock = createSystemClock({ background: true });
    const credentials = await loadCredentials({ kubeconfig: plane().kubeconfig, clock });
    real = createHttpTransport({ credentials, clock, random: createSeededRandom(1), userAgent });
    await install(real);
    simulated = await simulatedServer(controllers);
  });

  after(() => real?.close());

  for (const row of table) {
    it(row.name, async function () {
      this.timeout(30_000);
      const [want, got] = await Promise.all([transcriptOf(real, row), transcriptOf(simulated, row)]);
      assert.deepEqual(got, want);
    });
  }
}
