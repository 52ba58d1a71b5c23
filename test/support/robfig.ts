/**
 * When a CronJob fires, after the rules of robfig/cron 3 for its five fields: a plain walk over days and minutes, apart from src/cron. Zones without
 * changing clocks only, as an offset in minutes. Throws RangeError for what robfig refuses.
 */
export function robfigTimes(expression: string, offsetMinutes: number, after: number, upTo: number, limit: number): readonly number[] {
  const texts = (macros[expression] ?? expression).split(" ");
  if (texts.length !== 5) throw new RangeError(`${texts.length} fields`);
  const [minutes, hours, days, months, weekdays] = texts.map((text, index) => fieldOf(text, bounds[index] as Bounds)) as [
    Field,
    Field,
    Field,
    Field,
    Field,
  ];
  const times: number[] = [];
  const firstDay = Math.floor((after + offsetMinutes * minuteMs) / dayMs) * dayMs;
  for (let day = firstDay; day - offsetMinutes * minuteMs <= upTo; day += dayMs) {
    const date = new Date(day);
    if (!months.values.has(date.getUTCMonth() + 1)) continue;
    const [byDay, byWeekday] = [days.values.has(date.getUTCDate()), weekdays.values.has(date.getUTCDay())];
    // Where neither has a star, either is enough.
    if (days.star || weekdays.star ? !(byDay && byWeekday) : !(byDay || byWeekday)) continue;
    for (const hour of hours.values) {
      for (const minute of minutes.values) {
        const time = day + (hour * 60 + minute - offsetMinutes) * minuteMs;
        if (time > after && time <= upTo) times.push(time);
        if (times.length === limit) return times;
      }
    }
  }
  return times;
}

interface Bounds {
  readonly minimum: number;
  readonly maximum: number;
  readonly names: readonly string[];
}

interface Field {
  /** Ascending. */
  readonly values: ReadonlySet<number>;
  readonly star: boolean;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
const macros: Readonly<Record<string, string>> = {
  "@daily": "0 0 * * *",
  "@hourly": "0 * * * *",
  "@weekly": "0 0 * * 0",
  "@monthly": "0 0 1 * *",
  "@yearly": "0 0 1 1 *",
};
const bounds: readonly Bounds[] = [
  { minimum: 0, maximum: 59, names: [] },
  { minimum: 0, maximum: 23, names: [] },
  { minimum: 1, maximum: 31, names: [] },
  { minimum: 1, maximum: 12, names: ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
  { minimum: 0, maximum: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

function fieldOf(text: string, { minimum, maximum, names }: Bounds): Field {
  const values = new Set<number>();
  let star = false;
  const number = (word: string) => {
    const named = names.indexOf(word.toLowerCase());
    const value = named >= 0 ? named : Number(word);
    if (word === "" || !Number.isInteger(value) || value < minimum || value > maximum) throw new RangeError(`${word} in ${text}`);
    return value;
  };
  for (const part of text.split(",")) {
    const [range = "", stepText] = part.split("/");
    const step = stepText === undefined ? 1 : Number(stepText);
    if (!Number.isInteger(step) || step < 1) throw new RangeError(`the step of ${part}`);
    let [from, to] = [minimum, maximum];
    if (range === "*" || range === "?") star ||= step === 1;
    else {
      const [first = "", last] = range.split("-");
      from = number(first);
      to = last === undefined ? (stepText === undefined ? from : maximum) : number(last);
    }
    if (to < from) throw new RangeError(`${range} is backwards`);
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return { values: new Set([...values].sort((a, b) => a - b)), star };
}
