import { readFile } from "node:fs/promises";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { createApiServer } from "../../src/simulator/apiserver/api-server.ts";
import { type HttpServer, startHttpServer } from "../../src/simulator/apiserver/http/http-server.ts";
import { skipUnless } from "../support/skip.ts";
import { describeBuiltinTranscripts } from "./builtin-transcripts.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { describeObjectTranscripts } from "./object-transcripts.ts";
import { describeTranscripts } from "./transcripts.ts";

const namespace = "kubectl-transcripts";

/** What people have installed is often older than the server. */
describe("kubectl 1.34 on the embedded API server", function () {
  this.timeout(60_000);
  const binaries = skipUnless(() => ensureBinaries(["kubectl-1.34"]));
  let server: HttpServer;
  let kubectl: Kubectl;

  before(async () => {
    const clock = createSystemClock({ background: true });
    server = await startHttpServer({ server: createApiServer({ clock, random: createSeededRandom(1) }), clock });
    kubectl = await createKubectl(binaries()["kubectl-1.34"], server.kubeconfig(), namespace);
    await kubectl.ok(["create", "namespace", namespace]);
    await kubectl.ok(["create", "-f", "-"], await readFile(new URL("testdata/widgets.yaml", import.meta.url), "utf8"));
  });
  after(async () => {
    await kubectl?.close();
    await server?.close();
  });

  describeTranscripts(() => ({ kubectl, namespace }));
  describeBuiltinTranscripts(() => ({ kubectl, namespace }));
  describeObjectTranscripts(() => ({ kubectl, namespace }));
});
