import assert from "node:assert/strict";
import { Writable } from "node:stream";
import type { LogFields } from "../../../src/api/logger.ts";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createLogger, type LoggingOptions, wantsColour } from "../../../src/runtime/logging.ts";

const start = Date.UTC(2026, 10, 21, 14, 5, 9);

function bench(options: Partial<LoggingOptions> = {}) {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const logger = createLogger({ level: "info", format: "json", colour: false, stream, clock: new VirtualClock(start), ...options });
  return {
    logger,
    text: () => text,
    lines: () =>
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe("logging", () => {
  it("writes one JSON object a line", () => {
    const { logger, lines } = bench();
    logger.info("leading", { identity: "op-1" });
    logger.warn("slow", { seconds: 3, deep: { list: [1, "two"] } });
    assert.deepEqual(lines(), [
      { time: "2026-11-21T14:05:09.000Z", level: "info", message: "leading", identity: "op-1" },
      { time: "2026-11-21T14:05:09.000Z", level: "warn", message: "slow", seconds: 3, deep: { list: [1, "two"] } },
    ]);
  });

  it("leaves out what is below its level", () => {
    const { logger, text } = bench({ level: "warn" });
    logger.debug("a");
    logger.info("b");
    assert.equal(text(), "");
    logger.error("c");
    assert.notEqual(text(), "");
  });

  it("adds a child's fields to each of its lines, the nearest first", () => {
    const { logger, lines } = bench();
    logger.child({ controller: "elasticjob", object: "x" }).child({ object: "shop/etl" }).info("m", { n: 1 });
    assert.deepEqual(lines()[0], {
      time: "2026-11-21T14:05:09.000Z",
      level: "info",
      message: "m",
      controller: "elasticjob",
      object: "shop/etl",
      n: 1,
    });
  });

  const fields: readonly { readonly name: string; readonly fields: LogFields; readonly want: LogFields }[] = [
    {
      name: "writes an error as its message and those of its causes",
      fields: { error: new Error("outer", { cause: new Error("inner") }) },
      want: { error: "outer: inner" },
    },
    { name: "leaves out what is undefined", fields: { a: undefined, b: null }, want: { b: null } },
    {
      name: "hides what is called a secret, however deep",
      fields: { token: "abc", config: { clientSecret: "x", Authorization: "y", user: "z" } },
      want: { token: "[hidden]", config: { clientSecret: "[hidden]", Authorization: "[hidden]", user: "z" } },
    },
    {
      name: "hides bearer tokens within texts",
      fields: { text: "sent Bearer eyJhbGciOi.abc-def_g= to it" },
      want: { text: "sent Bearer [hidden] to it" },
    },
    {
      name: "hides bearer tokens within errors",
      fields: { error: new Error("bad header: bearer eyJhbGciOi.abc") },
      want: { error: "bad header: bearer [hidden]" },
    },
    { name: "writes large numbers as text", fields: { n: 12345678901234567890n }, want: { n: "12345678901234567890" } },
    { name: "lets no field overwrite the line's own words", fields: { level: "error", message: "x", time: "y", a: 1 }, want: { a: 1 } },
  ];
  for (const tc of fields) {
    it(tc.name, () => {
      const { logger, lines } = bench();
      logger.info("m", tc.fields);
      assert.deepEqual(lines()[0], { time: "2026-11-21T14:05:09.000Z", level: "info", message: "m", ...tc.want });
    });
  }

  it("does not stumble over an object that contains itself", () => {
    const { logger, text } = bench();
    const ring: Record<string, unknown> = {};
    ring["self"] = ring;
    logger.info("m", { ring });
    assert.match(text(), /"message":"m"/);
  });

  it("writes the stack only for those who debug", () => {
    const { logger, lines } = bench({ level: "debug" });
    logger.error("m", { error: new Error("boom") });
    assert.match(String(lines()[0]?.["error"]), /^Error: boom\n\s+at /);
  });

  it("writes pretty lines", () => {
    const { logger, text } = bench({ format: "pretty" });
    logger.info("leading", { identity: "op-1", note: "two words", n: 3, list: [1, 2] });
    logger.error("lost");
    assert.equal(text(), '14:05:09 info  leading identity=op-1 note="two words" n=3 list=[ 1, 2 ]\n14:05:09 error lost\n');
  });

  it("colours pretty lines when it is told to", () => {
    const { logger, text } = bench({ format: "pretty", colour: true });
    logger.error("lost");
    assert.equal(text(), "\u001b[90m14:05:09\u001b[39m \u001b[31merror\u001b[39m lost\n");
  });

  it("wants colours on a terminal only, and not against the user's will", () => {
    assert.equal(wantsColour({ isTTY: true }, {}), true);
    assert.equal(wantsColour({ isTTY: true }, { NO_COLOR: "1" }), false);
    assert.equal(wantsColour({ isTTY: true }, { NO_COLOR: "" }), true);
    assert.equal(wantsColour({ isTTY: true }, { TERM: "dumb" }), false);
    assert.equal(wantsColour({}, {}), false);
  });
});
