import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import type { CustomResourceDefinition } from "../../../src/api/core.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import {
  customResourceDefinitions,
  mutatingWebhookConfigurations,
  type Resource,
  secrets,
  validatingWebhookConfigurations,
} from "../../../src/api/resource.ts";
import type { Logger } from "../../../src/api/logger.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { settle, VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import type { Transport, TransportRequest } from "../../../src/kube/transport.ts";
import { noMetrics } from "../../../src/runtime/metrics.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { type CertificateTrouble, createCertificateKeeper } from "../../../src/webhook/certificate-keeper.ts";
import { endOf, type RotationTimes, type ServingCertificate } from "../../../src/webhook/certificate-record.ts";
import { at } from "../../support/builders/elastic-job.ts";
import { failure } from "../runtime/scripted-transport.ts";

const hour = 3_600_000;
const minute = 60_000;
const namespace = "kube-system";
const secretName = "nuptse-webhook-tls";
const configurations = [validatingWebhookConfigurations, mutatingWebhookConfigurations].map((resource) => ({ resource, name: "nuptse" }));

interface Configuration extends KubeObject {
  readonly webhooks: readonly { readonly name: string; readonly clientConfig: { readonly url: string; readonly caBundle?: string } }[];
}

const configuration = ({ kind }: Resource, bundle?: string): Configuration => ({
  kind,
  apiVersion: "admissionregistration.k8s.io/v1",
  metadata: { name: "nuptse" },
  webhooks: ["a", "b"].map((name) => ({ name, clientConfig: { url: "https://x", ...(bundle !== undefined && { caBundle: bundle }) } })),
});

/** The embedded server knows no webhook configurations: it is taught them as objects without a schema. */
const definitionOf = ({ group, version, plural, kind }: Resource): CustomResourceDefinition =>
  ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}`, annotations: { "api-approved.kubernetes.io": "unapproved, for a test" } },
    spec: {
      group,
      scope: "Cluster",
      names: { plural, kind, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  }) as unknown as CustomResourceDefinition;

interface Replica {
  readonly served: ServingCertificate[];
  readonly troubles: CertificateTrouble[];
  readonly log: string[];
  end(): void;
  /** While it says so, every request is refused. */
  broken?: () => boolean;
  /** Asked before each request is sent: the request waits for it. */
  hold?: (request: TransportRequest) => Promise<void>;
}

async function bench(times: RotationTimes) {
  const clock = new VirtualClock(at("08:00:00"));
  const random = createSeededRandom(1);
  const server = createApiServer({ clock, random });
  const admin = createKubeClient(inProcessTransport(server, { userAgent: "admin" }));
  for (const { resource } of configurations) await admin.create(customResourceDefinitions, definitionOf(resource));
  for (const { resource } of configurations) await admin.create(resource, configuration(resource));

  function replica(name: string, names: readonly string[] = ["hook.ns.svc"]): Replica {
    const ending = new AbortController();
    const inner = inProcessTransport(server, { userAgent: name });
    const made: Replica = { served: [], troubles: [], log: [], end: () => ending.abort() };
    const transport: Transport = {
      request: async (request) => {
        if (made.broken?.() === true) return failure(403, "Forbidden", "secrets is forbidden");
        // Whoever begins at the same instant comes in between.
        await settle();
        await made.hold?.(request);
        return inner.request(request);
      },
      stream: inner.stream.bind(inner),
    };
    const say = (message: string, fields?: unknown) => void made.log.push(`${message} ${JSON.stringify(fields)}`);
    const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
    const keeper = createCertificateKeeper({
      client: createKubeClient(transport),
      clock,
      random,
      logger,
      metrics: noMetrics,
      now: () => clock.now(),
      secret: { namespace, name: secretName },
      configurations,
      names,
      times,
      onCertificate: (certificate) => made.served.push(certificate),
      onTrouble: (trouble) => made.troubles.push(trouble),
    });
    void keeper.run(ending.signal);
    return made;
  }

  async function bundles(): Promise<readonly string[]> {
    const found = await Promise.all(configurations.map(({ resource, name }) => admin.get<Configuration>(resource, { name })));
    return found.flatMap(({ webhooks }) =>
      webhooks.map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? "", "base64").toString()),
    );
  }

  /** Lets time pass, looking on after every timer. */
  async function pass(durationMs: number, look: () => Promise<void> = async () => undefined): Promise<void> {
    const until = clock.now() + durationMs;
    for (let round = 0; round < 12; round++) await settle();
    while (clock.step(until)) {
      for (let round = 0; round < 12; round++) await settle();
      await look();
    }
    await clock.runUntil(until);
  }

  return { clock, admin, replica, bundles, pass };
}

const pemsOf = (bundle: string): readonly string[] => bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];

/** Whether a client that trusts the bundle would take the certificate. */
function isTrusted(certificate: ServingCertificate, bundle: string, now: number): boolean {
  const served = new X509Certificate(certificate.certificatePem);
  return (
    endOf(certificate) > now &&
    pemsOf(bundle).some((pem) => {
      const authority = new X509Certificate(pem);
      return authority.validToDate.getTime() > now && served.verify(authority.publicKey);
    })
  );
}

const days: RotationTimes = { validMs: 90 * hour, renewMs: 30 * hour, overlapMs: 10 * minute };

describe("webhook/certificate-keeper", function () {
  this.timeout(60_000);

  it("two replicas that begin at once serve the same certificate, and tell of its authority everywhere", async () => {
    const { replica, bundles, pass } = await bench(days);
    const [a, b] = [replica("a"), replica("b")];
    await pass(2 * minute);
    assert.equal(a.served.at(-1)?.certificatePem, b.served.at(-1)?.certificatePem);
    assert.equal([...a.log, ...b.log].filter((line) => line.includes("made, since there were none")).length, 1);
    const authority = a.served.at(-1)?.authorityPem;
    assert.deepEqual(await bundles(), [authority, authority, authority, authority]);
    for (const each of [a, b]) each.end();
  });

  it("over many rotations whatever a replica serves is trusted, by a server that hears of changes late too", async () => {
    const { clock, replica, bundles, pass } = await bench({ validMs: 3 * hour, renewMs: hour, overlapMs: 10 * minute });
    const replicas = [replica("a"), replica("b")];
    await pass(2 * minute);
    const seen: { readonly at: number; readonly bundles: readonly string[] }[] = [];
    await pass(9 * hour, async () => {
      const now = clock.now();
      seen.push({ at: now, bundles: await bundles() });
      while ((seen[0]?.at ?? now) < now - 30_000) seen.shift();
      for (const { served } of replicas) {
        const certificate = served.at(-1) as ServingCertificate;
        for (const { bundles: told } of seen)
          for (const bundle of told) assert.ok(isTrusted(certificate, bundle, now), `at ${new Date(now).toISOString()}`);
      }
    });
    // The first is 2 h old at 2:00 and is followed at 2:10 by one of 2:00; so it goes on every two hours.
    for (const { served } of replicas) assert.equal(served.length, 1 + 4);
    for (const bundle of await bundles()) assert.ok(pemsOf(bundle).length <= 2);
    const log = replicas.flatMap((each) => each.log).join("\n");
    assert.doesNotMatch(log, /PRIVATE KEY/);
    assert.doesNotMatch(log, /could not be looked after/);
    for (const each of replicas) each.end();
  });

  // Between any two of its requests a process may be stopped for hours; what it read before must not be written after.
  for (const stopped of ["get validatingwebhookconfigurations", "get secrets", "patch validatingwebhookconfigurations"]) {
    it(`a replica that stood still before its ${stopped} brings nothing back`, async () => {
      const { clock, admin, replica, bundles, pass } = await bench({ validMs: 3 * hour, renewMs: hour, overlapMs: 10 * minute });
      const [a, b] = [replica("a"), replica("b")];
      await pass(2 * minute);
      const goOn = Promise.withResolvers<void>();
      let stands = 0;
      a.hold = async ({ method, path }) => {
        if (!stopped.startsWith(method === "GET" ? "get" : "patch") || !path.includes(stopped.split(" ")[1] as string)) return;
        stands++;
        await goOn.promise;
      };
      // So that it has something to write.
      const stored = await admin.get<Configuration>(validatingWebhookConfigurations, { name: "nuptse" });
      b.hold = () => goOn.promise;
      await admin.replace(validatingWebhookConfigurations, {
        ...configuration(validatingWebhookConfigurations),
        metadata: stored.metadata,
      });
      await pass(minute);
      delete b.hold;
      const c = replica("c");
      await pass(5 * hour);
      assert.equal(stands, 1);
      const [before] = await bundles();
      goOn.resolve();
      for (let round = 0; round < 50; round++) {
        await settle();
        for (const bundle of await bundles()) assert.ok(isTrusted(c.served.at(-1) as ServingCertificate, bundle, clock.now()));
      }
      assert.equal((await bundles())[0], before);
      await pass(2 * minute);
      assert.equal(a.served.at(-1)?.certificatePem, c.served.at(-1)?.certificatePem);
      for (const each of [a, b, c]) each.end();
    });
  }

  it("puts back a bundle that somebody took away", async () => {
    const { admin, replica, bundles, pass } = await bench(days);
    const a = replica("a");
    await pass(2 * minute);
    const stored = await admin.get<Configuration>(validatingWebhookConfigurations, { name: "nuptse" });
    const bare = configuration(validatingWebhookConfigurations);
    await admin.replace(validatingWebhookConfigurations, { ...bare, metadata: stored.metadata });
    await pass(2 * minute);
    const authority = a.served.at(-1)?.authorityPem;
    assert.deepEqual(await bundles(), [authority, authority, authority, authority]);
    a.end();
  });

  it("a configuration that is not installed is not missed, and is told when it comes", async () => {
    const { admin, replica, bundles, pass } = await bench(days);
    await admin.delete(mutatingWebhookConfigurations, { name: "nuptse" });
    const a = replica("a");
    await pass(2 * minute);
    assert.deepEqual([a.served.length, a.troubles], [1, []]);
    await admin.create(mutatingWebhookConfigurations, configuration(mutatingWebhookConfigurations));
    await pass(2 * minute);
    assert.equal(
      (await bundles()).every((bundle) => bundle === a.served[0]?.authorityPem),
      true,
    );
    a.end();
  });

  it("a Secret that was deleted or broken is made anew around the certificate that is served", async () => {
    const { admin, replica, bundles, pass } = await bench(days);
    const a = replica("a");
    await pass(2 * minute);
    const before = a.served.at(-1);
    await admin.delete(secrets, { namespace, name: secretName });
    await pass(2 * minute);
    assert.equal(a.served.at(-1), before);
    assert.equal(pemsOf((await bundles())[0] ?? "").length, 2);
    await pass(hour);
    assert.equal(a.served.length, 2);
    await admin.patch(secrets, { namespace, name: secretName }, { type: "merge", body: { data: { "tls.key": btoa("nonsense") } } });
    await pass(2 * hour);
    assert.equal(a.served.length, 3);
    assert.equal(isTrusted(a.served[2] as ServingCertificate, (await bundles())[0] ?? "", at("12:00:00")), true);
    a.end();
  });

  it("a new replica takes up what is there, and begins nothing", async () => {
    const { replica, pass } = await bench(days);
    const a = replica("a");
    await pass(2 * minute);
    a.end();
    const b = replica("b");
    await pass(2 * minute);
    assert.deepEqual(b.served, a.served);
    b.end();
  });

  it("where all replicas were gone until the certificate had ended, a new one is served and told at once", async () => {
    const { clock, replica, bundles, pass } = await bench(days);
    const a = replica("a");
    await pass(2 * minute);
    a.end();
    await pass(100 * hour);
    const b = replica("b");
    await pass(2 * minute);
    assert.equal(isTrusted(b.served.at(-1) as ServingCertificate, (await bundles())[0] ?? "", clock.now()), true);
    b.end();
  });

  it("one failure is a line in the log; more are told, with the reason and until when it goes on, and so is their end", async () => {
    const { clock, replica, pass } = await bench(days);
    const a = replica("a");
    await pass(2 * minute);
    const until = clock.now() + minute + 1;
    a.broken = () => clock.now() < until;
    await pass(2 * minute);
    assert.equal(a.log.filter((line) => line.includes("could not be looked after")).length, 1);
    assert.deepEqual(a.troubles, []);
    a.broken = () => true;
    await pass(10 * minute);
    assert.match(
      (a.troubles as readonly CertificateTrouble[])[0]?.note ?? "",
      /^the certificates of kube-system\/nuptse-webhook-tls cannot be looked after; the one that is served ends at 2026-11-25T02:00:0\d\.000Z: .*forbidden/,
    );
    a.broken = () => false;
    await pass(2 * minute);
    assert.deepEqual(a.troubles.at(-1), {
      kind: "recovered",
      note: "the certificates of kube-system/nuptse-webhook-tls are looked after again",
    });
    assert.equal(a.served.length, 1);
    a.end();
  });
});
