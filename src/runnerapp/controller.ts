import { type Admission, fleetPart, type WorkloadOwner } from "../api/admission.ts";
import type { NodeHealth } from "../api/node-health.ts";
import type { NotificationSink } from "../api/notification.ts";
import type { RunnerApp } from "../api/runner-app.gen.ts";
import type { Clock } from "../base/clock.ts";
import { getOrMake } from "../base/map.ts";
import type { Controller } from "../runtime/controller.ts";
import { runnerAppProblems } from "../validation/runner-app.ts";
import { AppNotes } from "./app-memory.ts";
import type { RunnerAppCaches } from "./caches.ts";
import type { DrainView } from "./rules/drain.ts";
import type { ObservedApp } from "./rules/observed.ts";
import { planRunnerApp, type RunnerAppPlan } from "./rules/plan.ts";
import { recordsOf } from "./rules/records.ts";
import { type ReadSpec, readSpec } from "./rules/read-spec.ts";

export interface RunnerAppControllerOptions {
  readonly caches: () => RunnerAppCaches;
  readonly clock: Clock;
  /** The API server's wall time in milliseconds; undefined while its answers do not tell. */
  readonly serverNow: () => number | undefined;
  /** See Clocks.maxClockSkewMs. */
  readonly maxClockSkewMs: number;
  /** Where fleets ask for their share; absent = there are no queues. */
  readonly admission?: Admission;
  /** What gateways say of an app's instances; absent = there are no gateways. */
  readonly drainOf?: (app: RunnerApp) => DrainView | undefined;
  /** Where is said which nodes fail an app; absent = nowhere. */
  readonly nodeHealth?: NodeHealth;
  /** Where notifications go; absent = nobody is told. */
  readonly notifications?: NotificationSink;
  /** The rules; absent = ours. Another function shows that a broken rule is caught. */
  readonly planRunnerApp?: typeof planRunnerApp;
}

/** The controller of RunnerApps, with what it remembers of each between two looks. */
export interface RunnerAppController extends Controller<ObservedApp> {
  plan(observed: ObservedApp): RunnerAppPlan;
  /** A quota of a namespace changed; true when the app waits for one. */
  seeQuota(appUid: string): boolean;
}

/** Observes from caches, plans by the rules, and remembers what caches do not show. */
export function createRunnerAppController(options: RunnerAppControllerOptions): RunnerAppController {
  const { clock } = options;
  const notes = new Map<string, AppNotes>();
  const specs = new Map<string, { readonly generation: number; readonly read: ReadSpec }>();
  const uids = new Map<string, string>();
  const plans = new WeakMap<ObservedApp, RunnerAppPlan>();

  function specOf(app: RunnerApp): ReadSpec {
    const uid = app.metadata.uid as string;
    const generation = app.metadata.generation ?? 0;
    const known = specs.get(uid);
    // What is wrong may become right as time goes by.
    if (known?.generation === generation && known.read.problems.length === 0) return known.read;
    const read = readSpec(app, runnerAppProblems(app.spec, clock.now()));
    specs.set(uid, { generation, read });
    return read;
  }

  function forgetUid(key: string): void {
    const uid = uids.get(key);
    if (uid === undefined) return;
    uids.delete(key);
    options.admission?.forget(uid);
    options.nodeHealth?.forget(uid);
    notes.delete(uid);
    specs.delete(uid);
  }

  return {
    name: "runnerapp",

    observe(key) {
      const caches = options.caches();
      const app = caches.apps.get(key.namespace, key.name);
      const name = `${key.namespace}/${key.name}`;
      const uid = app?.metadata.uid;
      if (uids.get(name) !== uid) forgetUid(name);
      if (app === undefined || uid === undefined) return undefined;
      uids.set(name, uid);
      const memory = getOrMake(notes, uid, () => new AppNotes());
      memory.seeGeneration(app.metadata.generation ?? 0);
      const pods = caches.pods.byIndex("app", uid);
      if (memory.deleted.size > 0) memory.prune(new Set(pods.map(({ metadata }) => metadata.uid as string)));
      return {
        app,
        ...specOf(app),
        pods,
        ...ageOf(caches.pods.freshAt, clock),
        revisions: caches.revisions.byIndex("app", uid),
        prefetches: caches.prefetches.byIndex("app", uid),
        ...budgetOf(caches, app),
        nodes: {
          get: (node) => caches.nodes.get(undefined, node)?.state,
          all: () => caches.nodes.all().map(({ state }) => state),
        },
        ...admissionFacts(options.admission, app),
        ...drainFacts(options.drainOf?.(app)),
        memory,
        now: clock.now(),
        serverNow: options.serverNow(),
        maxClockSkewMs: options.maxClockSkewMs,
      };
    },

    plan(observed) {
      const plan = (options.planRunnerApp ?? planRunnerApp)(observed);
      plans.set(observed, plan);
      options.nodeHealth?.report(observed.app.metadata.uid as string, excludedUntil(observed.app));
      // Nothing was thought about an app whose clock is off, or that is being deleted: what it has it keeps until its pods have ended.
      if (plan.wants !== undefined) options.admission?.declare(ownerOf(observed.app), plan.wants);
      if (plan.declines) options.admission?.decline(observed.app.metadata.uid as string, fleetPart);
      return plan;
    },

    settle(_key, observed, results, status) {
      notes.get(observed.app.metadata.uid as string)?.learn(results, status, clock.now());
      if (status?.kind !== "done") return;
      for (const notification of plans.get(observed)?.notifications ?? []) options.notifications?.offer(notification);
    },

    forget(key) {
      forgetUid(`${key.namespace}/${key.name}`);
    },

    seeQuota: (appUid) => notes.get(appUid)?.quotaChanged(clock.now()) ?? false,
  };
}

/** Nodes that it leaves out, as it is recorded. */
const excludedUntil = ({ status }: RunnerApp): ReadonlyMap<string, number> =>
  status?.nodeRules === undefined ? new Map() : new Map(recordsOf(status).exclusion.exclusions.map(({ node, until }) => [node, until]));

const ownerOf = ({ metadata }: RunnerApp): WorkloadOwner => ({
  kind: "RunnerApp",
  namespace: metadata.namespace as string,
  name: metadata.name,
  uid: metadata.uid as string,
});

function budgetOf({ budgets }: RunnerAppCaches, { metadata }: RunnerApp): Pick<ObservedApp, "budget"> {
  const budget = budgets.get(metadata.namespace, metadata.name);
  return budget === undefined ? {} : { budget };
}

const ageOf = (freshAt: number | undefined, clock: Clock): Pick<ObservedApp, "podsAgeMs"> =>
  freshAt === undefined ? {} : { podsAgeMs: clock.monotonic() - freshAt };

const drainFacts = (drain: DrainView | undefined): Pick<ObservedApp, "drain"> => (drain === undefined ? {} : { drain });

function admissionFacts(admission: Admission | undefined, { metadata, spec }: RunnerApp): Pick<ObservedApp, "admission"> {
  if (admission === undefined) return {};
  const choice = admission.queueFor(metadata.namespace as string, spec.queue?.name);
  const answer = admission.answersFor(metadata.uid as string).get(fleetPart);
  return { admission: { ...(choice !== undefined && { choice }), ...(answer !== undefined && { answer }) } };
}
