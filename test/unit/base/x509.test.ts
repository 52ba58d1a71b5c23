import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { duplexPair } from "node:stream";
import { connect, createServer } from "node:tls";
import { derBitString, derInteger, derObjectIdentifier, derTime, readDerElements } from "../../../src/base/der.ts";
import { type CertificateRequest, createAuthority, type IssuedCertificate, issueCertificate } from "../../../src/base/x509.ts";

const now = Date.now();
const dayMs = 86_400_000;
const authority = createAuthority({ commonName: "test authority", validDays: 10, now });
const authorityCertificate = new X509Certificate(authority.certificatePem);

function issue(request: Partial<CertificateRequest>): X509Certificate {
  return new X509Certificate(
    issueCertificate(authority, { commonName: "subject", usages: ["server"], validDays: 1, now, ...request }).certificatePem,
  );
}

describe("der", () => {
  // Worked examples of X.690 and RFC 5280, and by hand.
  const cases: readonly { name: string; encoded: Buffer; want: string }[] = [
    { name: "zero is one byte", encoded: derInteger(0n), want: "020100" },
    { name: "127 has no leading zero", encoded: derInteger(127n), want: "02017f" },
    { name: "128 has one, lest it be negative", encoded: derInteger(128n), want: "02020080" },
    { name: "256 takes two bytes", encoded: derInteger(256n), want: "02020100" },
    { name: "an identifier with arcs above 127", encoded: derObjectIdentifier("1.2.840.10045.4.3.2"), want: "06082a8648ce3d040302" },
    { name: "an identifier below 2.5", encoded: derObjectIdentifier("2.5.29.17"), want: "0603551d11" },
    { name: "a bit string says how many bits do not count", encoded: derBitString(Uint8Array.of(0x86), 1), want: "03020186" },
    {
      name: "the last second of 2049 is a UTCTime",
      encoded: derTime(Date.UTC(2049, 11, 31, 23, 59, 59)),
      want: `170d${Buffer.from("491231235959Z").toString("hex")}`,
    },
    {
      name: "the first second of 2050 is a GeneralizedTime",
      encoded: derTime(Date.UTC(2050, 0, 1)),
      want: `180f${Buffer.from("20500101000000Z").toString("hex")}`,
    },
    {
      name: "a length of 200 takes a second byte",
      encoded: derBitString(new Uint8Array(199)).subarray(0, 4),
      want: "0381c800",
    },
  ];
  for (const tc of cases) it(tc.name, () => assert.equal(tc.encoded.toString("hex"), tc.want));

  it("reads what it wrote, element by element", () => {
    const bytes = Buffer.concat([derInteger(5n), derBitString(new Uint8Array(300))]);
    const read = readDerElements(bytes);
    assert.deepEqual(
      read.map((element) => [element.tag, element.contents.length, element.encoded.length]),
      [
        [2, 1, 3],
        [3, 301, 305],
      ],
    );
  });

  it("refuses an element that is cut off", () => {
    assert.throws(() => readDerElements(Buffer.from("020501", "hex")), /ends 4 bytes after the input/);
    assert.throws(() => readDerElements(Buffer.from("02", "hex")), RangeError);
    assert.throws(() => readDerElements(Buffer.from("3080", "hex")), /not a DER length/);
  });
});

describe("x509", () => {
  it("makes an authority that is its own issuer and may sign certificates", () => {
    assert.equal(authorityCertificate.ca, true);
    assert.equal(authorityCertificate.checkIssued(authorityCertificate), true);
    assert.equal(authorityCertificate.verify(authorityCertificate.publicKey), true);
    assert.equal(authorityCertificate.subject, "CN=test authority");
  });

  it("begins five minutes before now and ends after the days asked for", () => {
    assert.equal(authorityCertificate.validFromDate.getTime(), Math.floor(now / 1000) * 1000 - 300_000);
    assert.equal(authorityCertificate.validToDate.getTime(), Math.floor(now / 1000) * 1000 + 10 * dayMs);
  });

  it("signs a certificate that names the authority, which may not sign in turn", () => {
    const issued = issue({ commonName: "alice", organizations: ["first", "second"] });
    assert.equal(issued.checkIssued(authorityCertificate), true);
    assert.equal(issued.verify(authorityCertificate.publicKey), true);
    assert.equal(issued.ca, false);
    assert.equal(issued.issuer, "CN=test authority");
    assert.equal(issued.subject, "O=first\nO=second\nCN=alice");
  });

  it("is not accepted as the work of another authority of the same name", () => {
    const other = new X509Certificate(createAuthority({ commonName: "test authority", validDays: 10, now }).certificatePem);
    assert.equal(issue({}).checkIssued(other), false);
    assert.equal(issue({}).verify(other.publicKey), false);
  });

  it("gives the certificate the key that comes with it", () => {
    const issued = issueCertificate(authority, { commonName: "subject", usages: ["client"], validDays: 1, now });
    const { privateKeyPem } = issueCertificate(authority, { commonName: "subject", usages: ["client"], validDays: 1, now });
    const certificate = new X509Certificate(issued.certificatePem);
    assert.equal(certificate.checkPrivateKey(createPrivateKey(issued.privateKeyPem)), true);
    assert.equal(certificate.checkPrivateKey(createPrivateKey(privateKeyPem)), false);
  });

  it("answers to its host names and addresses and to no others", () => {
    const issued = issue({
      dnsNames: ["localhost", "nuptse.system.svc", "*.apps.example"],
      ipAddresses: ["127.0.0.1", "::1", "2001:db8::8:800:200c:417a", "::ffff:10.1.2.3", "1:2:3:4:5:6:7:8"],
    });
    for (const host of ["localhost", "nuptse.system.svc", "one.apps.example"])
      assert.equal(issued.checkHost(host) !== undefined, true, host);
    for (const host of ["subject", "nuptse", "two.one.apps.example"]) assert.equal(issued.checkHost(host), undefined, host);
    for (const address of ["127.0.0.1", "::1", "2001:db8::8:800:200c:417a", "1:2:3:4:5:6:7:8", "::ffff:10.1.2.3"]) {
      assert.equal(issued.checkIP(address) !== undefined, true, address);
    }
    assert.equal(issued.checkIP("127.0.0.2"), undefined);
    assert.equal(
      issued.subjectAltName,
      "DNS:localhost, DNS:nuptse.system.svc, DNS:*.apps.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, " +
        "IP Address:2001:DB8:0:0:8:800:200C:417A, IP Address:0:0:0:0:0:FFFF:A01:203, IP Address:1:2:3:4:5:6:7:8",
    );
  });

  it("says what it may be used for", () => {
    assert.deepEqual(issue({ usages: ["server"] }).keyUsage, ["1.3.6.1.5.5.7.3.1"]);
    assert.deepEqual(issue({ usages: ["client", "server"] }).keyUsage, ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"]);
  });

  it("takes a serial, or makes one of 128 bits that is never the same", () => {
    assert.equal(issue({ serial: 255n }).serialNumber, "FF");
    const serials = new Set(Array.from({ length: 20 }, () => issue({}).serialNumber));
    assert.equal(serials.size, 20);
    for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
  });

  it("never outlives its authority", () => {
    assert.equal(issue({ validDays: 400 }).validTo, authorityCertificate.validTo);
  });

  const refusals: readonly { name: string; request: Partial<CertificateRequest>; want: RegExp }[] = [
    { name: "an empty name", request: { commonName: "" }, want: /needs a common name/ },
    { name: "no usage", request: { usages: [] }, want: /at least one usage/ },
    { name: "no validity", request: { validDays: 0 }, want: /valid for 0 days/ },
    { name: "a host name with a space", request: { dnsNames: ["a b"] }, want: /"a b" is not a host name/ },
    { name: "an address that is a name", request: { ipAddresses: ["localhost"] }, want: /"localhost" is not an IP address/ },
    { name: "an address with a zone", request: { ipAddresses: ["fe80::1%eth0"] }, want: /not an IP address/ },
    { name: "a serial of zero", request: { serial: 0n }, want: /serial 0/ },
    { name: "a serial of 21 bytes", request: { serial: 1n << 160n }, want: /longer than 20 bytes/ },
  ];
  for (const tc of refusals) it(`refuses ${tc.name}`, () => assert.throws(() => issue(tc.request), tc.want));

  it("refuses an authority whose key it cannot sign with", () => {
    const privateKeyPem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const request: CertificateRequest = { commonName: "subject", usages: ["server"], validDays: 1, now };
    assert.throws(() => issueCertificate({ ...authority, privateKeyPem }, request), /key is ed25519, not ec/);
  });

  it("lets a server and a client trust each other in TLS, through the authority alone", async () => {
    const server = issueCertificate(authority, { commonName: "server", dnsNames: ["api.test"], usages: ["server"], validDays: 1, now });
    const client = issueCertificate(authority, {
      commonName: "alice",
      organizations: ["operators"],
      usages: ["client"],
      validDays: 1,
      now,
    });
    const peer = await handshake(server, client);
    assert.deepEqual([peer.clientAuthorized, peer.serverAuthorized, peer.clientSubject], [true, true, { O: "operators", CN: "alice" }]);
  });

  it("is refused in TLS where its usage is another", async () => {
    const server = issueCertificate(authority, { commonName: "server", dnsNames: ["api.test"], usages: ["client"], validDays: 1, now });
    const client = issueCertificate(authority, { commonName: "alice", usages: ["client"], validDays: 1, now });
    await assert.rejects(handshake(server, client), { code: "INVALID_PURPOSE" });
  });
});

interface Handshake {
  readonly clientAuthorized: boolean;
  readonly serverAuthorized: boolean;
  readonly clientSubject: Readonly<Record<string, unknown>>;
}

/** Both ends of one connection in memory: the server never listens, it is handed its end. */
async function handshake(server: IssuedCertificate, client: IssuedCertificate): Promise<Handshake> {
  const [serverEnd, clientEnd] = duplexPair();
  const listener = createServer({
    cert: server.certificatePem,
    key: server.privateKeyPem,
    ca: authority.certificatePem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  listener.on("tlsClientError", () => undefined);
  return await new Promise<Handshake>((resolve, reject) => {
    const clientSocket = connect({
      socket: clientEnd,
      servername: "api.test",
      ca: authority.certificatePem,
      cert: client.certificatePem,
      key: client.privateKeyPem,
    });
    clientSocket.on("error", reject);
    listener.on("secureConnection", (serverSocket) => {
      serverSocket.on("error", () => undefined);
      const { subject } = serverSocket.getPeerCertificate();
      resolve({
        clientAuthorized: serverSocket.authorized,
        serverAuthorized: clientSocket.authorized,
        clientSubject: { ...subject },
      });
      clientSocket.destroy();
      serverSocket.destroy();
    });
    listener.emit("connection", serverEnd);
  });
}
