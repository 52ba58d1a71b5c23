import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { conditionReasons, conditionTypes, eventReasons, podReasons } from "../../../src/api/reasons.ts";

const text = readFileSync(new URL("../../../docs/conditions.md", import.meta.url), "utf8");

/** The first column of the table under a heading. */
const listed = (heading: string): string[] => {
  const section = text.split(/^## /m).find((part) => part.startsWith(heading)) ?? "";
  return [...section.matchAll(/^\| `([A-Za-z]+)` \|/gm)].map((match) => match[1] as string).sort();
};

describe("docs/conditions.md tells of every reason that people can meet, and of no other", () => {
  it("condition types", () => assert.deepEqual(listed("Condition types"), Object.values(conditionTypes).sort()));
  it("condition reasons", () => assert.deepEqual(listed("Condition reasons"), Object.values(conditionReasons).sort()));
  it("event reasons", () => assert.deepEqual(listed("Events"), Object.values(eventReasons).sort()));
  it("reasons of pods in queues", () => assert.deepEqual(listed("Why a pod of a queue"), Object.values(podReasons).sort()));
  it("all are PascalCase", () => {
    for (const reason of [...Object.values(conditionReasons), ...Object.values(eventReasons)]) assert.match(reason, /^[A-Z][A-Za-z]+$/);
  });
});
