import { readFile } from "node:fs/promises";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { sharedControlPlane } from "../integration/control-plane-fixture.ts";
import { skipUnless } from "../support/skip.ts";
import { describeBuiltinTranscripts } from "./builtin-transcripts.ts";
import { createKubectl, type Kubectl, whenEstablished } from "./kubectl.ts";
import { describeObjectTranscripts } from "./object-transcripts.ts";
import { describeTranscripts } from "./transcripts.ts";

const namespace = "kubectl-transcripts";

describe("kubectl on the real API server", function () {
  this.timeout(60_000);
  const plane = sharedControlPlane();
  const binaries = skipUnless(() => ensureBinaries(["kubectl"]));
  let kubectl: Kubectl;

  before(async () => {
    kubectl = await createKubectl(binaries().kubectl, plane().kubeconfigContent, namespace);
    await kubectl.ok(["create", "-f", "-"], dump({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }));
    await kubectl.ok(["create", "-f", "-"], dump({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } }));
    await kubectl.ok(["create", "-f", "-"], await readFile(new URL("testdata/widgets.yaml", import.meta.url), "utf8"));
    await whenEstablished(kubectl, "widgets.test.nuptse.dev");
  });
  after(async () => {
    await kubectl?.ok(["delete", "crd", "widgets.test.nuptse.dev"]);
    await kubectl?.close();
  });

  describeTranscripts(() => ({ kubectl, namespace }));
  describeBuiltinTranscripts(() => ({ kubectl, namespace }));
  describeObjectTranscripts(() => ({ kubectl, namespace }));
});
