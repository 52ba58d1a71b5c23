import { appReasons } from "../../../api/reasons.ts";
import type { RunnerApp } from "../../../api/runner-app.gen.ts";

/** What is under way, or done. */
const well: ReadonlySet<string | undefined> = new Set(["Published", "Pending", "Adopting", "Releasing", undefined]);

/** What keeps services of an app from being used, as reason and message of a condition; undefined = nothing does. */
export function unpublished({ status }: RunnerApp): { readonly reason: string; readonly message: string } | undefined {
  const troubled = (status?.services ?? []).filter(({ reason }) => !well.has(reason));
  if (troubled.length === 0) return undefined;
  const isConflict = troubled.some(({ reason }) => reason === "NameConflict");
  return {
    reason: isConflict ? appReasons.nameConflict : appReasons.notPublished,
    message: troubled
      .map(({ name, reason, message }) => `service ${name}: ${reason}${message === undefined ? "" : `, ${message}`}`)
      .join("; "),
  };
}
