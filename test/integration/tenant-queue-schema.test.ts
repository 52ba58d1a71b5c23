import { installCrds } from "../../hack/control-plane/objects.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import { createHttpTransport, type HttpTransport } from "../../src/kube/http-transport.ts";
import { createKubeClient } from "../../src/kube/kube-client.ts";
import { checkQueueSchema, queueSchemaCases } from "../support/queue-schema-cases.ts";
import { sharedControlPlane } from "./control-plane-fixture.ts";
import { timeLimits } from "./support/time-limits.ts";

/** The same table runs against the embedded API server in test/unit/crds. */
describe("the schema of TenantQueue, on a real API server", function () {
  this.timeout(timeLimits.test);
  const plane = sharedControlPlane();
  let transport: HttpTransport;

  before("install the definitions", async function () {
    this.timeout(timeLimits.operatorReady);
    await installCrds(plane().client);
    const clock = createSystemClock({ background: true });
    const credentials = await loadCredentials({ kubeconfig: plane().kubeconfig, clock });
    transport = createHttpTransport({ credentials, clock, random: createSeededRandom(1), userAgent: "test" });
  });

  after(() => transport?.close());

  for (const [index, tc] of queueSchemaCases.entries()) it(tc.name, () => checkQueueSchema(createKubeClient(transport), tc, index));
});
