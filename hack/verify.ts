// Asserts that generated files are clean and that types, format, lint and the rules of the layers hold. npm run verify
import { join } from "node:path";
import { verify, verifyText } from "./verify/steps.ts";

const results = await verify(join(import.meta.dirname, ".."), (result) => console.log(verifyText(result)));
process.exitCode = results.some((result) => result.wrong !== "") ? 1 : 0;
