import { describeApplyTranscripts } from "./apply-transcripts.ts";
import { describeBuiltinTranscripts } from "./builtin-transcripts.ts";
import { describeLookingTranscripts } from "./looking-transcripts.ts";
import { describeObjectTranscripts } from "./object-transcripts.ts";
import type { Stage } from "./stages.ts";
import { describeTranscripts } from "./transcripts.ts";

/** All that kubectl does with an API server beside which no controller runs; the same on every one. */
export function describeServerTranscripts(stage: () => Stage): void {
  describeTranscripts(stage);
  describeBuiltinTranscripts(stage);
  describeObjectTranscripts(stage);
  describeApplyTranscripts(stage);
  describeLookingTranscripts(stage);
}
