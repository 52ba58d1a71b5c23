import assert from "node:assert/strict";
import fc from "fast-check";
import { type Change, Collection } from "../../../../src/simulator/apiserver/collection.ts";
import type { StoredObject } from "../../../../src/simulator/apiserver/json.ts";
import { matchesLabels, parseLabelSelector } from "../../../../src/simulator/apiserver/selectors.ts";

const objectOf = (name: string, color: string, revision: number): StoredObject => ({
  apiVersion: "v1",
  kind: "Toy",
  metadata: { name, namespace: "ns", labels: { color }, resourceVersion: String(revision) },
});

describe("Collection", () => {
  it("lists by selector and at past versions what a plain map would", () => {
    const step = fc.record({
      name: fc.constantFrom("a", "b", "c", "d"),
      color: fc.constantFrom("red", "blue", "none"),
      gone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom("red", "blue"), (steps, color) => {
        const collection = new Collection(1_000, 0);
        const labels = parseLabelSelector(`color=${color}`);
        const pastStates: ReadonlyMap<string, StoredObject>[] = [new Map()];
        let revision = 0;
        for (const { name, color: painted, gone } of steps) {
          const state = new Map(pastStates.at(-1));
          const previous = state.get(name);
          if (gone && previous === undefined) continue;
          revision++;
          const object = objectOf(name, painted, revision);
          const type = gone ? "DELETED" : previous === undefined ? "ADDED" : "MODIFIED";
          collection.record({
            type,
            key: `ns/${name}`,
            object: gone ? (previous as StoredObject) : object,
            revision,
            ...(previous === undefined ? {} : { previous }),
          });
          if (gone) state.delete(name);
          else state.set(name, object);
          pastStates.push(state);
          const want = [...state.values()].filter((one) => matchesLabels(one.metadata.labels, labels)).map((one) => one.metadata.name);
          const got = (collection.list({ namespace: "ns", labels }) ?? []).filter((one) => matchesLabels(one.metadata.labels, labels));
          assert.deepEqual(
            got.map((one) => one.metadata.name),
            want.sort(),
          );
        }
        for (const [at, state] of pastStates.entries()) {
          assert.deepEqual(
            collection.list({ revision: at }),
            [...state.keys()].sort().map((name) => state.get(name)),
          );
        }
      }),
    );
  });

  it("forgets beyond its history and says so", () => {
    const collection = new Collection(2, 0);
    let previous: StoredObject | undefined;
    for (let revision = 1; revision <= 10; revision++) {
      const object = objectOf("a", "red", revision);
      const change: Change = {
        type: previous === undefined ? "ADDED" : "MODIFIED",
        key: "ns/a",
        object,
        revision,
        ...(previous === undefined ? {} : { previous }),
      };
      collection.record(change);
      previous = object;
    }
    assert.equal(collection.changesAfter(1), undefined);
    assert.deepEqual(
      collection.changesAfter(9)?.map((change) => change.revision),
      [10],
    );
    assert.deepEqual(collection.changesAfter(10), []);
    assert.deepEqual(collection.changesAfter(99), []);
  });
});
