import { seedSuite } from "./support/seed-suite.ts";

seedSuite({ subject: "resident jobs", task: "residents", word: "--resident ", fixed: 4, fresh: 2 });
