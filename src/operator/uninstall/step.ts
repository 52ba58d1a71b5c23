import type { Action, ActionResult } from "../../api/action.ts";
import type { ObjectRef } from "../../api/meta.ts";
import { type Resource, resourceName } from "../../api/resource.ts";
import type { Clock } from "../../base/clock.ts";
import { Forbidden, Unauthorized } from "../../kube/errors.ts";
import type { Applier } from "../../runtime/applier.ts";

/** What a look at one sort of things says. */
export interface StepPlan {
  readonly actions: readonly Action[];
  /** What others are to do before there is more to do, for people. */
  readonly waits?: readonly string[];
  /** What people should know of the end. */
  readonly remarks?: readonly string[];
}

/** One thing that an uninstallation does: it looks and acts until there is nothing left to do, so that it can be begun anywhere and anew. */
export interface UninstallStep {
  /** What it sees to, for people. */
  readonly title: string;
  /** What becomes of objects, after their number. */
  readonly done: string;
  /** Of which kind objects are counted; absent = of all. */
  readonly counted?: Resource;
  /** Reads past every cache. */
  look(): Promise<StepPlan>;
}

export interface StepTools {
  readonly applier: Applier;
  readonly clock: Clock;
  /** After so many milliseconds a step is given up. */
  readonly limitMs: number;
  /** Ends it, with the signal's reason. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const lookAgainMs = 300;

/** Carries a step out. Resolves with what is in its way, in one line; undefined = it is done, and that was said. */
export async function runStep(step: UninstallStep, { applier, clock, limitMs, signal, say }: StepTools): Promise<string | undefined> {
  const changed = new Set<string>();
  const until = clock.monotonic() + limitMs;
  for (;;) {
    let trouble: string;
    try {
      const { actions, waits = [], remarks = [] } = await step.look();
      if (actions.length === 0 && waits.length === 0) {
        say(`${step.title}: ${changed.size} ${step.done}`);
        for (const remark of remarks) say(`${step.title}: ${remark}`);
        return undefined;
      }
      const { results } = await applier.apply({ actions, reasons: [] });
      for (const { action, outcome } of results) {
        const target = targetOf(action);
        if (outcome.kind !== "done" || target === undefined) continue;
        if (step.counted === undefined || step.counted === target.resource) changed.add(nameOf(target));
      }
      trouble = results.flatMap(troubleOf)[0] ?? waits[0] ?? "others change the same objects all the time";
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
      // Whoever may not look will not be allowed to a moment later.
      if (error instanceof Forbidden || error instanceof Unauthorized) return `${step.title}: ${trouble}`;
    }
    if (clock.monotonic() >= until) return `${step.title}: ${trouble}`;
    await clock.sleep(lookAgainMs, signal);
  }
}

interface Target {
  readonly resource: Resource;
  readonly ref: ObjectRef;
}

function targetOf(action: Action): Target | undefined {
  if (!("resource" in action)) return undefined;
  const { resource } = action;
  if ("ref" in action) return { resource, ref: action.ref };
  return "object" in action ? { resource, ref: action.object.metadata } : undefined;
}

const nameOf = ({ resource, ref }: Target): string =>
  `${resourceName(resource)} ${ref.namespace === undefined ? "" : `${ref.namespace}/`}${ref.name}`;

/** What is not worth a word is looked at again. */
function troubleOf({ action, outcome }: ActionResult): readonly string[] {
  const target = targetOf(action);
  const name = target === undefined ? action.tag : nameOf(target);
  if (outcome.kind === "forbidden" || outcome.kind === "invalid") return [`${name}: ${outcome.message}`];
  return outcome.kind === "failed" ? [`${name}: ${outcome.error instanceof Error ? outcome.error.message : String(outcome.error)}`] : [];
}
