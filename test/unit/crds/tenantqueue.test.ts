import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { customResourceDefinitions } from "../../../src/api/resource.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../../src/simulator/harness/crds.ts";
import { checkQueueSchema, queueSchemaCases } from "../../support/queue-schema-cases.ts";

/** The same table runs against a real API server in test/integration. */
describe("the schema of TenantQueue, on the embedded API server", () => {
  let client: KubeClient;

  before(async () => {
    const server = createApiServer({ clock: new VirtualClock(Date.UTC(2026, 10, 21)), random: createSeededRandom(1) });
    client = createKubeClient(inProcessTransport(server, { userAgent: "test" }));
    for (const definition of readCrds()) await client.create(customResourceDefinitions, definition);
  });

  for (const [index, tc] of queueSchemaCases.entries()) it(tc.name, () => checkQueueSchema(client, tc, index));
});
