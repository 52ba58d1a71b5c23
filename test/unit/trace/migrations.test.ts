import assert from "node:assert/strict";
import { migrations, missingMigrations } from "../../../src/trace/migrations.ts";

describe("trace/migrations", () => {
  it("versions count from 1 without gaps", () => {
    assert.deepEqual(
      migrations.map(({ version }) => version),
      migrations.map((_, index) => index + 1),
    );
  });

  it("a database that is new gets all, one that is up to date none", () => {
    assert.equal(missingMigrations([]).length, migrations.length);
    assert.deepEqual(missingMigrations(migrations.map(({ version }) => version)), []);
  });

  it("a database of a newer program is left alone, and the error says so", () => {
    assert.throws(() => missingMigrations([1, 999]), /has version 999, made by a newer nuptse/);
  });
});
