import { type DayRule, matchingDays } from "./day-rule.ts";
import { type Field, type FieldText, hours, months, sixtieths, years } from "./field.ts";
import { parseQuartzDays, parseQuartzField } from "./quartz-fields.ts";
import { CronError } from "./schedule-error.ts";
import { parseUnixDays, parseUnixField } from "./unix-fields.ts";
import type { ValueSet } from "./value-set.ts";

/** How an expression is read. Quartz has 6 or 7 fields beginning with seconds, Unix has 5. */
export type CronDialect = "Quartz" | "Unix";

/** An expression of fields, ready to be matched against local time. */
export interface FieldExpression {
  readonly kind: "Fields";
  /** As given. */
  readonly text: string;
  readonly dialect: CronDialect;
  readonly seconds: Field;
  readonly minutes: Field;
  readonly hours: Field;
  readonly days: DayRule;
  readonly months: Field;
  /** Absent: every year. */
  readonly years: ValueSet | undefined;
  /**
   * True where hour or minute has a `*` or a step: the expression follows elapsed time when the clocks change.
   * False: a fixed time of day, which is owed once on every day that matches.
   */
  readonly periodic: boolean;
  /** What is legal but probably not what its author meant; for admission and `cron explain`. */
  readonly warnings: readonly string[];
}

/** `@every 90s`: equal distances from an anchor, whatever the clocks say. */
export interface EveryExpression {
  readonly kind: "Every";
  readonly text: string;
  /** Whole seconds, in milliseconds. */
  readonly interval: number;
  readonly warnings: readonly string[];
}

/** A parsed cron expression. */
export type CronExpression = FieldExpression | EveryExpression;

const macros: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** Every kind of year (leap or not, beginning on each weekday) is among these 28. */
const ALL_KINDS_OF_YEARS = Array.from({ length: 28 }, (_, index) => 2001 + index);

/**
 * Parses an expression. Without `dialect` the number of fields decides: 6 or 7 are Quartz, 5 are Unix; the macros `@hourly @daily
 * @midnight @weekly @monthly @yearly @annually @every 1h30m` belong to Unix.
 * Throws CronError, also for an expression that no date ever matches.
 */
export function parseCron(text: string, options: { readonly dialect?: CronDialect | undefined } = {}): CronExpression {
  const tokens = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], position: match.index + 1 }));
  const [first] = tokens;
  if (first === undefined) throw new CronError("expression", 1, `the expression is empty; write five fields such as "30 2 * * *"`);
  if (first.text.startsWith("@") && options.dialect !== "Quartz") return parseMacro(text, tokens, first);
  const dialect = options.dialect ?? dialectOf(tokens.length, first.position);
  const expression = dialect === "Quartz" ? parseQuartz(text, tokens) : parseUnix(text, tokens);
  refuseIfNeverFires(expression, tokens);
  return expression;
}

type Token = { readonly text: string; readonly position: number };

function dialectOf(count: number, position: number): CronDialect {
  if (count === 5) return "Unix";
  if (count === 6 || count === 7) return "Quartz";
  throw new CronError(
    "expression",
    position,
    `${count === 1 ? "1 field" : `${count} fields`}; write 5 (minute hour day month weekday) or 6 to 7 (second first, year last)`,
  );
}

function parseMacro(text: string, tokens: readonly Token[], first: Token): CronExpression {
  if (first.text === "@every") return parseEvery(text, tokens, first);
  const fields = macros[first.text];
  if (fields === undefined || tokens.length > 1) {
    const [, extra] = tokens;
    const problem = fields === undefined ? `"${first.text}" is not known` : `${first.text} takes nothing after it`;
    const position = fields === undefined ? first.position : (extra?.position ?? first.position);
    throw new CronError("expression", position, `${problem}; write one of ${Object.keys(macros).join(" ")} or @every with a duration`);
  }
  return { ...parseUnix(fields, tokensOf(fields)), text };
}

function tokensOf(text: string): readonly Token[] {
  return [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], position: match.index + 1 }));
}

function parseEvery(text: string, tokens: readonly Token[], first: Token): EveryExpression {
  const [, duration] = tokens;
  const example = "write whole hours, minutes and seconds, as in @every 90s or @every 1h30m";
  if (duration === undefined) throw new CronError("@every", first.position + first.text.length, `the duration is missing; ${example}`);
  const [, , extra] = tokens;
  if (extra !== undefined) throw new CronError("@every", extra.position, `"${extra.text}" is too much; ${example}`);
  const match = /^(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/.exec(duration.text);
  if (match === null) throw new CronError("@every", duration.position, `"${duration.text}" is not a duration; ${example}`);
  const interval = (Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)) * 1000;
  if (interval === 0) throw new CronError("@every", duration.position, "the shortest duration is 1s");
  return { kind: "Every", text, interval, warnings: [] };
}

function parseQuartz(text: string, tokens: readonly Token[]): FieldExpression {
  const [second, minute, hour, dayOfMonth, month, dayOfWeek, year, extra] = tokens;
  if (!(second && minute && hour && dayOfMonth && month && dayOfWeek) || extra !== undefined) {
    const position = extra?.position ?? tokens[0]?.position ?? 1;
    throw new CronError(
      "expression",
      position,
      `${tokens.length} fields; Quartz has 6 or 7: second minute hour day-of-month month day-of-week [year]`,
    );
  }
  const seconds = parseQuartzField({ name: "second", ...second }, sixtieths);
  const minutes = parseQuartzField({ name: "minute", ...minute }, sixtieths);
  const hoursField = parseQuartzField({ name: "hour", ...hour }, hours);
  const monthsField = parseQuartzField({ name: "month", ...month }, months);
  const days = parseQuartzDays({ name: "day-of-month", ...dayOfMonth }, { name: "day-of-week", ...dayOfWeek });
  const yearsField = year === undefined || year.text === "*" ? undefined : parseQuartzField({ name: "year", ...year }, years);
  return {
    kind: "Fields",
    text,
    dialect: "Quartz",
    seconds: seconds.value,
    minutes: minutes.value,
    hours: hoursField.value,
    days: days.value,
    months: monthsField.value,
    years: yearsField?.value.set,
    periodic: minutes.value.periodic || hoursField.value.periodic,
    warnings: [seconds, minutes, hoursField, days, monthsField, ...(yearsField === undefined ? [] : [yearsField])].flatMap(
      (parsed) => parsed.warnings,
    ),
  };
}

const atSecondZero: FieldText = { name: "second", text: "0", position: 1 };

function parseUnix(text: string, tokens: readonly Token[]): FieldExpression {
  const [minute, hour, dayOfMonth, month, dayOfWeek, extra] = tokens;
  if (!(minute && hour && dayOfMonth && month && dayOfWeek) || extra !== undefined) {
    const position = extra?.position ?? tokens[0]?.position ?? 1;
    throw new CronError(
      "expression",
      position,
      `${tokens.length} fields; the Unix dialect has 5: minute hour day-of-month month day-of-week`,
    );
  }
  const minutes = parseUnixField({ name: "minute", ...minute }, sixtieths);
  const hoursField = parseUnixField({ name: "hour", ...hour }, hours);
  const monthsField = parseUnixField({ name: "month", ...month }, months);
  const days = parseUnixDays({ name: "day-of-month", ...dayOfMonth }, { name: "day-of-week", ...dayOfWeek });
  return {
    kind: "Fields",
    text,
    dialect: "Unix",
    seconds: parseUnixField(atSecondZero, sixtieths).value,
    minutes: minutes.value,
    hours: hoursField.value,
    days: days.value,
    months: monthsField.value,
    years: undefined,
    periodic: minutes.value.periodic || hoursField.value.periodic,
    warnings: [minutes, hoursField, days, monthsField].flatMap((parsed) => parsed.warnings),
  };
}

function refuseIfNeverFires(expression: FieldExpression, tokens: readonly Token[]): void {
  for (const year of expression.years?.values ?? ALL_KINDS_OF_YEARS) {
    for (const month of expression.months.set.values) if (matchingDays(expression.days, year, month) !== 0) return;
  }
  const quartz = expression.dialect === "Quartz";
  const byWeekday = expression.days.combine === "DayOfWeek";
  const blamed = tokens[quartz ? (byWeekday ? 5 : 3) : 2];
  const inYears = expression.years === undefined ? "" : " in the years given";
  throw new CronError(
    byWeekday ? "day-of-week" : "day-of-month",
    blamed?.position ?? 1,
    `"${blamed?.text ?? ""}" never comes in the months given${inYears}, so this would never fire; choose a day that exists`,
    { neverFires: true },
  );
}
