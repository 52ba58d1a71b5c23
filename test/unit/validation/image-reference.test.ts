import assert from "node:assert/strict";
import { imageReferenceProblem } from "../../../src/validation/image-reference.ts";

const sha = `sha256:${"0123456789abcdef".repeat(4)}`;

/** After the grammar of the distribution project's reference package. */
const right = [
  "busybox",
  "busybox:1.36",
  "library/busybox",
  "registry.example/team/report:v1",
  "registry.example:5000/report",
  "localhost/report",
  "localhost:5000/report:latest",
  `report@${sha}`,
  `registry.example/report:1@${sha}`,
  "[2001:db8::1]:5000/report",
  "a/b__c/d-e--f/g.h",
  "Registry.example/report",
  "report:_tag.with-all_1",
  `report:${"t".repeat(128)}`,
];

const wrong: readonly [string, RegExp][] = [
  ["", /no part/],
  ["Report", /lower-case/],
  ["team/Report", /lower-case/],
  ["report:", /no tag/],
  ["report:-x", /no tag/],
  [`report:${"t".repeat(129)}`, /128/],
  ["report@sha256", /digest/],
  ["report@sha256:abc", /digest/],
  [`report@${sha}@${sha}`, /more than one @/],
  ["re port", /no part/],
  ["team//report", /no part/],
  ["-report", /no part/],
  ["report_", /no part/],
  ["a..b/c", /host name/],
  ["registry.example:port/report", /host name/],
  ["https://registry.example/report", /./],
];

describe("image references", () => {
  for (const text of right) it(`${text.slice(0, 40)} is right`, () => assert.equal(imageReferenceProblem(text), undefined));
  for (const [text, message] of wrong)
    it(`"${text.slice(0, 40)}" is wrong`, () => assert.match(imageReferenceProblem(text) ?? "", message));
});
