import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { dump } from "js-yaml";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import type { Kubectl } from "./kubectl.ts";
import { usePlayground } from "./stages.ts";

/** The real kubectl's streams, to containers that are processes. */
describe("kubectl exec, cp and attach in the playground", function () {
  this.timeout(60_000);
  const stage = usePlayground();
  let kubectl: Kubectl;

  before(async () => {
    kubectl = stage().kubectl;
    const container = { name: "main", image: "x", stdin: true, command: ["sh", "-c", "while read line; do echo got $line; done"] };
    const env = [{ name: "COLOR", value: "red" }];
    const body = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ ...container, env }] },
    };
    await kubectl.ok(["create", "-f", "-"], dump(body));
    await kubectl.ok(["wait", "pod/p", "--for=condition=Ready", "--timeout=20s"]);
  });

  it("exec runs a command in the container's environment, and keeps its streams apart", async () => {
    const { code, stdout, stderr } = await kubectl.run(["exec", "p", "--", "sh", "-c", "echo $COLOR; echo bad >&2"]);
    assert.deepEqual([code, stdout, stderr], [0, "red\n", "bad\n"]);
  });
  it("exec ends with the command's code", async () => {
    const { code, stderr } = await kubectl.run(["exec", "p", "--", "sh", "-c", "exit 3"]);
    assert.deepEqual([code, stderr], [3, "command terminated with exit code 3\n"]);
  });
  it("exec -i passes the input, and its end", async () => {
    const megabyte = "x".repeat(1_000_000);
    assert.equal(await kubectl.ok(["exec", "-i", "p", "--", "cat"], megabyte), megabyte);
  });
  it("exec says what cannot be started, and where", async () => {
    assert.match(await kubectl.fails(["exec", "p", "--", "no-such-program"]), /executable file not found/);
    assert.match(
      await kubectl.fails(["exec", "p", "-c", "other", "--", "true"]),
      /container other is not valid for pod p|container not found/,
    );
    assert.match(await kubectl.fails(["exec", "nobody", "--", "true"]), /pods "nobody" not found/);
  });
  it("cp brings files there and back", async () => {
    const source = await kubectl.file("source.txt", "hello\n");
    await kubectl.ok(["cp", source, "p:copied.txt"]);
    assert.equal(await kubectl.ok(["exec", "p", "--", "cat", "copied.txt"]), "hello\n");
    const back = join(stage().folder, "back.txt");
    await kubectl.ok(["cp", "p:copied.txt", back]);
    assert.equal(await readFile(back, "utf8"), "hello\n");
  });
  it("a command ends with its client", async () => {
    const running = kubectl.start(["exec", "p", "--", "sh", "-c", "echo $$; sleep 600"]);
    const pid = Number(await running.line());
    await running.stop();
    const alive = (): boolean => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    await eventually("the command to end", timeLimits.reaction, () => !alive());
  });
  it("attach reaches the container's own program, which goes on afterwards", async () => {
    const { stdout } = await kubectl.run(["attach", "-i", "p", "--pod-running-timeout=5s"], "one\ntwo\n");
    assert.match(stdout, /got one\ngot two\n/);
  });
});
