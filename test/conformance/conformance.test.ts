import assert from "node:assert/strict";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import { createHttpTransport, type HttpTransport } from "../../src/kube/http-transport.ts";
import type { Transport } from "../../src/kube/transport.ts";
import { ownControlPlane, sharedControlPlane } from "../integration/control-plane-fixture.ts";
import type { ControlPlane } from "../../hack/control-plane/control-plane.ts";
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
      const want = await transcriptOf(real, row);
      const got = await transcriptOf(simulated, row);
      assert.deepEqual(got, want);
    });
  }
}
