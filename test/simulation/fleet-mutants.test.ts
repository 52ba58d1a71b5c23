import assert from "node:assert/strict";
import type { Action } from "../../src/api/action.ts";
import { pods, runnerApps } from "../../src/api/resource.ts";
import type { RunnerAppSpec } from "../../src/api/runner-app.gen.ts";
import type { ObservedApp } from "../../src/runnerapp/rules/observed.ts";
import { planRunnerApp, type RunnerAppPlan } from "../../src/runnerapp/rules/plan.ts";
import { simulateFleets } from "../../src/simulator/harness/fleet-simulation.ts";

interface Mutant {
  readonly name: string;
  readonly plan: (observed: ObservedApp) => RunnerAppPlan;
}

const mostSeeds = 12;

const withSpec = (change: (spec: RunnerAppSpec) => Partial<RunnerAppSpec>) => (observed: ObservedApp) =>
  planRunnerApp({ ...observed, app: { ...observed.app, spec: { ...observed.app.spec, ...change(observed.app.spec) } } });

const withoutActions = (isLeftOut: (action: Action, observed: ObservedApp) => boolean) => (observed: ObservedApp) => {
  const plan = planRunnerApp(observed);
  return { ...plan, actions: plan.actions.filter((action) => !isLeftOut(action, observed)) };
};

const isPod = (action: Action) => "resource" in action && action.resource.kind === "Pod";

let wroteAt = 0;

/** Rules broken on purpose: each must be caught by the simulation. */
const mutants: readonly Mutant[] = [
  {
    name: "takes as many instances as it likes",
    plan: withSpec(() => ({ strategy: { rollingUpdate: { maxUnavailable: "100%", maxSurge: 0 } } })),
  },
  {
    name: "makes as many instances as it likes",
    plan: withSpec(() => ({ strategy: { rollingUpdate: { maxSurge: 30, maxUnavailable: 0 } } })),
  },
  {
    name: "makes none where one is missing",
    plan: withoutActions((action, { pods }) => action.tag === "create" && isPod(action) && pods.length > 0),
  },
  { name: "removes none", plan: withoutActions((action) => action.tag === "delete" && isPod(action)) },
  {
    name: "takes every instance for one that has served long enough",
    plan: (observed) => planRunnerApp({ ...observed, pods: observed.pods.map((pod) => (pod.hasEnded ? pod : { ...pod, readySince: 0 })) }),
  },
  {
    name: "restarts every four minutes",
    plan: (observed) =>
      planRunnerApp({
        ...observed,
        pods: observed.pods.map((pod) => ({ ...pod, restart: pod.readySince !== undefined && pod.createdAt < observed.now - 240_000 })),
      }),
  },
  {
    name: "writes status once a minute though nothing has changed",
    plan(observed) {
      const plan = planRunnerApp(observed);
      const { app, now } = observed;
      if (now - wroteAt < 60_000) return { ...plan, wakeAt: Math.min(plan.wakeAt ?? Number.POSITIVE_INFINITY, wroteAt + 60_000) };
      wroteAt = now;
      return { ...plan, status: { resource: runnerApps, object: app, status: { summary: { images: "none" } } } };
    },
  },
  {
    name: "never tells how it is",
    plan(observed) {
      const { status: _, ...plan } = planRunnerApp(observed);
      return plan;
    },
  },
  {
    name: "leaves a node at once",
    plan(observed) {
      const plan = planRunnerApp(observed);
      const leaving = observed.pods.filter(
        (pod) => pod.node !== undefined && observed.nodes.get(pod.node)?.taken !== undefined && !pod.isDeleting,
      );
      const deletes = leaving.map(({ metadata }) => ({
        tag: "delete" as const,
        resource: pods,
        ref: { namespace: "default", name: metadata.name },
        uid: metadata.uid as string,
      }));
      return { ...plan, actions: [...plan.actions, ...deletes] };
    },
  },
];

describe("rules of RunnerApp that are broken on purpose", function () {
  this.timeout(0);
  // All of them take a minute or two.
  const some = process.env.NUPTSE_SIMULATION_MUTANTS === "all" ? mutants : mutants.slice(0, 2);

  for (const { name, plan } of some)
    it(`it is caught that it ${name}`, async () => {
      for (let seed = 1; seed <= mostSeeds; seed++) {
        wroteAt = 0;
        const { problems } = await simulateFleets({ seed, plan, untilProblem: true });
        if (problems.length > 0) return;
      }
      assert.fail(`${mostSeeds} seeds found nothing wrong`);
    });
});
