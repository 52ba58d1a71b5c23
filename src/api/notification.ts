/** What people can be told of an ElasticJob. */
export type JobEvent = "Failed" | "Recovered" | "Misfired" | "Late";

/** What people can be told of a RunnerApp. */
export type AppEvent = "Degraded" | "Recovered" | "RolloutPaused" | "NodeExcluded";

/** What people can be told of through a receiver. */
export type NotificationEvent = JobEvent | AppEvent;

/** One thing that one receiver is to be told of one object. */
export interface Notification {
  /** The name of the receiver in the operator's configuration. */
  readonly receiver: string;
  readonly event: NotificationEvent;
  /** Whom it is about. */
  readonly of: {
    readonly kind: "ElasticJob" | "RunnerApp";
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  /** The run that it is about, and its fire time in milliseconds; absent for fire times that did not run, and for apps. */
  readonly run?: { readonly id: string; readonly fireTime: number };
  /** The revision of an app whose roll-out it is about. */
  readonly revision?: string;
  /** The nodes that it is about. */
  readonly nodes?: readonly string[];
  /** When it was recorded, in milliseconds since the epoch. */
  readonly at: number;
  /** One word. */
  readonly reason: string;
  /** A sentence for people. */
  readonly message: string;
  /** Of jobs: fire times in a row that failed. */
  readonly consecutiveFailures?: number;
  /** For so long the same event of the object is not told to the receiver again; 0 = each is told. */
  readonly quietMs: number;
}

/** Takes notifications for delivery. Never throws, never waits: what tells of work must not hold it up. */
export interface NotificationSink {
  offer(notification: Notification): void;
}
