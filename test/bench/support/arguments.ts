import { parseArgs } from "node:util";

/** What a bench may be told: a number each, or the name of a folder. */
export type ArgumentDefaults = Readonly<Record<string, number | string>>;

/** The values of `--name=value` words, with the defaults for what is not given. Throws an Error that lists what there is for anything else. */
export function readArguments<Defaults extends ArgumentDefaults>(words: readonly string[], defaults: Defaults): Readonly<Defaults> {
  const options = Object.fromEntries(Object.keys(defaults).map((name) => [name, { type: "string" as const }]));
  let given: Readonly<Record<string, unknown>>;
  try {
    given = parseArgs({ args: [...words], options, strict: true }).values;
  } catch (error) {
    const known = Object.entries(defaults).map(([name, value]) => `--${name}=${value}`);
    throw new Error(`${error instanceof Error ? error.message : String(error)}; the arguments and their defaults: ${known.join(" ")}`);
  }
  const values = Object.entries(defaults).map(([name, value]) => {
    const text = given[name];
    if (text === undefined || typeof value === "string") return [name, text ?? value];
    const number = Number(text);
    if (!Number.isFinite(number) || number < 0) throw new Error(`--${name} wants a number that is not negative`);
    return [name, number];
  });
  return Object.fromEntries(values) as Defaults;
}
