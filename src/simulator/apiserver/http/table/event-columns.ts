import type { KubeObject } from "../../../../api/meta.ts";
import { ageSince } from "./age.ts";
import { type Cell, column, nameColumn, type RowPrinter } from "./columns.ts";

/** An event in either of its two forms: core/v1, or events.k8s.io/v1 with its other names for the same fields. */
interface EventForms extends KubeObject {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly note?: string;
  readonly involvedObject?: Reference;
  readonly regarding?: Reference;
  readonly source?: { readonly component?: string; readonly host?: string };
  readonly deprecatedSource?: { readonly component?: string; readonly host?: string };
  readonly reportingComponent?: string;
  readonly reportingController?: string;
  readonly reportingInstance?: string;
  readonly firstTimestamp?: string | null;
  readonly deprecatedFirstTimestamp?: string | null;
  readonly lastTimestamp?: string | null;
  readonly deprecatedLastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly count?: number;
  readonly deprecatedCount?: number;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string } | null;
}

interface Reference {
  readonly kind?: string;
  readonly name?: string;
  readonly fieldPath?: string;
}

/** Events as `kubectl get events` shows them. */
export const eventPrinter: RowPrinter = {
  columns: [
    column("Last Seen", "When the event was last seen."),
    column("Type", "Normal or Warning."),
    column("Reason", "Why the event was written, in one word."),
    column("Object", "What the event is about."),
    column("Subobject", "Which part of the object the event is about.", { wide: true }),
    column("Source", "Who wrote the event.", { wide: true }),
    column("Message", "What happened."),
    column("First Seen", "When the event was first seen.", { wide: true }),
    column("Count", "How often the event was seen.", { wide: true }),
    { ...nameColumn, priority: 1 },
  ],
  cells: (object, now) => eventCells(object as EventForms, now),
};

function eventCells(event: EventForms, now: number): readonly Cell[] {
  const firstSeen = ageSince(event.firstTimestamp ?? event.deprecatedFirstTimestamp ?? event.eventTime, now);
  const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.deprecatedLastTimestamp;
  const about = event.involvedObject ?? event.regarding ?? {};
  const kind = (about.kind ?? "").toLowerCase();
  const source = event.source ?? event.deprecatedSource ?? {};
  const component = source.component || event.reportingComponent || event.reportingController || "";
  const host = source.host || event.reportingInstance || "";
  return [
    last ? ageSince(last, now) : firstSeen,
    event.type ?? "",
    event.reason ?? "",
    about.name ? `${kind}/${about.name}` : kind,
    about.fieldPath ?? "",
    host === "" ? component : `${component}, ${host}`,
    (event.message ?? event.note ?? "").trim(),
    firstSeen,
    event.series?.count ?? (event.count || event.deprecatedCount || 1),
    event.metadata.name,
  ];
}
