import assert from "node:assert/strict";
import type { WorkloadOwner } from "../../../src/api/admission.ts";
import { type NamedWork, type QueueAnswer, type WaitingWork, type WhyAnswer, workRef } from "../../../src/api/queue-explanation.ts";
import type { TenantQueue } from "../../../src/api/tenant-queue.gen.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createExplainEndpoint } from "../../../src/tenantqueue/explain-endpoint.ts";
import { Explainer } from "../../../src/tenantqueue/explainer.ts";
import { Ledger } from "../../../src/tenantqueue/ledger.ts";
import { Reclaims } from "../../../src/tenantqueue/reclaims.ts";
import { planWorld } from "../../../src/tenantqueue/world.ts";

const start = Date.parse("2026-11-21T12:00:00Z");

const queue = (name: string, spec: TenantQueue["spec"]): TenantQueue => ({
  apiVersion: "nuptse.dev/v1alpha1",
  kind: "TenantQueue",
  metadata: { name, uid: `uid-${name}`, creationTimestamp: "2026-11-21T11:00:00Z" },
  spec,
});
const below = (parent: string, name: string, more: Partial<TenantQueue["spec"]> = {}) =>
  queue(name, { parent, namespaceSelector: {}, reclaim: { graceSeconds: 60 }, ...more });
const group = (name: string, more: Partial<TenantQueue["spec"]> = {}) => queue(name, { parent: "corp", ...more });

/** Runs of so many items of one core, of jobs of their own; `has` of them are at work already. */
interface Work {
  readonly queue: string;
  readonly items?: number;
  readonly has?: number;
  readonly atLeast?: number;
  readonly priority?: number;
  readonly onReclaim?: "Refuse" | "Stop";
  /** Absent = ElasticJob. */
  readonly kind?: string;
}

interface Setting {
  /** Besides the root `corp` with ten cores. */
  readonly queues: readonly TenantQueue[];
  /** By name of the job, in the order of their age. */
  readonly works: Readonly<Record<string, Work>>;
  /** Who may get which job, by token and "namespace/name". */
  readonly rights?: Readonly<Record<string, readonly string[]>>;
}

/** Each job is in the namespace of its own name. */
function settle({ queues, works, rights = {} }: Setting) {
  const clock = new VirtualClock(start);
  const world = planWorld({
    queues: [queue("corp", { capacity: { resources: { cpu: "10" } } }), ...queues],
    nodes: [],
    namespaces: new Map(),
    foreign: () => undefined,
  });
  const ledger: Ledger = new Ledger({
    now: () => clock.now(),
    namespaceLabels: () => ({}),
    onAnswer: () => undefined,
    onChoice: () => undefined,
    onDecline: () => undefined,
    onWork: () => undefined,
    onAdmitted: () => undefined,
  });
  const reclaims = new Reclaims({ ledger, now: () => clock.now(), onState: () => undefined });
  ledger.follow(world, true);
  for (const [index, [name, work]] of Object.entries(works).entries()) {
    const { items = 1, has = 0, atLeast = items, priority = 0, onReclaim = "Refuse", kind = "ElasticJob" } = work;
    const owner: WorkloadOwner = { kind, namespace: name, name, uid: `uid-${name}` };
    const want = { part: "run", queue: work.queue, priority, since: start + index, item: { cpu: 1000 }, atLeast, wanted: items };
    ledger.declare(owner, [
      { ...want, atWork: has, recorded: 0, onReclaim, promiseSeconds: onReclaim === "Stop" ? 30 : Number.POSITIVE_INFINITY },
    ]);
  }
  ledger.decide(1000);
  reclaims.step();
  const asked: string[] = [];
  let leads = true;
  const endpoint = createExplainEndpoint({
    explainer: new Explainer({
      ledger,
      reclaims,
      board: { statusOf: (name) => ({ waiting: ledger.treeOf(name)?.usageOf(name).waiting ?? 0 }) },
      stored: (name) => world.objects.get(name),
      clock,
      // The one pod of the Deployment web.
      workloadOfPod: (namespace, name) =>
        name === "web-1" ? { podUid: "uid-of-web-1", owner: { kind: "Deployment", namespace, name: "web", uid: "uid-web" } } : undefined,
    }),
    clock,
    mayAnswer: () => leads,
    reviewToken: (token) => Promise.resolve(token in rights ? { username: token, groups: [] } : undefined),
    mayGet({ username }, { resource, namespace, name }) {
      asked.push(`${username} ${resource.plural} ${namespace ?? ""}/${name}`);
      return Promise.resolve(rights[username]?.includes(`${namespace ?? ""}/${name}`) ?? false);
    },
  });
  const ask = (url: string, token?: string, method = "GET") =>
    endpoint({ method, url, ...(token !== undefined && { authorization: token.includes(" ") ? token : `Bearer ${token}` }) });
  const why = async (name: string, token?: string): Promise<WaitingWork | undefined> => {
    const proof = token === undefined ? `&uid=uid-${name}` : "";
    const { status, body } = await ask(`/v1/why?namespace=${name}&name=${name}${proof}`, token);
    assert.equal(status, 200, JSON.stringify(body));
    return (body as WhyAnswer).workloads[0];
  };
  return { ask, why, asked, clock, stepDown: () => (leads = false) };
}

const hidden = (of: string, name: string): NamedWork => ({ queue: of, ref: workRef(`uid-${name}`) });

describe("tenantqueue/explain-endpoint: why work waits, by numbers reckoned by hand over ten cores", () => {
  interface Case {
    readonly name: string;
    readonly setting: Setting;
    /** Of the job `mine`. */
    readonly want: Partial<WaitingWork>;
    readonly absent?: readonly (keyof WaitingWork)[];
  }
  const cases: readonly Case[] = [
    {
      name: "a sibling that is below its guarantee comes first",
      setting: {
        queues: [below("corp", "a"), below("corp", "b", { guaranteed: { cpu: "5" }, lend: { maxSeconds: 3600 } })],
        works: {
          old: { queue: "a", items: 6, has: 6 },
          young: { queue: "b", items: 2, has: 2 },
          mine: { queue: "a", items: 3 },
          theirs: { queue: "b", items: 3 },
        },
      },
      // a uses 6 of 10 by weight 1; b uses 2 of the 5 that it is guaranteed. b's 3 would fit beside 8 of 10 only in part: 2 are free.
      want: {
        position: 1,
        loses: {
          to: hidden("b", "theirs"),
          under: "corp",
          own: { queue: "a", resource: "cpu", tier: "Share", level: 0.6, used: "6" },
          other: { queue: "b", resource: "cpu", tier: "Guarantee", level: 0.4, used: "2" },
        },
        lacks: [
          {
            queue: "corp",
            resource: "cpu",
            requested: "3",
            free: "2",
            holders: [
              { queue: "a", used: "6", borrowed: "6" },
              { queue: "b", used: "2", borrowed: "0" },
            ],
          },
        ],
      },
    },
    {
      name: "its own queue's max is in the way, with seven cores idle",
      setting: {
        queues: [below("corp", "a", { max: { cpu: "4" } })],
        works: { old: { queue: "a", items: 3, has: 3 }, mine: { queue: "a", items: 2 } },
      },
      want: {
        position: 1,
        lacks: [{ queue: "a", resource: "cpu", requested: "2", free: "1", holders: [{ queue: "a", used: "3", borrowed: "3" }] }],
      },
      absent: ["loses"],
    },
    {
      name: "the max of its parent is, and a cousin has it",
      setting: {
        queues: [group("org", { max: { cpu: "5" } }), below("org", "a"), below("org", "b")],
        works: { old: { queue: "b", items: 4, has: 4 }, mine: { queue: "a", items: 2 } },
      },
      want: {
        lacks: [{ queue: "org", resource: "cpu", requested: "2", free: "1", holders: [{ queue: "b", used: "4", borrowed: "4" }] }],
      },
      absent: ["loses"],
    },
    {
      name: "a gang in front of it takes the room that is there, as one",
      setting: {
        queues: [below("corp", "a")],
        works: { old: { queue: "a", items: 5, has: 5 }, gang: { queue: "a", items: 8, priority: 5 }, mine: { queue: "a", items: 6 } },
      },
      want: {
        position: 2,
        loses: { to: hidden("a", "gang"), under: "a" },
        lacks: [{ queue: "corp", resource: "cpu", requested: "6", free: "5", holders: [{ queue: "a", used: "5", borrowed: "5" }] }],
      },
    },
    {
      name: "a higher priority that came later comes first",
      setting: {
        queues: [below("corp", "a")],
        works: { old: { queue: "a", items: 10, has: 10 }, mine: { queue: "a" }, late: { queue: "a", priority: 1 } },
      },
      want: { position: 2, loses: { to: hidden("a", "late"), under: "a" } },
    },
    {
      name: "with FIFO it does not",
      setting: {
        queues: [below("corp", "a", { ordering: "FIFO" })],
        works: { old: { queue: "a", items: 10, has: 10 }, mine: { queue: "a" }, late: { queue: "a", priority: 1 } },
      },
      want: { position: 1 },
      absent: ["loses"],
    },
    {
      name: "a reclaim is under way: it is below its guarantee, and the borrower agreed to be stopped",
      setting: {
        queues: [below("corp", "a", { guaranteed: { cpu: "5" } }), below("corp", "b")],
        works: { fleet: { queue: "b", items: 10, has: 10, atLeast: 1, onReclaim: "Stop" }, mine: { queue: "a", items: 3 } },
      },
      want: {
        position: 1,
        reclaims: [
          {
            from: hidden("b", "fleet"),
            resources: { cpu: "3" },
            state: "Requested",
            deadline: "2026-11-21T12:01:00Z",
            overdue: false,
          },
        ],
      },
      absent: ["loses"],
    },
    {
      name: "nobody is asked where the borrower is firm",
      setting: {
        queues: [below("corp", "a", { guaranteed: { cpu: "5" } }), below("corp", "b")],
        works: { fleet: { queue: "b", items: 10, has: 10 }, mine: { queue: "a", items: 3 } },
      },
      want: { position: 1, reclaims: [] },
      absent: ["loses"],
    },
    {
      name: "an idle guarantee that is lent for 600 s is not lent to work that may stay for ever",
      setting: {
        queues: [below("corp", "a"), below("corp", "b", { guaranteed: { cpu: "8" }, lend: { maxSeconds: 600 } })],
        works: { mine: { queue: "a", items: 3 } },
      },
      // 8 guaranteed and 3 more are 1 over the 10
      want: { position: 1, lacks: [], lacksConsent: [{ resource: "cpu", lentSeconds: 600, over: "1" }] },
    },
    {
      name: "a stop policy above it",
      setting: { queues: [group("org", { stopPolicy: "Hold" }), below("org", "a")], works: { mine: { queue: "a" } } },
      want: { stoppedBy: { queue: "org", reason: "Held" } },
      absent: ["loses"],
    },
    {
      name: "the number of workloads that may run",
      setting: { queues: [below("corp", "a", { limits: { running: 1 } })], works: { old: { queue: "a", has: 1 }, mine: { queue: "a" } } },
      want: {
        lacks: [
          { queue: "a", resource: "nuptse.dev/workloads", requested: "1", free: "0", holders: [{ queue: "a", used: "1", borrowed: "1" }] },
        ],
      },
    },
    {
      name: "a run at work that waits for more of its items",
      setting: {
        queues: [below("corp", "a")],
        works: { old: { queue: "a", items: 8, has: 8 }, mine: { queue: "a", items: 5, atLeast: 1 } },
      },
      want: { allowed: 2, wanted: 5, position: 1 },
    },
  ];
  for (const { name, setting, want, absent = [] } of cases)
    it(name, async () => {
      const answer = await settle(setting).why("mine");
      assert.deepEqual(Object.fromEntries(Object.keys(want).map((key) => [key, answer?.[key as keyof WaitingWork]])), want);
      for (const key of absent) assert.equal(answer?.[key], undefined, key);
    });

  it("the donor of a reclaim is told that it gives, and to whom", async () => {
    const { setting } = cases.find(({ name }) => name.startsWith("a reclaim")) as Case;
    assert.deepEqual((await settle(setting).why("fleet"))?.gives, { claimant: "a", deadline: "2026-11-21T12:01:00Z" });
  });
});

describe("tenantqueue/explain-endpoint: who is told what", () => {
  const two: Setting = {
    queues: [below("corp", "a")],
    works: { old: { queue: "a", items: 10, has: 10 }, theirs: { queue: "a" }, mine: { queue: "a" } },
    rights: { ann: ["mine/mine", "/a"], boss: ["mine/mine", "theirs/theirs", "/a"] },
  };
  const mine = "/v1/why?namespace=mine&name=mine";
  const refusals: readonly {
    readonly name: string;
    readonly url: string;
    readonly token?: string;
    readonly method?: string;
    readonly want: number;
    readonly says: RegExp;
  }[] = [
    { name: "no proof", url: mine, want: 401, says: /UID of the object is needed, or a bearer token/ },
    { name: "no proof for a queue", url: "/v1/queue?name=a", want: 401, says: /UID/ },
    { name: "the UID of another object", url: `${mine}&uid=uid-theirs`, want: 404, says: /of that UID/ },
    { name: "the right UID with another name", url: "/v1/why?namespace=mine&name=other&uid=uid-mine", want: 404, says: /of that UID/ },
    { name: "the right UID in another namespace", url: "/v1/why?namespace=theirs&name=mine&uid=uid-mine", want: 404, says: /of that UID/ },
    { name: "the UID of another queue", url: "/v1/queue?name=a&uid=uid-corp", want: 404, says: /of that UID/ },
    {
      name: "a token that nobody knows, also with the right UID",
      url: `${mine}&uid=uid-mine`,
      token: "eve",
      want: 401,
      says: /does not know/,
    },
    { name: "a header that is no bearer token", url: `${mine}&uid=uid-mine`, token: "Basic eDp5", want: 401, says: /does not know/ },
    {
      name: "a user who may not get it",
      url: "/v1/why?namespace=theirs&name=theirs",
      token: "ann",
      want: 403,
      says: /may not get elasticjobs theirs\/theirs/,
    },
    { name: "the same for what does not exist", url: "/v1/why?namespace=no&name=no", token: "ann", want: 403, says: /may not get/ },
    {
      name: "a user who may not get the queue",
      url: "/v1/queue?name=corp",
      token: "ann",
      want: 403,
      says: /may not get tenantqueues corp/,
    },
    {
      name: "a kind that takes part in no queue",
      url: `${mine}&kind=Secret&uid=uid-mine`,
      want: 400,
      says: /kind must be one of ElasticJob, RunnerApp, Deployment/,
    },
    { name: "a parameter that is not known", url: `${mine}&job=x`, want: 400, says: /job is not known/ },
    { name: "a parameter twice", url: `${mine}&name=x`, want: 400, says: /name is given twice/ },
    { name: "a value that is no name", url: "/v1/why?namespace=mine&name=a%2Fb&uid=x", want: 400, says: /name must be/ },
    { name: "no name", url: "/v1/why?namespace=mine&uid=uid-mine", want: 400, says: /namespace and name/ },
    { name: "another path", url: "/v1/secrets", want: 404, says: /\/v1\/why/ },
    { name: "no path at all", url: "//", want: 404, says: /\/v1\/why/ },
    { name: "a POST", url: `${mine}&uid=uid-mine`, method: "POST", want: 405, says: /GET only/ },
  ];
  for (const { name, url, token, method, want, says } of refusals)
    it(`answers ${want} to ${name}`, async () => {
      const { status, body } = await settle(two).ask(url, token, method);
      assert.equal(status, want, JSON.stringify(body));
      assert.match((body as { error: string }).error, says);
    });

  it("a UID opens its own object, and names no other", async () => {
    const { why, asked } = settle(two);
    assert.deepEqual((await why("mine"))?.loses?.to, hidden("a", "theirs"));
    assert.deepEqual(asked, []);
  });

  it("a token names what its bearer may get, and nothing else", async () => {
    const { why, asked } = settle(two);
    assert.deepEqual((await why("mine", "ann"))?.loses?.to, hidden("a", "theirs"));
    assert.deepEqual(asked, ["ann elasticjobs mine/mine", "ann elasticjobs theirs/theirs"]);
    const named = { ...hidden("a", "theirs"), kind: "ElasticJob", namespace: "theirs", name: "theirs", part: "run" };
    assert.deepEqual((await why("mine", "boss"))?.loses?.to, named);
  });

  it("of a workload of pods a UID proves nothing, and no reference is told: both could be guessed", async () => {
    const { ask, why } = settle({
      ...two,
      works: { old: { queue: "a", items: 10, has: 10 }, web: { queue: "a", kind: "Deployment" }, mine: { queue: "a" } },
      rights: { ann: ["mine/mine", "web/web"] },
    });
    assert.deepEqual((await why("mine"))?.loses?.to, { queue: "a" });
    assert.equal((await ask("/v1/why?kind=Deployment&namespace=web&name=web&uid=uid-web")).status, 401);
    const { status, body } = await ask("/v1/why?kind=Deployment&namespace=web&name=web", "ann");
    assert.deepEqual([status, (body as WhyAnswer).workloads[0]?.position], [200, 1]);
    assert.equal((await why("mine", "ann"))?.loses?.to.name, "web");
  });

  it("a pod's UID opens the explanation of the workload that the pod is of", async () => {
    const { ask } = settle({
      queues: [below("corp", "a")],
      works: { old: { queue: "a", items: 10, has: 10 }, web: { queue: "a", kind: "Deployment" } },
    });
    const pod = "/v1/why?kind=Pod&namespace=web&name=web-1";
    const { status, body } = await ask(`${pod}&uid=uid-of-web-1`);
    const { kind, name, workloads } = body as WhyAnswer;
    assert.deepEqual([status, kind, name, workloads.map(({ position }) => position)], [200, "Deployment", "web", [1]]);
    assert.equal((await ask(`${pod}&uid=uid-web`)).status, 404);
    assert.equal((await ask("/v1/why?kind=Pod&namespace=web&name=web-2&uid=uid-of-web-1")).status, 404);
    assert.equal((await ask(pod)).status, 401);
  });

  it("a queue shows its figures, and of a leaf who waits, in order", async () => {
    const { ask } = settle(two);
    const { body } = await ask("/v1/queue?name=a&uid=uid-a");
    const { queues, line } = body as QueueAnswer;
    assert.deepEqual(queues, [{ name: "a", status: { waiting: 2 } }]);
    assert.deepEqual(
      line.map(({ position, work, allowed, wanted }) => [position, work, allowed, wanted]),
      [
        [1, hidden("a", "theirs"), 0, 1],
        [2, hidden("a", "mine"), 0, 1],
      ],
    );
    const whole = (await ask("/v1/queue?name=corp&uid=uid-corp")).body as QueueAnswer;
    assert.deepEqual([whole.queues.map(({ name }) => name), whole.line], [["corp", "a"], []]);
    const named = (await ask("/v1/queue?name=a", "ann")).body as QueueAnswer;
    assert.deepEqual(
      named.line.map(({ work }) => work.name),
      [undefined, "mine"],
    );
  });

  it("the first 20 of a line are those that the ordering says", async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`w${index}`, { queue: "a", priority: index }]));
    const { ask } = settle({ queues: [below("corp", "a")], works: { old: { queue: "a", items: 10, has: 10 }, ...many } });
    const { line } = (await ask("/v1/queue?name=a&uid=uid-a")).body as QueueAnswer;
    assert.deepEqual(
      line.map(({ priority }) => priority),
      Array.from({ length: 20 }, (_, index) => 29 - index),
    );
  });

  it("answers nothing while it does not lead, and no more than 20 a second after a burst of 40", async () => {
    const { ask, clock, stepDown } = settle(two);
    const statuses = async (times: number) => {
      const answers = [];
      for (let time = 0; time < times; time++) answers.push((await ask(`${mine}&uid=uid-mine`)).status);
      return [answers.filter((status) => status === 200).length, answers.filter((status) => status === 429).length];
    };
    assert.deepEqual(await statuses(50), [40, 10]);
    await clock.runUntil(start + 1000);
    assert.deepEqual(await statuses(30), [20, 10]);
    stepDown();
    assert.equal((await ask(`${mine}&uid=uid-mine`)).status, 503);
  });
});
