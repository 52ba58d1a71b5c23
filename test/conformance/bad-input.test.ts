import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemClock } from "../../src/base/clock.ts";
import { createSeededRandom } from "../../src/base/random.ts";
import { type Credentials, loadCredentials } from "../../src/kube/credentials.ts";
import { createHttpTransport } from "../../src/kube/http-transport.ts";
import { ApiServer } from "../../src/simulator/apiserver/api-server.ts";
import { type HttpServer, startHttpServer } from "../../src/simulator/apiserver/http/http-server.ts";
import { sharedControlPlane } from "../integration/control-plane-fixture.ts";
import { configMap } from "./fixtures.ts";
import { install, userAgent } from "./servers.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";
const things = "/apis/conformance.nuptse.dev/v1/namespaces/default/things";
const protobuf = "application/vnd.kubernetes.protobuf";
const json = "application/json";

interface Case {
  readonly method?: string;
  readonly path: string;
  readonly type: string;
  readonly body: string | Buffer;
}

const sized = (path: string, apiVersion: string, kind: string, part: object): Case => ({
  path,
  type: json,
  body: JSON.stringify({ apiVersion, kind, metadata: { name: "too-big" }, ...part }),
});
/** An object that says nothing but its kind, as protobuf envelopes it. */
function protobufOf(apiVersion: string, kind: string): Buffer {
  const field = (number: number, bytes: Buffer) => Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const type = Buffer.concat([field(1, Buffer.from(apiVersion)), field(2, Buffer.from(kind))]);
  return Buffer.concat([Buffer.from("k8s\0"), field(1, type), field(2, Buffer.alloc(0))]);
}
const letters = (count: number): string => "x".repeat(count);

/** Bodies that no client should send, as bytes; servers must say the same. */
const cases: Readonly<Record<string, Case>> = {
  "JSON that ends too early": { path: configMaps, type: json, body: '{"apiVersion":"v1"' },
  "JSON that is a list": { path: configMaps, type: json, body: "[]" },
  "JSON that is a word": { path: configMaps, type: json, body: "hello" },
  "JSON of another kind": { path: configMaps, type: json, body: '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}' },
  "JSON of a kind that there is not": {
    path: configMaps,
    type: json,
    body: '{"apiVersion":"v9","kind":"Nothing","metadata":{"name":"a"}}',
  },
  "JSON with a number in place of a name": {
    path: configMaps,
    type: json,
    body: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":7}}',
  },
  "JSON that is nested 20,000 levels deep": {
    path: things,
    type: json,
    body: `{"apiVersion":"conformance.nuptse.dev/v1","kind":"Thing","metadata":{"name":"deep"},"spec":{"free":${'{"a":'.repeat(20_000)}1${"}".repeat(20_002)}`,
  },
  "YAML whose aliases stand for a billion values": {
    path: configMaps,
    type: "application/yaml",
    body: [
      "a: &a0 [x, x, x, x, x, x, x, x, x, x]",
      ...Array.from({ length: 9 }, (_, at) => `b${at}: &a${at + 1} [${`*a${at}, `.repeat(9)}*a${at}]`),
    ].join("\n"),
  },
  "YAML that is none": { path: configMaps, type: "application/yaml", body: "a: [" },
  "YAML with a tab": { path: configMaps, type: "application/yaml", body: "a:\n\t- b" },
  "protobuf without its beginning": { path: configMaps, type: protobuf, body: Buffer.from([1, 2, 3, 4, 5]) },
  "protobuf that ends too early": { path: configMaps, type: protobuf, body: Buffer.from([0x6b, 0x38, 0x73, 0, 0x0a, 0x7f, 1]) },
  "protobuf of a kind that there is not": { path: configMaps, type: protobuf, body: protobufOf("v9", "Nothing") },
  "protobuf of another kind": { path: configMaps, type: protobuf, body: protobufOf("v1", "Secret") },
  "an empty body": { path: configMaps, type: json, body: "" },
  "plain text": { path: configMaps, type: "text/plain", body: "hello" },
  XML: { path: configMaps, type: "application/xml", body: "<a/>" },
  "a patch of no type that there is": { method: "PATCH", path: `${things}/first`, type: "text/plain", body: "{}" },
  "a JSON patch that is no JSON": { method: "PATCH", path: `${things}/first`, type: "application/json-patch+json", body: "[{" },
  "a JSON patch that is an object": { method: "PATCH", path: `${things}/first`, type: "application/json-patch+json", body: "{}" },
  "a JSON patch of an unknown operation": {
    method: "PATCH",
    path: `${things}/first`,
    type: "application/json-patch+json",
    body: '[{"op":"mend","path":"/spec"}]',
  },
  "a JSON patch whose test fails": {
    method: "PATCH",
    path: `${things}/first`,
    type: "application/json-patch+json",
    body: '[{"op":"test","path":"/metadata/name","value":"other"}]',
  },
  "a merge patch that is no JSON": { method: "PATCH", path: `${things}/first`, type: "application/merge-patch+json", body: "{" },
  "an apply patch that is no YAML": {
    method: "PATCH",
    path: `${things}/first?fieldManager=m`,
    type: "application/apply-patch+yaml",
    body: "a: [",
  },
  "an apply patch without a manager": {
    method: "PATCH",
    path: `${things}/first`,
    type: "application/apply-patch+yaml",
    body: '{"apiVersion":"conformance.nuptse.dev/v1","kind":"Thing","metadata":{"name":"first"}}',
  },
  "options of a deletion that are none": { method: "DELETE", path: `${configMaps}/nobody`, type: json, body: "{" },
  "options of a deletion that are a pod": {
    method: "DELETE",
    path: `${configMaps}/nobody`,
    type: json,
    body: '{"apiVersion":"v1","kind":"Pod"}',
  },
  "an unknown kind": { path: "/apis/nowhere.test/v1/namespaces/default/nothings", type: json, body: "{}" },
  "an unknown kind of a known group": { path: "/api/v1/namespaces/default/nothings", type: json, body: "{}" },
  "a method that there is not": { method: "PUT", path: configMaps, type: json, body: "{}" },
  "a config map of more than 1 MiB": sized(configMaps, "v1", "ConfigMap", { data: { a: letters(1_100_000) } }),
  "a secret of more than 1 MiB": sized("/api/v1/namespaces/default/secrets", "v1", "Secret", { stringData: { a: letters(1_100_000) } }),
  "a custom resource of more than 1.5 MiB": sized(things, "conformance.nuptse.dev/v1", "Thing", {
    spec: { free: { a: letters(1_700_000) } },
  }),
  "a body of more than 3 MiB": sized(configMaps, "v1", "ConfigMap", { data: { a: letters(3_200_000) } }),
};

/** What a server answered: the code, and of a Status the reason. Words differ, and nobody reads them but people. */
async function answerTo(credentials: Credentials, { method = "POST", path, type, body }: Case): Promise<unknown> {
  const { server, tls } = credentials;
  const headers = { ...(await credentials.headers()), "content-type": type, "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = request(`${server}${path}`, { method, headers, ...tls, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", () => resolve([response.statusCode, "cut off"]));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const status = text.startsWith("{") ? JSON.parse(text) : { reason: text.trim() };
        resolve([response.statusCode, status.kind ?? null, status.reason ?? null]);
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("conformance of refusals", () => {
  const plane = sharedControlPlane();
  let front: HttpServer;
  let folder: string;
  let real: Credentials;
  let embedded: Credentials;

  before(async function () {
    this.timeout(60_000);
    const clock = createSystemClock({ background: true });
    front = await startHttpServer({ server: new ApiServer({ clock, random: createSeededRandom(7), controllers: false }), clock });
    folder = await mkdtemp(join(tmpdir(), "nuptse-refusals-"));
    const kubeconfig = join(folder, "kubeconfig");
    await writeFile(kubeconfig, front.kubeconfig());
    real = await loadCredentials({ kubeconfig: plane().kubeconfig, clock });
    embedded = await loadCredentials({ kubeconfig, clock });
    for (const credentials of [real, embedded]) {
      const transport = createHttpTransport({ credentials, clock, random: createSeededRandom(1), userAgent });
      await install(transport);
      transport.close();
    }
  });
  after(async () => {
    await front?.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const [name, bad] of Object.entries(cases)) {
    it(name, async function () {
      this.timeout(30_000);
      const want = await answerTo(real, bad);
      assert.deepEqual(await answerTo(embedded, bad), want);
    });
  }

  it("and both go on", async () => {
    const good = {
      path: `${configMaps}?dryRun=All`,
      type: json,
      body: JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", ...configMap("good") }),
    };
    for (const credentials of [real, embedded]) assert.deepEqual(await answerTo(credentials, good), [201, "ConfigMap", null]);
  });
});
