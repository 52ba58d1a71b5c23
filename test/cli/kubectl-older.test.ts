import { describeServerTranscripts } from "./server-transcripts.ts";
import { useEmbeddedServer } from "./stages.ts";

/** What people have installed is often older than the server. */
describe("kubectl 1.34 on the embedded API server", function () {
  this.timeout(60_000);
  describeServerTranscripts(useEmbeddedServer({ tool: "kubectl-1.34" }));
});
