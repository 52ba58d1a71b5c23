import assert from "node:assert/strict";
import { expand } from "../../../../src/simulator/world/process-environment.ts";

describe("expansion of $(NAME)", () => {
  const expansions = [
    { name: "replaces what is defined", text: "x$(A)y", want: "xay" },
    { name: "leaves what is not", text: "$(B)", want: "$(B)" },
    { name: "has an escape", text: "$$(A) $$$(A)", want: "$(A) $a" },
    { name: "leaves the shell's own", text: "$A $( $x)", want: "$A $( $x)" },
  ];
  for (const tc of expansions) it(tc.name, () => assert.equal(expand(tc.text, { A: "a" }), tc.want));
});
