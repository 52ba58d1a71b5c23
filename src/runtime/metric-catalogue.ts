/**
 * All metrics of the operator in one table, from which the registry and docs/metrics.md are made. Names follow Prometheus and
 * controller-runtime; a job, pod or namespace name is never a label.
 */
export interface MetricDescriptor {
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds in the metric's unit; histograms only. */
  readonly buckets?: readonly number[];
}

const secondsFromMillisecondToMinute = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60];

export const metricCatalogue = {
  nuptse_queue_used: {
    type: "gauge",
    labels: ["queue", "resource"],
    help: "What is admitted in a TenantQueue and beneath, in thousandths of a core, KiB, or pieces.",
  },
  nuptse_queue_guaranteed: {
    type: "gauge",
    labels: ["queue", "resource"],
    help: "What a TenantQueue is guaranteed now, in the same units; of a root its whole capacity is not told here.",
  },
  nuptse_queue_share: {
    type: "gauge",
    labels: ["queue", "resource"],
    help: "What the rule of admission would give a TenantQueue now, in the same units.",
  },
  nuptse_queue_waiting: { type: "gauge", labels: ["queue"], help: "Workloads that wait in a TenantQueue and beneath." },
  nuptse_queue_admitted: { type: "gauge", labels: ["queue"], help: "Workloads that are admitted in a TenantQueue and beneath." },
  nuptse_admission_seconds: {
    type: "histogram",
    labels: ["queue"],
    buckets: [0.01, 0.1, 1, 10, 60, 300, 900, 3600, 14_400, 86_400],
    help: "How long workloads waited for their share, from when they asked for it.",
  },
  nuptse_reclaims_total: {
    type: "counter",
    labels: ["result"],
    help: "Requests to give back by how they ended: Released, Declined, Withdrawn.",
  },
  nuptse_reconcile_total: {
    type: "counter",
    labels: ["controller", "result"],
    help: "Reconciles by how they ended: done, again, conflict, failed, fenced, terminal, gone, held.",
  },
  nuptse_reconcile_seconds: {
    type: "histogram",
    labels: ["controller"],
    buckets: secondsFromMillisecondToMinute,
    help: "From the start of a reconcile until its last write was answered.",
  },
  nuptse_reconcile_hot_loops_total: {
    type: "counter",
    labels: ["controller"],
    help: "Times that an object asked for the same plan over and over without getting anywhere, and was slowed down.",
  },
  nuptse_workqueue_depth: { type: "gauge", labels: ["controller"], help: "Objects due now that no worker has taken yet." },
  nuptse_workqueue_queue_seconds: {
    type: "histogram",
    labels: ["controller"],
    buckets: secondsFromMillisecondToMinute,
    help: "How long an object that was due waited for a worker.",
  },
  nuptse_api_requests_total: {
    type: "counter",
    labels: ["verb", "resource", "code"],
    help: "Requests to the API server by the status code of their answer; code 0 = no answer.",
  },
  nuptse_api_request_seconds: {
    type: "histogram",
    labels: ["verb", "resource"],
    buckets: secondsFromMillisecondToMinute,
    help: "Time of a request to the API server, waiting for a connection included; watches until their first byte.",
  },
  nuptse_api_writes_total: {
    type: "counter",
    labels: ["verb", "resource"],
    help: "Writes sent to the API server, whatever their answer.",
  },
  nuptse_status_patch_refused_total: {
    type: "counter",
    labels: ["resource"],
    help: "Status patches over 200 KiB, which we did not send.",
  },
  nuptse_events_dropped_total: {
    type: "counter",
    labels: ["reason"],
    help: "Kubernetes events not written: object_rate, global_rate, queue_full, refused, unavailable, incomplete.",
  },
  nuptse_leader: { type: "gauge", labels: [], help: "1 while this replica holds the lease, else 0." },
  nuptse_clock_offset_seconds: {
    type: "gauge",
    labels: [],
    help: "The API server's clock minus this machine's, estimated from its answers to about one second.",
  },
  nuptse_fire_delay_seconds: {
    type: "histogram",
    labels: [],
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60],
    help: "From a fire time until the first pod of its run was asked for.",
  },
  nuptse_runs_total: { type: "counter", labels: ["kind", "result"], help: "Ended runs of ElasticJobs by kind and result." },
  nuptse_misfires_total: { type: "counter", labels: ["reason"], help: "Fire times that did not fire on time, by reason." },
  nuptse_item_attempts_total: { type: "counter", labels: ["result"], help: "Ended attempts of items by result." },
  nuptse_runs_waiting: { type: "gauge", labels: ["reason"], help: "Runs that wait, by what they wait for." },
  nuptse_notifications_total: {
    type: "counter",
    labels: ["receiver", "result"],
    help: "Notifications by receiver and result: sent, failed, expired, dropped, quiet, unknown_receiver.",
  },
  nuptse_notifications_waiting: { type: "gauge", labels: ["receiver"], help: "Notifications that wait for a receiver." },
  nuptse_nodes_suspect: {
    type: "gauge",
    labels: [],
    help: "Nodes of which at least --apps-agreeing apps and jobs say that they fail them.",
  },
  nuptse_stray_pods_total: { type: "counter", labels: [], help: "Pods of runs that were over, left by a deposed leader and deleted." },
  nuptse_webhook_requests_total: {
    type: "counter",
    labels: ["webhook", "verdict"],
    help: "Calls of the admission webhooks (validate, gate) by what was answered: allowed, refused; gated, waiting, exempt, untouched; not_ready, failed, malformed, busy.",
  },
  nuptse_webhook_request_seconds: {
    type: "histogram",
    labels: ["webhook"],
    buckets: secondsFromMillisecondToMinute,
    help: "Time of a call of an admission webhook, from its first byte to the last one of the answer.",
  },
  nuptse_webhook_certificate_expiry_timestamp_seconds: {
    type: "gauge",
    labels: [],
    help: "When the certificate that this replica serves ends, in seconds since the epoch; 0 = none is served.",
  },
  nuptse_webhook_certificate_failures_total: {
    type: "counter",
    labels: [],
    help: "Times that certificates that the operator keeps could not be looked after: a Secret, a file or a configuration could not be read or written.",
  },
  nuptse_trace_lag_seconds: {
    type: "gauge",
    labels: [],
    help: "How long the oldest row of the event trace has waited for its store; 0 when none waits.",
  },
  nuptse_trace_rows_total: { type: "counter", labels: [], help: "Rows of the event trace that the store has taken." },
  nuptse_trace_rows_dropped_total: {
    type: "counter",
    labels: ["reason"],
    help: "Rows of the event trace that were lost: full (too many waited), refused (the store will not have them), closed (the process ended).",
  },
  nuptse_gateway_lag_seconds: {
    type: "gauge",
    labels: [],
    help: "Of a gateway: how long ago the oldest change came that its HAProxy does not have; how long the API server has been silent, if that is more.",
  },
  nuptse_gateway_reloads_total: { type: "counter", labels: ["result"], help: "Reloads of a gateway's HAProxy: succeeded, failed." },
  nuptse_gateway_commands_total: {
    type: "counter",
    labels: ["result"],
    help: "Commands that a gateway sent to its HAProxy to change servers and maps: done, refused.",
  },
  nuptse_gateway_servers: { type: "gauge", labels: [], help: "Servers that a gateway's HAProxy has, drained ones included." },
} as const satisfies Readonly<Record<string, MetricDescriptor>>;

type Catalogue = typeof metricCatalogue;
type NameOf<Type extends MetricDescriptor["type"]> = {
  [Name in keyof Catalogue]: Catalogue[Name]["type"] extends Type ? Name : never;
}[keyof Catalogue];

export type MetricName = keyof Catalogue;
export type CounterName = NameOf<"counter">;
export type GaugeName = NameOf<"gauge">;
export type HistogramName = NameOf<"histogram">;
/** Exactly the labels that the table lists for a metric. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<Catalogue[Name]["labels"][number], string>>;
