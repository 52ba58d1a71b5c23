import assert from "node:assert/strict";
import { createAuthority, issueCertificate } from "../../../src/base/x509.ts";
import type { PublishedService } from "../../../src/haproxy/rules/published-service.ts";
import { canonicalAddress, isIpAddress } from "../../../src/api/published-names.ts";
import { isServableInstance, serviceProblems } from "../../../src/haproxy/rules/service-problems.ts";
import { defaultPools } from "../../../src/haproxy/rules/settings.ts";
import { makeService } from "../../support/builders/published-service.ts";

const now = Date.UTC(2026, 0, 1);
const authority = createAuthority({ commonName: "test", validDays: 1, now });
const issue = () => issueCertificate(authority, { commonName: "pig.example", usages: ["server"], validDays: 1, now });
const [issued, other] = [issue(), issue()];
const terminate = (chain: string, key: string) => ({ protocol: "HTTP", tls: { mode: "Terminate", certificate: { chain, key } } }) as const;
const check = makeService().healthCheck;
const timeouts = makeService().timeouts;

const cases: readonly { readonly name: string; readonly fields: Partial<PublishedService>; readonly want: readonly string[] }[] = [
  { name: "a service that says nothing but its port", fields: {}, want: [] },
  {
    name: "a service that says all",
    fields: {
      protocol: "HTTP",
      hostnames: ["pig.example", "a.b"],
      paths: [
        { type: "Exact", value: "/" },
        { type: "PathPrefix", value: "/v1/%20x,y=1" },
      ],
      sticky: true,
      healthCheck: { ...check, type: "HTTP", path: "/healthz" },
      maxConnections: 10,
      slowStartSeconds: 30,
      tls: { mode: "Terminate", certificate: { chain: issued.certificatePem, key: issued.privateKeyPem } },
    },
    want: [],
  },
  { name: "a name with a blank", fields: { name: "a b" }, want: ['spec.services["a b"].name'] },
  { name: "a name with the end of a line", fields: { name: "a\nglobal" }, want: ['spec.services["a\\nglobal"].name'] },
  { name: "a name of 300 characters", fields: { name: "a".repeat(300) }, want: [`spec.services["${"a".repeat(80)}..."].name`] },
  { name: "a port outside of the pools", fields: { port: 8080 }, want: ['spec.services["base"]'] },
  { name: "a port that is none", fields: { port: 21_000.5 }, want: ['spec.services["base"]'] },
  { name: "a host in capitals", fields: { protocol: "HTTP", hostnames: ["Pig.example"] }, want: ['spec.services["base"].hostnames[0]'] },
  { name: "a host with a wildcard", fields: { protocol: "HTTP", hostnames: ["*.example"] }, want: ['spec.services["base"].hostnames[0]'] },
  {
    name: "a host that is an address",
    fields: { protocol: "HTTP", hostnames: ["10.0.0.1"] },
    want: ['spec.services["base"].hostnames[0]'],
  },
  { name: "a host with CR LF", fields: { protocol: "HTTP", hostnames: ["a.b", "a\r\nb"] }, want: ['spec.services["base"].hostnames[1]'] },
  { name: "hosts of a TCP service", fields: { hostnames: ["a.b"] }, want: ['spec.services["base"].hostnames'] },
  {
    name: "a path without a slash",
    fields: { protocol: "HTTP", paths: [{ type: "Exact", value: "v1" }] },
    want: ['spec.services["base"].paths[0].value'],
  },
  {
    name: "a path with a blank",
    fields: { protocol: "HTTP", paths: [{ type: "Exact", value: "/a b" }] },
    want: ['spec.services["base"].paths[0].value'],
  },
  {
    name: "a path with a semicolon, which would begin another command on the socket",
    fields: { protocol: "HTTP", paths: [{ type: "Exact", value: "/a;b" }] },
    want: ['spec.services["base"].paths[0].value'],
  },
  {
    name: "a path with a quote",
    fields: { protocol: "HTTP", paths: [{ type: "Exact", value: "/a'b" }] },
    want: ['spec.services["base"].paths[0].value'],
  },
  {
    name: "a path of 16 KiB",
    fields: { protocol: "HTTP", paths: [{ type: "Exact", value: `/${"a".repeat(16_384)}` }] },
    want: ['spec.services["base"].paths[0].value'],
  },
  {
    name: "an HTTP check without a path",
    fields: { healthCheck: { ...check, type: "HTTP" } },
    want: ['spec.services["base"].healthCheck.path'],
  },
  {
    name: "a check's path with a hash, which would begin a comment",
    fields: { healthCheck: { ...check, type: "HTTP", path: "/a#b" } },
    want: ['spec.services["base"].healthCheck.path'],
  },
  {
    name: "a check every 0 s",
    fields: { healthCheck: { ...check, periodSeconds: 0 } },
    want: ['spec.services["base"].healthCheck.periodSeconds'],
  },
  {
    name: "a time-out that is no number",
    fields: { timeouts: { ...timeouts, idleSeconds: Number.NaN } },
    want: ['spec.services["base"].timeouts.idleSeconds'],
  },
  { name: "no connections at all", fields: { maxConnections: 0 }, want: ['spec.services["base"].maxConnections'] },
  { name: "a cookie for TCP", fields: { sticky: true }, want: ['spec.services["base"].sticky'] },
  {
    name: "passing TLS through by host",
    fields: { protocol: "HTTP", tls: { mode: "Passthrough" } },
    want: ['spec.services["base"].tls.mode'],
  },
  { name: "a Secret that is not there", fields: terminate("", ""), want: ['spec.services["base"].tls.secretName'] },
  { name: "a Secret of garbage", fields: terminate("garbage", "garbage"), want: ['spec.services["base"].tls.secretName'] },
  {
    name: "the key of another certificate",
    fields: terminate(issued.certificatePem, other.privateKeyPem),
    want: ['spec.services["base"].tls.secretName'],
  },
  {
    name: "three mistakes at once",
    fields: { name: "", port: 1, sticky: true },
    want: ['spec.services[""].name', 'spec.services[""]', 'spec.services[""].sticky'],
  },
];

describe("haproxy/service-problems", () => {
  for (const tc of cases) {
    it(`${tc.name}: ${tc.want.length === 0 ? "is taken" : "is refused by its field"}`, () => {
      const problems = serviceProblems(makeService(tc.fields), { pools: defaultPools });
      assert.deepEqual(
        problems.map(({ path }) => path),
        tc.want,
      );
      for (const { message } of problems) assert.doesNotMatch(message, /PRIVATE KEY/);
    });
  }

  const addresses = [
    { text: "10.0.0.1", want: true },
    { text: "255.255.255.255", want: true },
    { text: "256.0.0.1", want: false },
    { text: "10.0.0", want: false },
    { text: "10.0.0.1.", want: false },
    { text: "2001:db8::1", want: true },
    { text: "::", want: true },
    { text: "fe80::1%eth0", want: false },
    { text: "10.0.0.1 check", want: false },
    { text: "a.b", want: false },
    { text: "", want: false },
  ];
  for (const tc of addresses) {
    it(`${JSON.stringify(tc.text)} is ${tc.want ? "an" : "no"} address`, () => assert.equal(isIpAddress(tc.text), tc.want));
  }

  it("an IPv6 address has one spelling, that of HAProxy", () => {
    assert.equal(canonicalAddress("2001:0DB8:0:0:0:0:0:1"), "2001:db8::1");
    assert.equal(canonicalAddress("10.0.0.1"), "10.0.0.1");
  });

  const instances = [
    { name: "a pod", fields: {}, want: true },
    { name: "an address of a virtual machine", fields: { pod: "", uid: "" }, want: true },
    { name: "port 0", fields: { port: 0 }, want: false },
    { name: "a port beyond 65535", fields: { port: 65_536 }, want: false },
    { name: "a host name in the place of an address", fields: { address: "db.example" }, want: false },
    { name: "a pod's name that is none", fields: { pod: "a b" }, want: false },
    { name: "a UID with the end of a line", fields: { uid: "1\n2" }, want: false },
  ];
  for (const tc of instances) {
    it(`an instance with ${tc.name} ${tc.want ? "is rendered" : "is left out"}`, () => {
      const instance = { uid: "12345678-90ab", pod: "base-0", address: "10.0.0.1", port: 80, state: "ready", ...tc.fields } as const;
      assert.equal(isServableInstance(instance), tc.want);
    });
  }
});
