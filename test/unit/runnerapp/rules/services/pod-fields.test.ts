import assert from "node:assert/strict";
import type { PodSpec } from "../../../../../src/api/core.ts";
import { serviceAnnotations, serviceVariables, servesOn } from "../../../../../src/runnerapp/rules/services/pod-fields.ts";
import { publishingApp } from "../../../../support/builders/published-services.ts";

const app = publishingApp({ services: [{ name: "job-api", port: 8080 }] });
const hook = { preStop: { exec: { command: ["bye"] } } };
const spec = (...containers: readonly object[]): PodSpec => ({ containers }) as unknown as PodSpec;
const sleeps = { preStop: { sleep: { seconds: 10 } } };

describe("what publishing adds to a pod", () => {
  it("the address of each service, as an annotation and as a variable that is read from it", () => {
    assert.deepEqual(serviceAnnotations(app), { "nuptse.dev/service-job-api": "job-api.tenant.svc:8080" });
    assert.deepEqual(serviceVariables(app), [
      { name: "NUPTSE_SERVICE_JOB_API", valueFrom: { fieldRef: { fieldPath: "metadata.annotations['nuptse.dev/service-job-api']" } } },
    ]);
  });

  const rows: readonly { readonly name: string; readonly spec: PodSpec; readonly want: object; readonly quiet?: true }[] = [
    {
      name: "a sleep before the end, and as much more grace",
      spec: spec({ name: "a" }),
      want: { terminationGracePeriodSeconds: 40, containers: [{ name: "a", lifecycle: sleeps }] },
    },
    {
      name: "none where a container has a hook; what else a lifecycle has stays",
      spec: { ...spec({ name: "a", lifecycle: hook }, { name: "b", lifecycle: { postStart: {} } }), terminationGracePeriodSeconds: 5 },
      want: {
        terminationGracePeriodSeconds: 15,
        containers: [
          { name: "a", lifecycle: hook },
          { name: "b", lifecycle: { postStart: {}, ...sleeps } },
        ],
      },
    },
    {
      name: "nothing where all have one",
      spec: spec({ name: "a", lifecycle: hook }),
      want: { containers: [{ name: "a", lifecycle: hook }] },
    },
    { name: "nothing where nothing is published", spec: spec({ name: "a" }), want: { containers: [{ name: "a" }] }, quiet: true },
  ];
  for (const { name, spec: before, want, quiet } of rows)
    it(name, () => assert.deepEqual(servesOn(quiet === true ? publishingApp({ services: [] }) : app, before), want));
});
