import { type EndpointSlice, sliceServiceLabel } from "../api/endpoint-slice.ts";
import type { Logger } from "../api/logger.ts";
import { identityOf } from "../api/meta.ts";
import type { SpecProblem } from "../api/problem.ts";
import { endpointSlices, runnerApps } from "../api/resource.ts";
import type { Clock } from "../base/clock.ts";
import { equalJson } from "../base/diff.ts";
import type { Random } from "../base/random.ts";
import type { PublishedService } from "../haproxy/rules/published-service.ts";
import type { KubeClient } from "../kube/client.ts";
import { createInformer, type Informer } from "../kube/informer.ts";
import { createCertificateReader } from "./certificates.ts";
import { instancesServiceOf, type PublishingApp } from "./rules/published-app.ts";
import { type AppServices, secretsOf, servicesOfApp } from "./rules/services.ts";
import type { ServiceSource, SourceView } from "./source.ts";

export interface KubeSourceOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A source that follows the API server until it is stopped. */
export interface KubeSource extends ServiceSource {
  start(): void;
  stop(): void;
}

interface Known extends AppServices {
  readonly app: PublishingApp;
  readonly slices: readonly EndpointSlice[];
  /** Counts changes of certificates; 0 for an app that needs none. */
  readonly certificates: number;
}

/** RunnerApps and EndpointSlices as the API server has them. Own caches: it needs nothing of the operator. */
export function createKubeSource({ client, clock, random, logger }: KubeSourceOptions): KubeSource {
  const ending = new AbortController();
  const known = new Map<string, Known>();
  let listener: () => void = () => undefined;
  let view: SourceView | undefined;
  let certificateChanges = 1;
  const failing = new Map<string, number>();

  const changed = () => {
    view = undefined;
    listener();
  };
  const common = (kind: string) => ({
    client,
    clock,
    random,
    onError: (error: unknown) => {
      if (!failing.has(kind)) logger.warn("a watch of the API server failed; what HAProxy has stays", { kind, error });
      failing.set(kind, clock.monotonic());
    },
  });
  const apps: Informer<PublishingApp, "instances"> = createInformer<PublishingApp, "instances">({
    ...common("runnerapps"),
    resource: runnerApps,
    project: projectApp,
    indexes: { instances: (app) => (isPublishing(app) ? [instancesKey(app)] : []) },
    onChange({ object, previous, type }) {
      if (type === "modified" && previous !== undefined && saysTheSame(object, previous)) return;
      if (isPublishing(object) || (previous !== undefined && isPublishing(previous))) changed();
    },
  });
  const slices: Informer<EndpointSlice, "service"> = createInformer<EndpointSlice, "service">({
    ...common("endpointslices"),
    resource: endpointSlices,
    project: projectSlice,
    indexes: { service: serviceKeys },
    // The slices of a cluster change all the time, and those that the operator publishes all at once when a gateway comes or goes.
    onChange({ object, previous }) {
      const services = [object, previous].flatMap((slice) => (slice === undefined ? [] : serviceKeys(slice)));
      if (services.some((service) => apps.store.byIndex("instances", service).length > 0)) changed();
    },
  });
  const certificates = createCertificateReader({
    client,
    clock,
    logger,
    onChange: () => {
      certificateChanges++;
      changed();
    },
  });

  function compute(now: number): SourceView {
    const services: PublishedService[] = [];
    const problems = new Map<string, readonly SpecProblem[]>();
    const present = new Set<string>();
    const needed = new Set<string>();
    let changesAt = Number.POSITIVE_INFINITY;
    const publishing = [...apps.store.all()].filter(isPublishing);
    for (const app of publishing) for (const name of secretsOf(app)) needed.add(`${app.metadata.namespace}/${name}`);
    certificates.need(needed);
    for (const app of publishing) {
      const key = `${app.metadata.namespace}/${app.metadata.name}`;
      present.add(key);
      const found = look(key, app, now);
      services.push(...found.services);
      for (const [name, list] of found.problems) problems.set(`${app.metadata.namespace}/${name}`, list);
      changesAt = Math.min(changesAt, found.changesAt);
    }
    for (const key of [...known.keys()]) if (!present.has(key)) known.delete(key);
    return {
      complete: apps.store.synced && slices.store.synced,
      services,
      problems,
      silentForMs: 0,
      ...(Number.isFinite(changesAt) && { changesAt }),
    };
  }

  /** What an app came to the last time, while nothing of it has changed: then its services are the same objects. */
  function look(key: string, app: PublishingApp, now: number): Known {
    const of = slices.store.byIndex("service", instancesKey(app));
    const version = secretsOf(app).length === 0 ? 0 : certificateChanges;
    const before = known.get(key);
    if (before !== undefined && before.slices === of && before.certificates === version && now < before.changesAt) {
      if (before.app === app) return before;
      if (saysTheSame(before.app, app)) {
        const same = { ...before, app };
        known.set(key, same);
        return same;
      }
    }
    const certificateOf = (name: string) => certificates.get(app.metadata.namespace ?? "", name);
    const found = servicesOfApp(app, of, certificateOf, before?.memory ?? new Map(), now);
    const entry = { ...found, app, slices: of, certificates: version };
    known.set(key, entry);
    return entry;
  }

  /** A watch that failed and has not been heard of since: from its last sign of life. */
  function silentForMs(now: number): number {
    let longest = 0;
    for (const [kind, informer] of [["runnerapps", apps] as const, ["endpointslices", slices] as const]) {
      const failedAt = failing.get(kind);
      if (failedAt === undefined) continue;
      const heardAt = informer.lastEventAt ?? 0;
      if (heardAt > failedAt) failing.delete(kind);
      else longest = Math.max(longest, now - heardAt);
    }
    return longest;
  }

  return {
    view() {
      const now = clock.monotonic();
      if (view === undefined || now >= (view.changesAt ?? Number.POSITIVE_INFINITY)) view = compute(now);
      return { ...view, complete: apps.store.synced && slices.store.synced, silentForMs: silentForMs(now) };
    },
    onChange(listen) {
      listener = listen;
    },
    start() {
      for (const informer of [apps, slices]) informer.start(ending.signal);
      for (const informer of [apps, slices]) informer.synced.then(changed, () => undefined);
    },
    stop() {
      ending.abort(new Error("the gateway stops"));
      certificates.stop();
    },
  };
}

const isPublishing = ({ spec }: PublishingApp): boolean => (spec.services?.length ?? 0) > 0;

/** "namespace/name" of the Service whose slices are those of the app's instances. */
const instancesKey = (app: PublishingApp): string => `${app.metadata.namespace}/${instancesServiceOf(app)}`;

/** The same of the Service that a slice is of. */
function serviceKeys({ metadata }: EndpointSlice): readonly string[] {
  const service = metadata.labels?.[sliceServiceLabel];
  return service === undefined ? [] : [`${metadata.namespace}/${service}`];
}

/** Of one name; what else has changed of an app, such as its counts, is none of the gateway's business. */
const saysTheSame = (one: PublishingApp, other: PublishingApp): boolean =>
  one.metadata.creationTimestamp === other.metadata.creationTimestamp &&
  equalJson(one.spec, other.spec) &&
  equalJson(one.status, other.status);

function projectApp({ apiVersion, kind, metadata, spec, status }: PublishingApp): PublishingApp {
  const { services, endpoints, evacuation } = spec;
  return {
    ...(apiVersion !== undefined && { apiVersion }),
    ...(kind !== undefined && { kind }),
    metadata: {
      ...identityOf(metadata),
      ...(metadata.creationTimestamp !== undefined && { creationTimestamp: metadata.creationTimestamp }),
    },
    spec: {
      ...(services !== undefined && { services }),
      ...(endpoints !== undefined && { endpoints }),
      ...(evacuation !== undefined && { evacuation }),
    },
    ...(status?.services !== undefined && { status: { services: status.services } }),
  };
}

function projectSlice({ apiVersion, kind, metadata, addressType, endpoints, ports }: EndpointSlice): EndpointSlice {
  const service = metadata.labels?.[sliceServiceLabel];
  return {
    ...(apiVersion !== undefined && { apiVersion }),
    ...(kind !== undefined && { kind }),
    metadata: { ...identityOf(metadata), ...(service !== undefined && { labels: { [sliceServiceLabel]: service } }) },
    addressType,
    endpoints: (endpoints ?? []).map(({ addresses, conditions, targetRef }) => ({
      addresses: addresses.slice(0, 1),
      ...(conditions !== undefined && { conditions }),
      ...(targetRef !== undefined && {
        targetRef: {
          ...(targetRef.kind !== undefined && { kind: targetRef.kind }),
          ...(targetRef.name !== undefined && { name: targetRef.name }),
          ...(targetRef.uid !== undefined && { uid: targetRef.uid }),
        },
      }),
    })),
    ports: ports ?? [],
  };
}
