import type { KubeObject, Status } from "../../../src/api/meta.ts";
import type { Metrics } from "../../../src/runtime/metrics.ts";
import { FencedError } from "../../../src/kube/errors.ts";
import { describeRequest } from "../../../src/kube/request-info.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../../src/kube/transport.ts";

/** What a scripted server answers: a response, or what the transport itself rejects with. */
export type Answer = TransportResponse | Error;

/** A transport on a function, which may take its time. The fence is asked when the request is made, unless `holdMs` says when. */
export function scriptedTransport(answer: (request: TransportRequest) => Answer | Promise<Answer>, beforeSending?: () => Promise<void>) {
  const sent: TransportRequest[] = [];
  const transport: Transport = {
    async request(request) {
      await beforeSending?.();
      if (request.fence?.() === false) throw new FencedError(describeRequest(request));
      sent.push(request);
      const result = await answer(request);
      if (result instanceof Error) throw result;
      return result;
    },
    stream: () => Promise.reject(new Error("nothing is streamed here")),
  };
  return { transport, sent, words: () => sent.map(describeRequest) };
}

export function ok(body: unknown, status = 200): TransportResponse {
  return { status, headers: {}, body };
}

/** A failure as Kubernetes words it. */
export function failure(code: number, reason: string, message = reason, details: Status["details"] = { name: "some" }): TransportResponse {
  const body: Status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code,
    reason,
    message,
    ...(details === undefined ? {} : { details }),
  };
  return { status: code, headers: {}, body };
}

/** An object of a kind that no test looks into. */
export function thing(name: string, metadata: Partial<KubeObject["metadata"]> = {}): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { namespace: "shop", name, uid: `uid-${name}`, ...metadata } };
}

/** Keeps what is counted: "name{a=b}" with its sum. */
export function recordingMetrics(): Metrics & { readonly counts: Map<string, number>; readonly gauges: Map<string, number> } {
  const counts = new Map<string, number>();
  const gauges = new Map<string, number>();
  const keyOf = (name: string, labels: object) =>
    `${name}{${Object.entries(labels)
      .map(([label, value]) => `${label}=${value}`)
      .join()}}`;
  return {
    counts,
    gauges,
    count: (name, labels, by = 1) => counts.set(keyOf(name, labels), (counts.get(keyOf(name, labels)) ?? 0) + by),
    set: (name, labels, value) => gauges.set(keyOf(name, labels), value),
    observe() {},
  };
}
