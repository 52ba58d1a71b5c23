import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { load } from "js-yaml";
import type { Status } from "../../../../src/api/meta.ts";
import { createSystemClock } from "../../../../src/base/clock.ts";
import { createIdentity, type HttpServer, isCurrent, startHttpServer } from "../../../../src/simulator/apiserver/http/http-server.ts";
import type { ApiReply } from "../../../../src/simulator/apiserver/reply.ts";
import type { LogLine, LogOptions, LogSource } from "../../../../src/simulator/apiserver/http/log-source.ts";
import type { RequestRecord } from "../../../../src/simulator/apiserver/http/request-handler.ts";
import type { ApiRequest } from "../../../../src/simulator/apiserver/request-path.ts";
import { createFakeCore, type FakeCore, job } from "./fake-core.ts";

const table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const jobs = "/apis/nuptse.dev/v1alpha1/namespaces/default/elasticjobs";
const log = "/api/v1/namespaces/default/pods/p/log";
const pod = { metadata: { name: "p", namespace: "default" }, spec: { nodeName: "n", containers: [{ name: "main" }, { name: "side" }] } };

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  readonly json: () => unknown;
}

describe("the HTTPS front", () => {
  let server: HttpServer;
  let core: FakeCore;
  let agent: Agent;
  let answer: (asked: ApiRequest) => ApiReply | Promise<ApiReply>;
  let source: LogSource | undefined;
  const records: RequestRecord[] = [];

  before(async () => {
    core = createFakeCore((asked) => answer(asked));
    server = await startHttpServer({
      server: core,
      clock: createSystemClock({ background: true }),
      logSource: () => source,
      onRequest: (record) => records.push(record),
    });
    agent = new Agent({ keepAlive: true, ca: server.caPem });
  });
  after(async () => {
    agent.destroy();
    await server.close();
  });
  beforeEach(() => {
    answer = () => ({ status: 200, headers: {}, body: job("etl", 4) });
    source = undefined;
    core.requests.length = 0;
    records.length = 0;
  });

  const open = async (path: string, options: RequestOptions = {}, body?: string): Promise<IncomingMessage> => {
    // Node sends a DELETE's body without any length otherwise
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const headers = { authorization: `Bearer ${server.token}`, ...length, ...(options.headers as Record<string, string>) };
    const sent = request(`${server.url}${path}`, { agent, ...options, headers });
    sent.end(body);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return response;
  };
  const call = async (path: string, options: RequestOptions = {}, body?: string): Promise<Answer> => {
    const response = await open(path, options, body);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    return { status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) };
  };
  const failureOf = ({ json, status }: Answer) => {
    const body = json() as Status;
    assert.equal(body.code, status);
    return `${status} ${body.reason}: ${body.message}`;
  };

  describe("lets in", () => {
    it("who bears the token", async () => assert.equal((await call(jobs)).status, 200));
    it("nobody without one", async () => {
      assert.equal(failureOf(await call(jobs, { headers: { authorization: "" } })), "401 Unauthorized: Unauthorized");
    });
    it("nobody with another one", async () => {
      assert.equal((await call("/api", { headers: { authorization: "Bearer nope" } })).status, 401);
    });
    it("everybody to health and version", async () => {
      const headers = { authorization: "" };
      assert.equal((await call("/readyz", { headers })).text, "ok");
      assert.equal(((await call("/version", { headers })).json() as { readonly minor: string }).minor, "36");
    });
  });

  describe("takes", () => {
    const patch = { method: "PATCH", headers: { "content-type": "application/merge-patch+json; charset=utf-8" } };

    it("a request with its query, type, body and user agent", async () => {
      await call(
        `${jobs}/etl?dryRun=All&fieldManager=a%20b`,
        { ...patch, headers: { ...patch.headers, "user-agent": "kubectl/v1" } },
        '{"spec":{}}',
      );
      assert.deepEqual(core.requests, [
        {
          method: "PATCH",
          path: `${jobs}/etl`,
          query: { dryRun: "All", fieldManager: "a b" },
          contentType: "application/merge-patch+json",
          body: { spec: {} },
          bodyBytes: 11,
          userAgent: "kubectl/v1",
          user: "nuptse-admin",
          groups: ["system:masters", "system:authenticated"],
        },
      ]);
    });
    for (const [name, body] of [
      ["JSON", '{"spec":{"total":3}}'],
      ["YAML", "spec:\n  total: 3\n"],
      ["YAML in flow style", "{spec: {total: 3}}"],
    ] as const) {
      it(`an apply patch in ${name}`, async () => {
        await call(`${jobs}/etl`, { method: "PATCH", headers: { "content-type": "application/apply-patch+yaml" } }, body);
        assert.deepEqual(core.requests[0]?.body, { spec: { total: 3 } });
      });
    }
    it("a delete with options, and one without", async () => {
      await call(`${jobs}/etl`, { method: "DELETE", headers: { "content-type": "application/json" } }, '{"gracePeriodSeconds":0}');
      await call(`${jobs}/etl`, { method: "DELETE" });
      assert.deepEqual(
        core.requests.map((asked) => asked.body),
        [{ gracePeriodSeconds: 0 }, undefined],
      );
    });
  });

  describe("refuses", () => {
    const post = (type: string, body: string) => call(jobs, { method: "POST", headers: { "content-type": type } }, body);
    it("protobuf that is none", async () => {
      assert.match(failureOf(await post("application/vnd.kubernetes.protobuf", "k8s")), /^400 BadRequest: .*does not begin as/);
    });
    it("JSON that is none", async () => assert.match(failureOf(await post("application/json", "{")), /^400 BadRequest: /));
    it("YAML that is none", async () => assert.match(failureOf(await post("application/yaml", "a: [")), /^400 BadRequest: /));
    it("JSON that is nested too deep", async () => {
      const deep = `${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`;
      assert.match(failureOf(await post("application/json", deep)), /^400 BadRequest: .*it is nested deeper than 1000 levels$/);
    });
    it("YAML whose aliases stand for a billion values", async () => {
      const lists = Array.from({ length: 9 }, (_, at) => `b${at}: &a${at + 1} [${Array.from({ length: 10 }, () => `*a${at}`).join(", ")}]`);
      const bomb = ["a: &a0 [x, x, x, x, x, x, x, x, x, x]", ...lists].join("\n");
      assert.match(failureOf(await post("application/yaml", bomb)), /^400 BadRequest: .*its aliases stand for more than 400000 values$/);
    });
    it("a body of more than 3 MiB", async () => {
      assert.match(failureOf(await post("application/json", `"${"x".repeat(3 * 1024 * 1024)}"`)), /^413 RequestEntityTooLarge: /);
    });
    it("an unknown kind, in the words of the core: a plain text or a Status", async () => {
      answer = () => ({ status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found\n" });
      const { status, text, headers } = await call("/apis/nuptse.dev/v1alpha1/nothings", { method: "POST" }, "no JSON");
      assert.deepEqual([status, text, headers["content-type"]], [404, "404 page not found\n", "text/plain; charset=utf-8"]);
      answer = () => ({ status: 404, headers: {}, body: { kind: "Status", code: 404, reason: "NotFound", message: "m" } });
      assert.equal(failureOf(await call("/api/v1/nothings?watch=1")), "404 NotFound: m");
    });
    it("an unknown method", async () => assert.equal((await call(jobs, { method: "PROPFIND" })).status, 405));
    it("port-forward where no containers run, in words", async () => {
      const path = "/api/v1/namespaces/default/pods/p/portforward";
      assert.match(
        failureOf(await call(path, { headers: { connection: "Upgrade", upgrade: "websocket" } })),
        /^501 .*this cluster runs no containers/,
      );
    });
    it("a form that it does not have", async () => assert.equal((await call(jobs, { headers: { accept: "text/html" } })).status, 406));
    it("nothing of what the core refuses: its words are handed on", async () => {
      answer = () => ({
        status: 409,
        headers: { warning: '299 - "x"' },
        body: { kind: "Status", code: 409, reason: "Conflict", message: "m" },
      });
      const reply = await call(jobs, { headers: { accept: table } });
      assert.equal(failureOf(reply), "409 Conflict: m");
      assert.equal(reply.headers["warning"], '299 - "x"');
    });
    it("a defect of the core with 500, and lives on", async () => {
      answer = () => {
        throw new Error("boom");
      };
      assert.match(failureOf(await call(jobs)), /^500 InternalError: .*boom/);
      answer = () => ({ status: 200, headers: {}, body: job("etl", 4) });
      assert.equal((await call(jobs)).status, 200);
    });
  });

  describe("answers", () => {
    it("a list as a table", async () => {
      answer = () => ({ status: 200, headers: {}, body: { metadata: { resourceVersion: "9" }, items: [job("a", 1), job("b", 2)] } });
      const body = (await call(jobs, { headers: { accept: table } })).json() as {
        readonly kind: string;
        readonly rows: readonly { readonly cells: unknown }[];
      };
      assert.equal(body.kind, "Table");
      assert.deepEqual(
        body.rows.map((row) => row.cells),
        [
          ["a", 1],
          ["b", 2],
        ],
      );
    });
    it("metadata only", async () => {
      const accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
      assert.deepEqual((await call(`${jobs}/etl`, { headers: { accept } })).json(), {
        kind: "PartialObjectMetadata",
        apiVersion: "meta.k8s.io/v1",
        metadata: job("etl", 4).metadata,
      });
    });
    it("discovery in both forms", async () => {
      const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
      const reply = await call("/apis", { headers: { accept: `${aggregated},application/json` } });
      assert.equal(reply.headers["content-type"], aggregated);
      const plain = (await call("/apis")).json() as { readonly kind: string };
      assert.equal(plain.kind, "APIGroupList");
    });
    it("304 to who has the document already", async () => {
      const { headers } = await call("/openapi/v3");
      assert.equal((await call("/openapi/v3", { headers: { "if-none-match": headers.etag ?? "" } })).status, 304);
    });
    it("the old OpenAPI with nothing, and 200", async () => {
      const { status, text } = await call("/openapi/v2");
      assert.deepEqual([status, text], [200, ""]);
    });
    it("and tells of every request", async () => {
      await call(`${jobs}/etl`, { headers: { "user-agent": "nuptse/1" } });
      await call("/version", { headers: { authorization: "" } });
      assert.deepEqual(
        records.map(({ verb, resource, namespace, name, code, userAgent, user }) =>
          [verb, resource, namespace, name, code, userAgent, user].join(" "),
        ),
        ["get elasticjobs default etl 200 nuptse/1 nuptse-admin", "get    200  "],
      );
    });
  });

  describe("streams", () => {
    const lines = async (response: IncomingMessage, count: number): Promise<readonly string[]> => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
        text += chunk;
        if (text.split("\n").length > count) break;
      }
      return text.split("\n").slice(0, count);
    };

    it("a watch: the head at once, then an object a line, until the core ends it", async () => {
      const response = await open(`${jobs}?watch=true`);
      assert.equal(response.statusCode, 200);
      core.emit({ type: "ADDED", object: job("a", 1) });
      core.emit({ type: "DELETED", object: job("a", 2) });
      core.endWatches();
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      const events = text.trimEnd().split("\n");
      assert.deepEqual(events, [
        JSON.stringify({ type: "ADDED", object: job("a", 1) }),
        JSON.stringify({ type: "DELETED", object: job("a", 2) }),
      ]);
    });
    it("tables, with columns in the first one only", async () => {
      const response = await open(`${jobs}?watch=1`, { headers: { accept: table } });
      core.emit({ type: "ADDED", object: job("a", 1) });
      core.emit({ type: "MODIFIED", object: job("a", 2) });
      core.emit({ type: "BOOKMARK", object: { kind: "ElasticJob", metadata: { name: "", resourceVersion: "12" } } });
      type Event = { readonly type: string; readonly object: { readonly columnDefinitions: unknown; readonly rows: readonly unknown[] } };
      const events = (await lines(response, 3)).map((line) => JSON.parse(line) as Event);
      assert.deepEqual(
        events.map(({ type, object }) => [type, Array.isArray(object.columnDefinitions), object.rows.length]),
        [
          ["ADDED", true, 1],
          ["MODIFIED", false, 1],
          ["BOOKMARK", false, 0],
        ],
      );
      response.destroy();
    });
    it("nothing to a reader that went away", async () => {
      const closed = core.closed;
      const response = await open(`${jobs}?watch=true`);
      response.destroy();
      while (core.closed === closed) await new Promise(setImmediate);
    });

    it("a slow reader is cut off once it is far behind, the others are not", async () => {
      const closed = core.closed;
      const slow = await open(`${jobs}?watch=true`);
      slow.on("error", () => undefined);
      slow.pause();
      const event = { type: "MODIFIED", object: { ...job("a", 1), data: "x".repeat(20_000) } } as const;
      for (let sent = 0; sent < 11_000; sent++) core.emit(event);
      while (core.closed === closed) await new Promise(setImmediate);
      assert.equal((await call(jobs)).status, 200);
    });

    const logOf = (sent: readonly LogLine[], seen: LogOptions[] = []): LogSource => ({
      async *open(_namespace, _pod, _container, options) {
        seen.push(options);
        yield* sent;
      },
    });
    const written = [
      { time: Date.UTC(2026, 10, 21, 12), line: "one" },
      { time: Date.UTC(2026, 10, 21, 12, 0, 1), line: "two" },
    ];

    const logs: readonly { readonly name: string; readonly query: string; readonly want: string }[] = [
      { name: "a log", query: "container=main", want: "one\ntwo\n" },
      {
        name: "a log with instants",
        query: "container=main&timestamps=true",
        want: "2026-11-21T12:00:00.000000000Z one\n2026-11-21T12:00:01.000000000Z two\n",
      },
      { name: "a log up to a limit of bytes", query: "container=side&limitBytes=6", want: "one\ntw" },
    ];
    for (const tc of logs) {
      it(tc.name, async () => {
        answer = () => ({ status: 200, headers: {}, body: pod });
        source = logOf(written);
        const reply = await call(`${log}?${tc.query}`);
        assert.deepEqual([reply.status, reply.headers["content-type"], reply.text], [200, "text/plain", tc.want]);
      });
    }
    it("no log of a pod without a node", async () => {
      answer = () => ({ status: 200, headers: {}, body: { ...pod, spec: { containers: pod.spec.containers } } });
      source = logOf(written);
      const reply = await call(`${log}?container=main&follow=true`);
      assert.deepEqual([reply.status, reply.text], [204, ""]);
    });
    it("what of a log the source is to give", async () => {
      const seen: LogOptions[] = [];
      answer = () => ({ status: 200, headers: {}, body: pod });
      source = logOf([], seen);
      await call(`${log}?container=main&follow=true&previous=false&tailLines=3&sinceTime=2026-11-21T12:00:00Z`);
      const { signal: _, ...options } = seen[0]!;
      assert.deepEqual(options, { follow: true, previous: false, tailLines: 3, sinceTime: Date.UTC(2026, 10, 21, 12) });
    });
    it("a log as it is written, and stops the source when the reader goes away", async () => {
      let aborted = false;
      answer = () => ({ status: 200, headers: {}, body: pod });
      source = {
        async *open(_namespace, _pod, _container, { signal }) {
          yield written[0]!;
          await once(signal, "abort");
          aborted = true;
        },
      };
      const response = await open(`${log}?container=main&follow=true`);
      assert.deepEqual(await lines(response, 1), ["one"]);
      response.destroy();
      while (!aborted) await new Promise(setImmediate);
    });

    const refusals: readonly { readonly name: string; readonly query: string; readonly want: RegExp }[] = [
      {
        name: "no container among several",
        query: "",
        want: /^400 BadRequest: a container name must be specified for pod p, choose one of: \[main side\]$/,
      },
      { name: "a container that is not there", query: "container=x", want: /^400 BadRequest: container x is not valid for pod p$/ },
      { name: "a negative tail", query: "container=main&tailLines=-1", want: /^422 Invalid: .*tailLines/ },
      {
        name: "what the source refuses",
        query: "container=main",
        want: /^400 BadRequest: container "main" in pod "p" is waiting to start$/,
      },
    ];
    for (const tc of refusals) {
      it(`no log for ${tc.name}`, async () => {
        answer = () => ({ status: 200, headers: {}, body: pod });
        const message = 'container "main" in pod "p" is waiting to start';
        source = {
          open: () => ({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason: "BadRequest", code: 400, message }),
        };
        assert.match(failureOf(await call(`${log}?${tc.query}`)), tc.want);
      });
    }
  });

  it("survives peers that speak no TLS, or no HTTP within it", async () => {
    const { port } = new URL(server.url);
    const plain = connect(Number(port), "127.0.0.1", () => plain.write("hello\r\n\r\n"));
    plain.on("error", () => undefined);
    plain.resume();
    await once(plain, "close");
    const secure = connectTls({ port: Number(port), ca: server.caPem }, () => secure.write("hello\r\n\r\n"));
    let said = "";
    for await (const chunk of secure.setEncoding("utf8")) said += chunk;
    assert.match(said, /^HTTP\/1\.1 400 /);
    assert.equal((await call(jobs)).status, 200);
  });

  it("serves many at once", async () => {
    const replies = await Promise.all(Array.from({ length: 300 }, () => call(jobs)));
    assert.ok(replies.every((reply) => reply.status === 200));
  });

  it("of a cluster whose time runs faster ends watches by the clients' time", async () => {
    const fast = await startHttpServer({ server: core, clock: createSystemClock({ background: true }), speed: 60 });
    const own = new Agent({ ca: fast.caPem });
    const wanted: [string, string][] = [
      ["watch=true&timeoutSeconds=10", "600"],
      ["watch=true", "216000"],
      ["watch=true&timeoutSeconds=soon", "soon"],
    ];
    for (const [query, want] of wanted) {
      const sent = request(`${fast.url}${jobs}?${query}`, { agent: own, headers: { authorization: `Bearer ${fast.token}` } });
      sent.end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      assert.equal(core.requests.at(-1)?.query?.["timeoutSeconds"], want);
      response.destroy();
    }
    own.destroy();
    await fast.close();
  });
  it("that is made again with its identity is the same one to its clients", async () => {
    const identity = createIdentity("127.0.0.1", Date.now());
    assert.deepEqual([isCurrent(identity, Date.now()), isCurrent(identity, Date.now() + 364.5 * 86_400_000)], [true, false]);
    for (const _ of ["first", "second"]) {
      const again = await startHttpServer({ server: core, clock: createSystemClock({ background: true }), identity });
      const own = new Agent({ ca: identity.caPem });
      const sent = request(`${again.url}${jobs}`, { agent: own, headers: { authorization: `Bearer ${identity.token}` } });
      sent.end();
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      assert.equal(response.statusCode, 200);
      response.destroy();
      own.destroy();
      await again.close();
    }
  });
  it("closes although a watch is open", async () => {
    const other = await startHttpServer({ server: core, clock: createSystemClock({ background: true }), token: "secret" });
    const sent = request(`${other.url}${jobs}?watch=true`, { ca: other.caPem, headers: { authorization: "Bearer secret" } });
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const broken = once(response, "error");
    await other.close();
    await broken;
  });

  it("writes a kubeconfig that leads to it", () => {
    const config = load(server.kubeconfig()) as {
      readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
      readonly users: unknown;
    };
    assert.equal(config.clusters[0]?.cluster.server, server.url);
    assert.deepEqual(config.users, [{ name: "nuptse", user: { token: server.token } }]);
  });
});
