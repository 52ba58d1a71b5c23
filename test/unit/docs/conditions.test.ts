import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  appEventReasons,
  appReasons,
  conditionReasons,
  conditionTypes,
  eventReasons,
  nodeEventReasons,
  queueReasons,
  queueRefusals,
  requestReasons,
  waitReasons,
} from "../../../src/api/reasons.ts";

const text = readFileSync(new URL("../../../docs/conditions.md", import.meta.url), "utf8");

/** The cells of a section's table, without its head. */
function rowsOf(section: string): readonly (readonly string[])[] {
  const body = text.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? "";
  const lines = body.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

describe("docs/conditions", () => {
  const tables = [
    { section: "Condition types", names: conditionTypes, columns: 3 },
    { section: "Condition reasons", names: conditionReasons, columns: 4 },
    { section: "Events", names: eventReasons, columns: 4 },
    { section: "Reasons of a JobRequest", names: requestReasons, columns: 4 },
    { section: "Reasons of a TenantQueue", names: queueReasons, columns: 4 },
    { section: "Reasons of a RunnerApp", names: appReasons, columns: 4 },
    { section: "Events of a RunnerApp", names: appEventReasons, columns: 4 },
    { section: "Events of a node", names: nodeEventReasons, columns: 4 },
    { section: "Why a workload is of no queue", names: queueRefusals, columns: 3 },
    { section: "Why a workload waits for its queue", names: waitReasons, columns: 3 },
  ];
  for (const { section, names, columns } of tables) {
    it(`"${section}" lists exactly what the code has, each once`, () => {
      const listed = rowsOf(section).map(([name = ""]) => name.replaceAll("`", ""));
      assert.deepEqual(listed.toSorted(), Object.values(names).toSorted());
    });

    it(`"${section}" says of each what to do`, () => {
      for (const row of rowsOf(section)) {
        assert.equal(row.length, columns, row[0]);
        assert.ok(
          row.every((cell) => cell !== ""),
          row[0],
        );
      }
    });
  }
});
