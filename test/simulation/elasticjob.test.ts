import { seedSuite } from "./support/seed-suite.ts";

seedSuite({ subject: "ElasticJob", task: "seed", fixed: 40, fresh: 20 });
