import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { type Playground, startPlayground } from "../../src/simulator/harness/playground.ts";
import { ownControlPlane } from "../integration/control-plane-fixture.ts";
import { TestCluster } from "../integration/support/test-cluster.ts";
import { skipUnless } from "../support/skip.ts";
import { createHelm, describeHelmTranscripts, type Helm } from "./helm-transcripts.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";

const namespace = "plain";

describe("helm in the playground", function () {
  this.timeout(180_000);
  const binaries = skipUnless(() => ensureBinaries(["kubectl", "helm"]));
  let playground: Playground;
  let kubectl: Kubectl;
  let helm: Helm;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-helm-"));
    playground = await startPlayground({
      kubelet: "process",
      random: createSeededRandom(1),
      nodes: 2,
      operator: false,
      clock: createSystemClock({ background: true }),
      dataDir: folder,
    });
    const kubeconfig = await readFile(playground.kubeconfigPath, "utf8");
    kubectl = await createKubectl(binaries().kubectl, kubeconfig, namespace);
    await kubectl.ok(["create", "namespace", namespace]);
    helm = await createHelm(binaries().helm, kubeconfig, namespace);
  });
  after(async () => {
    await helm?.close();
    await kubectl?.close();
    await playground?.close();
    await rm(folder, { recursive: true, force: true });
  });

  describeHelmTranscripts(() => ({ helm, kubectl }));
});

describe("helm on the real API server", function () {
  this.timeout(180_000);
  const plane = ownControlPlane({ components: { controllerManager: true, scheduler: true } });
  const binaries = skipUnless(() => ensureBinaries(["kubectl", "helm"]));
  let cluster: TestCluster;
  let kubectl: Kubectl;
  let helm: Helm;

  before(async () => {
    cluster = await TestCluster.start(plane(), { bare: true, namespaces: [namespace], nodes: [], processNodes: [{ name: "n1" }] });
    kubectl = await createKubectl(binaries().kubectl, plane().kubeconfigContent, namespace);
    helm = await createHelm(binaries().helm, plane().kubeconfigContent, namespace);
  });
  after(async () => {
    await helm?.close();
    await kubectl?.close();
    await cluster?.close();
  });

  describeHelmTranscripts(() => ({ helm, kubectl }));
});
