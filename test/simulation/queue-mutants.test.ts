import { mutantSuite } from "./support/mutant-suite.ts";
import { queueMutants } from "./support/queue-mutants.ts";

mutantSuite({ rules: "rules of queues", task: "queueMutant", mutants: queueMutants });
