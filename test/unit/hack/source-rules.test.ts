import assert from "node:assert/strict";
import { breachesIn } from "../../../hack/verify/source-rules.ts";

const clockAdvice = "take a Clock or Random as a parameter";
const kubeAdvice = 'the simulator may import only types of kube: use "import type"';

const cases = [
  {
    name: "the machine's time is refused",
    path: "src/kube/watch.ts",
    source: "const a = 1;\nconst now = Date.now();",
    want: [`src/kube/watch.ts:2: Date.now(): ${clockAdvice}`],
  },
  {
    name: "a new Date without argument is refused",
    path: "src/cron/next.ts",
    source: "const now = new Date();",
    want: [`src/cron/next.ts:1: new Date(): ${clockAdvice}`],
  },
  { name: "a new Date of a given instant is fine", path: "src/cron/next.ts", source: "const at = new Date(5);", want: [] },
  {
    name: "chance is refused",
    path: "src/runtime/queue.ts",
    source: "const jitter = Math.random();",
    want: [`src/runtime/queue.ts:1: Math.random(): ${clockAdvice}`],
  },
  {
    name: "timers are refused, one breach a line",
    path: "src/runtime/queue.ts",
    source: "setTimeout(run, 5);\nsetInterval(run, 5);",
    want: [`src/runtime/queue.ts:1: setTimeout(): ${clockAdvice}`, `src/runtime/queue.ts:2: setInterval(): ${clockAdvice}`],
  },
  { name: "clearing a timer is fine", path: "src/runtime/queue.ts", source: "clearTimeout(timer);", want: [] },
  { name: "the clock itself may", path: "src/base/clock.ts", source: "const now = Date.now();", want: [] },
  { name: "main may", path: "src/main.ts", source: "const now = Date.now();", want: [] },
  {
    name: "the embedded API server may import types of kube",
    path: "src/simulator/apiserver/server.ts",
    source: 'import type { KubeClient } from "../../kube/client.ts";\nexport type { Verb } from "../../kube/client.ts";',
    want: [],
  },
  {
    name: "the embedded API server may not import values of kube",
    path: "src/simulator/apiserver/server.ts",
    source: 'import type { A } from "../../api/a.ts";\nimport {\n  createClient,\n} from "../../kube/client.ts";',
    want: [`src/simulator/apiserver/server.ts:4: ${kubeAdvice}`],
  },
  {
    name: "the world may not pass on, load or run kube",
    path: "src/simulator/world/parts/node.ts",
    source: 'export * from "../../../kube/a.ts";\nconst b = await import("../../../kube/b.ts");\nimport "../../../kube/c.ts";',
    want: [1, 2, 3].map((line) => `src/simulator/world/parts/node.ts:${line}: ${kubeAdvice}`),
  },
  {
    name: "the harness may import values of kube",
    path: "src/simulator/harness/run.ts",
    source: 'import { createClient } from "../../kube/client.ts";',
    want: [],
  },
];

describe("rules of the source that the linter cannot express", () => {
  for (const tc of cases) {
    it(tc.name, () => assert.deepEqual(breachesIn(tc.path, tc.source), tc.want));
  }
});
