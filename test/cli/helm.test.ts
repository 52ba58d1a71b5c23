import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { ownControlPlane } from "../integration/control-plane-fixture.ts";
import { TestCluster } from "../integration/support/test-cluster.ts";
import { skipUnless } from "../support/skip.ts";
import { createHelm, describeHelmTranscripts, type Helm } from "./helm-transcripts.ts";
import { createKubectl, type Kubectl } from "./kubectl.ts";
import { usePlayground } from "./stages.ts";

const namespace = "plain";

describe("helm in the playground", function () {
  this.timeout(180_000);
  const stage = usePlayground({ nodes: 2 }, namespace);
  const binaries = skipUnless(() => ensureBinaries(["helm"]));
  let helm: Helm;

  before(async () => {
    helm = await createHelm(binaries().helm, stage().kubeconfig, namespace);
  });
  after(() => helm?.close());

  describeHelmTranscripts(() => ({ helm, kubectl: stage().kubectl }));
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
