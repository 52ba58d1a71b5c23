import type { Logger } from "../../api/logger.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { mutatingWebhookConfigurations, type Resource, validatingWebhookConfigurations } from "../../api/resource.ts";
import { createKubeClient } from "../../kube/kube-client.ts";
import type { Operator } from "../../operator/operator.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import { startWebhooks, type WebhookService } from "../../webhook/webhook-service.ts";
import type { ApiServer } from "../apiserver/api-server.ts";
import { inProcessTransport } from "../apiserver/in-process-transport.ts";
import { operatorAgent } from "./operator-agent.ts";
import { operatorUser } from "./playground-operator.ts";
import type { Endpoint } from "../apiserver/service-endpoints.ts";

/** As crds/optional/webhooks.yaml names them. */
const service = { namespace: "nuptse", name: "nuptse-webhook" } as const;
const configuration = "nuptse";
const configurations = [validatingWebhookConfigurations, mutatingWebhookConfigurations];
const isConfiguration = (resource: Resource): boolean => configurations.some(({ plural }) => plural === resource.plural);
const dayMs = 86_400_000;

export interface PlaygroundWebhooksOptions {
  readonly server: ApiServer;
  readonly operator: () => Operator | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The webhooks of a playground's operator. */
export interface PlaygroundWebhooks {
  /** The operator leads: where the configurations are there already, as in a state that was loaded, they are served now. */
  begin(): void;
  /** Where the operator's Service leads; undefined for other Services, and as long as nobody asks for webhooks. */
  endpoint(asked: { readonly namespace: string; readonly name: string }): Endpoint | undefined;
  close(): Promise<void>;
}

/** Serves the operator's webhooks on loopback from the moment on at which somebody installs their configuration. */
export function serveWebhooksOnDemand(options: PlaygroundWebhooksOptions): PlaygroundWebhooks {
  const { server, operator, clock, random, logger } = options;
  const surroundings = () => {
    const running = operator();
    if (running === undefined) throw new Error("there is no operator");
    return running.surroundings;
  };
  let starting: Promise<WebhookService> | undefined;
  let port: number | undefined;
  const start = (): void => {
    if (starting !== undefined || operator() === undefined) return;
    starting = startWebhooks({
      client: createKubeClient(inProcessTransport(server, { userAgent: operatorAgent, user: operatorUser })),
      // asked at each question: an operator that was killed has a successor
      cached: {
        queueWorld: () => surroundings().queueWorld(),
        job: (ref) => surroundings().job(ref),
      },
      clock,
      random,
      logger,
      metrics: noMetrics,
      now: () => clock.now(),
      host: "127.0.0.1",
      port: 0,
      // where the Secret can be written whatever namespaces there are
      namespace: "kube-system",
      service: service.name,
      hosts: [`${service.name}.${service.namespace}.svc`],
      secret: "nuptse-webhook-tls",
      validatingConfiguration: configuration,
      mutatingConfiguration: configuration,
      times: { validMs: 90 * dayMs, renewMs: 30 * dayMs, overlapMs: 600_000 },
      onTrouble: ({ kind, note }) => logger.warn("the certificate of the webhooks", { kind, note }),
    });
    starting.then(
      (started) => {
        port = started.port;
      },
      (error: unknown) => logger.error("the webhooks could not be served", { error }),
    );
  };
  const forget = server.onCommit(({ resource, object }) => {
    if (isConfiguration(resource) && object.metadata.name === configuration) start();
  });
  return {
    begin() {
      if (
        configurations.some(
          ({ group, version, plural }) => server.typeOf(group, version, plural)?.collection.get(configuration) !== undefined,
        )
      )
        start();
    },
    endpoint: ({ namespace, name }) =>
      port === undefined || namespace !== service.namespace || name !== service.name ? undefined : { host: "127.0.0.1", port },
    async close() {
      forget();
      await starting?.then((started) => started.close()).catch(() => undefined);
    },
  };
}
