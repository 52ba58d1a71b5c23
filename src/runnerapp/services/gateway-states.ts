import type { GatewayState, ServerReport } from "../../api/gateway-state.ts";
import type { RunnerApp } from "../../api/runner-app.gen.ts";
import type { Clock } from "../../base/clock.ts";
import type { DrainView, GatewayAnswer } from "../rules/drain.ts";
import type { GatewayPod } from "../rules/services/gateway-pod.ts";
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
  stop(): void;
}

/** One gateway that is asked. */
interface Followed {
  readonly ending: AbortController;
  /** Of its last answer; absent = it does not answer. By pod UID. */
  servers?: ReadonlyMap<string, readonly ServerReport[]>;
}

const againAfterMs = 1000;

/** Asks every gateway that is Ready, over and over: the agent answers when something has changed. Nothing is written (decision 8). */
export function createGatewayStates(options: GatewayStatesOptions): GatewayStates {
  const { ask, clock } = options;
  const followed = new Map<string, Followed>();

  async function keepAsking(address: string, gateway: Followed): Promise<void> {
    const { signal } = gateway.ending;
    let before: GatewayState | undefined;
    let isTold = false;
    while (!signal.aborted) {
      try {
        const state = await ask(address, before?.version, signal);
        const changed = changedServices(before, state);
        before = state;
        isTold = false;
        gateway.servers = Map.groupBy(state.servers, ({ pod }) => pod);
        if (changed.size > 0) options.onChange(changed);
      } catch (error) {
        if (signal.aborted) return;
        // What it said is not true for ever: until it answers again it says nothing.
        const all = new Set(before?.servers.map(({ service }) => service));
        delete gateway.servers;
        before = undefined;
        if (!isTold) options.onError(new Error(`the gateway at ${address} does not tell its state`, { cause: error }));
        isTold = true;
        if (all.size > 0) options.onChange(all);
        await clock.sleep(againAfterMs, signal).catch(() => undefined);
      }
    }
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
        }
      for (const [uid, address] of wanted)
        if (!followed.has(uid)) {
          const gateway: Followed = { ending: new AbortController() };
          followed.set(uid, gateway);
          void keepAsking(address, gateway);
        }
    },

    viewOf({ metadata, status }) {
      const services = new Set(
        (status?.services ?? []).flatMap(({ name, gatewayPort }) => (gatewayPort === undefined ? [] : `${metadata.namespace}/${name}`)),
      );
      if (services.size === 0) return undefined;
      return {
        gateways: followed.size,
        answersOn: (podUid) =>
          [...followed.values()].flatMap(({ servers }) => (servers === undefined ? [] : answersOf(servers.get(podUid), services))),
      };
    },

    stop() {
      for (const { ending } of followed.values()) ending.abort();
      followed.clear();
    },
  };
}

const states = { up: "Up", down: "Down", drain: "Drain", maint: "Maint" } as const;

/** An answer for each service: whoever asks whether an instance is up, or is drained, means all of them. */
function answersOf(reports: readonly ServerReport[] | undefined, services: ReadonlySet<string>): readonly GatewayAnswer[] {
  const own = reports?.filter(({ service }) => services.has(service)) ?? [];
  if (own.length === 0) return [{ state: "Unknown", sessions: 0 }];
  return own.map(({ state, sessions }) => ({ state: states[state], sessions: sessions ?? 0 }));
}

function changedServices(before: GatewayState | undefined, now: GatewayState): ReadonlySet<string> {
  const textOf = ({ service, pod, address, state, sessions }: ServerReport) => `${service} ${pod} ${address} ${state} ${sessions ?? ""}`;
  const [old, fresh] = [before?.servers ?? [], now.servers].map(
    (servers) => new Map(servers.map((server) => [textOf(server), server.service])),
  );
  const changed = new Set<string>();
  for (const [text, service] of old ?? []) if (fresh?.has(text) !== true) changed.add(service);
  for (const [text, service] of fresh ?? []) if (old?.has(text) !== true) changed.add(service);
  return changed;
}
