/** The answer of a gateway's agent to GET /v1/state. */
export interface GatewayState {
  /** Another one than before: something has changed. Never that of another life of this process. */
  readonly version: number;
  /** See nuptse_gateway_lag_seconds. */
  readonly lagSeconds: number;
  readonly servers: readonly ServerReport[];
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
