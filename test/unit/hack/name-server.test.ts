import assert from "node:assert/strict";
import { readQuestion, serviceIn, writeReply } from "../../../hack/node/name-server.ts";

/** A question for the A record of web.work, as a resolver sends it: RFC 1035, section 4. */
const message = Buffer.from(
  ["beef", "0100", "0001", "0000", "0000", "0000", "03776562", "04576f726b", "00", "0001", "0001"].join(""),
  "hex",
);

describe("the name server of a node", () => {
  it("reads the question of a message, in lower case", () => {
    assert.deepEqual(readQuestion(message), { name: "web.work", type: 1, end: message.length });
  });

  for (const { name, bytes } of [
    { name: "an empty message", bytes: Buffer.alloc(0) },
    { name: "a message without a question", bytes: Buffer.alloc(12) },
    { name: "one that ends within a name", bytes: message.subarray(0, 15) },
    { name: "one that ends within the question", bytes: message.subarray(0, message.length - 1) },
    { name: "a compressed name", bytes: Buffer.concat([message.subarray(0, 12), Buffer.from("c00c00010001", "hex")]) },
  ]) {
    it(`has no answer to ${name}`, () => assert.equal(readQuestion(bytes), undefined));
  }

  it("answers with the question and a record for each address", () => {
    const question = readQuestion(message);
    assert.ok(question);
    assert.equal(
      writeReply(message, question, ["10.1.2.3"]).toString("hex"),
      // id; reply, authoritative, recursion was wanted; one question, one answer; the question; its name, A, IN, 5 s, 4 bytes
      `beef8500${"0001"}${"0001"}00000000${message.subarray(12).toString("hex")}c00c00010001000000050004${"0a010203"}`,
    );
  });

  it("says that there is no such name", () => {
    const question = readQuestion(message);
    assert.ok(question);
    assert.equal(writeReply(message, question, [], 3).subarray(0, 8).toString("hex"), "beef850300010000");
  });

  for (const { name, want } of [
    { name: "web.work.svc.cluster.local", want: { namespace: "work", name: "web" } },
    { name: "web.work.svc", want: undefined },
    { name: "a.web.work.svc.cluster.local", want: undefined },
    { name: "example.com", want: undefined },
  ]) {
    it(`finds ${want === undefined ? "no Service" : "a Service"} in ${name}`, () => assert.deepEqual(serviceIn(name), want));
  }
});
