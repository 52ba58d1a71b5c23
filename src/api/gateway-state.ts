/** What is asked of a gateway's agent: GET /v1/state with these as its query. */
export interface GatewayQuestion {
  /** The version of an earlier answer: the answer waits until it is another one, 25 s at most. */
  readonly after?: number;
  /** A namespace, or * for all: answered at once, of its services alone, with their figures. */
  readonly figures?: string;
}

/** The answer of a gateway's agent. */
export interface GatewayState {
  /** Another one than before: something has changed but figures. Never that of another life of this process. */
  readonly version: number;
  /** See nuptse_gateway_lag_seconds. */
  readonly lagSeconds: number;
  readonly servers: readonly ServerReport[];
  /** Where figures were asked for. */
  readonly services?: readonly ServiceFigures[];
}

/** One instance as HAProxy sees it. */
export interface ServerReport {
  /** "namespace/name" of the service. */
  readonly service: string;
  /** UID of the pod; "" for what is none. */
  readonly pod: string;
  readonly address: string;
  /** up: it takes what comes. down: it fails its check. */
  readonly state: "up" | "down" | "drain" | "maint";
  /** Of one that takes nothing new: what it still has, in old workers too. Absent for the others. */
  readonly sessions?: number;
}

/** What passes through a service: connections of TCP, requests of HTTP. */
export interface ServiceFigures {
  /** "namespace/name". */
  readonly service: string;
  /** Open now, those that wait for an instance too; at workers of before a reload too. */
  readonly sessions: number;
  /** Begun in the last second. */
  readonly rate: number;
}

/** The operator's answer to GET /v1/services: what all gateways that are Ready say together. */
export interface ServicesAnswer {
  /** How many gateways are Ready, and how many of them told. */
  readonly gateways: { readonly ready: number; readonly told: number };
  /** Of those that some gateway serves. */
  readonly services: readonly ServiceSummary[];
}

export interface ServiceSummary extends ServiceFigures {
  /** Instances by the worst that a gateway says of them. */
  readonly instances: Readonly<Record<ServerReport["state"], number>>;
}
