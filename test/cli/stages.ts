import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump } from "js-yaml";
import { type BinaryName, ensureBinaries } from "../../hack/control-plane/binaries.ts";
import type { ControlPlane } from "../../hack/control-plane/control-plane.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { createApiServer } from "../../src/simulator/apiserver/api-server.ts";
import { type HttpServer, type HttpServerOptions, startHttpServer } from "../../src/simulator/apiserver/http/http-server.ts";
import { type Playground, type PlaygroundOptions, startPlayground } from "../../src/simulator/harness/playground.ts";
import { skipUnless } from "../support/skip.ts";
import { createKubectl, type Kubectl, whenEstablished } from "./kubectl.ts";

/** Where transcripts are played: any server that a kubectl talks to. */
export interface Stage {
  readonly kubectl: Kubectl;
  /** In which the kubectl works; it is there. */
  readonly namespace: string;
  /** The administrator's (YAML). */
  readonly kubeconfig: string;
}

const usualNamespace = "kubectl-transcripts";
const widgets = new URL("testdata/widgets.yaml", import.meta.url);

type FrontOptions = Partial<Pick<HttpServerOptions, "logSource" | "onRequest">>;

/**
 * Call in a describe block: an embedded API server without a world, and a kubectl for it, with the kind Widget (testdata/widgets.yaml). A defect
 * that became a 500 fails the block.
 */
export function useEmbeddedServer({
  tool = "kubectl",
  namespace = usualNamespace,
  ...front
}: FrontOptions & { readonly tool?: Extract<BinaryName, `kubectl${string}`>; readonly namespace?: string } = {}): () => Stage {
  const binaries = skipUnless(() => ensureBinaries([tool]));
  const errors: unknown[] = [];
  let server: HttpServer | undefined;
  let stage: Stage | undefined;
  before(async () => {
    const clock = createSystemClock({ background: true });
    const core = createApiServer({ clock, random: createSeededRandom(1) });
    server = await startHttpServer({ server: core, clock, onError: (error) => errors.push(error), ...front });
    const kubeconfig = server.kubeconfig();
    const kubectl = await createKubectl(binaries()[tool], kubeconfig, namespace);
    stage = { kubectl, namespace, kubeconfig };
    await kubectl.ok(["create", "namespace", namespace]);
    await kubectl.ok(["create", "-f", "-"], await readFile(widgets, "utf8"));
  });
  after(async () => {
    await stage?.kubectl.close();
    await server?.close();
    assert.deepEqual(errors, [], "defects that were answered with 500");
  });
  return () => stage as Stage;
}

/** The same on a real API server, which is had from `usePlane`. */
export function useRealServer(usePlane: () => () => ControlPlane, namespace = usualNamespace): () => Stage {
  let stage: Stage | undefined;
  // before the control plane's own end, which is registered next
  after(async () => {
    await stage?.kubectl.ok(["delete", "crd", "widgets.test.nuptse.dev"]);
    await stage?.kubectl.close();
  });
  const plane = usePlane();
  const binaries = skipUnless(() => ensureBinaries(["kubectl"]));
  before(async () => {
    const kubeconfig = plane().kubeconfigContent;
    const kubectl = await createKubectl(binaries().kubectl, kubeconfig, namespace);
    stage = { kubectl, namespace, kubeconfig };
    await kubectl.ok(["create", "namespace", namespace]);
    // no controller makes it
    await kubectl.ok(["create", "-f", "-"], dump({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } }));
    await kubectl.ok(["create", "-f", "-"], await readFile(widgets, "utf8"));
    await whenEstablished(kubectl, "widgets.test.nuptse.dev");
  });
  return () => stage as Stage;
}

/** A playground, and the kubectl of its administrator. */
export interface PlaygroundStage extends Stage {
  readonly playground: Playground;
  /** A folder that goes with it, for whatever a test needs. */
  readonly folder: string;
}

/** Call in a describe block: a playground of one node whose containers are processes, without an operator, unless the options say otherwise. */
export function usePlayground(options: Partial<PlaygroundOptions> = {}, inNamespace = "default"): () => PlaygroundStage {
  const binaries = skipUnless(() => ensureBinaries(["kubectl"]));
  let folder: string | undefined;
  let playground: Playground | undefined;
  let stage: PlaygroundStage | undefined;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-test-"));
    playground = await startPlayground({
      kubelet: "process",
      random: createSeededRandom(1),
      nodes: 1,
      operator: false,
      clock: createSystemClock({ background: true }),
      dataDir: join(folder, "data"),
      ...options,
    });
    const kubeconfig = await readFile(playground.kubeconfigPath, "utf8");
    const kubectl = await createKubectl(binaries().kubectl, kubeconfig, inNamespace);
    stage = { playground, kubectl, namespace: inNamespace, folder, kubeconfig };
    if (inNamespace !== "default") await kubectl.ok(["create", "namespace", inNamespace]);
  });
  after(async () => {
    await stage?.kubectl.close();
    await playground?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return () => stage as PlaygroundStage;
}
