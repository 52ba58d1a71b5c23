import type { Node, Pod } from "../../api/core.ts";
import { isImagePull } from "../../api/image-pull.ts";
import { reduceItem } from "../../api/names.ts";
import { conditionReasons, queueRefusals, runnerWaits, waitReasons } from "../../api/reasons.ts";
import { IntervalSet } from "../../base/interval-set.ts";
import type { Cause, CauseName } from "./cause.ts";
import { eventTime, type JobPicture, type ShownEvent } from "./job-picture.ts";
import type { ItemView, RunView } from "./run-view.ts";

/** The reasons for which a run waits as a whole, by what stands in status. */
const waits: Readonly<Record<string, { readonly cause: CauseName; readonly advice: string }>> = {
  QuotaExceeded: {
    cause: "Quota",
    advice: "it goes on by itself when there is room: kubectl describe resourcequota, then raise the quota or end what uses it",
  },
  AdmissionRefused: {
    cause: "Admission",
    advice: "it is tried again by itself: change spec.template as the refusal says, or the rule that refuses",
  },
  ConcurrencyPolicy: { cause: "Concurrency", advice: "see spec.concurrencyPolicy: Allow lets runs overlap, Replace ends the earlier one" },
  ConcurrencyLimit: { cause: "Concurrency", advice: "it begins when one of the runs at work ends" },
  Replacing: { cause: "Concurrency", advice: "it begins when the pods of the run that it replaces have ended" },
  Misfire: { cause: "Misfire", advice: "it begins as soon as the runs before it have ended" },
  [conditionReasons.runnerNotFound]: { cause: "Runner", advice: "create the RunnerApp with spec.executor, or correct spec.runnerRef.name" },
  [conditionReasons.runnerRefuses]: {
    cause: "Runner",
    advice: "give the job the labels that spec.executor.allowedJobs of the RunnerApp asks for, or change those",
  },
  [conditionReasons.runnerUnheard]: {
    cause: "Runner",
    advice: "start the operator with --xxl-admin-address (xxlAdmin.enabled of the chart), and lead the executors there: docs/xxl-job.md",
  },
  [runnerWaits.noInstance]: {
    cause: "Runner",
    advice: "it begins when an instance is ready: kubectl nuptse executors, kubectl describe ra",
  },
  [runnerWaits.fleetBusy]: {
    cause: "Runner",
    advice: "it begins when there is a place: kubectl nuptse executors; more replicas, or a larger spec.executor.capacity",
  },
  [runnerWaits.fleetNotCounted]: { cause: "Runner", advice: "it begins by itself in a moment" },
  [waitReasons.queuePending]: {
    cause: "Queue",
    advice: "it begins by itself when its turn comes; who has what it lacks: kubectl nuptse queue",
  },
  [waitReasons.queueFull]: {
    cause: "Queue",
    advice: "it joins the queue when there is room: start fewer, or raise spec.limits.waiting of the queue",
  },
  [waitReasons.queueNotReady]: { cause: "Queue", advice: "see the conditions of the queue: kubectl describe tq" },
  [waitReasons.neverFits]: { cause: "Queue", advice: "make spec.queue.minCount or the requests smaller, or raise what the queue may have" },
  [queueRefusals.queueNotFound]: { cause: "Queue", advice: "name another queue in spec.queue.name, or create this one" },
  [queueRefusals.queueNotLeaf]: { cause: "Queue", advice: "name a queue without children in spec.queue.name" },
  [queueRefusals.queueNotAllowed]: { cause: "Queue", advice: "name a queue that is open to the namespace in spec.queue.name" },
};

/** What keeps a run waiting is no other run of its job. */
const notBehindOthers: ReadonlySet<CauseName> = new Set<CauseName>(["Quota", "Admission", "Queue", "Runner"]);

/** Why a run that has not ended does not go on, or that it does. The most important cause first. */
export function runCauses(run: RunView, all: readonly RunView[], picture: JobPicture, nodes: readonly Node[]): readonly Cause[] {
  if (run.phase === "Waiting") return [waitingCause(run, all)];
  const causes: Cause[] = [];
  const refused = waits[run.reason ?? ""];
  if (refused !== undefined) {
    const how = refused.cause === "Queue" ? "waits for more items" : "is refused";
    causes.push(wholeRun(run, refused.cause, `run ${run.run} ${how}: ${run.message ?? run.reason}`, refused.advice));
  }
  const pods = new Map(picture.pods.map((pod) => [pod.metadata.name, pod]));
  const stuck = new Map<string, { readonly cause: Cause; readonly items: IntervalSet }>();
  for (const item of run.items) {
    const cause = itemCause(run, item, pods.get(item.pod ?? ""), picture.events, nodes);
    if (cause === undefined) continue;
    const key = `${cause.cause} ${cause.text}`;
    const known = stuck.get(key);
    if (known === undefined) stuck.set(key, { cause, items: new IntervalSet([item.item]) });
    else {
      const earlier = [known.cause.since, cause.since].filter((since) => since !== undefined).sort()[0];
      stuck.set(key, { cause: { ...known.cause, ...(earlier !== undefined && { since: earlier }) }, items: known.items.add(item.item) });
    }
  }
  for (const { cause, items } of stuck.values()) {
    const only = items.minus(new IntervalSet([reduceItem]));
    const numbers = `item${only.size === 1 ? "" : "s"} ${only.toString()}`;
    const which = only.size < items.size ? "reduce: " : run.total === 1 ? "" : `${numbers}: `;
    causes.push({ ...cause, text: `${which}${cause.text}`, items: items.toString() });
  }
  if (run.ending !== undefined) {
    causes.push(
      wholeRun(
        run,
        "Ending",
        `run ${run.run} is being stopped (${run.ending}); its pods have not ended yet`,
        "a pod ends at the latest after its terminationGracePeriodSeconds",
      ),
    );
  }
  return [...causes, ...quietCauses(run, causes, picture)];
}

/** A run that waits as a whole: for what, and since when. */
function waitingCause(run: RunView, all: readonly RunView[]): Cause {
  const reason = run.reason ?? "";
  const known = waits[reason];
  if (known === undefined) {
    const cause = /dependency|upstream/i.test(reason) ? "Dependency" : "Waiting";
    return wholeRun(
      run,
      cause,
      `run ${run.run} waits: ${run.message || reason || "the operator has not said for what"}`,
      dependencyAdvice(cause),
    );
  }
  const others = all.filter((other) => other.live && other.phase !== "Waiting" && other.run !== run.run);
  const inTheWay = others.map((other) => other.run).join(", ");
  const behind = notBehindOthers.has(known.cause) || inTheWay === "" ? "" : `; at work: ${inTheWay}`;
  return wholeRun(run, known.cause, `run ${run.run} waits: ${run.message ?? reason}${behind}`, known.advice);
}

function dependencyAdvice(cause: CauseName): string | undefined {
  return cause === "Dependency" ? "it begins when the jobs of spec.after have run; ask why of the one that is named" : undefined;
}

function wholeRun(run: RunView, cause: CauseName, text: string, advice: string | undefined): Cause {
  const since = run.updatedAt ?? run.startedAt ?? run.fireTime;
  return { cause, text, run: run.run, ...(since !== undefined && { since }), ...(advice !== undefined && { advice }) };
}

/** Why the program of an item is not at work; undefined when it is, or when it has ended. */
function itemCause(
  run: RunView,
  item: ItemView,
  pod: Pod | undefined,
  events: readonly ShownEvent[],
  nodes: readonly Node[],
): Cause | undefined {
  const about = { run: run.run, items: String(item.item) };
  if (item.phase === "Retrying") {
    const how = [item.reason, item.exitCode === undefined ? undefined : `exit ${item.exitCode}`]
      .filter((part) => part !== undefined)
      .join(", ");
    return {
      ...about,
      cause: "Retrying",
      text: `attempt ${item.attempt} has ended (${how}), and the next one waits for its back-off`,
      ...(item.endedAt !== undefined && { since: item.endedAt }),
      advice: `kubectl logs ${item.pod} says why it failed; spec.retry.backoff is the wait`,
    };
  }
  if (pod === undefined && item.phase === "Running" && item.message !== undefined) {
    return {
      ...about,
      cause: "Runner",
      text: `the executor on ${item.node} gives no answer that can be used: ${item.message}`,
      ...(item.startedAt !== undefined && { since: item.startedAt }),
      advice: "it is tried again by itself, on the same instance until that is gone: see the instance's log",
    };
  }
  if (pod === undefined || (item.phase !== "Starting" && item.phase !== "Running")) return undefined;
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
  const created = pod.metadata.creationTimestamp;
  const since = scheduled?.lastTransitionTime ?? created;
  const silent = pod.spec.nodeName === undefined ? undefined : nodes.find((node) => node.metadata.name === pod.spec.nodeName);
  const ready = silent?.status?.conditions?.find((condition) => condition.type === "Ready");
  if (ready !== undefined && ready.status !== "True") {
    return {
      ...about,
      cause: "NodeSilent",
      text: `node ${pod.spec.nodeName} does not answer (${ready.reason ?? ready.status}); its program may still be at work, so nothing replaces it`,
      ...(typeof ready.lastTransitionTime === "string" && { since: ready.lastTransitionTime }),
      advice: `repair the node, or kubectl delete node ${pod.spec.nodeName} if it is gone for good`,
    };
  }
  if (item.phase === "Running") return undefined;
  const sinceWhen = typeof since === "string" ? { since } : {};
  if (pod.spec.nodeName === undefined) {
    const gates = (pod.spec.schedulingGates ?? []).map((gate) => gate.name).join(", ");
    const words =
      gates === "" ? (scheduled?.message ?? "the scheduler has not looked at it yet") : `its scheduling is held back by ${gates}`;
    return {
      ...about,
      cause: "NoNode",
      text: `no node takes the pod: ${words}`,
      ...sinceWhen,
      advice:
        "it starts when a node fits: look at resources, nodeSelector, affinity and tolerations of spec.template, and at kubectl get nodes",
    };
  }
  const container = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].find(
    (status) => status.state?.waiting !== undefined && status.state.waiting.reason !== "PodInitializing",
  );
  const waiting = container?.state?.waiting;
  if (isImagePull(waiting?.reason)) {
    return {
      ...about,
      cause: "Image",
      text: `the image ${container?.image || imageOf(pod, container?.name)} cannot be had (${waiting?.reason}): ${waiting?.message ?? "the node does not say why"}`,
      ...sinceWhen,
      advice:
        "correct the image in spec.template, or give the pod the imagePullSecrets for it; the attempt ends after spec.startTimeoutSeconds",
    };
  }
  const said = lastWarning(events, pod);
  return {
    ...about,
    cause: "NotStarted",
    text: `the pod is on node ${pod.spec.nodeName} and has not started: ${waiting?.message ?? said ?? waiting?.reason ?? "its node has not said why"}`,
    ...sinceWhen,
    advice: `kubectl describe pod ${pod.metadata.name} says more`,
  };
}

function imageOf(pod: Pod, container: string | undefined): string {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find((each) => each.name === container)?.image ?? "of the pod";
}

function lastWarning(events: readonly ShownEvent[], pod: Pod): string | undefined {
  const warnings = events.filter((event) => event.type === "Warning" && event.involvedObject?.name === pod.metadata.name);
  return warnings.sort((a, b) => eventTime(a) - eventTime(b)).at(-1)?.message;
}

/** Items that only wait for their turn, and that programs are at work. */
function quietCauses(run: RunView, found: readonly Cause[], picture: JobPicture): readonly Cause[] {
  const causes: Cause[] = [];
  const inPhase = (phase: ItemView["phase"]) => new IntervalSet(run.items.filter((item) => item.phase === phase).map((item) => item.item));
  const working = inPhase("Running");
  const waiting = inPhase("Waiting");
  const parallelism = picture.job.spec.sharding?.parallelism;
  if (waiting.size > 0 && parallelism !== undefined && working.size + inPhase("Starting").size >= parallelism) {
    const text = `${waiting.size} items wait for their turn: sharding.parallelism lets ${parallelism} be at work at once`;
    causes.push({ cause: "Parallelism", text, run: run.run, items: waiting.toString() });
  } else if (waiting.size > 0 && found.length === 0 && working.size === 0) {
    causes.push(wholeRun(run, "Waiting", `run ${run.run} has ${waiting.size} items that have no pod yet`, undefined));
  }
  if (working.size > 0) {
    const text = `run ${run.run} is at work: ${run.succeeded + run.failed} of ${run.total} items have ended, at work: ${working.toString()}`;
    causes.push({
      cause: "AtWork",
      text,
      run: run.run,
      items: working.toString(),
      ...(run.startedAt !== undefined && { since: run.startedAt }),
    });
  }
  return causes;
}
