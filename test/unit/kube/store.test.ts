import assert from "node:assert/strict";
import fc from "fast-check";
import type { KubeObject } from "../../../src/api/meta.ts";
import { compareVersions } from "../../../src/kube/resource-version.ts";
import { type Change, ObjectStore } from "../../../src/kube/store.ts";

interface Thing extends KubeObject {
  readonly color?: string;
}

function thing(name: string, version: number | string, fields: { readonly uid?: string; readonly color?: string } = {}): Thing {
  return {
    metadata: { namespace: "shop", name, uid: fields.uid ?? `${name}-1`, resourceVersion: String(version) },
    ...(fields.color === undefined ? {} : { color: fields.color }),
  };
}

function newStore(): ObjectStore<Thing, "color"> {
  return new ObjectStore<Thing, "color">({ color: (object) => (object.color === undefined ? [] : [object.color]) });
}

function held(store: ObjectStore<Thing, "color">): readonly string[] {
  return [...store.all()].map((object) => `${object.metadata.name}@${object.metadata.resourceVersion}`).sort();
}

type Step = readonly ["put" | "remove" | "write", Thing] | readonly ["swap", string, ...Thing[]] | readonly ["advance", string];

function apply(store: ObjectStore<Thing, "color">, step: Step): readonly string[] {
  return changesOf(store, step).map((change) => `${change.type} ${change.object.metadata.name}@${change.object.metadata.resourceVersion}`);
}

function changesOf(store: ObjectStore<Thing, "color">, step: Step): readonly Change<Thing>[] {
  switch (step[0]) {
    case "put":
      return store.put(step[1]);
    case "remove":
      return store.remove(step[1]);
    case "write":
      return store.observeWrite(step[1]);
    default:
      return store.swap(step.slice(2) as Thing[], step[1]);
  }
}

const cases: readonly {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly wantLast: readonly string[];
  readonly want: readonly string[];
}[] = [
  {
    name: "an event that is older than an own write is dropped",
    steps: [
      ["swap", "10", thing("a", 5)],
      ["write", thing("a", 12)],
      ["put", thing("a", 11)],
    ],
    wantLast: [],
    want: ["a@12"],
  },
  {
    name: "the event of an own write is not told again",
    steps: [
      ["swap", "10", thing("a", 5)],
      ["write", thing("a", 12)],
      ["put", thing("a", 12)],
    ],
    wantLast: [],
    want: ["a@12"],
  },
  {
    name: "the late answer of an own write does not bring a deleted object back",
    steps: [
      ["swap", "10"],
      ["put", thing("a", 11)],
      ["remove", thing("a", 13)],
      ["write", thing("a", 12)],
    ],
    wantLast: [],
    want: [],
  },
  {
    name: "the answer of an own write that comes after a list without the object does not bring it back",
    steps: [
      ["swap", "10", thing("a", 5)],
      ["swap", "20"],
      ["write", thing("a", 12)],
    ],
    wantLast: [],
    want: [],
  },
  {
    name: "a new object of a deleted one's name is taken, from an own write as from an event",
    steps: [
      ["swap", "10", thing("a", 5), thing("b", 6)],
      ["remove", thing("a", 13)],
      ["remove", thing("b", 14)],
      ["put", thing("b", 16, { uid: "b-2" })],
      ["write", thing("a", 15, { uid: "a-2" })],
    ],
    wantLast: ["added a@15"],
    want: ["a@15", "b@16"],
  },
  {
    name: "a deletion of an earlier object of the name leaves the later one",
    steps: [
      ["swap", "10", thing("a", 5)],
      ["write", thing("a", 15, { uid: "a-2" })],
      ["remove", thing("a", 13)],
    ],
    wantLast: [],
    want: ["a@15"],
  },
  {
    name: "a deletion in the version that is held deletes",
    steps: [
      ["swap", "10", thing("a", 5)],
      ["write", thing("a", 15)],
      ["remove", thing("a", 15)],
    ],
    wantLast: ["deleted a@15"],
    want: [],
  },
  {
    name: "another object of the same name is a deletion and an addition",
    steps: [
      ["swap", "10", thing("a", 5)],
      ["swap", "20", thing("a", 15, { uid: "a-2" })],
    ],
    wantLast: ["deleted a@5", "added a@15"],
    want: ["a@15"],
  },
  {
    name: "a swap keeps what is newer than its list",
    steps: [
      ["swap", "10", thing("a", 5), thing("b", 6)],
      ["write", thing("a", 25)],
      ["write", thing("c", 24)],
      ["swap", "20", thing("a", 15)],
    ],
    wantLast: ["deleted b@6"],
    want: ["a@25", "c@24"],
  },
  {
    name: "a swap to the same objects tells nothing",
    steps: [
      ["swap", "10", thing("a", 5), thing("b", 6)],
      ["swap", "20", thing("a", 5), thing("b", 6)],
    ],
    wantLast: [],
    want: ["a@5", "b@6"],
  },
  {
    name: "a list from before what was seen is a restored cluster: nothing that is held counts",
    steps: [
      ["swap", "100", thing("a", 50), thing("b", 60)],
      ["swap", "40", thing("a", 30)],
    ],
    wantLast: ["deleted a@50", "deleted b@60", "added a@30"],
    want: ["a@30"],
  },
  {
    name: "versions beyond 2^53 are told apart",
    steps: [
      ["swap", "9007199254740992", thing("a", "9007199254740992")],
      ["put", thing("a", "9007199254740993")],
      ["put", thing("a", "9007199254740992")],
    ],
    wantLast: [],
    want: ["a@9007199254740993"],
  },
];

describe("kube/store", () => {
  for (const tc of cases) {
    it(tc.name, () => {
      const store = newStore();
      let last: readonly string[] = [];
      for (const step of tc.steps) last = apply(store, step);
      assert.deepEqual(last, tc.wantLast);
      assert.deepEqual(held(store), tc.want);
    });
  }

  it("finds by index, gives the same array until something in it changes, and forgets empty values", () => {
    const store = newStore();
    store.swap([thing("a", 1, { color: "red" }), thing("b", 2, { color: "red" }), thing("c", 3)], "5");
    const red = store.byIndex("color", "red");
    assert.deepEqual(red.map((object) => object.metadata.name).sort(), ["a", "b"]);
    store.put(thing("c", 6, { color: "blue" }));
    assert.equal(store.byIndex("color", "red"), red);
    store.put(thing("a", 7, { color: "blue" }));
    assert.deepEqual(
      store.byIndex("color", "red").map((object) => object.metadata.name),
      ["b"],
    );
    store.remove(thing("b", 8, { color: "red" }));
    assert.deepEqual(store.byIndex("color", "red"), []);
    assert.deepEqual(red.map((object) => object.metadata.name).sort(), ["a", "b"]);
  });

  it("knows how fresh it is when the watch has come to an own write, whatever answers of others it was given", () => {
    const store = newStore();
    store.swap([thing("a", 5)], "10");
    store.observeWrite(thing("b", 12), 3000);
    store.observeWrite(thing("a", 20));
    store.put(thing("c", 11));
    assert.equal(store.freshAt, undefined);
    store.put(thing("c", 13));
    assert.equal(store.freshAt, 3000);
    store.observeWrite(thing("b", 30), 4000);
    store.advance("29");
    assert.equal(store.freshAt, 3000);
    store.advance("30");
    assert.equal(store.freshAt, 4000);
    store.observeWrite(thing("b", 40), 5000);
    store.swap([thing("b", 40)], "41");
    assert.equal(store.freshAt, 5000);
  });

  it("is empty and not synced before the first list", () => {
    const store = newStore();
    assert.deepEqual([store.size, store.synced, store.resourceVersion, store.get("shop", "a")], [0, false, undefined, undefined]);
  });

  it("remembers deletions without end in bounded room: none of 10,000 is undone by a late answer", () => {
    const store = newStore();
    store.swap([], "0");
    for (let i = 1; i <= 10_000; i++) {
      store.put(thing(`x${i}`, 10 * i));
      store.remove(thing(`x${i}`, 10 * i + 2));
    }
    for (let i = 1; i <= 10_000; i++) store.observeWrite(thing(`x${i}`, 10 * i + 1));
    assert.equal(store.size, 0);
  });

  /**
   * A server with three names writes a history; a client follows it by lists and a watch that stops while a list is read, and learns
   * the answers of some writes at any time, late and out of order.
   */
  it("ends equal to the server, however lists, events and answers of own writes interleave", () => {
    const command = fc.oneof(
      { weight: 4, arbitrary: fc.record({ op: fc.constant("write" as const), name: fc.constantFrom("a", "b", "c") }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constant("delete" as const), name: fc.constantFrom("a", "b", "c") }) },
      { weight: 4, arbitrary: fc.constant({ op: "event" as const }) },
      { weight: 3, arbitrary: fc.record({ op: fc.constant("answer" as const), pick: fc.nat() }) },
      { weight: 1, arbitrary: fc.constant({ op: "beginList" as const }) },
      { weight: 1, arbitrary: fc.constant({ op: "endList" as const }) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const store = newStore();
        const truth = new Map<string, Thing>();
        const log: { readonly type: "put" | "remove"; readonly object: Thing }[] = [];
        const answers: Thing[] = [];
        let version = 100;
        let seen = 0;
        let list: { readonly objects: readonly Thing[]; readonly version: string; readonly logLength: number } | undefined = {
          objects: [],
          version: "100",
          logLength: 0,
        };
        const record = (type: "put" | "remove", object: Thing) => {
          log.push({ type, object });
          answers.push(object);
        };
        const event = () => {
          const entry = log[seen];
          if (list !== undefined || entry === undefined) return;
          seen++;
          store[entry.type](entry.object);
        };
        const endList = () => {
          if (list === undefined) return;
          store.swap(list.objects, list.version);
          seen = list.logLength;
          list = undefined;
        };
        const answer = (pick: number) => {
          const [object] = answers.splice(pick % Math.max(1, answers.length), 1);
          if (object === undefined) return;
          store.observeWrite(object);
          const now = store.get("shop", object.metadata.name);
          assert.ok(now === undefined || compareVersions(now.metadata.resourceVersion!, object.metadata.resourceVersion!) >= 0);
        };
        for (const each of commands) {
          if (each.op === "write") {
            const before = truth.get(each.name);
            version++;
            const object = thing(each.name, version, { uid: before?.metadata.uid ?? `${each.name}-${version}`, color: `c${version % 3}` });
            truth.set(each.name, object);
            record("put", object);
          } else if (each.op === "delete") {
            const before = truth.get(each.name);
            if (before === undefined) continue;
            version++;
            truth.delete(each.name);
            record("remove", { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } });
          } else if (each.op === "event") {
            event();
          } else if (each.op === "answer") {
            // the answer of a deletion may be the object as it was deleted, which the store must not take for a living one
            answer(each.pick);
          } else if (each.op === "beginList") {
            list = { objects: [...truth.values()], version: String(version), logLength: log.length };
          } else {
            endList();
          }
        }
        endList();
        while (seen < log.length) event();
        while (answers.length > 0) answer(0);
        assert.deepEqual(
          held(store),
          [...truth.values()].map((object) => `${object.metadata.name}@${object.metadata.resourceVersion}`).sort(),
        );
        for (const color of ["c0", "c1", "c2"]) {
          assert.deepEqual(
            store
              .byIndex("color", color)
              .map((object) => object.metadata.name)
              .sort(),
            [...truth.values()]
              .filter((object) => object.color === color)
              .map((object) => object.metadata.name)
              .sort(),
          );
        }
      }),
      { numRuns: 2000 },
    );
  });
});
