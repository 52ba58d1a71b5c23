/**
 * What the next fire time of an expression costs, when it lies within a year: one thread, expressions of both dialects in five zones, from
 * instants of one year, a third of them near a change of clocks. Beside it croner on the same questions, in the same process, each with its
 * expressions parsed before. Parsing is measured apart.
 */
import { Cron } from "croner";
import { createSeededRandom, type Random, randomInteger } from "../../src/base/random.ts";
import { parseCron } from "../../src/cron/expression.ts";
import { createSchedule } from "../../src/cron/schedule.ts";
import { parseZone } from "../../src/cron/zone.ts";
import type { Bench } from "./bench.ts";
import { readArguments } from "./support/arguments.ts";
import { median, percentile, rounded } from "./support/figures.ts";
import { tell } from "./support/progress.ts";

const yearMs = 366 * 86_400_000;
const from = Date.UTC(2026, 0, 1);
const zones = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Shanghai", "Australia/Lord_Howe"] as const;
/** Both read the same in croner, too. */
const unix = [
  "* * * * *",
  "*/5 * * * *",
  "0 * * * *",
  "30 2 * * *",
  "0 9 * * 1-5",
  "15 3 1 * *",
  "0 0 1 1 *",
  "0 4 * * 0",
  "10,40 8-18/2 * 3-9 *",
  "0 12 13 * 5",
];
const quartz = [
  "0 30 2 ? * MON-FRI",
  "0 0/15 8-18 * * ?",
  "*/10 * * * * ?",
  "0 0 0 L * ?",
  "0 0 6 15W * ?",
  "0 0 22 ? * 6#2",
  "0 15 10 ? * 6L",
  "0 0 12 1/5 * ?",
  "0 30 2 * * ?",
  "30 0 0 1 JAN ?",
];

interface Question {
  readonly text: string;
  readonly zone: string;
  readonly after: number;
}

const bench: Bench = async (words) => {
  const { questions: count, rounds } = readArguments(words, { questions: 20_000, rounds: 5 });
  const questions = makeQuestions(count, createSeededRandom(1));
  const ours = new Map<string, (after: number) => number | undefined>();
  const theirs = new Map<string, (after: number) => number | undefined>();
  for (const { text, zone } of questions) {
    const key = `${zone} ${text}`;
    if (ours.has(key)) continue;
    const schedule = createSchedule({ crons: [text], timeZone: zone, anchor: from });
    const croner = new Cron(text, {
      timezone: zone,
      paused: true,
      sloppyRanges: true,
      alternativeWeekdays: text.split(" ").length > 5,
      fixedTimeRule: "no-wildcard",
    });
    ours.set(key, (after) => schedule.next(after));
    theirs.set(key, (after) => croner.nextRun(new Date(after))?.getTime());
  }
  let different = 0;
  const kept = questions.filter(({ text, zone, after }) => {
    const time = ours.get(`${zone} ${text}`)?.(after);
    if (time !== theirs.get(`${zone} ${text}`)?.(after)) different++;
    return time !== undefined && time - after <= yearMs;
  });
  tell(`${kept.length} questions, ${different} of them answered otherwise by croner`);
  const asked = { nuptse: rounded(median(timesOf(rounds, kept, ours))), croner: rounded(median(timesOf(rounds, kept, theirs))) };
  const slowest = percentile(slowestOf(kept, ours), 99.9);
  const parse = rounded(parseMicros(rounds));
  return {
    name: "cron",
    figures: {
      nextMicros: asked.nuptse,
      nextMicrosCroner: asked.croner,
      nextMicrosP999: rounded(slowest),
      parseMicros: parse,
      answeredDifferently: different,
      questions: kept.length,
    },
    targets: { nextMicros: { max: 15 }, answeredDifferently: { max: 0 } },
    table: {
      columns: ["next() within a year", "questions", "µs on average"],
      rows: [
        ["nuptse", String(kept.length), String(asked.nuptse)],
        ["croner 11.0.1", String(kept.length), String(asked.croner)],
        ["nuptse, parsing an expression", String(unix.length + quartz.length), String(parse)],
      ],
    },
  };
};

function makeQuestions(count: number, random: Random): readonly Question[] {
  return Array.from({ length: count }, () => {
    const list = random.next() < 0.5 ? unix : quartz;
    const zone = zones[randomInteger(random, zones.length)] as string;
    let after = from + Math.floor(random.next() * yearMs);
    const { end } = parseZone(zone).segmentAt(after);
    if (random.next() < 0.33 && end < from + yearMs) after = end + Math.floor((random.next() - 0.5) * 4 * 86_400_000);
    return { text: list[randomInteger(random, list.length)] as string, zone, after: Math.floor(after / 1000) * 1000 };
  });
}

/** Microseconds a question, of each round. */
function timesOf(
  rounds: number,
  questions: readonly Question[],
  answers: ReadonlyMap<string, (after: number) => number | undefined>,
): readonly number[] {
  const calls = questions.map(({ text, zone, after }) => ({
    answer: answers.get(`${zone} ${text}`) as (after: number) => number | undefined,
    after,
  }));
  return Array.from({ length: rounds }, () => {
    const begun = performance.now();
    for (const { answer, after } of calls) answer(after);
    return ((performance.now() - begun) * 1000) / calls.length;
  });
}

/** Microseconds of each single question. */
function slowestOf(questions: readonly Question[], answers: ReadonlyMap<string, (after: number) => number | undefined>): readonly number[] {
  return questions.map(({ text, zone, after }) => {
    const answer = answers.get(`${zone} ${text}`);
    const begun = performance.now();
    answer?.(after);
    return (performance.now() - begun) * 1000;
  });
}

function parseMicros(rounds: number): number {
  const times = Array.from({ length: rounds }, () => {
    const begun = performance.now();
    for (let turn = 0; turn < 100; turn++) for (const text of [...unix, ...quartz]) parseCron(text);
    return ((performance.now() - begun) * 1000) / (100 * (unix.length + quartz.length));
  });
  return median(times);
}

export default bench;
