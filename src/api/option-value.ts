import type { ElasticJobSpecOption } from "./elastic-job.gen.ts";

/** Values of options by name, as a JobRequest gives them. */
export type GivenOptions = Readonly<Record<string, string>>;

const defaultDateFormat = "yyyy-MM-dd";
const integer = /^-?(0|[1-9]\d{0,14})$/;
const absoluteDate = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?$/;
const relativeDate = /^([+-]?\d{1,6})([smhdwMy])$/;
const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const reference = /\$\$|\$\(options\.([A-Za-z0-9_.-]*)\)/g;

/** What is wrong with a value of an option, and what would be right; undefined when it is right. */
export function optionProblem({ type, values = [] }: ElasticJobSpecOption, text: string): string | undefined {
  switch (type ?? "String") {
    case "String":
      return undefined;
    case "Int":
      return integer.test(text) ? undefined : `"${text}" is no whole number such as 42`;
    case "Bool":
      return text === "true" || text === "false" ? undefined : `"${text}" is neither "true" nor "false"`;
    case "Enum":
      return values.includes(text) ? undefined : `"${text}" is none of ${values.join(", ")}`;
    case "Date":
      return dateOf(text, 0) === undefined
        ? `"${text}" is no date: write 2026-11-21, 2026-11-21T02:30, or a distance to the fire time such as -1d (units s, m, h, d, w, M, y)`
        : undefined;
  }
}

/** What is wrong with the options that a run is asked for with: "name: what", or undefined. */
export function givenProblem(options: readonly ElasticJobSpecOption[], given: GivenOptions): string | undefined {
  const known = new Map(options.map((option) => [option.name, option]));
  for (const [name, text] of Object.entries(given)) {
    const option = known.get(name);
    if (option === undefined) {
      const names = options.length === 0 ? "it has none" : `it has ${[...known.keys()].join(", ")}`;
      return `${name}: is no option of the job; ${names}`;
    }
    const problem = optionProblem(option, text);
    if (problem !== undefined) return `${name}: ${problem}`;
  }
  const missing = options.find((option) => option.required === true && option.default === undefined && given[option.name] === undefined);
  return missing === undefined ? undefined : `${missing.name}: is required, and has no default`;
}

/**
 * The texts that a run's program gets, by name: what was given, else the default, else "". Dates that are distances count from the fire
 * time.
 * @param localTime the fire time on the clocks of the job's zone, as milliseconds of a clock that reads the same in UTC
 */
export function optionValues(
  options: readonly ElasticJobSpecOption[],
  given: GivenOptions,
  localTime: number,
): ReadonlyMap<string, string> {
  return new Map(
    options.map((option) => {
      const text = given[option.name] ?? option.default ?? "";
      if (option.type !== "Date" || text === "") return [option.name, text];
      const date = dateOf(text, localTime);
      return [option.name, date === undefined ? text : formatDate(date, option.format ?? defaultDateFormat)];
    }),
  );
}

/** The environment variable of an option. */
export const optionVariable = (name: string): string => `NUPTSE_OPTION_${name.toUpperCase()}`;

/**
 * A text with each `$(options.name)` replaced by its value. `$$` is left as it is, as Kubernetes reads it: `$$(options.name)` is no reference.
 * @param write how a value is written into the text
 */
export function withOptions(
  text: string,
  values: ReadonlyMap<string, string>,
  write: (value: string) => string = (value) => value,
): string {
  return text.replaceAll(reference, (whole, name: string | undefined) => {
    const value = name === undefined ? undefined : values.get(name);
    return value === undefined ? whole : write(value);
  });
}

/** The first name that a text refers to and that is not among these. */
export function unknownOption(text: string, names: ReadonlySet<string>): string | undefined {
  for (const [, name] of text.matchAll(reference)) if (name !== undefined && !names.has(name)) return name;
  return undefined;
}

function dateOf(text: string, localTime: number): number | undefined {
  const distance = relativeDate.exec(text);
  if (distance !== null) return shifted(localTime, Number(distance[1]), distance[2] as string);
  const parts = absoluteDate
    .exec(text)
    ?.slice(1)
    .map((part) => Number(part ?? 0));
  if (parts === undefined) return undefined;
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  const date = Date.UTC(year, month - 1, day, hour, minute, second);
  const written = new Date(date).toISOString();
  // The 31st of a month that has 30 days would be the 1st of the next.
  return written.startsWith(text.slice(0, 10)) && hour < 24 && minute < 60 && second < 60 ? date : undefined;
}

function shifted(from: number, count: number, unit: string): number {
  const fixed = unitMs[unit];
  if (fixed !== undefined) return from + count * fixed;
  const start = new Date(from);
  const months = start.getUTCFullYear() * 12 + start.getUTCMonth() + count * (unit === "y" ? 12 : 1);
  const [year, month] = [Math.floor(months / 12), ((months % 12) + 12) % 12];
  // The last day where the month is shorter.
  const day = Math.min(start.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate());
  return Date.UTC(year, month, day) + (((from % 86_400_000) + 86_400_000) % 86_400_000);
}

function formatDate(date: number, format: string): string {
  if (!Number.isFinite(date) || Math.abs(date) > 8.64e15) return "";
  const iso = new Date(date).toISOString();
  const parts: Readonly<Record<string, string>> = {
    yyyy: iso.slice(0, 4),
    MM: iso.slice(5, 7),
    dd: iso.slice(8, 10),
    HH: iso.slice(11, 13),
    mm: iso.slice(14, 16),
    ss: iso.slice(17, 19),
  };
  return format.replaceAll(/yyyy|MM|dd|HH|mm|ss/g, (token) => parts[token] as string);
}
