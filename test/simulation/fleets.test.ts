import { seedSuite } from "./support/seed-suite.ts";

seedSuite({ subject: "fleets", task: "fleets", word: "--fleets ", fixed: 6, fresh: 2 });
