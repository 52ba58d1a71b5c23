import assert from "node:assert/strict";
import { leastDescriptors, listenRanges, newPorts } from "../../../src/haproxy/rules/listening.ts";

const text = [
  "frontend pool",
  "  bind 127.0.0.1:21000-21004,127.0.0.1:21006",
  "frontend http",
  "  bind :8080",
  "  bind [::1]:8443 ssl crt /x.pem",
  "  stats socket unix@/run/x",
].join("\n");

describe("what a configuration listens on", () => {
  it("is read from its bind lines, with the line of each", () => {
    assert.deepEqual(listenRanges(text), [
      { host: "127.0.0.1", first: 21000, last: 21004, line: 2 },
      { host: "127.0.0.1", first: 21006, last: 21006, line: 2 },
      { host: "", first: 8080, last: 8080, line: 4 },
      { host: "[::1]", first: 8443, last: 8443, line: 5 },
    ]);
  });

  it("is new where no range of before had the port on that address", () => {
    const before = listenRanges("  bind 127.0.0.1:21000-21999\n  bind :8080");
    assert.deepEqual(
      newPorts(listenRanges(text), before).map(({ host, first }) => `${host}:${first}`),
      ["[::1]:8443"],
    );
  });

  it("needs file descriptors: two a connection, one a port, one a check", () => {
    const servers = "  server a 10.1.0.1:80 check inter 5s weight 100\n  server b 10.1.0.2:80 check inter 5s weight 0 disabled\n";
    assert.equal(leastDescriptors(`global\n  maxconn 100\n${text}\nbackend x\n${servers}`), 200 + 8 + 2);
  });
});
