import type { Row } from "./row.ts";
import { applyingRows } from "./rows/applying.ts";
import { builtinRows } from "./rows/builtins.ts";
import { controllerRows } from "./rows/controllers.ts";
import { customRows } from "./rows/custom.ts";
import { deletingRows } from "./rows/deleting.ts";
import { evictionRows } from "./rows/evictions.ts";
import { metadataRows } from "./rows/metadata.ts";
import { podRows } from "./rows/pods.ts";
import { policyRows } from "./rows/policies.ts";
import { readingRows } from "./rows/reading.ts";
import { resizeRows } from "./rows/resizes.ts";
import { serviceRows } from "./rows/services.ts";
import { strategicRows } from "./rows/strategic.ts";
import { watchingRows } from "./rows/watching.ts";
import { webhookRows } from "./rows/webhooks.ts";
import { workloadRows } from "./rows/workloads.ts";
import { writingRows } from "./rows/writing.ts";

/** The whole table. */
export const rows: readonly Row[] = [
  ...writingRows,
  ...metadataRows,
  ...readingRows,
  ...watchingRows,
  ...deletingRows,
  ...applyingRows,
  ...customRows,
  ...podRows,
  ...evictionRows,
  ...resizeRows,
  ...strategicRows,
  ...policyRows,
  ...builtinRows,
  ...serviceRows,
  ...webhookRows,
  ...workloadRows,
  ...controllerRows,
];
