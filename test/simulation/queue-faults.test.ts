import { seedSuite } from "./support/seed-suite.ts";

seedSuite({ subject: "queues", task: "queues", word: "--queues ", fixed: 4, fresh: 2 });
