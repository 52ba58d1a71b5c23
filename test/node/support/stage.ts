import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBinaries } from "../../../hack/control-plane/binaries.ts";
import { createNamespace } from "../../../hack/control-plane/objects.ts";
import { packImage } from "../../../hack/image/archive.ts";
import { imageConfiguration } from "../../../hack/image/contents.ts";
import { buildLayers, type ImageLayers } from "../../../hack/image/layers.ts";
import { type NodeCluster, startNodeCluster } from "../../../hack/node/node-cluster.ts";
import { requireSuitableMachine } from "../../../hack/node/suitability.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { packageVersion } from "../../../src/cli/package-version.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { createHttpTransport } from "../../../src/kube/http-transport.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createHelm, type Helm } from "../../cli/helm-transcripts.ts";
import { createKubectl, type Kubectl } from "../../cli/kubectl.ts";
import { skipUnless } from "../../support/skip.ts";
import { machineTraces } from "./machine-traces.ts";

/** The namespace of the installation. */
export const productNamespace = "nuptse-system";
/** The namespace of users' objects. */
export const workNamespace = "work";
const stopTimeoutMs = 120_000;
const root = join(import.meta.dirname, "../../..");

/** The product's image, as pods name it. */
export const image = { repository: "nuptse.local/nuptse", tag: packageVersion } as const;

/** A cluster of one real node that has the product's image. */
export interface Stage {
  readonly cluster: NodeCluster;
  readonly client: KubeClient;
  /** In the namespace of users' objects. */
  readonly kubectl: Kubectl;
  /** In the namespace of the installation. */
  readonly helm: Helm;
  readonly layers: ImageLayers;
  /** What the machine had of a node before there was this one. */
  readonly tracesBefore: readonly string[];
}

/** Called in a `describe`: makes the image and starts the cluster; skipped where this machine cannot have it. */
export function ownStage(): () => Stage {
  const ends: (() => Promise<unknown> | undefined)[] = [];
  const stage = skipUnless(async () => {
    await requireSuitableMachine();
    const tracesBefore = await machineTraces();
    const cluster = await startNodeCluster();
    ends.push(() => cluster.stop());
    const scratch = await mkdtemp(join(tmpdir(), "nuptse-image-"));
    ends.push(() => rm(scratch, { recursive: true, force: true }));
    const layers = await buildLayers(root, scratch);
    const archive = join(scratch, "image.tar");
    await packImage(archive, `${image.repository}:${image.tag}`, layers.layers, imageConfiguration, join(scratch, "archive"));
    await cluster.node.importImage(archive);
    const { kubectl: kubectlBinary, helm: helmBinary } = await ensureBinaries(["kubectl", "helm"]);
    const { kubeconfigContent, kubeconfig } = cluster.plane;
    const kubectl = await createKubectl(kubectlBinary, kubeconfigContent, workNamespace);
    ends.push(() => kubectl.close());
    const helm = await createHelm(helmBinary, kubeconfigContent, productNamespace);
    ends.push(() => helm.close());
    const clock = createSystemClock({ background: true });
    const credentials = await loadCredentials({ clock, kubeconfig });
    const transport = createHttpTransport({ credentials, clock, random: { next: () => Math.random() }, userAgent: "nuptse-test" });
    ends.push(async () => transport.close());
    await createNamespace(cluster.plane.client, workNamespace, true);
    return { cluster, client: createKubeClient(transport), kubectl, helm, layers, tracesBefore };
  });
  after("end the node", async function () {
    this.timeout(stopTimeoutMs);
    for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
  });
  return stage;
}
