// Creates pods in an embedded API server of its own process, 32 side by side. Arguments: how many, and how many of them are not counted.
// It prints the wall and the processor time of the others, in seconds, as JSON.
import { createSystemClock } from "../../../src/base/clock.ts";
import { pods } from "../../../src/api/resource.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { heldPod } from "../support/manifests.ts";
import { sideBySide } from "../support/side-by-side.ts";

const [count = "1", warmUp = "0"] = process.argv.slice(2);
const server = createApiServer({ clock: createSystemClock(), random: { next: () => Math.random() } });
const client = createKubeClient(inProcessTransport(server, { userAgent: "bench-creator" }));
const create = (from: number, to: number) => {
  const bodies = Array.from({ length: to - from }, (_, at) => heldPod("default", `p-${String(from + at).padStart(6, "0")}`));
  return sideBySide(bodies, 32, (body) => client.create(pods, body));
};

await create(0, Number(warmUp));
const cpuBefore = process.cpuUsage();
const begun = performance.now();
await create(Number(warmUp), Number(warmUp) + Number(count));
const seconds = (performance.now() - begun) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
process.stdout.write(`${JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6 })}\n`);
process.exit(0);
