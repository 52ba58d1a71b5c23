import type { ElasticJobSpec } from "../../src/api/elastic-job.gen.ts";

/** A CronJob as people write them, and by hand what it must become. */
export interface CronJobShape {
  readonly name: string;
  /** One YAML document, its name `shape`. */
  readonly yaml: string;
  /** The spec but for its template. */
  readonly want: Omit<ElasticJobSpec, "template">;
  /** The template where it is not the Job's own without restartPolicy. */
  readonly wantTemplate?: unknown;
  /** The fields that are spoken of, in their order. */
  readonly notes?: readonly string[];
  /** The first fire times after 2026-03-20T00:00:00Z, reckoned by hand from robfig/cron's rules. */
  readonly fires: readonly string[];
}

const head = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: shape}\n";
const pod = "{restartPolicy: Never, containers: [{name: c, image: 'busybox:1.37', command: [echo, hello]}]}";
const fromNever = { retry: { sameNode: 6, backoff: { maxSeconds: 600 } } } as const;
const job = "spec.jobTemplate.spec";

/** Shapes that public projects use: back-ups, clean-ups, reports, certificates, Indexed batches, Helm's and Argo CD's output. */
export const cronJobShapes: readonly CronJobShape[] = [
  {
    name: "the least that there is",
    yaml: `${head}spec: {schedule: "*/5 * * * *", jobTemplate: {spec: {template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["*/5 * * * *"] }, concurrencyPolicy: "Allow", ...fromNever },
    fires: ["2026-03-20T00:05:00Z", "2026-03-20T00:10:00Z"],
  },
  {
    name: "a nightly back-up that must not overlap, with history limits",
    yaml: `${head}spec:
  schedule: "0 2 * * *"
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 1
  jobTemplate:
    spec:
      backoffLimit: 2
      template: {spec: ${pod}}`,
    want: {
      schedule: { crons: ["0 2 * * *"] },
      misfire: { onOverlap: "FireOnce" },
      concurrencyPolicy: "Forbid",
      retry: { sameNode: 2 },
      podRetention: { succeeded: 3, failed: 1 },
      history: { succeeded: 3, failed: 1 },
    },
    fires: ["2026-03-20T02:00:00Z", "2026-03-21T02:00:00Z"],
  },
  {
    name: "every minute, the newest wins, containers restarted in place",
    yaml: `${head}spec:
  schedule: "*/1 * * * *"
  concurrencyPolicy: Replace
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      template: {spec: {serviceAccountName: killer, restartPolicy: OnFailure, containers: [{name: c, image: 'busybox:1.37', imagePullPolicy: Always}]}}`,
    want: {
      schedule: { crons: ["*/1 * * * *"] },
      concurrencyPolicy: "Replace",
      ...fromNever,
      podRetention: { succeeded: 1, failed: 3 },
      history: { succeeded: 1, failed: 3 },
    },
    notes: [`${job}.template.spec.restartPolicy`],
    fires: ["2026-03-20T00:01:00Z", "2026-03-20T00:02:00Z"],
  },
  {
    name: "a time zone that changes its clocks",
    yaml: `${head}spec: {schedule: "30 2 * * 0", timeZone: Europe/Berlin, jobTemplate: {spec: {backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["30 2 * * 0"], timeZone: "Europe/Berlin" }, concurrencyPolicy: "Allow" },
    notes: ["spec.schedule"],
    fires: ["2026-03-22T01:30:00Z"],
  },
  {
    name: "a time zone without summer time",
    yaml: `${head}spec: {schedule: "0 9 * * 1-5", timeZone: "Asia/Shanghai", jobTemplate: {spec: {backoffLimit: 1, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["0 9 * * 1-5"], timeZone: "Asia/Shanghai" }, concurrencyPolicy: "Allow", retry: { sameNode: 1 } },
    fires: ["2026-03-20T01:00:00Z", "2026-03-23T01:00:00Z"],
  },
  {
    name: "the zone inside of the schedule, as older clusters took it",
    yaml: `${head}spec: {schedule: "CRON_TZ=Asia/Tokyo 0 6 * * ?", jobTemplate: {spec: {backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["0 6 * * *"], timeZone: "Asia/Tokyo" }, concurrencyPolicy: "Allow" },
    fires: ["2026-03-20T21:00:00Z", "2026-03-21T21:00:00Z"],
  },
  {
    name: "@daily",
    yaml: `${head}spec: {schedule: "@daily", jobTemplate: {spec: {backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["@daily"] }, concurrencyPolicy: "Allow" },
    fires: ["2026-03-21T00:00:00Z", "2026-03-22T00:00:00Z"],
  },
  {
    name: "@every with Go's units",
    yaml: `${head}spec: {schedule: "@every 1.5h", jobTemplate: {spec: {backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["@every 5400s"] }, concurrencyPolicy: "Allow" },
    notes: ["spec.schedule"],
    fires: [],
  },
  {
    name: "a step in one day field and a value in the other: either is enough for a CronJob",
    yaml: `${head}spec: {schedule: "0 0 */10 * 0", jobTemplate: {spec: {backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["0 0 1-31/10 * 0"] }, concurrencyPolicy: "Allow" },
    // The 1st, 11th, 21st and 31st, and Sundays: 22 and 29 March.
    fires: ["2026-03-21T00:00:00Z", "2026-03-22T00:00:00Z", "2026-03-29T00:00:00Z", "2026-03-31T00:00:00Z"],
  },
  {
    name: "a step in one day field alone keeps its star",
    yaml: `${head}spec: {schedule: "0 0 */2 * *", jobTemplate: {spec: {backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["0 0 */2 * *"] }, concurrencyPolicy: "Allow" },
    fires: ["2026-03-21T00:00:00Z", "2026-03-23T00:00:00Z"],
  },
  {
    name: "a deadline for starting, and one for running",
    yaml: `${head}spec:
  schedule: "15 3 1 * *"
  startingDeadlineSeconds: 600
  jobTemplate: {spec: {activeDeadlineSeconds: 3600, backoffLimit: 0, template: {spec: ${pod}}}}`,
    want: {
      schedule: { crons: ["15 3 1 * *"] },
      misfire: { startingDeadlineSeconds: 600 },
      concurrencyPolicy: "Allow",
      runTimeoutSeconds: 3600,
    },
    fires: ["2026-04-01T03:15:00Z"],
  },
  {
    name: "suspended, and cleaned up by time",
    yaml: `${head}spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate: {spec: {ttlSecondsAfterFinished: 3600, backoffLimit: 0, template: {spec: ${pod}}}}`,
    want: {
      suspend: true,
      schedule: { crons: ["0 0 1 1 *"] },
      concurrencyPolicy: "Allow",
      podRetention: { succeeded: 0, failed: 0, minSeconds: 3600 },
    },
    fires: ["2027-01-01T00:00:00Z"],
  },
  {
    name: "a time to live shorter than the lock",
    yaml: `${head}spec: {schedule: "0 * * * *", jobTemplate: {spec: {ttlSecondsAfterFinished: 0, backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: {
      schedule: { crons: ["0 * * * *"] },
      concurrencyPolicy: "Allow",
      podRetention: { succeeded: 0, failed: 0, minSeconds: 90 },
    },
    notes: [`${job}.ttlSecondsAfterFinished`],
    fires: ["2026-03-20T01:00:00Z"],
  },
  {
    name: "Indexed completions, a few at a time, retried each for itself",
    yaml: `${head}spec:
  schedule: "0 4 * * 6"
  jobTemplate:
    spec: {completions: 10, parallelism: 3, completionMode: Indexed, backoffLimitPerIndex: 2, maxFailedIndexes: 4, template: {spec: ${pod}}}`,
    want: {
      schedule: { crons: ["0 4 * * 6"] },
      concurrencyPolicy: "Allow",
      sharding: { total: 10, parallelism: 3 },
      retry: { sameNode: 2 },
      completion: { failFast: false },
    },
    notes: [`${job}.maxFailedIndexes`],
    fires: ["2026-03-21T04:00:00Z"],
  },
  {
    name: "completions one after the other, since parallelism is 1 by default",
    yaml: `${head}spec: {schedule: "0 5 * * *", jobTemplate: {spec: {completions: 4, backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["0 5 * * *"] }, concurrencyPolicy: "Allow", sharding: { total: 4, parallelism: 1 } },
    fires: ["2026-03-20T05:00:00Z"],
  },
  {
    name: "workers on a queue, as many as parallelism",
    yaml: `${head}spec: {schedule: "0 5 * * *", jobTemplate: {spec: {parallelism: 4, backoffLimit: 3, template: {spec: ${pod}}}}}`,
    want: { schedule: { crons: ["0 5 * * *"] }, concurrencyPolicy: "Allow", sharding: { total: 4 }, retry: { sameNode: 3 } },
    notes: [`${job}.parallelism`, `${job}.backoffLimit`],
    fires: ["2026-03-20T05:00:00Z"],
  },
  {
    name: "a policy by cause of failure",
    yaml: `${head}spec:
  schedule: "7 * * * *"
  jobTemplate:
    spec:
      backoffLimit: 3
      podFailurePolicy:
        rules:
          - {action: FailJob, onExitCodes: {containerName: c, operator: In, values: [42]}}
          - {action: Ignore, onPodConditions: [{type: DisruptionTarget}]}
      template: {spec: ${pod}}`,
    want: {
      schedule: { crons: ["7 * * * *"] },
      concurrencyPolicy: "Allow",
      retry: {
        sameNode: 3,
        rules: [
          { onExitCodes: { operator: "In", values: [42] }, action: "FailRun" },
          { onPodConditions: [{ type: "DisruptionTarget" }], action: "Ignore" },
        ],
      },
    },
    notes: [`${job}.podFailurePolicy.rules[0].onExitCodes.containerName`],
    fires: ["2026-03-20T00:07:00Z"],
  },
  {
    name: "a program that reads its index from the Job's annotation and its Job's name from a label",
    yaml: `${head}spec:
  schedule: "0 1 * * *"
  jobTemplate:
    spec:
      completions: 2
      parallelism: 2
      completionMode: Indexed
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: c
              image: busybox:1.37
              env:
                - {name: MODE, value: full}
                - {name: INDEX, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}}
                - {name: JOB, valueFrom: {fieldRef: {fieldPath: "metadata.labels['job-name']"}}}`,
    want: { schedule: { crons: ["0 1 * * *"] }, concurrencyPolicy: "Allow", sharding: { total: 2 } },
    wantTemplate: {
      spec: {
        containers: [
          {
            name: "c",
            image: "busybox:1.37",
            env: [
              { name: "MODE", value: "full" },
              { name: "INDEX", valueFrom: { fieldRef: { fieldPath: "metadata.labels['nuptse.dev/item']" } } },
              { name: "JOB", valueFrom: { fieldRef: { fieldPath: "metadata.labels['job-name']" } } },
            ],
          },
        ],
      },
    },
    notes: [`${job}.template.spec.containers[0].env[2].valueFrom.fieldRef.fieldPath`],
    fires: ["2026-03-20T01:00:00Z"],
  },
  {
    name: "labels and annotations at every level",
    yaml: `apiVersion: batch/v1
kind: CronJob
metadata:
  name: shape
  labels: {app: report, app.kubernetes.io/managed-by: Helm}
  annotations: {meta.helm.sh/release-name: r, kubectl.kubernetes.io/last-applied-configuration: "{}", team: data}
spec:
  schedule: "0 7 * * MON"
  jobTemplate:
    metadata: {labels: {app: report, tier: job}}
    spec:
      backoffLimit: 0
      template:
        metadata: {creationTimestamp: null, labels: {app: report, job-name: x}, annotations: {sidecar.istio.io/inject: "false"}}
        spec: ${pod}`,
    want: { schedule: { crons: ["0 7 * * MON"] }, concurrencyPolicy: "Allow" },
    wantTemplate: {
      metadata: { labels: { app: "report" }, annotations: { "sidecar.istio.io/inject": "false" } },
      spec: { containers: [{ name: "c", image: "busybox:1.37", command: ["echo", "hello"] }] },
    },
    notes: ["spec.jobTemplate.metadata.labels"],
    fires: ["2026-03-23T07:00:00Z"],
  },
  {
    name: "init container, volumes, secrets, resources, tolerations, security",
    yaml: `${head}spec:
  schedule: "0 6 * * *"
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          securityContext: {runAsNonRoot: true, runAsUser: 1000}
          tolerations: [{key: batch, operator: Exists, effect: NoSchedule}]
          nodeSelector: {pool: batch}
          initContainers: [{name: dump, image: 'postgres:16', args: [pg_dump, -Fc], volumeMounts: [{name: data, mountPath: /backup}]}]
          containers:
            - name: upload
              image: "busybox:1.37"
              envFrom: [{secretRef: {name: s3}}]
              env: [{name: PGPASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
              resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
              volumeMounts: [{name: data, mountPath: /backup}]
          volumes: [{name: data, emptyDir: {}}]`,
    want: { schedule: { crons: ["0 6 * * *"] }, concurrencyPolicy: "Allow" },
    fires: ["2026-03-20T06:00:00Z"],
  },
  {
    name: "a shell script with $() and a block of text",
    yaml: `${head}spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: c
              image: postgres:16
              command:
                - /bin/sh
                - -c
                - |
                  set -e
                  pg_dump -h "$DB_HOST" > /backup/$(date +%Y%m%d).sql
              env: [{name: DB_HOST, value: db.example}]`,
    want: { schedule: { crons: ["0 3 * * *"] }, concurrencyPolicy: "Allow" },
    fires: ["2026-03-20T03:00:00Z"],
  },
  {
    name: "more failures than one node is asked to bear",
    yaml: `${head}spec: {schedule: "0 8 * * *", jobTemplate: {spec: {backoffLimit: 62, template: {spec: ${pod}}}}}`,
    want: {
      schedule: { crons: ["0 8 * * *"] },
      concurrencyPolicy: "Allow",
      // 63 attempts = 21 x 3.
      retry: { sameNode: 20, otherNodes: 2, backoff: { maxSeconds: 600 } },
    },
    notes: [`${job}.backoffLimit`],
    fires: ["2026-03-20T08:00:00Z"],
  },
  {
    name: "a parallelism of 0, by which a Job waits",
    yaml: `${head}spec: {schedule: "0 8 * * *", jobTemplate: {spec: {parallelism: 0, backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { suspend: true, schedule: { crons: ["0 8 * * *"] }, concurrencyPolicy: "Allow" },
    notes: [`${job}.parallelism`],
    fires: ["2026-03-20T08:00:00Z"],
  },
  {
    name: "a date that never comes, of which a CronJob never speaks",
    yaml: `${head}spec: {schedule: "0 0 30 2 *", jobTemplate: {spec: {backoffLimit: 0, template: {spec: ${pod}}}}}`,
    want: { concurrencyPolicy: "Allow" },
    notes: ["spec.schedule"],
    fires: [],
  },
  {
    name: "what the API server gave back, with its own fields",
    yaml: `apiVersion: batch/v1
kind: CronJob
metadata: {name: shape, uid: 0a, resourceVersion: "7", generation: 2, creationTimestamp: "2025-01-01T00:00:00Z", managedFields: []}
spec:
  schedule: "*/20 * * * *"
  suspend: false
  concurrencyPolicy: Allow
  successfulJobsHistoryLimit: 100
  jobTemplate:
    metadata: {creationTimestamp: null}
    spec:
      podReplacementPolicy: TerminatingOrFailed
      backoffLimit: 0
      template: {metadata: {creationTimestamp: null}, spec: {restartPolicy: Never, dnsPolicy: ClusterFirst, schedulerName: default-scheduler, containers: [{name: c, image: 'busybox:1.37', terminationMessagePath: /dev/termination-log}]}}
status: {lastScheduleTime: "2025-02-01T00:00:00Z"}`,
    want: {
      schedule: { crons: ["*/20 * * * *"] },
      concurrencyPolicy: "Allow",
      podRetention: { succeeded: 20 },
      history: { succeeded: 20 },
    },
    notes: [`${job}.podReplacementPolicy`, "spec.successfulJobsHistoryLimit"],
    fires: ["2026-03-20T00:20:00Z", "2026-03-20T00:40:00Z"],
  },
];
