import { createReadStream } from "node:fs";

/** Verbs that change something. */
const writeVerbs: ReadonlySet<string> = new Set(["create", "update", "patch", "delete", "deletecollection"]);
/** Created to ask a question; nothing is stored. */
const questions: ReadonlySet<string> = new Set([
  "tokenreviews",
  "selfsubjectreviews",
  "subjectaccessreviews",
  "selfsubjectaccessreviews",
  "localsubjectaccessreviews",
  "selfsubjectrulesreviews",
]);

/** What a request was about; absent for paths that are no objects, such as /readyz. */
export interface AuditObject {
  /** Empty for the core group. */
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly resource: string;
  /** Empty for the object itself. */
  readonly subresource: string;
  readonly namespace: string;
  /** Empty for lists. */
  readonly name: string;
}

/** One line of the audit log. A watch has two: ResponseStarted and ResponseComplete. */
export interface AuditEvent {
  readonly auditId: string;
  readonly stage: "ResponseStarted" | "ResponseComplete" | "Panic";
  readonly verb: string;
  readonly user: string;
  readonly userAgent: string;
  readonly requestUri: string;
  readonly objectRef?: AuditObject;
  readonly responseStatus: { readonly code: number };
  /** Whether the user lacked the right: a 403 may also be a quota's, or a policy's. */
  readonly forbidden: boolean;
  /** When the server got the request, in milliseconds since the epoch, with microseconds as the fraction. */
  readonly requestReceivedTimestamp: number;
  /** When this stage was reached; for ResponseComplete the end of the reply. */
  readonly stageTimestamp: number;
}

/** Which lines are wanted; what is absent does not restrict. */
export interface AuditFilter {
  /** Byte of the log to begin at, at the start of a line: as `auditPosition` gave it. */
  readonly fromByte?: number;
  readonly userAgentPrefix?: string;
  readonly user?: string;
  readonly verbs?: readonly string[];
  /** Of objectRef. */
  readonly resource?: string;
  readonly namespace?: string;
  /** By requestReceivedTimestamp, ms: from `since` on, and before `until`. */
  readonly since?: number;
  readonly until?: number;
}

/** Writes as counted by `countWrites`. */
export interface WriteCount {
  readonly total: number;
  /** Those that were answered with 400 or more. */
  readonly refused: number;
  /** By verb and kind of object, such as "create pods" or "patch elasticjobs/status". */
  readonly byRequest: ReadonlyMap<string, number>;
}

/** The events of an audit log, in the order of the file, which is that of stageTimestamp but for races. A last line that is still being written is left out. */
export async function* auditEvents(path: string, filter: AuditFilter = {}): AsyncGenerator<AuditEvent, void, undefined> {
  for await (const line of completeLines(path, filter.fromByte ?? 0)) {
    const event = parseAuditLine(line);
    if (matches(event, filter)) yield event;
  }
}

/** One line of the log as an event. Throws SyntaxError for a line that is not JSON. */
export function parseAuditLine(line: string): AuditEvent {
  const raw = JSON.parse(line) as RawEvent;
  const reference = raw.objectRef;
  return {
    auditId: raw.auditID,
    stage: raw.stage,
    verb: raw.verb,
    user: raw.user?.username ?? "",
    userAgent: raw.userAgent ?? "",
    requestUri: raw.requestURI,
    ...(reference === undefined
      ? {}
      : {
          objectRef: {
            apiGroup: reference.apiGroup ?? "",
            apiVersion: reference.apiVersion ?? "",
            resource: reference.resource ?? "",
            subresource: reference.subresource ?? "",
            namespace: reference.namespace ?? "",
            name: reference.name ?? "",
          },
        }),
    responseStatus: { code: raw.responseStatus?.code ?? 0 },
    forbidden: raw.annotations?.["authorization.k8s.io/decision"] === "forbid",
    requestReceivedTimestamp: microTime(raw.requestReceivedTimestamp),
    stageTimestamp: microTime(raw.stageTimestamp),
  };
}

/**
 * How many requests to change something the clients whose user agent begins with `userAgentPrefix` made, each counted once, refused ones too.
 * Reviews (of tokens, of access) are questions and are not counted.
 */
export async function countWrites(events: AsyncIterable<AuditEvent> | Iterable<AuditEvent>, userAgentPrefix: string): Promise<WriteCount> {
  let total = 0;
  let refused = 0;
  const byRequest = new Map<string, number>();
  for await (const event of events) {
    if (event.stage === "ResponseStarted" || !event.userAgent.startsWith(userAgentPrefix) || !writeVerbs.has(event.verb)) continue;
    const { resource = "", subresource = "" } = event.objectRef ?? {};
    if (questions.has(resource)) continue;
    const request = `${event.verb} ${subresource === "" ? resource : `${resource}/${subresource}`}`;
    byRequest.set(request, (byRequest.get(request) ?? 0) + 1);
    total += 1;
    if (event.responseStatus.code >= 400) refused += 1;
  }
  return { total, refused, byRequest };
}

interface RawEvent {
  readonly auditID: string;
  readonly stage: AuditEvent["stage"];
  readonly verb: string;
  readonly user?: { readonly username?: string };
  readonly userAgent?: string;
  readonly requestURI: string;
  readonly objectRef?: Partial<AuditObject>;
  readonly responseStatus?: { readonly code?: number };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

function matches(event: AuditEvent, filter: AuditFilter): boolean {
  return (
    (filter.userAgentPrefix === undefined || event.userAgent.startsWith(filter.userAgentPrefix)) &&
    (filter.user === undefined || event.user === filter.user) &&
    (filter.verbs === undefined || filter.verbs.includes(event.verb)) &&
    (filter.resource === undefined || event.objectRef?.resource === filter.resource) &&
    (filter.namespace === undefined || event.objectRef?.namespace === filter.namespace) &&
    (filter.since === undefined || event.requestReceivedTimestamp >= filter.since) &&
    (filter.until === undefined || event.requestReceivedTimestamp < filter.until)
  );
}

/** "2026-11-02T10:00:00.123456Z" in milliseconds, microseconds kept (a double holds them until the year 2255). */
function microTime(text: string): number {
  const fraction = text.match(/\.(\d+)Z$/)?.[1] ?? "";
  const seconds = Date.parse(fraction === "" ? text : text.replace(`.${fraction}`, ""));
  return seconds + Number(fraction.padEnd(6, "0").slice(0, 6)) / 1000;
}

async function* completeLines(path: string, fromByte: number): AsyncGenerator<string, void, undefined> {
  let rest = "";
  for await (const chunk of createReadStream(path, { start: fromByte, encoding: "utf8", highWaterMark: 2 ** 20 })) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
