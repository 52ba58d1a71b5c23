import { mutantSuite } from "./support/mutant-suite.ts";
import { residentMutants } from "./support/resident-mutants.ts";

mutantSuite({ rules: "rules of dispatch", task: "residentMutant", mutants: residentMutants });
