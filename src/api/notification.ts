/** What people can be told of through a receiver. */
export type NotificationEvent = "Failed" | "Recovered" | "Misfired" | "Late";

/** One thing that one receiver is to be told of one job. */
export interface Notification {
  /** The name of the receiver in the operator's configuration. */
  readonly receiver: string;
  readonly event: NotificationEvent;
  readonly job: { readonly namespace: string; readonly name: string; readonly uid: string };
  /** The run that it is about, and its fire time in milliseconds; absent for fire times that did not run. */
  readonly run?: { readonly id: string; readonly fireTime: number };
  /** When it was recorded, in milliseconds since the epoch. */
  readonly at: number;
  /** One word. */
  readonly reason: string;
  /** A sentence for people. */
  readonly message: string;
  readonly consecutiveFailures: number;
  /** For so long the same event of the job is not told to the receiver again; 0 = each is told. */
  readonly quietMs: number;
}

/** Takes notifications for delivery. Never throws, never waits: what tells of runs must not hold them up. */
export interface NotificationSink {
  offer(notification: Notification): void;
}
