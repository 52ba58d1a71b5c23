import { join } from "node:path";

/** The environment variable that names the bundled program which tests of processes are to start. */
export const programVariable = "NUPTSE_TEST_PROGRAM";

/** The program `nuptse` that tests start: the bundle that users get, where the ladder has made one, else the sources. */
export const program = process.env[programVariable] ?? join(import.meta.dirname, "../../src/main.ts");
