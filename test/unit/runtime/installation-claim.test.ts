import assert from "node:assert/strict";
import type { Lease } from "../../../src/api/core.ts";
import { silentLogger } from "../../../src/api/logger.ts";
import { annotations } from "../../../src/api/names.ts";
import { customResourceDefinitions, leases, namespaces } from "../../../src/api/resource.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { formatMicros } from "../../../src/base/time.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import type { KubeClient } from "../../../src/kube/client.ts";
import { TimedOutError } from "../../../src/kube/errors.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { Transport } from "../../../src/kube/transport.ts";
import { createInstallationClaim, type InstallationClaim } from "../../../src/runtime/installation-claim.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../../src/simulator/harness/crds.ts";

const start = Date.UTC(2026, 10, 21, 9, 0, 0);
const name = "nuptse-operator";
const definition = { name: "elasticjobs.nuptse.dev" };

/** A cluster whose API server does as it is told, and may not say so. */
class Cluster {
  readonly clock = new VirtualClock(start);
  readonly client: KubeClient;
  /** Which requests are not answered from now on; undefined = all are. */
  away: ((path: string, method: string) => boolean) | undefined;
  readonly errors: unknown[] = [];
  readonly #inner: Transport;

  constructor() {
    const server = createApiServer({ clock: this.clock, random: createSeededRandom(1) });
    this.#inner = inProcessTransport(server, { userAgent: "test" });
    this.client = createKubeClient(this.#inner);
  }

  async define(): Promise<void> {
    for (const crd of readCrds()) await this.client.create(customResourceDefinitions, crd);
    for (const namespace of ["a", "b"])
      await this.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  }

  claim(namespace: string): InstallationClaim {
    const transport: Transport = {
      request: async (request) => {
        await this.clock.sleep(1);
        const answer = await this.#inner.request(request);
        if (this.away?.(request.path, request.method) === true) throw new TimedOutError("no answer");
        return answer;
      },
      stream: (request, signal) => this.#inner.stream(request, signal),
    };
    return createInstallationClaim({
      client: createKubeClient(transport),
      clock: this.clock,
      logger: silentLogger,
      onError: (error) => this.errors.push(error),
      lease: { namespace, name },
      serverNow: () => this.clock.now(),
    });
  }

  async annotation(): Promise<string | undefined> {
    return (await this.client.get(customResourceDefinitions, definition)).metadata.annotations?.[annotations.installation];
  }

  async annotate(value: string | null): Promise<void> {
    const body = { metadata: { annotations: { [annotations.installation]: value } } };
    await this.client.patch(customResourceDefinitions, definition, { type: "merge", body });
  }

  /** Its lease, renewed so long ago. */
  async lease(namespace: string, agoMs: number): Promise<void> {
    const spec = { holderIdentity: "x", renewTime: formatMicros(this.clock.now() - agoMs) };
    const lease: Lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace }, spec };
    await this.client.create(leases, lease);
  }

  async renew(namespace: string): Promise<void> {
    const body = { spec: { renewTime: formatMicros(this.clock.now()) } };
    await this.client.patch(leases, { namespace, name }, { type: "merge", body });
  }

  /** What has become of it after so long. */
  async after(ms: number, verdict: Promise<string | undefined>): Promise<string> {
    let text = "open";
    void verdict.then((refusal) => (text = refusal ?? "settled"));
    await this.clock.runUntil(this.clock.now() + ms);
    return text;
  }
}

const never = new AbortController().signal;

describe("whose cluster it is", () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = new Cluster();
    await cluster.define();
  });

  it("belongs to the first who asks, again after a restart, and to one of two who ask at once", async () => {
    const [a, b] = [cluster.claim("a"), cluster.claim("b")];
    const [first, second] = [a.settle(never), b.settle(never)];
    assert.deepEqual([await cluster.after(100, first), await cluster.after(0, second)], ["settled", "open"]);
    assert.equal(await cluster.annotation(), "a/nuptse-operator");
    assert.equal(await cluster.after(10, cluster.claim("a").settle(never)), "settled");
    assert.deepEqual(cluster.errors, []);
  });

  it("is refused to others while its installation is at work, with what to do", async () => {
    await cluster.lease("a", 0);
    await cluster.after(100, cluster.claim("a").settle(never));
    const b = cluster.claim("b");
    const verdict = b.settle(never);
    assert.equal(await cluster.after(1000, verdict), "open");
    assert.match(b.notReady() ?? "", /waiting whether the installation a\/nuptse-operator, .* is gone/);
    await cluster.renew("a");
    assert.equal(
      await cluster.after(5000, verdict),
      "the installation a/nuptse-operator looks after this cluster and is at work; uninstall one of the two, this one is b/nuptse-operator " +
        "(annotation nuptse.dev/installation of customresourcedefinition elasticjobs.nuptse.dev)",
    );
    assert.equal(b.refusal, await verdict);
    assert.equal(b.notReady(), undefined);
    assert.equal(await cluster.annotation(), "a/nuptse-operator");
  });

  it("is taken over from an installation that is gone, 20 s before anything is done with it", async () => {
    await cluster.lease("a", 600_000);
    await cluster.annotate("a/nuptse-operator");
    const verdict = cluster.claim("b").settle(never);
    assert.equal(await cluster.after(29_000, verdict), "open");
    assert.equal(await cluster.annotation(), "a/nuptse-operator");
    assert.equal(await cluster.after(5000, verdict), "open");
    assert.equal(await cluster.annotation(), "b/nuptse-operator");
    assert.equal(await cluster.after(20_000, verdict), "settled");
  });

  it("is taken over where the namespace of the installation is gone", async () => {
    await cluster.annotate("elsewhere/nuptse-operator");
    assert.equal(await cluster.after(60_000, cluster.claim("b").settle(never)), "settled");
  });

  it("is left to an installation whose lease was given up a minute ago, until 5 minutes are over", async () => {
    await cluster.lease("a", 60_000);
    await cluster.annotate("a/nuptse-operator");
    const verdict = cluster.claim("b").settle(never);
    assert.equal(await cluster.after(235_000, verdict), "open");
    assert.equal(await cluster.after(30_000, verdict), "settled");
  });

  it("is not taken for abandoned because the API server was away", async () => {
    await cluster.lease("a", 600_000);
    await cluster.annotate("a/nuptse-operator");
    const verdict = cluster.claim("b").settle(never);
    await cluster.after(20_000, verdict);
    cluster.away = (path) => path.includes("/leases/");
    await cluster.after(20_000, verdict);
    cluster.away = undefined;
    await cluster.after(3000, verdict);
    await cluster.renew("a");
    assert.match(await cluster.after(5000, verdict), /is at work/);
    assert.ok(cluster.errors.length > 0);
  });

  it("stays with the older installation that comes back before the claim is taken, and goes with the newer one after", async () => {
    await cluster.lease("a", 600_000);
    await cluster.annotate("a/nuptse-operator");
    const a = cluster.claim("a");
    assert.equal(await cluster.after(10, a.settle(never)), "settled");
    const follows = a.follow(never);
    const verdict = cluster.claim("b").settle(never);
    // It has the claim, and does not renew its lease: its clock is off, say.
    assert.match(
      await cluster.after(45_000, follows),
      /the installation b\/nuptse-operator looks after this cluster and has taken it over/,
    );
    assert.equal(await cluster.after(20_000, verdict), "settled");
  });

  it("cannot be told from nonsense in the annotation", async () => {
    await cluster.annotate("mine");
    assert.match(await cluster.after(100, cluster.claim("b").settle(never)), /take the annotation away to claim it/);
  });

  it("is claimed again when the definition was made anew", async () => {
    const a = cluster.claim("a");
    await cluster.after(10, a.settle(never));
    const follows = a.follow(never);
    await cluster.annotate(null);
    assert.equal(await cluster.after(15_000, follows), "open");
    assert.equal(await cluster.annotation(), "a/nuptse-operator");
  });

  it("is claimed although the answer to the claim was lost", async () => {
    const a = cluster.claim("a");
    cluster.away = (_, method) => method === "PATCH";
    const verdict = a.settle(never);
    assert.equal(await cluster.after(1000, verdict), "open");
    assert.equal(await cluster.after(5000, verdict), "settled");
  });

  it("waits for no verdict when it is asked to stop", async () => {
    await cluster.annotate("elsewhere/nuptse-operator");
    const stopping = new AbortController();
    const b = cluster.claim("b");
    const verdict = b.settle(stopping.signal);
    await cluster.after(1000, verdict);
    stopping.abort();
    assert.equal(await cluster.after(0, verdict), "settled");
    assert.equal(await cluster.annotation(), "elsewhere/nuptse-operator");
    assert.equal(b.refusal, undefined);
  });
});

describe("whose cluster it is where the kinds are not defined", () => {
  it("is not asked at the start, and waited for before anybody leads", async () => {
    const cluster = new Cluster();
    assert.equal(await cluster.after(100, cluster.claim("a").settle(never, { definedOnly: true })), "settled");
    const verdict = cluster.claim("a").settle(never);
    assert.equal(await cluster.after(10_000, verdict), "open");
    await cluster.define();
    assert.equal(await cluster.after(3000, verdict), "settled");
    assert.equal(await cluster.annotation(), "a/nuptse-operator");
    assert.deepEqual(cluster.errors, []);
  });
});
