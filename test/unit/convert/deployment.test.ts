import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { customResourceDefinitions, namespaces, runnerApps } from "../../../src/api/resource.ts";
import { createSystemClock } from "../../../src/base/clock.ts";
import { createSeededRandom } from "../../../src/base/random.ts";
import { type AppConversion, ConvertError } from "../../../src/convert/conversion.ts";
import { convertText } from "../../../src/convert/sources.ts";
import { createKubeClient } from "../../../src/kube/kube-client.ts";
import { createApiServer } from "../../../src/simulator/apiserver/api-server.ts";
import { inProcessTransport } from "../../../src/simulator/apiserver/in-process-transport.ts";
import { readCrds } from "../../../src/simulator/harness/crds.ts";
import { runnerAppProblems } from "../../../src/validation/runner-app.ts";

const now = Date.parse("2026-03-20T00:00:00Z");
const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "main", image: "web:1" }] } };
const selector = { matchLabels: { app: "web" } };

const deployment = (spec: object = {}, metadata: object = {}) =>
  dump({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", ...metadata }, spec: { selector, template, ...spec } });

function convertOne(text: string): AppConversion {
  const { apps, conversions } = convertText(text, "test", undefined, { timeZone: "Etc/UTC", now });
  assert.deepEqual([apps.length, conversions.length], [1, 0]);
  return apps[0] as AppConversion;
}

describe("convert/deployment", () => {
  const cases: readonly {
    readonly name: string;
    readonly spec?: object;
    readonly metadata?: object;
    readonly want?: object;
    readonly notes?: readonly string[];
  }[] = [
    { name: "what a Deployment has keeps its place", spec: { replicas: 4 }, want: { replicas: 4, selector, template } },
    { name: "none at all stays none", spec: { replicas: 0 }, want: { replicas: 0, selector, template } },
    {
      name: "time-outs and the history",
      spec: { minReadySeconds: 5, progressDeadlineSeconds: 60, revisionHistoryLimit: 0, paused: true },
      want: { selector, minReadySeconds: 5, progressDeadlineSeconds: 60, revisionHistoryLimit: 0, paused: true, template },
    },
    {
      name: "a deadline without an end is the longest that there is",
      spec: { progressDeadlineSeconds: 2147483647 },
      want: { selector, progressDeadlineSeconds: 2592000, template },
      notes: ["spec.progressDeadlineSeconds"],
    },
    {
      name: "the two pools of a roll-out",
      spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "30%", maxUnavailable: 0 } } },
      want: { selector, strategy: { rollingUpdate: { maxSurge: "30%", maxUnavailable: 0 } }, template },
    },
    {
      name: "a surge of more than all of it",
      spec: { strategy: { rollingUpdate: { maxSurge: "150%" } } },
      want: { selector, strategy: { rollingUpdate: { maxSurge: "100%" } }, template },
      notes: ["spec.strategy.rollingUpdate.maxSurge"],
    },
    {
      name: "Recreate is no surge and all unavailable, and a word about the difference",
      spec: { strategy: { type: "Recreate" } },
      want: { selector, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "100%" } }, template },
      notes: ["spec.strategy.type"],
    },
    {
      name: "labels of ReplicaSets, a restart by kubectl, and restartPolicy are not the template's",
      spec: {
        template: {
          metadata: {
            labels: { app: "web", "pod-template-hash": "x" },
            annotations: { "kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z", team: "a" },
          },
          spec: { restartPolicy: "Always", ...template.spec },
        },
      },
      want: { selector, template: { metadata: { labels: { app: "web" }, annotations: { team: "a" } }, spec: template.spec } },
    },
    {
      name: "labels of ours are left out, and that is said",
      spec: { template: { metadata: { labels: { app: "web", "nuptse.dev/queue": "q" } }, spec: template.spec } },
      want: { selector, template },
      notes: ['spec.template.metadata.labels["nuptse.dev/queue"]'],
    },
    {
      name: "a name that is too long for the names of pods",
      metadata: { name: "a".repeat(60) },
      want: { selector, template },
      notes: ["metadata.name"],
    },
  ];
  for (const tc of cases) {
    it(tc.name, () => {
      const { manifest, notes } = convertOne(deployment(tc.spec, tc.metadata));
      assert.deepEqual(manifest.spec, tc.want);
      assert.deepEqual(
        notes.map(({ path }) => path),
        tc.notes ?? [],
      );
    });
  }

  const server = createApiServer({ clock: createSystemClock({ background: true }), random: createSeededRandom(1) });
  const client = createKubeClient(inProcessTransport(server, { userAgent: "test" }));
  before(async () => {
    for (const crd of readCrds()) await client.create(customResourceDefinitions, crd);
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shapes" } });
  });
  for (const [index, tc] of cases.entries()) {
    it(`${tc.name}: is accepted by the API server, without an unknown field`, async () => {
      const { manifest } = convertOne(deployment(tc.spec, tc.metadata));
      assert.deepEqual(runnerAppProblems(manifest.spec, now), []);
      const named = { ...manifest, metadata: { ...manifest.metadata, namespace: "shapes", name: `shape-${index}` } };
      await client.create(runnerApps, named, { fieldValidation: "Strict" });
    });
  }

  it("its own labels and annotations go along, those of tools do not; status and uid are not taken", () => {
    const metadata = {
      namespace: "shop",
      uid: "u",
      labels: { tier: "front" },
      annotations: { "deployment.kubernetes.io/revision": "3", "kubectl.kubernetes.io/last-applied-configuration": "{}", owner: "ann" },
    };
    const { manifest, source } = convertOne(deployment({}, metadata));
    assert.equal(source, "Deployment shop/web");
    assert.deepEqual(manifest.metadata, { name: "web", namespace: "shop", labels: { tier: "front" }, annotations: { owner: "ann" } });
  });

  it("a list with a CronJob beside it gives both", () => {
    const list = {
      kind: "List",
      items: [
        { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, spec: { selector, template } },
        {
          apiVersion: "batch/v1",
          kind: "CronJob",
          metadata: { name: "nightly" },
          spec: { schedule: "0 0 * * *", jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", ...template.spec } } } } },
        },
        { kind: "Service" },
      ],
    };
    const { apps, conversions, skipped } = convertText(JSON.stringify(list), "test", undefined, { timeZone: "Etc/UTC", now });
    assert.deepEqual([apps.length, conversions.length, skipped], [1, 1, ["test item 3 is a Service"]]);
  });

  const bad = [
    { name: "no name", text: deployment({}, { name: "" }), words: /metadata\.name: is missing/ },
    { name: "another strategy", text: deployment({ strategy: { type: "Canary" } }), words: /spec\.strategy\.type: is "Canary"/ },
    { name: "replicas that are no number", text: deployment({ replicas: "many" }), words: /spec\.replicas: must be a whole number/ },
    {
      name: "a share that is none",
      text: deployment({ strategy: { rollingUpdate: { maxSurge: "half" } } }),
      words: /spec\.strategy\.rollingUpdate\.maxSurge: must be a whole number/,
    },
  ];
  for (const { name, text, words } of bad)
    it(`refuses ${name}`, () => {
      assert.throws(
        () => convertOne(text),
        (error) => error instanceof ConvertError && words.test(error.message),
      );
    });
});
