import { mutantSuite } from "./support/mutant-suite.ts";
import { fleetMutants } from "./support/fleet-mutants.ts";

mutantSuite({ rules: "rules of fleets", task: "fleetMutant", mutants: fleetMutants });
