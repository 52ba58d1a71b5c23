import assert from "node:assert/strict";
import fc from "fast-check";
import { type OptionPod, optionOf, type OptionTry, planOptions, withOption } from "../../../../src/runnerapp/rules/resource-options.ts";

const policy = { options: 3, timeoutMs: 60_000 };
const now = 1_000_000;
const waits = (tries: number, sinceMs: number, differs: Partial<OptionPod> = {}): OptionPod => ({
  uid: "p1",
  instance: "a",
  tries,
  scheduled: false,
  unschedulableSince: now - sinceMs,
  ...differs,
});

interface Case {
  readonly name: string;
  readonly stored?: readonly OptionTry[];
  readonly pods: readonly OptionPod[];
  readonly options?: number;
  readonly want?: readonly OptionTry[];
  readonly wantRemove?: readonly string[];
  readonly wantUnfit?: readonly string[];
  readonly wantWake?: number;
}

const cases: readonly Case[] = [
  { name: "the first alternative finds a node: nothing is kept", pods: [waits(0, 0, { scheduled: true })] },
  { name: "waits for its time", pods: [waits(0, 59_999)], wantWake: now + 1 },
  { name: "then the next one is recorded", pods: [waits(0, 60_000)], want: [{ instance: "a", tries: 1, pod: "p1" }] },
  {
    name: "then the pod makes way",
    stored: [{ instance: "a", tries: 1, pod: "p1" }],
    pods: [waits(0, 60_001)],
    want: [{ instance: "a", tries: 1, pod: "p1" }],
    wantRemove: ["p1"],
  },
  {
    name: "one that was scheduled meanwhile stays",
    stored: [{ instance: "a", tries: 1, pod: "p1" }],
    pods: [waits(0, 0, { scheduled: true })],
  },
  {
    name: "the pod has made way: the record tells what comes",
    stored: [{ instance: "a", tries: 1, pod: "p1" }],
    pods: [],
    want: [{ instance: "a", tries: 1, pod: "p1" }],
  },
  {
    name: "the next pod waits for its own time",
    stored: [{ instance: "a", tries: 1, pod: "p1" }],
    pods: [waits(1, 10_000, { uid: "p2" })],
    want: [{ instance: "a", tries: 1 }],
    wantWake: now + 50_000,
  },
  { name: "without the record the pod tells where it is", pods: [waits(1, 60_000)], want: [{ instance: "a", tries: 2, pod: "p1" }] },
  {
    name: "after the last one the first again, and that is told",
    pods: [waits(2, 60_000)],
    want: [{ instance: "a", tries: 3, pod: "p1" }],
    wantUnfit: ["a"],
  },
  {
    name: "in the second round for twice the time",
    pods: [waits(3, 119_999)],
    want: [{ instance: "a", tries: 3 }],
    wantUnfit: ["a"],
    wantWake: now + 1,
  },
  {
    name: "never for more than an hour",
    pods: [waits(300, 3_600_000)],
    want: [{ instance: "a", tries: 301, pod: "p1" }],
    wantUnfit: ["a"],
  },
  { name: "a pod that the scheduler has not looked at is waited for", pods: [{ uid: "p1", instance: "a", tries: 0, scheduled: false }] },
  { name: "one alternative is none", pods: [waits(0, 999_999)], options: 1 },
];

describe("resourceOptions: alternatives in their order", () => {
  for (const tc of cases)
    it(tc.name, () => {
      const plan = planOptions(tc.stored ?? [], tc.pods, { ...policy, options: tc.options ?? 3 }, now);
      assert.deepEqual(plan, {
        tries: tc.want ?? [],
        remove: tc.wantRemove ?? [],
        unfit: tc.wantUnfit ?? [],
        ...(tc.wantWake !== undefined && { wakeAt: tc.wantWake }),
      });
    });

  it("no alternative is skipped or tried twice in a round, whenever the operator dies", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("no" as const, "before" as const, "between" as const), { minLength: 1, maxLength: 60 }),
        (crashes) => {
          let stored: readonly OptionTry[] = [];
          let pods: OptionPod[] = [{ uid: "p0", instance: "a", tries: 0, scheduled: false, unschedulableSince: 0 }];
          const made = [0];
          let time = 0;
          for (const crash of crashes) {
            time += 4_000_000;
            const plan = planOptions(stored, pods, policy, time);
            if (crash === "before") continue;
            stored = JSON.parse(JSON.stringify(plan.tries));
            if (crash === "between") continue;
            for (const uid of plan.remove) {
              pods = pods.filter((pod) => pod.uid !== uid);
              const tries = stored.find(({ instance }) => instance === "a")?.tries ?? 0;
              made.push(optionOf(tries, 3));
              pods.push({ uid: `p${made.length}`, instance: "a", tries, scheduled: false, unschedulableSince: time });
            }
          }
          assert.deepEqual(
            made,
            made.map((_, index) => index % 3),
          );
        },
      ),
    );
  });
});

describe("the pod of an alternative", () => {
  const spec = {
    containers: [{ name: "main", resources: { requests: { cpu: "4" }, limits: { cpu: "8" } } }, { name: "side" }],
    nodeSelector: { zone: "a", disk: "ssd" },
    affinity: { podAntiAffinity: {} },
  };

  it("resources of named containers as a whole, selectors added, affinity instead", () =>
    assert.deepEqual(
      withOption(spec, {
        containers: [{ name: "main", resources: { requests: { cpu: "2" } } }],
        nodeSelector: { zone: "b" },
        affinity: { nodeAffinity: {} },
      }),
      {
        containers: [{ name: "main", resources: { requests: { cpu: "2" } } }, { name: "side" }],
        nodeSelector: { zone: "b", disk: "ssd" },
        affinity: { nodeAffinity: {} },
      },
    ));
  it("what it does not name stays, and without one all does", () => {
    assert.deepEqual(withOption(spec, {}), spec);
    assert.equal(withOption(spec, undefined), spec);
  });
});
