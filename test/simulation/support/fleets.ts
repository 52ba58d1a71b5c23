import type { Pod } from "../../../src/api/core.ts";
import type { KubeObject } from "../../../src/api/meta.ts";
import { pods, runnerApps } from "../../../src/api/resource.ts";
import type { RunnerApp } from "../../../src/api/runner-app.gen.ts";
import { Stage, type StageOptions } from "../../../src/simulator/harness/stage.ts";

/** When stories of fleets begin. */
export const from = Date.UTC(2026, 10, 21, 12, 0, 0);
export const namespace = "red";
export const web = { namespace, name: "web" };

/** Ready 2 s after its start. */
export function app(spec: object = {}, image = "web:1"): RunnerApp {
  return {
    apiVersion: "nuptse.dev/v1alpha1",
    kind: "RunnerApp",
    metadata: { name: "web", namespace },
    spec: { replicas: 4, template: template(image), ...spec },
  } as RunnerApp;
}

export function template(image: string, script: object = {}) {
  return {
    metadata: { annotations: { "simulate.nuptse.dev/script": JSON.stringify({ startMs: [2000, 2000], ...script }) } },
    spec: { containers: [{ name: "main", image, resources: { requests: { cpu: "1" } } }] },
  };
}

export const crashing = { startMs: [100, 100], runMs: [1000, 1000], exitCode: 1 };

export const capacity = (cpu: string) => ({ cpu, memory: "64Gi", pods: "110", "ephemeral-storage": "100Gi" });

/** Three nodes of ten cores. */
export async function open(more: Partial<StageOptions> = {}): Promise<Stage> {
  const nodes = ["n1", "n2", "n3"].map((name) => ({ name, capacity: capacity("10") }));
  return Stage.open({ from, nodes, namespaces: [{ name: namespace }], ...more });
}

export const status = async (stage: Stage) => (await stage.get<RunnerApp & KubeObject>(runnerApps, web)).status;

/** "Type=Status: Reason" of each condition. */
export const conditions = async (stage: Stage) =>
  (await status(stage))?.conditions?.map((condition) => `${condition.type}=${condition.status}: ${condition.reason}`);

/** Pods that are not being deleted. */
export async function living(stage: Stage): Promise<readonly (Pod & KubeObject)[]> {
  const all = await stage.list<Pod & KubeObject>(pods, { namespace });
  return all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Their images, counted. */
export async function images(stage: Stage): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const pod of await living(stage)) {
    const image = pod.spec.containers[0]?.image ?? "";
    counts[image] = (counts[image] ?? 0) + 1;
  }
  return counts;
}

/** Those that are Ready. */
export const readyPods = async (stage: Stage) =>
  (await living(stage)).filter(({ status: { conditions: told } = {} }) =>
    told?.some(({ type, status: is }) => type === "Ready" && is === "True"),
  );
