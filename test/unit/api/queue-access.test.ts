import assert from "node:assert/strict";
import { chooseQueue, defaultQueueOf, maySubmit, type QueueChoice, type UsableQueue } from "../../../src/api/queue-access.ts";

const queue = (name: string, differs: Partial<UsableQueue> = {}): UsableQueue => ({
  name,
  createdAt: 100,
  leaf: true,
  defaultQueue: false,
  ...differs,
});

const queues = new Map(
  [
    queue("eng", { leaf: false, namespaceSelector: {} }),
    queue("web", { namespaceSelector: { matchLabels: { team: "web" } }, defaultQueue: true }),
    queue("web-late", { namespaceSelector: { matchLabels: { team: "web" } }, defaultQueue: true, createdAt: 200 }),
    queue("ads", { namespaceSelector: { matchLabels: { team: "ads" } } }),
    queue("closed"),
  ].map((each) => [each.name, each]),
);

const web = { name: "shop", labels: { team: "web" } };
const ads = { name: "banners", labels: { team: "ads" } };
const stranger = { name: "elsewhere", labels: {} };

const cases: readonly {
  readonly name: string;
  readonly namespace: typeof stranger;
  readonly named?: string;
  readonly want: QueueChoice;
}[] = [
  { name: "a queue that is open to the namespace", namespace: ads, named: "ads", want: { kind: "queue", queue: "ads" } },
  { name: "no queue named: the default of the namespace, of two the older", namespace: web, want: { kind: "queue", queue: "web" } },
  { name: "another one than the default", namespace: web, named: "web-late", want: { kind: "queue", queue: "web-late" } },
  {
    name: "no queue named, and none is the default",
    namespace: ads,
    want: {
      kind: "refused",
      reason: "NoDefaultQueue",
      message: "no TenantQueue is the default of the namespace banners; open to it: ads",
    },
  },
  {
    name: "a queue that does not exist",
    namespace: web,
    named: "wbe",
    want: { kind: "refused", reason: "QueueNotFound", message: "there is no TenantQueue wbe; open to it: web, web-late" },
  },
  {
    name: "a queue with queues below it, though its selector fits",
    namespace: ads,
    named: "eng",
    want: {
      kind: "refused",
      reason: "QueueNotLeaf",
      message: "the TenantQueue eng has queues below it, and only those take work; open to it: ads",
    },
  },
  {
    name: "a queue for others",
    namespace: ads,
    named: "web",
    want: {
      kind: "refused",
      reason: "QueueNotAllowed",
      message: "the TenantQueue web is open to namespaces with the labels team=web, which banners has not; open to it: ads",
    },
  },
  {
    name: "a queue without a selector is open to nobody",
    namespace: ads,
    named: "closed",
    want: {
      kind: "refused",
      reason: "QueueNotAllowed",
      message: "the TenantQueue closed is open to no namespace (it has no namespaceSelector); open to it: ads",
    },
  },
  {
    name: "a namespace that no queue admits",
    namespace: stranger,
    named: "web",
    want: {
      kind: "refused",
      reason: "QueueNotAllowed",
      message:
        "the TenantQueue web is open to namespaces with the labels team=web, which elsewhere has not; no TenantQueue is open to it: its labels must fit the namespaceSelector of one",
    },
  },
];

describe("the queue of a workload", () => {
  for (const tc of cases) it(tc.name, () => assert.deepEqual(chooseQueue(queues, tc.namespace, tc.named), tc.want));

  it("many open queues are named in part", () => {
    const many = new Map(["a", "b", "c", "d", "e", "f", "g"].map((name) => [name, queue(name, { namespaceSelector: {} })]));
    const choice = chooseQueue(many, stranger, "x");
    assert.match(choice.kind === "refused" ? choice.message : "", /; open to it: a, b, c, d, e and 2 others$/);
  });

  it("an inner queue is nobody's default", () => {
    const inner = queue("inner", { leaf: false, namespaceSelector: {}, defaultQueue: true });
    assert.equal(maySubmit(inner, web), false);
    assert.equal(defaultQueueOf([inner], web), undefined);
  });

  it("of two defaults of the same second the lower name is the default", () => {
    const two = ["b", "a"].map((name) => queue(name, { namespaceSelector: {}, defaultQueue: true }));
    assert.equal(defaultQueueOf(two, web)?.name, "a");
  });
});
