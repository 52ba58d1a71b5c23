import assert from "node:assert/strict";
import { dump } from "js-yaml";
import type { LogLine, LogSource } from "../../src/simulator/apiserver/http/log-source.ts";
import type { RequestRecord } from "../../src/simulator/apiserver/http/request-handler.ts";
import type { Kubectl } from "./kubectl.ts";
import { describeServerTranscripts } from "./server-transcripts.ts";
import { useEmbeddedServer } from "./stages.ts";

const firstSecond = Date.UTC(2026, 10, 21, 18, 30);

/** A log of three lines that then goes on as the test says. */
class GrowingLog implements LogSource {
  readonly #lines: LogLine[] = ["one", "two", "three"].map((line, index) => ({ time: firstSecond + index * 1000, line }));
  #grown = Promise.withResolvers<void>();
  #closed = false;

  add(line: string): void {
    this.#lines.push({ time: firstSecond + this.#lines.length * 1000, line });
    this.#wake();
  }

  finish(): void {
    this.#closed = true;
    this.#wake();
  }

  async *open(_namespace: string, _pod: string, _container: string, options: Parameters<LogSource["open"]>[3]): AsyncGenerator<LogLine> {
    let next = Math.max(0, this.#lines.length - (options.tailLines ?? this.#lines.length));
    for (;;) {
      while (next < this.#lines.length) yield this.#lines[next++]!;
      if (!options.follow || this.#closed || options.signal.aborted) return;
      await this.#grown.promise;
    }
  }

  #wake(): void {
    this.#grown.resolve();
    this.#grown = Promise.withResolvers();
  }
}

describe("kubectl on the embedded API server", function () {
  this.timeout(60_000);
  const records: RequestRecord[] = [];
  let log = new GrowingLog();
  const stage = useEmbeddedServer({ logSource: () => log, onRequest: (record) => records.push(record) });
  let kubectl: Kubectl;
  before(() => {
    kubectl = stage().kubectl;
  });

  describeServerTranscripts(stage);

  describe("logs", () => {
    before(async () => {
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "talker" },
        spec: { nodeName: "node-1", containers: [{ name: "main", image: "x" }] },
      };
      await kubectl.ok(["create", "-f", "-"], dump(pod));
    });
    beforeEach(() => {
      log = new GrowingLog();
    });

    it("prints what there is", async () => assert.equal(await kubectl.ok(["logs", "talker"]), "one\ntwo\nthree\n"));
    it("prints the last lines, with instants", async () => {
      assert.equal(await kubectl.ok(["logs", "talker", "--tail=1", "--timestamps"]), "2026-11-21T18:30:02.000000000Z three\n");
    });
    it("prints so many bytes", async () => assert.equal(await kubectl.ok(["logs", "talker", "--limit-bytes=5"]), "one\nt"));
    it("follows until the container ends", async () => {
      const following = kubectl.start(["logs", "talker", "-f", "--tail=1"]);
      assert.equal(await following.line(), "three");
      log.add("four");
      assert.equal(await following.line(), "four");
      log.finish();
      assert.deepEqual(await following.ended(), { code: 0, stdout: "three\nfour\n", stderr: "" });
    });
    it("says what is not there", async () => {
      assert.match(await kubectl.fails(["logs", "talker", "-c", "other"]), /container other is not valid for pod talker/);
      assert.match(await kubectl.fails(["logs", "nobody"]), /pods "nobody" not found/);
    });
  });

  describe("what the embedded server leaves out or answers by itself", () => {
    it("knows one user, who may do everything", async () => {
      assert.match(await kubectl.ok(["auth", "whoami"]), /Username +nuptse-admin/);
      assert.match(await kubectl.ok(["auth", "can-i", "--list"]), /\*\.\* +\[\] +\[\] +\[\*\]/);
    });
    it("refuses another token", async () => {
      assert.match(await kubectl.fails(["get", "pods", "--token=nope"]), /Unauthorized|must be logged in/);
    });
    it("refuses exec and port-forward in words", async () => {
      await kubectl.ok(["run", "still", "--image=x"]);
      assert.match(await kubectl.fails(["exec", "still", "--", "ls"]), /this cluster runs no containers/);
      // kubectl asks no server while the pod does not run, and nothing runs here.
      assert.match(await kubectl.fails(["port-forward", "still", "0:80"]), /is not supported by this server|pod is not running/);
    });
    it("tells of every request with its user agent, verb, object and code", () => {
      const created = records.find((record) => record.verb === "create" && record.resource === "widgets");
      assert.match(created?.userAgent ?? "", /^kubectl\/v1\./);
      assert.deepEqual(
        [created?.namespace, created?.group, created?.code, created?.user],
        [stage().namespace, "test.nuptse.dev", 201, "nuptse-admin"],
      );
    });
  });
});
