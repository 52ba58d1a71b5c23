import assert from "node:assert/strict";
import { answerBody, readCallbacks, readLogPage, readRegistration, readSaid, triggerBody } from "../../../../src/executor/xxl/codec.ts";
import { fireTime, makeTask } from "../support/tasks.ts";

const ended = (outcome: "Succeeded" | "Failed", message: string | undefined) =>
  ({ kind: "ended", outcome, message, result: undefined, continue: false }) as const;

/** Bodies as executors of each dialect send them. */
const callbackRows = {
  "A0 (2.2): the code is in executeResult": {
    body: '[{"logId":7,"logDateTim":1763654400000,"executeResult":{"code":200,"msg":"ok"}}]',
    want: [{ logId: 7, end: ended("Succeeded", "ok"), neverBegun: false }],
  },
  "A (2.3 to 3.2): handleCode, and a message that is null": {
    body: '[{"logId":7,"logDateTim":1763654400000,"handleCode":200,"handleMsg":null}]',
    want: [{ logId: 7, end: ended("Succeeded", undefined), neverBegun: false }],
  },
  "Gson leaves out what is null": {
    body: '[{"logId":7,"logDateTim":1763654400000,"handleCode":200}]',
    want: [{ logId: 7, end: ended("Succeeded", undefined), neverBegun: false }],
  },
  "C (3.5): a list within an object": {
    body: '{"callbackList":[{"logId":7,"logDateTime":1763654400000,"handleCode":500,"handleMsg":"no disk"}]}',
    want: [{ logId: 7, end: ended("Failed", "no disk"), neverBegun: false }],
  },
  "Go sends both forms": {
    body: '[{"logId":7,"logDateTim":1763654400000,"executeResult":{"code":500,"msg":"no disk"},"handleCode":500,"handleMsg":"no disk"}]',
    want: [{ logId: 7, end: ended("Failed", "no disk"), neverBegun: false }],
  },
  "several ends at once": {
    body: '[{"logId":7,"handleCode":200},{"logId":9007199254740991,"handleCode":502,"handleMsg":"job execute timeout "}]',
    want: [
      { logId: 7, end: ended("Succeeded", undefined), neverBegun: false },
      { logId: 9007199254740991, end: ended("Failed", "job execute timeout "), neverBegun: false },
    ],
  },
  "502 without a word is a time-out": {
    body: '[{"logId":7,"handleCode":502}]',
    want: [{ logId: 7, end: ended("Failed", "it took too long"), neverBegun: false }],
  },
  "any other code is a failure": {
    body: '[{"logId":7,"handleCode":0}]',
    want: [{ logId: 7, end: ended("Failed", "it ended with code 0"), neverBegun: false }],
  },
  "what was killed in the queue was never begun": {
    body: '[{"logId":7,"handleCode":500,"handleMsg":"excutor idel times over limit. [job not executed, in the job queue, killed.]"}]',
    want: [
      {
        logId: 7,
        end: ended("Failed", "excutor idel times over limit. [job not executed, in the job queue, killed.]"),
        neverBegun: true,
      },
    ],
  },
  "a message is cut at 4,000 bytes": {
    body: JSON.stringify([{ logId: 7, handleCode: 500, handleMsg: "x".repeat(50_000) }]),
    want: [{ logId: 7, end: ended("Failed", "x".repeat(4000)), neverBegun: false }],
  },
  "nothing at all is fine": { body: "[]", want: [] },
  "no JSON": { body: "<html>", want: undefined },
  "an object without a list": { body: '{"logId":7}', want: undefined },
  "one entry without a code spoils all": { body: '[{"logId":7,"handleCode":200},{"logId":8}]', want: undefined },
  "a number that is a text": { body: '[{"logId":"7","handleCode":200}]', want: undefined },
};

/** The first three as 2.4.2 and 3.3.2 answer. */
const logRows = {
  "some lines": {
    data: { fromLineNum: 3, toLineNum: 4, logContent: "c\nd\n", isEnd: false },
    want: { fromLine: 3, toLine: 4, text: "c\nd\n", exists: true },
  },
  none: {
    data: { fromLineNum: 1, toLineNum: 0, logContent: "readLog fail, logFile not exists", isEnd: true },
    want: { fromLine: 1, toLine: 0, text: "", exists: false },
  },
  "from after its last line on, from 3.3": {
    data: { fromLineNum: 99, toLineNum: 0, logContent: "", isEnd: false },
    want: { fromLine: 99, toLine: 0, text: "", exists: true },
  },
  "from after its last line on, before 3.3": {
    data: { fromLineNum: 99, toLineNum: 4, logContent: "", isEnd: false },
    want: { fromLine: 99, toLine: 4, text: "", exists: true },
  },
  "one that is whole, as others say it": {
    data: { fromLineNum: 1, toLineNum: 2, logContent: "a\nb\n", isEnd: true },
    want: { fromLine: 1, toLine: 2, text: "a\nb\n", exists: true },
  },
  "of one that tells of no logs": { data: null, want: undefined },
};

const saidRows = {
  "A: content": { text: '{"code":200,"msg":null,"content":"x"}', want: { code: 200, message: "", data: "x" } },
  "B and C: data": { text: '{"code":500,"msg":"busy","data":"x"}', want: { code: 500, message: "busy", data: "x" } },
  "only a code": { text: '{"code":200}', want: { code: 200, message: "", data: undefined } },
  "Go refuses a run in the shape of its callback": {
    text: '[{"logId":7,"logDateTim":0,"executeResult":{"code":500,"msg":"There are tasks running"},"handleCode":500,"handleMsg":"x"}]',
    want: { code: 500, message: "There are tasks running", data: undefined },
  },
  "no JSON": { text: "ok", want: undefined },
  "no code": { text: '{"status":"ok"}', want: undefined },
  "a code that is a text": { text: '{"code":"200"}', want: undefined },
  nothing: { text: "", want: undefined },
};

describe("what XXL-JOB says", () => {
  for (const [name, { body, want }] of Object.entries(callbackRows))
    it(`callback, ${name}`, () => assert.deepEqual(readCallbacks(body), want));
  for (const [name, { text, want }] of Object.entries(saidRows)) it(`answer, ${name}`, () => assert.deepEqual(readSaid(text), want));

  for (const [name, { data, want }] of Object.entries(logRows)) {
    it(`log, ${name}`, () => assert.deepEqual(readLogPage({ code: 200, message: "", data }), want));
  }

  it("a registration", () => {
    const body = '{"registryGroup":"EXECUTOR","registryKey":"importers","registryValue":"http://10.0.0.7:9999/"}';
    assert.deepEqual(readRegistration(body), { appName: "importers", address: "http://10.0.0.7:9999/" });
    for (const wrong of ["", "[]", '{"registryKey":"importers"}', '{"registryKey":1,"registryValue":"x"}'])
      assert.equal(readRegistration(wrong), undefined, wrong);
  });

  it("an admin's answer, for readers of content and of data", () => {
    assert.deepEqual(JSON.parse(answerBody(200, null)), { code: 200, msg: null, content: null, data: null });
  });
});

describe("what is said to executors of XXL-JOB", () => {
  it("a run has all that every dialect wants, and code of nobody", () => {
    assert.deepEqual(JSON.parse(triggerBody(makeTask(), { jobId: 11, logId: 12 }, 30)), {
      jobId: 11,
      executorHandler: "importer",
      executorParams: "Leeds",
      executorBlockStrategy: "DISCARD_LATER",
      executorTimeout: 30,
      logId: 12,
      logDateTime: fireTime,
      glueType: "BEAN",
      glueSource: "",
      glueUpdatetime: 0,
      broadcastIndex: 2,
      broadcastTotal: 3,
    });
  });

  it("an item without a parameter of its own is given the job's", () => {
    const body = JSON.parse(triggerBody(makeTask({ itemParameter: "" }), { jobId: 11, logId: 12 }, 0));
    assert.equal(body.executorParams, "all");
  });
});
