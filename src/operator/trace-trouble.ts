import { operatorEventReasons } from "../api/reasons.ts";
import type { TraceBuffer, TraceTrouble } from "../trace/buffer.ts";
import type { TellDeployment } from "./deployment-events.ts";

const reasonOf: Readonly<Record<TraceTrouble["kind"], string>> = {
  unavailable: operatorEventReasons.traceUnavailable,
  dropping: operatorEventReasons.traceRowsDropped,
  recovered: operatorEventReasons.traceRecovered,
};

/** Tells of the trace's troubles by events; the buffer has logged them already. */
export function tellTraceTrouble(trace: Pick<TraceBuffer, "onTrouble">, tell: TellDeployment): void {
  trace.onTrouble(({ kind, note }) => tell(kind === "recovered" ? "Normal" : "Warning", reasonOf[kind], note));
}
