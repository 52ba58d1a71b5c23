import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  bundleOf,
  type CertificateRecord,
  endOf,
  firstRecord,
  issueServing,
  readRecord,
  type RotationView,
  rotate,
  secretData,
} from "../../../src/webhook/certificate-record.ts";
import { at } from "../../support/builders/elastic-job.ts";

const born = at("08:00:00");
const hour = 3_600_000;
const names = ["hook.ns.svc", "127.0.0.1"];
const times = { validMs: 90 * hour, renewMs: 30 * hour, overlapMs: hour };
const view = (afterHours: number, differs: Partial<RotationView> = {}): RotationView => ({
  ...times,
  names,
  now: born + afterHours * hour,
  toldMs: undefined,
  ...differs,
});

const first = issueServing(names, born, times.validMs);
const second = issueServing(names, born + 60 * hour, times.validMs);
const other = issueServing(["old.ns.svc"], born, times.validMs);

/** A record in short: which certificates it holds, "new" for one that was just made. */
function named(record: CertificateRecord | undefined) {
  const known = new Map([first, second, other].map((each, index) => [each.authorityPem, ["first", "second", "other"][index]]));
  const nameOf = (pem: string | undefined) => (pem === undefined ? undefined : (known.get(pem) ?? "new"));
  if (record === undefined) return "unchanged";
  return [record.current.authorityPem, record.next?.authorityPem, record.previousAuthorityPem].map(nameOf);
}

interface Case {
  readonly name: string;
  readonly record: CertificateRecord;
  readonly view: RotationView;
  /** current, next, previous. */
  readonly want: readonly (string | undefined)[] | "unchanged";
}

const cases: readonly Case[] = [
  { name: "a young certificate stays", record: { current: first }, view: view(59, { toldMs: 59 * hour }), want: "unchanged" },
  {
    name: "at the time of renewal the next one is introduced",
    record: { current: first },
    view: view(60),
    want: ["first", "new", undefined],
  },
  {
    name: "the next one is not served while the API server was not told of it",
    record: { current: first, next: second },
    view: view(62),
    want: "unchanged",
  },
  {
    name: "nor shortly after it was told",
    record: { current: first, next: second },
    view: view(62, { toldMs: hour - 1 }),
    want: "unchanged",
  },
  {
    name: "then it is served, and the older authority stays",
    record: { current: first, next: second },
    view: view(62, { toldMs: hour }),
    want: ["second", undefined, "first"],
  },
  {
    name: "the older authority stays while a replica may still serve its certificate",
    record: { current: second, previousAuthorityPem: first.authorityPem },
    view: view(63, { toldMs: hour - 1 }),
    want: "unchanged",
  },
  {
    name: "then it is forgotten",
    record: { current: second, previousAuthorityPem: first.authorityPem },
    view: view(64, { toldMs: hour }),
    want: ["second", undefined, undefined],
  },
  {
    name: "where time was slept through, the next one is served as soon as it is told",
    record: { current: first, next: second },
    view: view(89.5, { toldMs: 0 }),
    want: ["second", undefined, "first"],
  },
  { name: "but not before", record: { current: first, next: second }, view: view(95), want: "unchanged" },
  { name: "one that has ended is replaced at once", record: { current: first }, view: view(91), want: ["new", undefined, "first"] },
  {
    name: "one for other names is replaced at once, and its authority stays for whoever serves it",
    record: { current: other },
    view: view(1),
    want: ["new", undefined, "other"],
  },
  {
    name: "a next one for other names is made anew",
    record: { current: first, next: other },
    view: view(1, { toldMs: 9 * hour }),
    want: ["first", "new", undefined],
  },
  {
    name: "a clock that is behind moves nothing",
    record: { current: first },
    view: view(-1000, { toldMs: 9 * hour }),
    want: "unchanged",
  },
];

describe("webhook/certificate-record", () => {
  for (const tc of cases) it(tc.name, () => assert.deepEqual(named(rotate(tc.record, tc.view)), tc.want));

  it("a replacement answers to the names of both, so that replicas of two versions do not take it from each other", () => {
    const changed = rotate({ current: other }, view(1))?.current;
    const { subjectAltName } = new X509Certificate(changed?.certificatePem ?? "");
    assert.equal(subjectAltName, "DNS:hook.ns.svc, DNS:old.ns.svc, IP Address:127.0.0.1");
  });

  it("the first record has one certificate; after the Secret was lost the served one goes on", () => {
    assert.deepEqual(named(firstRecord(undefined, view(1))), ["new", undefined, undefined]);
    assert.deepEqual(named(firstRecord(first, view(1))), ["first", "new", undefined]);
    assert.deepEqual(named(firstRecord(first, view(91))), ["new", undefined, undefined]);
  });

  it("a certificate is valid from an hour back, for servers, and signed by an authority whose key is not kept", () => {
    const certificate = new X509Certificate(first.certificatePem);
    const authority = new X509Certificate(first.authorityPem);
    assert.equal(certificate.validFromDate.getTime(), born - hour);
    assert.equal(authority.validFromDate.getTime(), born - hour);
    assert.equal(endOf(first), born + 90 * hour);
    assert.deepEqual([authority.ca, certificate.ca, certificate.verify(authority.publicKey)], [true, false, true]);
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
    assert.equal(certificate.checkHost("hook.ns.svc"), "hook.ns.svc");
    assert.equal(Object.values(secretData({ current: first })).filter((text) => /PRIVATE KEY/.test(atob(text))).length, 1);
  });

  const records: Readonly<Record<string, CertificateRecord>> = {
    steady: { current: first },
    introducing: { current: first, next: second },
    promoted: { current: second, previousAuthorityPem: first.authorityPem },
  };
  for (const [name, record] of Object.entries(records)) {
    it(`reads back what it wrote: ${name}`, () => {
      const data = secretData(record);
      assert.deepEqual(readRecord({ metadata: { name: "s" }, data }), record);
      assert.equal(atob(data["ca.crt"] ?? ""), bundleOf(record));
    });
  }

  const good = secretData(records.introducing as CertificateRecord);
  const useless: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    "an empty Secret": {},
    "no key": { ...good, "tls.key": "" },
    "a key of another certificate": { ...good, "tls.key": good["next.key"] as string },
    "an authority that did not sign it": { ...good, "authority.crt": good["next-authority.crt"] as string },
    "text that is no certificate": { ...good, "tls.crt": btoa("hello") },
  };
  for (const [name, data] of Object.entries(useless))
    it(`has no use for ${name}`, () => assert.equal(readRecord({ metadata: { name: "s" }, data }), undefined));

  it("leaves out a next certificate that is of no use", () => {
    assert.deepEqual(readRecord({ metadata: { name: "s" }, data: { ...good, "next.key": "" } }), { current: first });
  });
});
