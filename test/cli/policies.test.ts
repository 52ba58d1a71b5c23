import { ownControlPlane } from "../integration/control-plane-fixture.ts";
import { describePolicyTranscripts } from "./policy-transcripts.ts";
import { useEmbeddedServer, useRealServer } from "./stages.ts";

describe("the policies that ship, on the embedded API server", function () {
  this.timeout(60_000);
  describePolicyTranscripts(useEmbeddedServer());
});

// they hold in all namespaces, where others have their tests
describe("the policies that ship, on a real API server", function () {
  this.timeout(60_000);
  describePolicyTranscripts(useRealServer(ownControlPlane));
});
