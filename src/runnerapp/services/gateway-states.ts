import type { GatewayState, ServerReport, ServicesAnswer } from "../../api/gateway-state.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { Clock } from "../../base/clock.ts";
import type { DrainView, GatewayAnswer } from "../rules/drain.ts";
import type { GatewayPod } from "../rules/services/gateway-pod.ts";
import { summarize } from "../rules/services/summary.ts";
import type { AskGateway } from "./gateway-request.ts";

export interface GatewayStatesOptions {
  readonly ask: AskGateway;
  readonly clock: Clock;
  /** Services, as namespace/name, of which a gateway says something else than before. */
  readonly onChange: (services: ReadonlySet<string>) => void;
  /** A gateway does not answer; told again when it has answered meanwhile. */
  readonly onError: (error: unknown) => void;
}

/** What the gateways say of instances, kept up to date. */
export interface GatewayStates {
  /** These are all; those that are Ready are asked from now on, the others no more. */
  follow(gateways: Iterable<GatewayPod>): void;
  /** What they say of an app's instances; undefined while it publishes nothing. */
  viewOf(app: RunnerApp): DrainView | undefined;
  /** What passes through the services of a namespace, or of all (*), asked now. */
  figures(namespace: string): Promise<ServicesAnswer>;
  stop(): void;
}

/** What a gateway says of an instance of a service, and since when it is in that state. */
interface Said extends ServerReport {
  readonly since: number;
}

/** One gateway that is asked. */
interface Followed {
  readonly address: string;
  readonly ending: AbortController;
  /** Of its last answer; absent = it does not answer. */
  said?: { readonly byPod: ReadonlyMap<string, readonly Said[]>; readonly since: number };
}

const againAfterMs = 1000;
/** People wait for figures. */
const figuresWithinMs = 3000;
/** So long the same figures are told. */
const figuresAgainMs = 1000;

/** Asks every gateway that is Ready, over and over: the agent answers when something has changed. Nothing is written (decision 8). */
export function createGatewayStates(options: GatewayStatesOptions): GatewayStates {
  const { ask, clock } = options;
  const followed = new Map<string, Followed>();
  const figures = new Map<string, { readonly at: number; readonly answer: Promise<ServicesAnswer> }>();
  let heardSince = clock.now();

  async function keepAsking(gateway: Followed): Promise<void> {
    const { address, ending } = gateway;
    const { signal } = ending;
    let before: GatewayState | undefined;
    let isTold = false;
    while (!signal.aborted) {
      try {
        const state = await ask(address, before === undefined ? {} : { after: before.version }, signal);
        const changed = changedServices(before, state);
        before = state;
        isTold = false;
        if (gateway.said === undefined) heardSince = clock.now();
        gateway.said = { since: gateway.said?.since ?? clock.now(), byPod: said(state.servers, gateway.said?.byPod, clock.now()) };
        if (changed.size > 0) options.onChange(changed);
      } catch (error) {
        if (signal.aborted) return;
        // What it said is not true for ever: until it answers again it says nothing.
        const all = new Set(before?.servers.map(({ service }) => service));
        if (gateway.said !== undefined) heardSince = clock.now();
        delete gateway.said;
        before = undefined;
        if (!isTold) options.onError(new Error(`the gateway at ${address} does not tell its state`, { cause: error }));
        isTold = true;
        if (all.size > 0) options.onChange(all);
        await clock.sleep(againAfterMs, signal).catch(() => undefined);
      }
    }
  }

  async function askFigures(namespace: string): Promise<ServicesAnswer> {
    const gateways = [...followed.values()];
    const asked = gateways.map(async ({ address, ending }) => {
      const late = new AbortController();
      const timer = clock.after(figuresWithinMs, () => late.abort(new Error(`no answer within ${figuresWithinMs} ms`)));
      try {
        return await ask(address, { figures: namespace }, AbortSignal.any([ending.signal, late.signal]));
      } finally {
        timer.cancel();
      }
    });
    const told = (await Promise.allSettled(asked)).flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    return { gateways: { ready: gateways.length, told: told.length }, services: summarize(told) };
  }

  return {
    follow(gateways) {
      const wanted = new Map<string, string>();
      for (const { metadata, addresses, isReady, isDeleting } of gateways) {
        const [address] = addresses;
        if (isReady && !isDeleting && address !== undefined) wanted.set(metadata.uid as string, address);
      }
      for (const [uid, { ending }] of followed)
        if (!wanted.has(uid)) {
          ending.abort();
          followed.delete(uid);
          heardSince = clock.now();
        }
      for (const [uid, address] of wanted)
        if (!followed.has(uid)) {
          const gateway: Followed = { address, ending: new AbortController() };
          if (followed.size === 0) heardSince = clock.now();
          followed.set(uid, gateway);
          void keepAsking(gateway);
        }
    },

    viewOf({ metadata, status }) {
      const services = new Set(
        (status?.services ?? []).flatMap(({ name, gatewayPort }) => (gatewayPort === undefined ? [] : `${metadata.namespace}/${name}`)),
      );
      if (services.size === 0) return undefined;
      return {
        gateways: followed.size,
        heardSince,
        answersOn: (podUid) => [...followed.values()].flatMap((gateway) => answersOf(gateway, podUid, services)),
      };
    },

    figures(namespace) {
      const known = figures.get(namespace);
      if (known !== undefined && clock.monotonic() < known.at + figuresAgainMs) return known.answer;
      const answer = askFigures(namespace);
      for (const [name, { at }] of figures) if (clock.monotonic() >= at + figuresAgainMs) figures.delete(name);
      figures.set(namespace, { at: clock.monotonic(), answer });
      return answer;
    },

    stop() {
      for (const { ending } of followed.values()) ending.abort();
      followed.clear();
    },
  };
}

const states = { up: "Up", down: "Down", drain: "Drain", maint: "Maint" } as const;

const keyOf = ({ service, pod, address }: ServerReport): string => `${service} ${pod} ${address}`;

/** Reports by pod, each with the moment since which it is so. */
function said(
  servers: readonly ServerReport[],
  before: ReadonlyMap<string, readonly Said[]> | undefined,
  now: number,
): ReadonlyMap<string, readonly Said[]> {
  const known = new Map([...(before?.values() ?? [])].flat().map((one) => [keyOf(one), one]));
  return Map.groupBy(
    servers.map((server): Said => {
      const old = known.get(keyOf(server));
      return { ...server, since: old?.state === server.state ? old.since : now };
    }),
    ({ pod }) => pod,
  );
}

/** An answer for each service: whoever asks whether an instance is up, or is drained, means all of them. */
function answersOf({ said: answer }: Followed, podUid: string, services: ReadonlySet<string>): readonly GatewayAnswer[] {
  if (answer === undefined) return [];
  const own = answer.byPod.get(podUid)?.filter(({ service }) => services.has(service)) ?? [];
  if (own.length === 0) return [{ state: "Unknown", sessions: 0, since: answer.since }];
  return own.map(({ state, sessions, since }) => ({ state: states[state], sessions: sessions ?? 0, since }));
}

function changedServices(before: GatewayState | undefined, now: GatewayState): ReadonlySet<string> {
  const textOf = (server: ServerReport) => `${keyOf(server)} ${server.state} ${server.sessions ?? ""}`;
  const [old, fresh] = [before?.servers ?? [], now.servers].map(
    (servers) => new Map(servers.map((server) => [textOf(server), server.service])),
  );
  const changed = new Set<string>();
  for (const [text, service] of old ?? []) if (fresh?.has(text) !== true) changed.add(service);
  for (const [text, service] of fresh ?? []) if (old?.has(text) !== true) changed.add(service);
  return changed;
}
