import assert from "node:assert/strict";
import fc from "fast-check";
import type { Pod, PodSpec } from "../../../../src/api/core.ts";
import { type PodOrder, renderPod } from "../../../../src/elasticjob/rules/pod.ts";
import { fireTimeOf, podName, runIdOf } from "../../../../src/elasticjob/rules/run-id.ts";
import { runAnnotation } from "../../../support/builders/attempt-pod.ts";
import { at, makeJob, plainTemplate } from "../../../support/builders/elastic-job.ts";

const order = (differs: Partial<PodOrder> = {}): PodOrder => ({
  job: makeJob(),
  revision: { template: plainTemplate },
  run: "20261121t120000z",
  fireTime: at("12:00:00"),
  localDate: "2026-11-21",
  item: 0,
  attempt: 1,
  history: runAnnotation(),
  ...differs,
});

const environmentOf = (pod: Pod) => Object.fromEntries((pod.spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));

/** What the kubelet makes of a value: $$ is $, $(NAME) is a reference, `$` before anything else is itself. */
function expanded(value: string): string {
  let result = "";
  for (let index = 0; index < value.length; index++) {
    const next = value[index + 1];
    if (value[index] !== "$" || next === undefined) result += value[index];
    else if (next === "$") {
      result += "$";
      index++;
    } else if (next === "(") {
      const close = value.indexOf(")", index);
      if (close < 0) result += "$(";
      else result += `<${value.slice(index + 2, close)}>`;
      index = close < 0 ? index + 1 : close;
    } else {
      result += `$${next}`;
      index++;
    }
  }
  return result;
}

describe("names", () => {
  it("a run's id is its fire time in UTC, legal in pod names", () => {
    assert.equal(runIdOf(Date.parse("2026-11-20T16:00:00Z")), "20261120t160000z");
    assert.equal(fireTimeOf("20261120t160000z"), Date.parse("2026-11-20T16:00:00Z"));
    assert.equal(fireTimeOf("check"), undefined);
  });

  it("of pods: the job's first 18 characters, 8 of its UID, run, item, attempt", () => {
    const job = { name: "a-very-long-name-of-a-nightly-job", uid: "0a1b2c3d-1111-4222-8333-444455556666" };
    assert.equal(podName(job, "20261120t160000z", 7, 2), "a-very-long-name-o-0a1b2c3d-20261120t160000z-7-2");
  });

  it("the longest has no more than 63 characters, so that the host name equals it", () => {
    const job = { name: "x".repeat(52), uid: "0a1b2c3d-1111-4222-8333-444455556666" };
    const longest = podName(job, "20261120t160000z", 9999, 100);
    assert.ok(longest.length <= 63, `${longest.length}`);
  });

  it("are legal labels for every legal name of a job", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/), (name) => {
        assert.match(podName({ name, uid: "0a1b2c3d-1111" }, "20261120t160000z", 1, 1), /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
      }),
      { numRuns: 50 },
    );
  });
});

describe("what the program in the pod gets (elasticjob.md section 3)", () => {
  const sharding = { total: 3, parameters: ["north", "south", "west"] };
  const revision = { template: plainTemplate, sharding, parameter: "year=2026" };

  it("the whole environment", () => {
    assert.deepEqual(environmentOf(renderPod(order({ revision, item: 1, attempt: 2, localDate: "2026-11-22" }))), {
      NUPTSE_JOB: "report",
      NUPTSE_NAMESPACE: "tenant",
      NUPTSE_RUN: "20261121t120000z",
      NUPTSE_FIRE_TIME: "2026-11-21T12:00:00Z",
      NUPTSE_LOCAL_DATE: "2026-11-22",
      NUPTSE_ATTEMPT: "2",
      NUPTSE_RESULT_FILE: "/dev/termination-log",
      SHARDING_TOTAL_COUNT: "3",
      SHARDING_ITEM: "1",
      SHARDING_PARAMETER: "south",
      JOB_PARAMETER: "year=2026",
      JOB_COMPLETION_INDEX: "1",
      SHARDING_CONTEXT:
        '{"jobName":"report","taskId":"report@-@1@-@20261121t120000z@-@2","shardingTotalCount":3,"jobParameter":"year=2026","shardingItem":1,"shardingParameter":"south"}',
    });
  });

  it("a job without sharding has one item, and empty parameters", () => {
    const environment = environmentOf(renderPod(order()));
    assert.deepEqual(
      [environment["SHARDING_TOTAL_COUNT"], environment["SHARDING_ITEM"], environment["SHARDING_PARAMETER"], environment["JOB_PARAMETER"]],
      ["1", "0", "", ""],
    );
  });

  it("every container gets it, before its own variables, so that these may refer to it", () => {
    const containers = [
      { name: "main", env: [{ name: "WHICH", value: "$(SHARDING_ITEM)" }], terminationMessagePath: "/tmp/result" },
      { name: "side" },
    ];
    const pod = renderPod(order({ revision: { template: { spec: { containers } } } }));
    const [main, side] = pod.spec.containers;
    assert.deepEqual(main?.env?.at(-1), { name: "WHICH", value: "$(SHARDING_ITEM)" });
    assert.deepEqual(main?.env?.find((entry) => entry.name === "NUPTSE_RESULT_FILE")?.value, "/tmp/result");
    assert.deepEqual(side?.env?.find((entry) => entry.name === "SHARDING_ITEM")?.value, "0");
  });

  const texts = ["$(SHARDING_ITEM)", "$$(X)", "a$$b", "$", "100$", "$(", "cost $5 $(y", "$$$(Z)"];
  for (const text of texts) {
    it(`a parameter ${JSON.stringify(text)} arrives as it was written, whatever Kubernetes expands`, () => {
      const environment = environmentOf(renderPod(order({ revision: { template: plainTemplate, parameter: text } })));
      assert.equal(expanded(environment["JOB_PARAMETER"] as string), text);
      assert.equal(JSON.parse(expanded(environment["SHARDING_CONTEXT"] as string)).jobParameter, text);
    });
  }
});

describe("appendShardingContext", () => {
  const appended = (containers: PodSpec["containers"], annotations: Record<string, string> = {}) =>
    renderPod(
      order({
        revision: { template: { metadata: { annotations }, spec: { containers } }, parameter: "cost $(X)", appendShardingContext: true },
      }),
    ).spec.containers.map((container) => container.args);
  const json =
    '{"jobName":"report","taskId":"report@-@0@-@20261121t120000z@-@1","shardingTotalCount":1,"jobParameter":"cost $$(X)","shardingItem":0,"shardingParameter":""}';

  it("the JSON of SHARDING_CONTEXT is the last argument, verbatim for whoever expands it", () => {
    assert.deepEqual(appended([{ name: "main", command: ["sh", "run.sh"], args: ["-v"] }]), [["-v", json]]);
  });
  it("the first argument of a command without any", () => assert.deepEqual(appended([{ name: "main", command: ["run.sh"] }]), [[json]]));
  it("of the container that stands for the pod alone", () => {
    const containers = [
      { name: "side", args: ["x"] },
      { name: "main", args: ["y"] },
    ];
    assert.deepEqual(appended(containers, { "kubectl.kubernetes.io/default-container": "main" }), [["x"], ["y", json]]);
  });
  it("without it arguments stay as they are", () => {
    const pod = renderPod(order({ revision: { template: { spec: { containers: [{ name: "main", args: ["y"] }] } } } }));
    assert.deepEqual(pod.spec.containers[0]?.args, ["y"]);
  });
});

describe("safeToEvict (decision 51)", () => {
  const annotated = (revision: Partial<PodOrder["revision"]>) => {
    const { "nuptse.dev/run": _, ...rest } =
      renderPod(order({ revision: { template: plainTemplate, ...revision } })).metadata.annotations ?? {};
    return rest;
  };
  it("false renders the annotations of cluster-autoscaler and karpenter", () => {
    assert.deepEqual(annotated({ safeToEvict: false }), {
      "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
      "karpenter.sh/do-not-disrupt": "true",
    });
  });
  it("true renders cluster-autoscaler's own leave", () => {
    assert.deepEqual(annotated({ safeToEvict: true }), { "cluster-autoscaler.kubernetes.io/safe-to-evict": "true" });
  });
  it("absent renders nothing", () => assert.deepEqual(annotated({}), {}));
  it("wins over the template's own annotation", () => {
    const template = { ...plainTemplate, metadata: { annotations: { "karpenter.sh/do-not-disrupt": "false" } } };
    assert.equal(annotated({ template, safeToEvict: false })["karpenter.sh/do-not-disrupt"], "true");
  });
});

describe("how a pod is rendered", () => {
  it("is a function of its order alone", () => {
    assert.deepEqual(renderPod(order()), renderPod(order()));
  });

  it("labels, annotation and owner", () => {
    const template = {
      ...plainTemplate,
      metadata: { labels: { team: "a", "nuptse.dev/run": "forged" }, annotations: { note: "x", "nuptse.dev/run": "{}" } },
    };
    const { metadata } = renderPod(order({ revision: { template }, item: 1001, attempt: 3 }));
    assert.deepEqual(metadata.labels, {
      team: "a",
      "nuptse.dev/job": "report",
      "nuptse.dev/job-uid": makeJob().metadata.uid,
      "nuptse.dev/run": "20261121t120000z",
      "nuptse.dev/item": "1001",
      "nuptse.dev/chunk": "2",
      "nuptse.dev/attempt": "3",
    });
    assert.equal(metadata.annotations?.["note"], "x");
    assert.deepEqual(JSON.parse(metadata.annotations?.["nuptse.dev/run"] as string), runAnnotation());
    const [owner] = metadata.ownerReferences ?? [];
    assert.deepEqual([owner?.kind, owner?.name, owner?.controller, owner?.blockOwnerDeletion], ["ElasticJob", "report", true, false]);
  });

  const specs: readonly { name: string; order: Partial<PodOrder>; want: Partial<PodSpec> }[] = [
    {
      name: "restartPolicy is Never, whatever the template says",
      order: { revision: { template: { spec: { ...plainTemplate.spec, restartPolicy: "Always" } } } },
      want: { restartPolicy: "Never" },
    },
    {
      name: "itemTimeoutSeconds is rendered with startTimeoutSeconds on top, so that it holds with the operator down",
      order: { revision: { template: plainTemplate, itemTimeoutSeconds: 60, startTimeoutSeconds: 30 } },
      want: { activeDeadlineSeconds: 90 },
    },
    {
      name: "startTimeoutSeconds is 600 where it is absent",
      order: { revision: { template: plainTemplate, itemTimeoutSeconds: 60 } },
      want: { activeDeadlineSeconds: 660 },
    },
  ];
  for (const tc of specs) {
    it(tc.name, () => {
      const { spec } = renderPod(order(tc.order));
      for (const [field, value] of Object.entries(tc.want)) assert.deepEqual(spec[field], value);
    });
  }

  it("without a time-out there is no deadline", () => assert.equal(renderPod(order()).spec.activeDeadlineSeconds, undefined));

  it("the rule about nodes goes into every alternative of the template's own", () => {
    const terms = [
      { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] },
      { matchExpressions: [{ key: "gpu", operator: "Exists" }] },
    ];
    const affinity = {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
      podAntiAffinity: { x: 1 },
    };
    const pod = renderPod(
      order({ revision: { template: { spec: { ...plainTemplate.spec, affinity } } }, history: runAnnotation({ nodes: ["n1", "n2"] }) }),
    );
    const leave = [
      { key: "metadata.name", operator: "NotIn", values: ["n1"] },
      { key: "metadata.name", operator: "NotIn", values: ["n2"] },
    ];
    assert.deepEqual(pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms, [
      { ...terms[0], matchFields: leave },
      { ...terms[1], matchFields: leave },
    ]);
    assert.deepEqual(pod.spec.affinity?.["podAntiAffinity"], { x: 1 });
  });
});
