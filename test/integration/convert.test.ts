import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load } from "js-yaml";
import type { Container, Pod, PodTemplateSpec } from "../../src/api/core.ts";
import type { ElasticJob } from "../../src/api/elastic-job.gen.ts";
import { elasticJobs, namespaces, pods } from "../../src/api/resource.ts";
import { createSystemClock } from "../../src/base/clock.ts";
import { formatSeconds } from "../../src/base/time.ts";
import { convertText } from "../../src/convert/sources.ts";
import { type Playground, startPlayground } from "../../src/simulator/harness/playground.ts";
import { cronJobShapes } from "../support/cron-job-shapes.ts";
import { robfigTimes } from "../support/robfig.ts";
import { eventually } from "./support/eventually.ts";
import { armedSecond, onceAt, runId, secondFromNow } from "./support/jobs.ts";
import { timeLimits } from "./support/time-limits.ts";

const random = { next: () => Math.random() };
const clock = createSystemClock({ background: true });
const namespace = "moved";
const now = Date.parse("2026-03-20T00:00:00Z");

async function inNamespace(playground: Playground, name: string, job: ElasticJob): Promise<ElasticJob> {
  const metadata = { ...job.metadata, namespace, name };
  return playground.client.create(elasticJobs, { ...job, metadata }, { fieldValidation: "Strict" }) as Promise<ElasticJob>;
}

describe("converted CronJobs on the playground", function () {
  this.timeout(timeLimits.test);
  let playground: Playground | undefined;
  const fireTime = secondFromNow(15_000);
  const shapes = cronJobShapes.map((shape, index) => {
    const [conversion] = convertText(shape.yaml, shape.name, undefined, { timeZone: "Etc/UTC", now }).conversions;
    return { ...shape, job: `shape-${index}`, manifest: conversion?.manifest as ElasticJob };
  });
  const running = () => playground as Playground;

  before("apply all of them", async () => {
    playground = await startPlayground({ kubelet: "stages", random, clock });
    await playground.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    for (const { job, manifest } of shapes) {
      // Fired once, and whatever it was: what its pods are is looked at. Its own schedule has a test below.
      const spec = { ...manifest.spec, suspend: false, schedule: onceAt(fireTime), retry: { sameNode: 0 } };
      await inNamespace(running(), job, { ...manifest, spec });
    }
  });
  after("stop the playground", async () => playground?.close());

  for (const shape of shapes) {
    it(`${shape.name}: its pods have the CronJob's containers, volumes and labels`, async () => {
      const total = shape.manifest.spec.sharding?.total ?? 1;
      const parallelism = Math.min(total, shape.manifest.spec.sharding?.parallelism ?? total);
      const found = await eventually(`pods of ${shape.job}`, timeLimits.settled, async () => {
        const { items } = await running().client.list(pods, {
          namespace,
          labelSelector: `nuptse.dev/job=${shape.job},nuptse.dev/run=${runId(fireTime)}`,
        });
        return items.length >= parallelism ? (items as readonly Pod[]) : undefined;
      });
      const template = (shape.wantTemplate ?? templateOf(shape.yaml)) as PodTemplateSpec;
      for (const pod of found) {
        for (const list of ["initContainers", "containers"] as const) {
          assert.deepEqual((pod.spec[list] ?? []).map(withoutOurs), (template.spec[list] ?? []).map(plain));
        }
        for (const field of ["volumes", "nodeSelector", "serviceAccountName"]) {
          if (template.spec[field] !== undefined) assert.deepEqual(pod.spec[field], template.spec[field], field);
        }
        for (const [key, value] of Object.entries(template.metadata?.labels ?? {})) assert.equal(pod.metadata.labels?.[key], value);
        const index = pod.spec.containers[0]?.env?.find(({ name }) => name === "JOB_COMPLETION_INDEX")?.value;
        assert.equal(index, pod.metadata.labels?.["nuptse.dev/item"]);
      }
    });
  }

  it("each is armed for the time at which its CronJob would start a Job next", async () => {
    const offsets: Readonly<Record<string, number>> = { "Etc/UTC": 0, "Asia/Shanghai": 480, "Asia/Tokyo": 540 };
    let compared = 0;
    for (const { job, manifest, yaml } of shapes) {
      const { schedule } = manifest.spec;
      const offset = offsets[schedule?.timeZone ?? "Etc/UTC"];
      const [, expression = ""] = /^(?:CRON_TZ=\S+ )?(.*)$/.exec(scheduleOf(yaml)) ?? [];
      if (schedule === undefined || offset === undefined || expression.startsWith("@every")) continue;
      const created = Date.now();
      const name = `${job}-armed`;
      await inNamespace(running(), name, { ...manifest, spec: { ...manifest.spec, suspend: false } });
      const next = await eventually(`${name} to be armed`, timeLimits.settled, async () => {
        const seen = (await running().client.get(elasticJobs, { namespace, name })) as ElasticJob;
        return seen.status?.nextFireTime;
      });
      // It may have fired once already.
      const wanted = robfigTimes(expression, offset, created, created + 400 * 86_400_000, 3).map(formatSeconds);
      assert.ok(wanted.includes(next), `${name}: ${next}, and the CronJob ${wanted.join(", ")}`);
      compared++;
    }
    assert.ok(compared >= 20, `${compared} schedules were compared`);
  });
});

describe("a converted script job of ElasticJob on the playground", function () {
  this.timeout(timeLimits.test);
  let folder = "";
  let playground: Playground | undefined;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "nuptse-script-"));
    playground = await startPlayground({ kubelet: "process", random, clock });
    await playground.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  });
  after(async () => {
    await playground?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("runs its unchanged script with the sharding context as its last argument", async () => {
    const running = playground as Playground;
    // As ElasticJob's users write them: arguments of their own, then the context. Its output is kept by the one line that tests need.
    const script = join(folder, "demo.sh");
    writeFileSync(script, '#!/bin/sh\necho "sharding execution context is $*" | tee "$NUPTSE_RESULT_FILE"\n', { mode: 0o755 });
    const text = JSON.stringify({
      jobName: "scriptJob",
      cron: "0 0 0 1 1 ?",
      shardingTotalCount: 2,
      shardingItemParameters: "0=A,1=B",
      jobParameter: "p",
      failover: true,
      props: { "script.command.line": `${script} --mode 'a b'` },
    });
    const [conversion] = convertText(text, "test", undefined, { timeZone: "Etc/UTC", image: "busybox:1.37", now }).conversions;
    const manifest = conversion?.manifest as ElasticJob;
    const fireTime = armedSecond();
    await inNamespace(running, manifest.metadata.name, { ...manifest, spec: { ...manifest.spec, schedule: onceAt(fireTime) } });
    const job = await eventually("the run to end", timeLimits.settled, async () => {
      const seen = (await running.client.get(elasticJobs, { namespace, name: "script-job" })) as ElasticJob;
      return seen.status?.history?.[0] === undefined ? undefined : seen;
    });
    assert.equal(job.status?.history?.[0]?.phase, "Succeeded");
    for (const { item, value = "" } of job.status?.results?.items ?? []) {
      const [, context = ""] = /^sharding execution context is --mode a b (\{.*\})$/.exec(value.trim()) ?? [];
      const { taskId, ...rest } = JSON.parse(context) as Record<string, unknown>;
      assert.match(String(taskId), /^script-job@-@/);
      assert.deepEqual(rest, {
        jobName: "script-job",
        shardingTotalCount: 2,
        jobParameter: "p",
        shardingItem: item,
        shardingParameter: ["A", "B"][item ?? -1],
      });
    }
    assert.equal(job.status?.results?.items?.length, 2);
  });
});

function scheduleOf(yaml: string): string {
  return (load(yaml) as { spec: { schedule: string } }).spec.schedule;
}

/** The Job's own pod template. */
function templateOf(yaml: string): unknown {
  return (load(yaml) as { spec: { jobTemplate: { spec: { template: unknown } } } }).spec.jobTemplate.spec.template;
}

/** Fields that people write; what the API server adds by default is left out of the comparison. */
function plain({ name, image, command, args, env = [], envFrom, volumeMounts, resources = {} }: Container): object {
  const variables = env.map(({ valueFrom, ...variable }) => {
    if (valueFrom?.fieldRef === undefined) return { ...variable, valueFrom };
    return { ...variable, valueFrom: { fieldRef: { fieldPath: valueFrom.fieldRef.fieldPath } } };
  });
  return { name, image, command, args, env: variables, envFrom, volumeMounts, resources };
}

/** Our variables come first and end with NUPTSE_RESULT_FILE. */
function withoutOurs(container: Container): object {
  const env = container.env ?? [];
  const ours = env.findIndex(({ name }) => name === "NUPTSE_RESULT_FILE") + 1;
  return plain({ ...container, env: env.slice(ours) });
}
