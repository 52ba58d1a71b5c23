import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { dump } from "js-yaml";
import { freePorts } from "../../hack/control-plane/free-ports.ts";
import type { Kubectl, Running } from "./kubectl.ts";
import { usePlayground } from "./stages.ts";

/** Gives back what it gets, and ends when the other side does. */
const echo = (port: number) =>
  `require("net").createServer({ allowHalfOpen: true }, (peer) => peer.on("error", () => 0).pipe(peer)).listen(${port}, "127.0.0.1", () => console.log("up"))`;

/** The real kubectl's port-forward, to containers that are processes. */
describe("kubectl port-forward in the playground", function () {
  this.timeout(60_000);
  const stage = usePlayground();
  let kubectl: Kubectl;
  let port: number;
  let nobody: number;

  before(async () => {
    kubectl = stage().kubectl;
    [port = 0, nobody = 0] = await freePorts(2);
    const ports = [{ name: "echo", containerPort: port }];
    const container = { name: "main", image: "x", command: ["node", "-e", echo(port)], ports };
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", labels: { app: "echo" } },
      spec: { terminationGracePeriodSeconds: 0, containers: [container] },
    };
    const service = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "s" },
      spec: { selector: { app: "echo" }, ports: [{ port: 80, targetPort: "echo" }] },
    };
    await kubectl.ok(["create", "-f", "-"], `${dump(pod)}---\n${dump(service)}`);
    await kubectl.ok(["wait", "pod/p", "--for=condition=Ready", "--timeout=20s"]);
    const log = kubectl.start(["logs", "-f", "p"]);
    assert.equal(await log.line(), "up");
    await log.stop();
  });

  /** Starts a port-forward; the local port as soon as it listens there. */
  async function forward(target: string, remote: number): Promise<{ readonly running: Running; readonly local: number }> {
    const running = kubectl.start(["port-forward", "--address=127.0.0.1", target, `:${remote}`]);
    const line = await running.line();
    return { running, local: Number(/^Forwarding from 127\.0\.0\.1:(\d+) -> \d+$/.exec(line)?.[1]) };
  }

  /** Sends it, ends, and returns all that comes back until the other side has ended too. */
  async function sent(local: number, bytes: Buffer): Promise<Buffer> {
    const socket = connect({ host: "127.0.0.1", port: local, allowHalfOpen: true });
    socket.on("error", () => undefined);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.end(bytes);
    await once(socket, "close");
    return Buffer.concat(chunks);
  }

  it("brings bytes to a pod and back, on as many connections as there are", async () => {
    const { running, local } = await forward("pod/p", port);
    const texts = ["one", "two", "three"];
    const got = await Promise.all(texts.map(async (text) => (await sent(local, Buffer.from(text))).toString()));
    assert.deepEqual(got, texts);
    const megabytes = Buffer.alloc(8_000_000, "abcdefghijklmnopqrstuvwxyz");
    assert.ok((await sent(local, megabytes)).equals(megabytes));
    await running.stop();
  });
  it("finds a pod through a Service, by the name of its port", async () => {
    const { running, local } = await forward("service/s", 80);
    assert.equal((await sent(local, Buffer.from("hello"))).toString(), "hello");
    await running.stop();
  });
  it("says that nobody listens on a port", async () => {
    const { running, local } = await forward("pod/p", nobody);
    assert.equal((await sent(local, Buffer.from("hello"))).toString(), "");
    const { code, stderr } = await running.ended();
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`error forwarding port ${nobody} to pod p, uid : connect ECONNREFUSED 127.0.0.1:${nobody}`));
    assert.match(stderr, /error: lost connection to pod/);
  });
  it("of a pod that does not run, or is not there, is refused", async () => {
    const gated = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "gated" },
      spec: { schedulingGates: [{ name: "x.example/held" }], containers: [{ name: "main", image: "x", command: ["true"] }] },
    };
    await kubectl.ok(["create", "-f", "-"], dump(gated));
    assert.match(
      await kubectl.fails(["port-forward", "pod/gated", ":80"]),
      /unable to forward port because pod is not running. Current status=Pending/,
    );
    assert.match(await kubectl.fails(["port-forward", "pod/nobody", ":80"]), /pods "nobody" not found/);
  });
});
