import assert from "node:assert/strict";
import fc from "fast-check";
import { literalArgument, splitCommandLine } from "../../../src/convert/command-line.ts";
import { expand } from "../../../src/simulator/world/process-environment.ts";

describe("convert/command-line", () => {
  const cases: readonly { name: string; line: string; want: readonly string[] | undefined }[] = [
    { name: "blanks part words", line: "  sh  run.sh\t-x ", want: ["sh", "run.sh", "-x"] },
    { name: "quotes hold words together and go", line: `echo 'a b' "c 'd'"`, want: ["echo", "a b", "c 'd'"] },
    { name: "quotes inside of a word", line: `--mode='a b'`, want: ["--mode=a b"] },
    { name: "an empty word", line: `run ""`, want: ["run", ""] },
    {
      name: "nothing is special but quotes: there is no shell",
      line: "echo $HOME && ls * > x",
      want: ["echo", "$HOME", "&&", "ls", "*", ">", "x"],
    },
    { name: "nothing", line: " ", want: [] },
    { name: "a quote that is not closed", line: "echo 'a", want: undefined },
  ];
  for (const tc of cases) it(tc.name, () => assert.deepEqual(splitCommandLine(tc.line), tc.want));

  it("literalArgument: whatever the text, the kubelet gives it to the program as it was", () => {
    const text = fc.array(fc.constantFrom("$", "(", ")", "NAME", "a", " ")).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (value) => assert.equal(expand(literalArgument(value), { NAME: "wrong", a: "wrong" }), value)),
      { seed: 4, numRuns: 2000 },
    );
  });
});
