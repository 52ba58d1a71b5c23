import assert from "node:assert/strict";
import { readTarget, shownTarget } from "../../../src/trace/target.ts";

describe("trace/target", () => {
  const right = [
    { text: "none", want: { kind: "none" }, shown: "none" },
    { text: "sqlite:/data/trace.db", want: { kind: "sqlite", path: "/data/trace.db" }, shown: "sqlite:/data/trace.db" },
    { text: "https://nuptse-trace:8443/", want: { kind: "http", url: "https://nuptse-trace:8443" }, shown: "https://nuptse-trace:8443" },
    {
      text: "postgres://n:secret@db:5432/trace?sslmode=require",
      want: { kind: "postgres", url: "postgres://n:secret@db:5432/trace?sslmode=require" },
      shown: "postgres://n@db:5432/trace",
    },
  ];
  for (const tc of right) {
    it(`${tc.text} is read, and shown without a password`, () => {
      const target = readTarget(tc.text);
      assert.deepEqual([target, shownTarget(target)], [tc.want, tc.shown]);
    });
  }

  for (const text of ["", "sqlite:", "sqlite", "ftp://x", "postgres://db", "http://host/path", "http://user@host", "/data/trace.db"]) {
    it(`"${text}" is refused`, () => assert.throws(() => readTarget(text), /none|scheme|database/));
  }
});
