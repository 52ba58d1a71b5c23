/** The environment variable that says how many times slower than usual the machine is. */
export const patienceVariable = "NUPTSE_TEST_PATIENCE";

/** How much longer than usual tests wait before they give up; 1 where nobody said. */
export const patience = Math.max(1, Number(process.env[patienceVariable] ?? 1) || 1);
