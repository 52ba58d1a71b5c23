import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBinaries } from "../../../hack/control-plane/binaries.ts";
import type { ControlPlane } from "../../../hack/control-plane/control-plane.ts";
import { createNamespace, installCrds } from "../../../hack/control-plane/objects.ts";
import type { KubeEvent, Pod } from "../../../src/api/core.ts";
import type { ElasticJob, ElasticJobRun } from "../../../src/api/elastic-job.gen.ts";
import { labels } from "../../../src/api/names.ts";
import { elasticJobs, events, pods } from "../../../src/api/resource.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { loadCredentials } from "../../../src/kube/credentials.ts";
import { createHttpTransport, type HttpTransport } from "../../../src/kube/http-transport.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { NodeSpec } from "../../../src/simulator/world/node-life.ts";
import { createWorld, type World } from "../../../src/simulator/world/world.ts";
import { createKubectl, type Kubectl } from "../../cli/kubectl.ts";
import { ownControlPlane } from "../control-plane-fixture.ts";
import { eventually } from "./eventually.ts";
import { playedAs } from "./jobs.ts";
import { grantOperatorRights, operatorGroup } from "./operator-rights.ts";
import { OperatorProcess, type OperatorProcessOptions } from "./operator-process.ts";
import { timeLimits } from "./time-limits.ts";

/** What a suite's cluster is to have. */
export interface TestClusterOptions {
  /** Namespaces to be made. */
  readonly namespaces: readonly string[];
  /** Nodes whose pods are played by their scripts; absent = n1, n2, n3. */
  readonly nodes?: readonly NodeSpec[];
  /** Nodes whose containers are real processes. */
  readonly processNodes?: readonly NodeSpec[];
  /** Leave the CRDs and the operator's rights to the test. */
  readonly bare?: boolean;
}

/** A real control plane with controllers and scheduler, whose nodes are the simulator's kubelets, acting as clients of the real API. */
export class TestCluster {
  readonly plane: ControlPlane;
  /** As the administrator. */
  readonly client: KubeClient;
  /** The kubelets; its ledger has seen every pod since before any operator was started. */
  readonly world: World;
  readonly #transports: readonly HttpTransport[];
  readonly #worlds: readonly World[];
  readonly #folder: string;
  readonly #kubectls: Kubectl[] = [];
  readonly #operators: OperatorProcess[] = [];

  private constructor(
    plane: ControlPlane,
    client: KubeClient,
    transports: readonly HttpTransport[],
    worlds: readonly World[],
    folder: string,
  ) {
    this.plane = plane;
    this.client = client;
    this.world = worlds[0] as World;
    this.#transports = transports;
    this.#worlds = worlds;
    this.#folder = folder;
  }

  static async start(plane: ControlPlane, options: TestClusterOptions): Promise<TestCluster> {
    if (options.bare !== true) {
      await installCrds(plane.client);
      await grantOperatorRights(plane.client);
    }
    const clock = createSystemClock();
    const random = { next: () => Math.random() };
    const credentials = await loadCredentials({ clock, kubeconfig: plane.kubeconfig });
    const transports = ["nuptse-test", "nuptse-world"].map((userAgent) => createHttpTransport({ credentials, clock, random, userAgent }));
    const [client, worldClient] = transports.map((transport) => createKubeClient(transport)) as [KubeClient, KubeClient];
    const folder = await mkdtemp(join(tmpdir(), "nuptse-integration-"));
    const around = { client: worldClient, clock, random, scheduler: false, nodeControllers: false, nodeLeases: true };
    const worlds = [
      await createWorld({
        ...around,
        nodes: options.nodes ?? ["n1", "n2", "n3"].map((name) => ({ name })),
        kubelet: { kind: "stages", behaviour: playedAs },
        timing: { admitMs: 5, sandboxMs: 20, observeExitMs: [0, 100], teardownMs: 200 },
      }),
    ];
    if (options.processNodes !== undefined)
      worlds.push(await createWorld({ ...around, nodes: options.processNodes, kubelet: { kind: "process", dataDir: folder } }));
    for (const namespace of options.namespaces) await createNamespace(plane.client, namespace, true);
    return new TestCluster(plane, client, transports, worlds, folder);
  }

  /** A kubectl of the administrator. */
  async kubectl(namespace: string): Promise<Kubectl> {
    const { kubectl } = await ensureBinaries(["kubectl"]);
    const made = await createKubectl(kubectl, this.plane.kubeconfigContent, namespace);
    this.#kubectls.push(made);
    return made;
  }

  /** Starts an operator process as the user `name`, who has the operator's rights and no others, or as whoever the kubeconfig says. */
  async operator(name: string, options: Partial<OperatorProcessOptions> = {}): Promise<OperatorProcess> {
    const kubeconfig = options.kubeconfig ?? (await this.plane.kubeconfigFor(name, [operatorGroup]));
    const operator = new OperatorProcess({ ...options, kubeconfig });
    this.#operators.push(operator);
    return operator;
  }

  async create(job: ElasticJob): Promise<ElasticJob> {
    return this.client.create(elasticJobs, job);
  }

  async job(namespace: string, name: string): Promise<ElasticJob> {
    return this.client.get<ElasticJob>(elasticJobs, { namespace, name });
  }

  /** Changes fields of a job's spec. */
  async edit(namespace: string, name: string, spec: object): Promise<ElasticJob> {
    return this.client.patch<ElasticJob>(elasticJobs, { namespace, name }, { type: "merge", body: { spec } });
  }

  /** Resolves with the job as soon as it is as wanted; the error tells its last status. */
  async until(
    namespace: string,
    name: string,
    what: string,
    isSo: (job: ElasticJob) => boolean | undefined,
    limitMs: number = timeLimits.run,
  ): Promise<ElasticJob> {
    return eventually(`${namespace}/${name}: ${what}`, limitMs, async () => {
      const job = await this.job(namespace, name);
      if (isSo(job)) return job;
      throw new Error(`its status is ${JSON.stringify(job.status, undefined, 1)}`);
    });
  }

  /** Resolves with the entry of a run in the history as soon as it has ended. */
  async ended(namespace: string, name: string, run: string, limitMs: number = timeLimits.run): Promise<ElasticJobRun> {
    const of = (job: ElasticJob) => job.status?.history?.find((entry) => entry.run === run);
    return of(await this.until(namespace, name, `run ${run} to end`, (job) => of(job) !== undefined, limitMs)) as ElasticJobRun;
  }

  /** The pods that exist of a job, by item and attempt. */
  async podsOf(namespace: string, name: string): Promise<readonly Pod[]> {
    const { items } = await this.client.list<Pod>(pods, { namespace, labelSelector: `${labels.job}=${name}` });
    const key = (pod: Pod) => `${pod.metadata.labels?.[labels.run]} ${itemOf(pod)} ${attemptOf(pod)}`;
    return [...items].sort((a, b) => key(a).localeCompare(key(b)));
  }

  /** Resolves with the pod of an item's attempt as soon as it is as wanted. */
  async pod(
    namespace: string,
    name: string,
    which: { readonly item?: number; readonly attempt?: number },
    isSo: (pod: Pod) => boolean | undefined = () => true,
    limitMs: number = timeLimits.run,
  ): Promise<Pod> {
    const { item = 0, attempt = 1 } = which;
    return eventually(`the pod of ${namespace}/${name}, item ${item}, attempt ${attempt}`, limitMs, async () => {
      const found = (await this.podsOf(namespace, name)).find((pod) => itemOf(pod) === item && attemptOf(pod) === attempt);
      return found !== undefined && isSo(found) ? found : undefined;
    });
  }

  /** Events about an object, oldest first. */
  async eventsOf(namespace: string, name: string): Promise<readonly KubeEvent[]> {
    const { items } = await this.client.list<KubeEvent>(events, { namespace });
    return items.filter((event) => event.regarding?.name === name).sort((a, b) => a.eventTime.localeCompare(b.eventTime));
  }

  async close(): Promise<void> {
    await Promise.all(this.#operators.filter((operator) => !operator.ended).map((operator) => operator.kill()));
    for (const world of this.#worlds) await world.close();
    for (const kubectl of this.#kubectls) await kubectl.close();
    for (const transport of this.#transports) transport.close();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const itemOf = (pod: Pod) => Number(pod.metadata.labels?.[labels.item]);
const attemptOf = (pod: Pod) => Number(pod.metadata.labels?.[labels.attempt]);

/** Whether the first container is at work. */
export function isRunning(pod: Pod): boolean {
  return pod.status?.containerStatuses?.[0]?.state?.running !== undefined;
}

/** The value of a variable of the first container. */
export function variable(pod: Pod, name: string): string | undefined {
  return pod.spec.containers[0]?.env?.find((entry) => entry.name === name)?.value;
}

/** Called in a `describe`: gives its tests a cluster of their own; skipped where a component cannot be had, a failure in CI. */
export function ownTestCluster(options: TestClusterOptions): () => TestCluster {
  let cluster: TestCluster | undefined;
  // Before the control plane's own end, which is registered next.
  after("close the suite's kubelets and operators", async function () {
    this.timeout(timeLimits.operatorEnd);
    await cluster?.close();
  });
  const plane = ownControlPlane({ components: { controllerManager: true, scheduler: true } });
  before("start the suite's kubelets", async function () {
    this.timeout(timeLimits.test);
    cluster = await TestCluster.start(plane(), options);
  });
  return () => {
    if (cluster === undefined) throw new Error("a cluster is there only while tests run");
    return cluster;
  };
}
