import type { SpecProblem } from "../api/problem.ts";
import { canonicalJson } from "../base/hash.ts";
import type { Clock } from "../base/clock.ts";
import { type PublishedService, serviceKey } from "../haproxy/rules/published-service.ts";
import { serviceProblems } from "../haproxy/rules/service-problems.ts";
import type { GatewaySettings } from "../haproxy/rules/settings.ts";

interface Refused {
  readonly shape: string;
  readonly reason: string;
  readonly until: number;
}

/** What HAProxy did not take may be taken later: a port in use is free one day. */
const tryAgainMs = 300_000;

/**
 * Which services ask for something that cannot be had, and what they had before. A service that is refused keeps being served as it was, with
 * the instances that it has now.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #refused = new Map<string, Refused>();
  /** As it was when HAProxy took it. */
  readonly #proven = new Map<string, PublishedService>();
  readonly #shapes = new WeakMap<PublishedService, string>();
  readonly #substitutes = new WeakMap<PublishedService, { readonly before: PublishedService; readonly substitute: PublishedService }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts what they had before in the place of those that are refused, and tells why. */
  settle(
    offered: readonly PublishedService[],
    settings: Pick<GatewaySettings, "pools">,
  ): { readonly candidates: readonly PublishedService[]; readonly problems: ReadonlyMap<string, readonly SpecProblem[]> } {
    const problems = new Map<string, readonly SpecProblem[]>();
    const present = new Set<string>();
    const candidates = offered.flatMap((service) => {
      const key = serviceKey(service);
      present.add(key);
      const found = this.isProven(service) ? [] : serviceProblems(service, settings);
      const refused = this.#refusal(service);
      if (found.length === 0 && refused === undefined) return [service];
      const said = refused === undefined ? [] : [{ path: `spec.services[${JSON.stringify(service.name)}]`, message: refused.reason }];
      problems.set(key, [...found, ...said]);
      return this.before(service);
    });
    for (const key of [...this.#proven.keys()]) if (!present.has(key)) this.#proven.delete(key);
    for (const key of [...this.#refused.keys()]) if (!present.has(key)) this.#refused.delete(key);
    return { candidates, problems };
  }

  /** The service as HAProxy took it last, with its present instances; none where it never did. */
  before(service: PublishedService): readonly PublishedService[] {
    const before = this.#proven.get(serviceKey(service));
    if (before === undefined) return [];
    const known = this.#substitutes.get(service);
    if (known?.before === before) return [known.substitute];
    const substitute = { ...before, instances: service.instances };
    this.#substitutes.set(service, { before, substitute });
    return [substitute];
  }

  /** Whether HAProxy runs the service as it is, but for its instances. */
  isProven(service: PublishedService): boolean {
    const proven = this.#proven.get(serviceKey(service));
    return proven !== undefined && this.#shapeOf(proven) === this.#shapeOf(service);
  }

  prove(service: PublishedService): void {
    this.#proven.set(serviceKey(service), service);
    if (this.#refused.get(serviceKey(service))?.shape === this.#shapeOf(service)) this.#refused.delete(serviceKey(service));
  }

  refuse(service: PublishedService, reason: string): void {
    this.#refused.set(serviceKey(service), { shape: this.#shapeOf(service), reason, until: this.#clock.monotonic() + tryAgainMs });
  }

  #refusal(service: PublishedService): Refused | undefined {
    const refused = this.#refused.get(serviceKey(service));
    if (refused === undefined) return undefined;
    return refused.shape === this.#shapeOf(service) && this.#clock.monotonic() < refused.until ? refused : undefined;
  }

  #shapeOf(service: PublishedService): string {
    const known = this.#shapes.get(service);
    if (known !== undefined) return known;
    const { instances: _, ...shape } = service;
    const text = canonicalJson(shape);
    this.#shapes.set(service, text);
    return text;
  }
}
