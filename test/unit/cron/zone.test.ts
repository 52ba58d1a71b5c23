import assert from "node:assert/strict";
import { ZoneError } from "../../../src/cron/schedule-error.ts";
import { parseZone } from "../../../src/cron/zone.ts";

const HOUR = 3_600_000;

const offsets: readonly { name: string; zone: string; at: string; wantHours: number }[] = [
  { name: "New York in winter", zone: "America/New_York", at: "2024-03-10T06:59:59Z", wantHours: -5 },
  { name: "New York from the second its summer begins", zone: "America/New_York", at: "2024-03-10T07:00:00Z", wantHours: -4 },
  { name: "Lord Howe in summer", zone: "Australia/Lord_Howe", at: "2024-04-06T14:59:59Z", wantHours: 11 },
  { name: "Lord Howe's half hour", zone: "Australia/Lord_Howe", at: "2024-04-06T15:00:00Z", wantHours: 10.5 },
  { name: "Apia before it lost a day", zone: "Pacific/Apia", at: "2011-12-30T09:59:59Z", wantHours: -10 },
  { name: "Apia after it lost a day", zone: "Pacific/Apia", at: "2011-12-30T10:00:00Z", wantHours: 14 },
  { name: "Kathmandu", zone: "Asia/Kathmandu", at: "2024-01-01T00:00:00Z", wantHours: 5.75 },
  {
    name: "Monrovia, which had seconds until 1972",
    zone: "Africa/Monrovia",
    at: "1971-01-01T00:00:00Z",
    wantHours: -(44 * 60 + 30) / 3600,
  },
  { name: "Paris in the year 9000", zone: "Europe/Paris", at: "9000-07-01T00:00:00Z", wantHours: 2 },
  { name: "Casablanca during Ramadan", zone: "Africa/Casablanca", at: "2024-03-15T00:00:00Z", wantHours: 0 },
  { name: "a fixed offset as ElasticJob writes it", zone: "GMT+8", at: "2024-01-01T00:00:00Z", wantHours: 8 },
  { name: "a fixed offset with minutes", zone: "GMT+08:00", at: "2024-01-01T00:00:00Z", wantHours: 8 },
  { name: "a fixed offset without a colon", zone: "GMT-0330", at: "2024-01-01T00:00:00Z", wantHours: -3.5 },
  { name: "a fixed offset from UTC", zone: "UTC-05:30", at: "2024-01-01T00:00:00Z", wantHours: -5.5 },
  { name: "the POSIX sign of Etc/GMT", zone: "Etc/GMT+8", at: "2024-01-01T00:00:00Z", wantHours: -8 },
  { name: "UTC", zone: "UTC", at: "2024-01-01T00:00:00Z", wantHours: 0 },
  { name: "names in any case", zone: "europe/paris", at: "2024-01-01T00:00:00Z", wantHours: 1 },
];

const refused: readonly { name: string; zone: string; wantWords: RegExp }[] = [
  { name: "CST", zone: "CST", wantWords: /abbreviation/ },
  { name: "EST, although Intl knows it", zone: "EST", wantWords: /abbreviation/ },
  { name: "an unknown name, with the one that is meant", zone: "Asia/Shangai", wantWords: /did you mean "Asia\/Shanghai"/ },
  { name: "a city alone", zone: "Los Angeles", wantWords: /did you mean "America\/Los_Angeles"/ },
  { name: "nonsense", zone: "Mars/Olympus_Mons_Base", wantWords: /unknown time zone/ },
  { name: "nothing", zone: "", wantWords: /unknown time zone/ },
  { name: "an offset alone", zone: "+08:00", wantWords: /write "GMT\+08:00"/ },
  { name: "an offset with too many minutes", zone: "GMT+8:75", wantWords: /00 to 59/ },
  { name: "an offset beyond the globe", zone: "GMT+19", wantWords: /-18:00 to \+18:00/ },
];

const utc = (text: string) => Date.parse(text);

const meanings: readonly { name: string; zone: string; wall: string; want: object }[] = [
  {
    name: "an ordinary time",
    zone: "America/New_York",
    wall: "2024-07-01T12:00:00Z",
    want: { kind: "Unique", instant: utc("2024-07-01T16:00:00Z") },
  },
  {
    name: "the last second before a gap",
    zone: "America/New_York",
    wall: "2024-03-10T01:59:59Z",
    want: { kind: "Unique", instant: utc("2024-03-10T06:59:59Z") },
  },
  {
    name: "a time in a gap",
    zone: "America/New_York",
    wall: "2024-03-10T02:30:00Z",
    want: {
      kind: "Gap",
      instant: utc("2024-03-10T07:00:00Z"),
      wallStart: utc("2024-03-10T02:00:00Z"),
      wallEnd: utc("2024-03-10T03:00:00Z"),
    },
  },
  {
    name: "the end of a gap",
    zone: "America/New_York",
    wall: "2024-03-10T03:00:00Z",
    want: { kind: "Unique", instant: utc("2024-03-10T07:00:00Z") },
  },
  {
    name: "a time in an overlap",
    zone: "America/New_York",
    wall: "2024-11-03T01:30:00Z",
    want: {
      kind: "Overlap",
      first: utc("2024-11-03T05:30:00Z"),
      second: utc("2024-11-03T06:30:00Z"),
      wallStart: utc("2024-11-03T01:00:00Z"),
      wallEnd: utc("2024-11-03T02:00:00Z"),
    },
  },
  {
    name: "the end of an overlap",
    zone: "America/New_York",
    wall: "2024-11-03T02:00:00Z",
    want: { kind: "Unique", instant: utc("2024-11-03T07:00:00Z") },
  },
  {
    name: "the day that Apia lost",
    zone: "Pacific/Apia",
    wall: "2011-12-30T12:00:00Z",
    want: {
      kind: "Gap",
      instant: utc("2011-12-30T10:00:00Z"),
      wallStart: utc("2011-12-30T00:00:00Z"),
      wallEnd: utc("2011-12-31T00:00:00Z"),
    },
  },
];

describe("cron/zone", () => {
  for (const tc of offsets)
    it(`knows ${tc.name}`, () => assert.equal(parseZone(tc.zone).segmentAt(utc(tc.at)).offset, tc.wantHours * HOUR));
  for (const tc of refused) {
    it(`refuses ${tc.name}`, () =>
      assert.throws(
        () => parseZone(tc.zone),
        (error: unknown) => error instanceof ZoneError && tc.wantWords.test(error.message),
      ));
  }
  for (const tc of meanings) it(`reads ${tc.name}`, () => assert.deepEqual(parseZone(tc.zone).meaningOf(utc(tc.wall)), tc.want));

  it("agrees with Intl on every zone at many instants", () => {
    for (const name of Intl.supportedValuesOf("timeZone")) {
      if (/^[A-Za-z]{3}$/.test(name)) continue;
      const zone = parseZone(name);
      const format = new Intl.DateTimeFormat("sv-SE", { timeZone: name, dateStyle: "short", timeStyle: "medium" });
      for (let instant = utc("2009-01-01T00:00:00Z"); instant < utc("2013-01-01T00:00:00Z"); instant += 41 * 24 * HOUR + 12_345_000) {
        const wall = utc(`${format.format(instant).replace(" ", "T")}Z`);
        assert.equal(instant + zone.segmentAt(instant).offset, wall, `${name} at ${instant}`);
      }
    }
  });
});
