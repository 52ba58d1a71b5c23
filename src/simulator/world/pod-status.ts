import type { Container, ContainerState, ContainerStatus, Pod, PodCondition } from "../../api/core.ts";
import type { ContainerExit } from "./container-runtime.ts";
import { formatSeconds } from "../../base/time.ts";
import { pendingCondition, type ResizeRefusal } from "./pod-resize.ts";
import { type PodStatusChange, withConditions } from "./pod-write.ts";

/** What the kubelet knows of one container of a pod. Instants are milliseconds since the epoch. */
export interface ContainerSlot {
  container: Container;
  readonly role: "init" | "sidecar" | "ordinary";
  /** What it was started from: while it is being replaced, not yet what its spec says. */
  image: string;
  /** What it was given. */
  resources: NonNullable<Container["resources"]>;
  state:
    | { readonly kind: "waiting"; readonly reason: string; readonly message?: string }
    | { readonly kind: "running"; readonly startedAt: number }
    | { readonly kind: "terminated"; readonly exit: ContainerExit; readonly startedAt: number | undefined; readonly finishedAt: number };
  /** How it ended before its last restart. */
  last?: Extract<ContainerSlot["state"], { kind: "terminated" }>;
  restartCount: number;
  /** Whether it ever was created; a container that never was has no id. */
  created: boolean;
}

/** The containers of a pod that nothing was done for yet: init containers first. */
export function containerSlots({ spec }: Pod): ContainerSlot[] {
  const inits = spec.initContainers ?? [];
  const waiting = inits.length === 0 ? "ContainerCreating" : "PodInitializing";
  const slot = (container: Container, role: ContainerSlot["role"]): ContainerSlot => ({
    container,
    role,
    image: container.image ?? "",
    resources: container.resources ?? {},
    state: { kind: "waiting", reason: waiting },
    restartCount: 0,
    created: false,
  });
  return [
    ...inits.map((container) => slot(container, container.restartPolicy === "Always" ? "sidecar" : "init")),
    ...spec.containers.map((container) => slot(container, "ordinary")),
  ];
}

/** What the kubelet knows of a pod as a whole. */
export interface PodFacts {
  readonly slots: readonly ContainerSlot[];
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed";
  readonly sandboxReady: boolean;
  readonly startedAt: number;
  readonly podIP: string;
  readonly hostIP: string;
  /** Set when the kubelet itself ended the pod: DeadlineExceeded, or a refusal at admission. */
  readonly reason?: string;
  readonly message?: string;
  /** The kubelet is ending the pod for its deadline: it is not ready whatever its containers still do. */
  readonly deadline: boolean;
  /** A resize that could not be done. */
  readonly resize?: ResizeRefusal;
  readonly now: number;
}

/** The status that a kubelet would write, with the conditions of others kept. */
export function podStatusOf(pod: Pod, facts: PodFacts): PodStatusChange {
  const statuses = (roles: readonly ContainerSlot["role"][]) =>
    facts.slots.filter((slot) => roles.includes(slot.role)).map((slot) => containerStatusOf(pod, slot));
  const inits = statuses(["init", "sidecar"]);
  const time = formatSeconds(facts.startedAt);
  return {
    phase: facts.phase,
    conditions: conditionsOf(pod, facts),
    startTime: time,
    hostIP: facts.hostIP,
    ...(facts.sandboxReady ? { podIP: facts.podIP } : {}),
    containerStatuses: statuses(["ordinary"]),
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits }),
    ...(facts.reason === undefined ? {} : { reason: facts.reason }),
    ...(facts.message === undefined ? {} : { message: facts.message }),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
}

/** A container that comes again at once is told of as the one before until it runs: a kubelet prefers the state that it knows. */
function shownSlot(slot: ContainerSlot): ContainerSlot {
  const { state, last, restartCount } = slot;
  const isBetween = state.kind === "waiting" && (state.reason === "ContainerCreating" || state.reason === "PodInitializing");
  return isBetween && last !== undefined && restartCount > 0 ? { ...slot, state: last, restartCount: restartCount - 1 } : slot;
}

function containerStatusOf(pod: Pod, known: ContainerSlot): ContainerStatus {
  const slot = shownSlot(known);
  const id = `nuptse://${pod.metadata.uid}/${slot.container.name}/`;
  const current = slot.created ? id + slot.restartCount : "";
  const running = slot.state.kind === "running";
  return {
    name: slot.container.name,
    state: stateOf(slot.state, current),
    lastState: slot.last === undefined || slot !== known ? {} : stateOf(slot.last, `${id}${slot.restartCount - 1}`),
    ready: running || (slot.role === "init" && slot.state.kind === "terminated" && slot.state.exit.exitCode === 0),
    started: running,
    restartCount: slot.restartCount,
    image: slot.image,
    imageID: slot.created ? slot.image : "",
    ...(slot.created ? { containerID: current, resources: slot.resources } : {}),
    ...(slot.created && slot.resources.requests !== undefined ? { allocatedResources: slot.resources.requests } : {}),
  };
}

function stateOf(state: ContainerSlot["state"], containerID: string): ContainerState {
  switch (state.kind) {
    case "waiting":
      return { waiting: { reason: state.reason, ...(state.message === undefined ? {} : { message: state.message }) } };
    case "running":
      return { running: { startedAt: formatSeconds(state.startedAt) } };
    case "terminated": {
      const { exit } = state;
      return {
        terminated: {
          exitCode: exit.exitCode,
          ...(exit.signal === undefined ? {} : { signal: exit.signal }),
          reason: exit.reason,
          ...(exit.message === undefined ? {} : { message: exit.message }),
          // A container that never ran has the zero of Unix time here, as runc's failures show.
          startedAt: formatSeconds(state.startedAt ?? 0),
          finishedAt: formatSeconds(state.finishedAt),
          ...(containerID === "" ? {} : { containerID }),
        },
      };
    }
  }
}

/** Why a pod is not ready although its containers are, in the words of the kubelet (pkg/kubelet/status/generate.go). */
function closedGates({ spec, status }: Pod): readonly string[] {
  return (spec.readinessGates ?? []).flatMap(({ conditionType }) => {
    const found = status?.conditions?.find(({ type }) => type === conditionType);
    if (found === undefined) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
    return found.status === "True" ? [] : [`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`];
  });
}

function conditionsOf(pod: Pod, facts: PodFacts): readonly PodCondition[] {
  const ordinary = facts.slots.filter((slot) => slot.role === "ordinary");
  const inits = facts.slots.filter((slot) => slot.role !== "ordinary");
  const initialized = inits.every((slot) =>
    slot.role === "sidecar" ? slot.state.kind !== "waiting" : slot.state.kind === "terminated" && slot.state.exit.exitCode === 0,
  );
  const unready = facts.slots.filter((slot) => slot.role !== "init" && slot.state.kind !== "running").map((slot) => slot.container.name);
  const ended = ordinary.length > 0 && ordinary.every((slot) => slot.state.kind === "terminated");
  const failed = ordinary.some((slot) => slot.state.kind === "terminated" && slot.state.exit.exitCode !== 0);
  const generation = pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation };
  const condition = (type: string, holds: boolean, reason?: string, message?: string): PodCondition => ({
    type,
    status: holds ? "True" : "False",
    ...(holds || reason === undefined ? {} : { reason }),
    ...(holds || message === undefined ? {} : { message }),
    ...generation,
  });
  let why: string | undefined = "ContainersNotReady";
  let message: string | undefined = `containers with unready status: [${unready.join(" ")}]`;
  if (facts.phase === "Failed" || facts.deadline) [why, message] = ["PodFailed", undefined];
  else if (facts.phase === "Succeeded") [why, message] = ["PodCompleted", undefined];
  else if (ended && pod.spec.restartPolicy !== "Always") [why, message] = [failed ? "PodFailed" : "PodCompleted", undefined];
  const ready = facts.phase === "Running" && unready.length === 0 && !facts.deadline;
  const gates = ready ? closedGates(pod) : [];
  const over = facts.phase === "Succeeded" || facts.phase === "Failed";
  const incomplete = inits.filter((slot) => slot.state.kind !== "terminated").map((slot) => slot.container.name);
  const conditions = withConditions(
    pod,
    [
      condition("PodReadyToStartContainers", facts.sandboxReady && !over),
      condition(
        "Initialized",
        initialized || facts.phase === "Succeeded",
        "ContainersNotInitialized",
        `containers with incomplete status: [${incomplete.join(" ")}]`,
      ),
      gates.length === 0 ? condition("Ready", ready, why, message) : condition("Ready", false, "ReadinessGatesNotReady", gates.join(", ")),
      condition("ContainersReady", ready, why, message),
      condition("PodScheduled", true),
      ...(facts.resize === undefined ? [] : [{ ...pendingCondition(facts.resize), ...generation }]),
    ],
    facts.now,
  );
  return facts.resize === undefined ? conditions.filter(({ type }) => type !== "PodResizePending") : conditions;
}
