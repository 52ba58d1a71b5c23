import assert from "node:assert/strict";
import type { QueueUsage } from "../../../../src/quota/queue-tree.ts";
import { lentOf } from "../../../../src/tenantqueue/rules/lending.ts";

interface Words {
  readonly parent?: string;
  readonly guaranteed?: number;
  readonly used?: number;
}

/** Amounts of cpu. */
function lent(capacity: number, queues: Readonly<Record<string, Words>>): Readonly<Record<string, number>> {
  const usageOf = (name: string): QueueUsage => {
    const { guaranteed = 0, used = 0 } = queues[name] ?? {};
    const vector = (amount: number) => (amount > 0 ? { cpu: amount } : {});
    return {
      used: vector(used),
      guaranteed: vector(guaranteed),
      borrowed: vector(used - guaranteed),
      idle: vector(guaranteed - used),
      admitted: 0,
      waiting: 0,
    };
  };
  const listed = Object.entries(queues).map(([name, { parent }]) => ({ name, ...(parent !== undefined && { parent }) }));
  const found = lentOf({ capacity: { cpu: capacity }, queues: listed }, usageOf);
  return Object.fromEntries([...found].map(([name, vector]) => [name, vector["cpu"] ?? 0]));
}

const root = { corp: {} };
const under = (guaranteed: number, used: number) => ({ parent: "corp", guaranteed, used });

describe("what others use of a queue's guarantee", () => {
  const cases: readonly { readonly name: string; readonly got: () => unknown; readonly want: unknown }[] = [
    { name: "nothing while nobody borrows", got: () => lent(100, { ...root, a: under(50, 10), b: under(50, 50) }), want: {} },
    { name: "what a sibling borrows", got: () => lent(100, { ...root, a: under(50, 10), b: under(50, 60) }), want: { a: 10 } },
    {
      name: "first comes what is guaranteed to nobody: 20 of the 30 borrowed",
      got: () => lent(100, { ...root, a: under(50, 10), b: under(30, 60) }),
      want: { a: 10 },
    },
    {
      name: "two lenders in proportion to what each has idle: 30 and 10 idle, 20 borrowed",
      got: () => lent(100, { ...root, a: under(40, 10), b: under(40, 30), c: under(20, 40) }),
      want: { a: 15, b: 5 },
    },
    {
      name: "never more than is idle, also where capacity has shrunk below what is used",
      got: () => lent(40, { ...root, a: under(20, 15), b: under(20, 60) }),
      want: { a: 5 },
    },
    {
      name: "within a queue that borrows itself its children share what it has",
      got: () =>
        lent(100, {
          ...root,
          a: under(50, 60),
          "a/x": { parent: "a", guaranteed: 30, used: 10 },
          "a/y": { parent: "a", guaranteed: 20, used: 50 },
        }),
      want: { "a/x": 20 },
    },
  ];
  for (const tc of cases) it(tc.name, () => assert.deepEqual(tc.got(), tc.want));
});
