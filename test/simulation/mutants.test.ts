import { mutantSuite } from "./support/mutant-suite.ts";
import { mutants } from "./support/mutants.ts";

mutantSuite({ rules: "rules", task: "mutant", mutants });
