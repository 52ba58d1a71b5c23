import { sharedControlPlane } from "../integration/control-plane-fixture.ts";
import { describeServerTranscripts } from "./server-transcripts.ts";
import { useRealServer } from "./stages.ts";

describe("kubectl on the real API server", function () {
  this.timeout(60_000);
  describeServerTranscripts(useRealServer(sharedControlPlane));
});
