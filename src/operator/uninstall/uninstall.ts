/**
 * Makes the cluster one that works without us (decision 31). Users' objects and the definitions of their kinds stay. In this order:
 *
 *   policies and webhook configurations  ->  the operator ends  ->  PodDisruptionBudgets  ->  gates of waiting pods  ->  instances out of service
 *     ->  published Services  ->  the claim on the cluster  ->  pods that were still gated meanwhile
 *
 * Every step goes by what it finds, so that dying anywhere, and doing all of it again, does no harm.
 */
import { createApplier } from "../../runtime/applier.ts";
import { noMetrics } from "../../runtime/metrics.ts";
import { admissionStep } from "./admission.ts";
import { claimStep } from "./claim.ts";
import { type LastLeadOptions, takeLastLead } from "./last-lead.ts";
import { budgetsStep, inServiceStep, servicesStep, waitingPodsStep } from "./left-behind.ts";
import { runStep, type UninstallStep } from "./step.ts";

/** `limitMs`: for each step. */
export type UninstallOptions = LastLeadOptions;

/** By then every API server has forgotten a policy that was deleted, and nobody is gated any more. */
const forgottenMs = 10_000;

/** Resolves with what could not be done, a line each; empty = the cluster works. Rejects when an operator cannot be kept from undoing it. */
export async function uninstall(options: UninstallOptions): Promise<readonly string[]> {
  const { client, clock, namespace, leaseName, limitMs, say } = options;
  const left: string[] = [];
  const over = new AbortController();
  const carryOut = async (step: UninstallStep, fence: () => boolean) => {
    const applier = createApplier({ client, stores: new Map(), recorder: { record() {} }, fence, metrics: noMetrics, clock });
    const problem = await runStep(step, { applier, clock, limitMs, signal: over.signal, say });
    if (problem !== undefined) left.push(problem);
  };

  // The configurations of webhooks name an operator that is about to end, so they go first.
  await carryOut(admissionStep(client), () => true);
  const forgottenAt = clock.monotonic() + forgottenMs;
  const lead = await takeLastLead(options);
  const isLost = lead.lost.then((reason) => {
    throw new Error(`operator: the lead was lost, and somebody may undo what was done; run it again: ${reason}`);
  });
  const work = async () => {
    const claim = claimStep(client, { namespace, name: leaseName });
    for (const step of [budgetsStep(client), waitingPodsStep(client), inServiceStep(client, clock), servicesStep(client), claim])
      await carryOut(step, lead.fence);
    await clock.sleep(Math.max(0, forgottenAt - clock.monotonic()), over.signal);
    await carryOut({ ...waitingPodsStep(client), title: "pods that were held meanwhile" }, lead.fence);
  };
  try {
    await Promise.race([work(), isLost]);
  } finally {
    over.abort();
    await lead.release();
  }
  return left;
}
