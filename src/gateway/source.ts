import type { SpecProblem } from "../api/problem.ts";
import type { PublishedService } from "../haproxy/rules/published-service.ts";

/** What is to be served now, as far as is known. */
export interface SourceView {
  /** False until all kinds have been listed once: then nothing may be concluded from what is absent. */
  readonly complete: boolean;
  /** The same object as in the view before for a service that has not changed. */
  readonly services: readonly PublishedService[];
  /** What keeps a service from being read, by "namespace/name". */
  readonly problems: ReadonlyMap<string, readonly SpecProblem[]>;
  /** In monotonic milliseconds: when the view changes with time alone. */
  readonly changesAt?: number;
  /** For how long nothing has been heard, in milliseconds; 0 while all is well. */
  readonly silentForMs: number;
}

/** Where services and their instances come from. */
export interface ServiceSource {
  view(): SourceView;
  /** Called when the view may have changed; at most one listener. */
  onChange(listener: () => void): void;
}
