import assert from "node:assert/strict";
import { decodeProtobuf } from "../../../../src/simulator/apiserver/http/protobuf.ts";

/** A field with bytes: texts, messages. */
const bytes = (number: number, ...content: readonly (Buffer | string)[]): Buffer => {
  const body = Buffer.concat(content.map((part) => Buffer.from(part)));
  return Buffer.concat([varint((number << 3) | 2), varint(body.length), body]);
};
const number = (field: number, value: number | bigint): Buffer => Buffer.concat([varint(field << 3), varint(value)]);

function varint(value: number | bigint): Buffer {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    out.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(out);
}

/** A body as client-go makes one (k8s.io/apimachinery/pkg/runtime/serializer/protobuf). */
const envelope = (apiVersion: string, kind: string, ...fields: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from("k8s\0"), bytes(1, bytes(1, apiVersion), bytes(2, kind)), bytes(2, ...fields), bytes(3, ""), bytes(4, "")]);

/** Field numbers are those of generated.proto of each group. */
const cases: readonly { readonly name: string; readonly body: Buffer; readonly want: object }[] = [
  {
    name: "a Namespace, with the empty texts and the empty time that Go writes",
    body: envelope(
      "v1",
      "Namespace",
      bytes(1, bytes(1, "shop"), bytes(2, ""), bytes(5, ""), number(7, 0), bytes(8)),
      bytes(2),
      bytes(3, bytes(1, "")),
    ),
    want: { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
  },
  {
    name: "a Secret: bytes are base64, maps add up, a pointer keeps its false",
    body: envelope(
      "v1",
      "Secret",
      bytes(1, bytes(1, "s")),
      bytes(2, bytes(1, "a"), bytes(2, "one")),
      bytes(2, bytes(1, "b"), bytes(2, "")),
      bytes(3, "Opaque"),
      number(5, 0),
    ),
    want: { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, data: { a: "b25l", b: "" }, type: "Opaque", immutable: false },
  },
  {
    name: "a Deployment of no replicas: pointers keep zeros, quantities and templates are messages",
    body: envelope(
      "apps/v1",
      "Deployment",
      bytes(
        2,
        number(1, 0),
        bytes(
          3,
          bytes(2, bytes(2, bytes(1, "main"), bytes(8, bytes(1, bytes(1, "cpu"), bytes(2, bytes(1, "1500m")))))),
          bytes(1, bytes(11, bytes(1, "app"), bytes(2, "x"))),
        ),
        number(5, 0),
      ),
    ),
    want: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      spec: {
        replicas: 0,
        template: { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "main", resources: { limits: { cpu: "1500m" } } }] } },
      },
    },
  },
  {
    name: "volumes and probes, which are inline in Go",
    body: envelope(
      "v1",
      "Pod",
      bytes(
        2,
        bytes(1, bytes(1, "v"), bytes(2, bytes(2))),
        bytes(2, bytes(1, "c"), bytes(10, bytes(1, bytes(2, bytes(1, "/live"), bytes(2, number(1, 1), number(2, 0), bytes(3, "http")))))),
      ),
    ),
    want: {
      apiVersion: "v1",
      kind: "Pod",
      spec: {
        volumes: [{ name: "v", emptyDir: {} }],
        containers: [{ name: "c", livenessProbe: { httpGet: { path: "/live", port: "http" } } }],
      },
    },
  },
  {
    name: "DeleteOptions under the version of what is deleted",
    body: envelope("apps/v1", "DeleteOptions", number(1, 0), bytes(2, bytes(1, "u-1")), bytes(4, "Background"), bytes(5, "All")),
    want: {
      apiVersion: "apps/v1",
      kind: "DeleteOptions",
      gracePeriodSeconds: 0,
      preconditions: { uid: "u-1" },
      propagationPolicy: "Background",
      dryRun: ["All"],
    },
  },
  {
    name: "an Event: times of two kinds, a negative number",
    body: envelope(
      "v1",
      "Event",
      bytes(6, number(1, 1_763_719_200)),
      bytes(10, number(1, 1_763_719_200), number(2, 120_000_000)),
      number(8, -1),
    ),
    want: {
      apiVersion: "v1",
      kind: "Event",
      firstTimestamp: "2025-11-21T10:00:00Z",
      eventTime: "2025-11-21T10:00:00.120000Z",
      count: -1,
    },
  },
  {
    name: "an access review, whose extra values are lists in messages",
    body: envelope(
      "authorization.k8s.io/v1",
      "SubjectAccessReview",
      bytes(
        2,
        bytes(1, bytes(2, "get"), bytes(5, "pods")),
        bytes(3, "alice"),
        bytes(5, bytes(1, "scopes"), bytes(2, bytes(1, "a"), bytes(1, "b"))),
      ),
    ),
    want: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: { resourceAttributes: { verb: "get", resource: "pods" }, user: "alice", extra: { scopes: ["a", "b"] } },
    },
  },
  {
    name: "a field of a newer client is passed over",
    body: envelope("v1", "ConfigMap", bytes(1, bytes(1, "c"), bytes(900, "x")), bytes(901, "y")),
    want: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } },
  },
];

const refused: readonly { readonly name: string; readonly body: Buffer; readonly want: RegExp }[] = [
  { name: "no protobuf at all", body: Buffer.from('{"kind":"Pod"}'), want: /does not begin as/ },
  { name: "nothing", body: Buffer.alloc(0), want: /does not begin as/ },
  {
    name: "a kind that is not built in",
    body: envelope("nuptse.dev/v1alpha1", "ElasticJob"),
    want: /no kind "ElasticJob" of version "nuptse.dev\/v1alpha1"/,
  },
  { name: "half a body", body: envelope("v1", "Namespace", bytes(1, bytes(1, "shop"))).subarray(0, 24), want: /ends within a field/ },
  { name: "a length beyond the end", body: envelope("v1", "Namespace", Buffer.from([10, 200, 1, 65])), want: /ends within a field/ },
  { name: "a number without an end", body: Buffer.concat([Buffer.from("k8s\0"), Buffer.alloc(12, 255)]), want: /more than 64 bits/ },
  { name: "a number where a message belongs", body: envelope("v1", "Namespace", number(1, 7)), want: /a number where bytes belong/ },
  { name: "bytes where a number belongs", body: envelope("v1", "ConfigMap", bytes(4, "yes")), want: /bytes where a number belongs/ },
  { name: "a wire type of nobody", body: envelope("v1", "Namespace", Buffer.from([11])), want: /wire type/ },
];

describe("protobuf bodies", () => {
  for (const { name, body, want } of cases) it(name, () => assert.deepEqual(decodeProtobuf(body), want));
  for (const { name, body, want } of refused) it(`refuses ${name}`, () => assert.throws(() => decodeProtobuf(body), want));
});
