import { ownControlPlane } from "../integration/control-plane-fixture.ts";
import { TestCluster } from "../integration/support/test-cluster.ts";
import { describeControllerTranscripts } from "./controller-transcripts.ts";
import type { Kubectl } from "./kubectl.ts";
import { usePlayground } from "./stages.ts";

const namespace = "controllers";

describe("kubectl and controllers in the playground", function () {
  this.timeout(180_000);
  describeControllerTranscripts(usePlayground({ nodes: 2 }, namespace));
});

describe("kubectl and controllers on a real control plane", function () {
  this.timeout(180_000);
  const plane = ownControlPlane({ components: { controllerManager: true, scheduler: true } });
  let cluster: TestCluster;
  let kubectl: Kubectl;

  before(async () => {
    const processNodes = ["node-1", "node-2"].map((name) => ({ name }));
    cluster = await TestCluster.start(plane(), { bare: true, namespaces: [namespace], nodes: [], processNodes });
    kubectl = await cluster.kubectl(namespace);
  });
  after(() => cluster?.close());

  describeControllerTranscripts(() => ({ kubectl, namespace, kubeconfig: plane().kubeconfigContent }));
});
