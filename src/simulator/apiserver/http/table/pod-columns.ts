import type { ContainerState, ContainerStatus, Pod } from "../../../../api/core.ts";
import { ageSince } from "./age.ts";
import { ageColumn, type Cell, column, nameColumn, type RowPrinter } from "./columns.ts";

/**
 * Pods as `kubectl get pods` shows them. The Status column is not the phase: it is the most telling reason among gates, init containers,
 * containers and deletion, found in the order in which Kubernetes 1.36 looks.
 */
export const podPrinter: RowPrinter = {
  columns: [
    nameColumn,
    column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    column("Status", "The aggregate status of the containers in this pod."),
    column("Restarts", "How often the containers in this pod have been restarted, and when the last one was."),
    ageColumn,
    column("IP", "The address of the pod.", { wide: true }),
    column("Node", "The node that the pod is bound to.", { wide: true }),
    column("Nominated Node", "The node that the pod may get after preemption.", { wide: true }),
    column("Readiness Gates", "Further conditions that the pod needs to be ready, and how many hold.", { wide: true }),
  ],
  cells: (object, now) => podCells(object as Pod, now),
};

interface Tally {
  reason: string;
  ready: number;
  restarts: number;
  lastRestart: string;
}

function podCells(pod: Pod, now: number): readonly Cell[] {
  const status = pod.status ?? {};
  const sidecars = new Set((pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === "Always").map((c) => c.name));
  const gated = status.conditions?.some((condition) => condition.type === "PodScheduled" && condition.reason === "SchedulingGated");
  const tally: Tally = { reason: gated ? "SchedulingGated" : status.reason || status.phase || "", ready: 0, restarts: 0, lastRestart: "" };
  const ofSidecars: Tally = { reason: "", ready: 0, restarts: 0, lastRestart: "" };
  const initializing = tallyInitContainers(pod, sidecars, tally, ofSidecars);
  if (!initializing || hasCondition(pod, "Initialized")) {
    tally.restarts = ofSidecars.restarts;
    tally.lastRestart = ofSidecars.lastRestart;
    tallyContainers(pod, tally);
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === "NodeLost") tally.reason = "Unknown";
    else if (status.phase !== "Succeeded" && status.phase !== "Failed") tally.reason = "Terminating";
  }
  const total = pod.spec.containers.length + sidecars.size;
  const restarts =
    tally.restarts !== 0 && tally.lastRestart !== "" ? `${tally.restarts} (${ageSince(tally.lastRestart, now)} ago)` : `${tally.restarts}`;
  return [
    pod.metadata.name,
    `${tally.ready}/${total}`,
    tally.reason,
    restarts,
    ageSince(pod.metadata.creationTimestamp, now),
    podAddress(pod),
    pod.spec.nodeName || "<none>",
    (status as { readonly nominatedNodeName?: string }).nominatedNodeName || "<none>",
    readinessGates(pod),
  ];
}

/** True when a container that must end before the others is still at work, or failed. */
function tallyInitContainers(pod: Pod, sidecars: ReadonlySet<string>, tally: Tally, ofSidecars: Tally): boolean {
  for (const [index, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    countRestarts(tally, container);
    const sidecar = sidecars.has(container.name);
    if (sidecar) countRestarts(ofSidecars, container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecar && container.started) {
      if (container.ready) tally.ready++;
      continue;
    }
    if (terminated) tally.reason = `Init:${endReason(terminated)}`;
    else if (waiting?.reason && waiting.reason !== "PodInitializing") tally.reason = `Init:${waiting.reason}`;
    else tally.reason = `Init:${index}/${pod.spec.initContainers?.length ?? 0}`;
    return true;
  }
  return false;
}

function tallyContainers(pod: Pod, tally: Tally): void {
  let running = false;
  let failure = "";
  for (const container of (pod.status?.containerStatuses ?? []).toReversed()) {
    countRestarts(tally, container);
    const { terminated, waiting, running: runs } = container.state ?? {};
    if (waiting?.reason) tally.reason = waiting.reason;
    else if (terminated) {
      tally.reason = endReason(terminated);
      if (terminated.exitCode !== 0) failure = tally.reason;
    } else if (container.ready && runs) {
      running = true;
      tally.ready++;
    }
  }
  if (tally.reason !== "Completed") return;
  if (running && hasCondition(pod, "Ready")) tally.reason = "Running";
  else if (failure !== "") tally.reason = failure;
  else if (running) tally.reason = "NotReady";
}

function countRestarts(tally: Tally, container: ContainerStatus): void {
  tally.restarts += container.restartCount ?? 0;
  const ended = container.lastState?.terminated?.finishedAt ?? "";
  if (ended > tally.lastRestart) tally.lastRestart = ended;
}

function endReason(terminated: NonNullable<ContainerState["terminated"]>): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

function hasCondition(pod: Pod, type: string): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
}

function podAddress(pod: Pod): string {
  const addresses = (pod.status as { readonly podIPs?: readonly { readonly ip?: string }[] } | undefined)?.podIPs;
  return addresses?.[0]?.ip || pod.status?.podIP || "<none>";
}

function readinessGates(pod: Pod): string {
  const gates = (pod.spec["readinessGates"] ?? []) as readonly { readonly conditionType: string }[];
  if (gates.length === 0) return "<none>";
  return `${gates.filter((gate) => hasCondition(pod, gate.conditionType)).length}/${gates.length}`;
}
