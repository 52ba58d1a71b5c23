/**
 * A small issuer of X.509 certificates (RFC 5280): one authority, certificates for servers and clients below it, ECDSA on P-256 with SHA-256.
 * What it writes is what OpenSSL, Go and Node ask for: version 3, subject alternative names, key usages, basic constraints, key identifiers.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import {
  derBitString,
  derContextConstructed,
  derContextPrimitive,
  derInteger,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  derSetOf,
  derTime,
  derTrue,
  derUtf8String,
  readDerElements,
} from "./der.ts";

/** A certificate and its private key, both PEM (the key PKCS #8). */
export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** A certificate that may sign others, with its key. Also one from elsewhere, if its key is ECDSA. */
export type CertificateAuthority = IssuedCertificate;

/** What a certificate may be used for in TLS. */
export type CertificateUsage = "server" | "client";

/** What to put into a new authority. */
export interface AuthorityRequest {
  readonly commonName: string;
  readonly validDays: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** See CertificateRequest. */
  readonly backdateMs?: number;
}

/** What to put into a new certificate. */
export interface CertificateRequest {
  /** The subject's name; for Kubernetes the user. */
  readonly commonName: string;
  /** The subject's organizations; for Kubernetes the groups. */
  readonly organizations?: readonly string[];
  /** Host names that a server answers to; `*.` in front stands for one label. */
  readonly dnsNames?: readonly string[];
  /** IPv4 and IPv6 addresses that a server answers to. */
  readonly ipAddresses?: readonly string[];
  readonly usages: readonly CertificateUsage[];
  /** Cut short where the authority itself ends sooner. */
  readonly validDays: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** How long before now it begins to be valid, in milliseconds, for peers whose clocks are behind; absent = 5 minutes. */
  readonly backdateMs?: number;
  /** Positive, at most 20 bytes; 128 random bits if absent. */
  readonly serial?: bigint;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const BACKDATE_MS = 5 * 60 * 1000;

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAlternativeName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** The bits of KeyUsage (RFC 5280, 4.2.1.3), bit 0 first, with the count of bits that do not count at the end. */
const KEY_USAGE_SIGN_CERTIFICATES = derBitString(Uint8Array.of(0b1000_0110), 1);
const KEY_USAGE_DIGITAL_SIGNATURE = derBitString(Uint8Array.of(0b1000_0000), 7);

interface Template {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serial: bigint;
  readonly extensions: readonly Buffer[];
}

/** A new self-signed authority with a new key. Throws RangeError on an empty name or a validity that is not positive. */
export function createAuthority(request: AuthorityRequest): CertificateAuthority {
  const keys = newKeys();
  const subject = distinguishedName(request.commonName, []);
  const keyIdentifier = keyIdentifierOf(keys.publicKey);
  return certificate(keys.privateKey, {
    subject,
    issuer: subject,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    notBefore: request.now - (request.backdateMs ?? BACKDATE_MS),
    notAfter: endOfValidity(request),
    serial: randomSerial(),
    extensions: [
      extension(OID.basicConstraints, true, derSequence(derTrue())),
      extension(OID.keyUsage, true, KEY_USAGE_SIGN_CERTIFICATES),
      extension(OID.subjectKeyIdentifier, false, derOctetString(keyIdentifier)),
      extension(OID.authorityKeyIdentifier, false, derSequence(derContextPrimitive(0, keyIdentifier))),
    ],
  });
}

/**
 * A new certificate with a new key, signed by `authority`.
 * Throws RangeError for an empty name, no usage, an address or a host name that is none, a serial out of range, and an authority whose key is not ECDSA.
 */
export function issueCertificate(authority: CertificateAuthority, request: CertificateRequest): IssuedCertificate {
  if (request.usages.length === 0) throw new RangeError(`a certificate for ${request.commonName} needs at least one usage`);
  const signingKey = createPrivateKey(authority.privateKeyPem);
  if (signingKey.asymmetricKeyType !== "ec") throw new RangeError(`the authority's key is ${signingKey.asymmetricKeyType}, not ec`);
  const issuer = new X509Certificate(authority.certificatePem);
  const keys = newKeys();
  const alternativeNames = [...(request.dnsNames ?? []).map(dnsName), ...(request.ipAddresses ?? []).map(ipAddress)];
  return certificate(keys.privateKey, {
    subject: distinguishedName(request.commonName, request.organizations ?? []),
    issuer: subjectOf(issuer),
    publicKey: keys.publicKey,
    signingKey,
    notBefore: request.now - (request.backdateMs ?? BACKDATE_MS),
    notAfter: Math.min(endOfValidity(request), issuer.validToDate.getTime()),
    serial: checkedSerial(request.serial ?? randomSerial()),
    extensions: [
      extension(OID.basicConstraints, true, derSequence()),
      extension(OID.keyUsage, true, KEY_USAGE_DIGITAL_SIGNATURE),
      extension(OID.extendedKeyUsage, false, derSequence(...request.usages.map(usageIdentifier))),
      extension(OID.subjectKeyIdentifier, false, derOctetString(keyIdentifierOf(keys.publicKey))),
      extension(OID.authorityKeyIdentifier, false, derSequence(derContextPrimitive(0, issuerKeyIdentifier(issuer)))),
      ...(alternativeNames.length === 0 ? [] : [extension(OID.subjectAlternativeName, false, derSequence(...alternativeNames))]),
    ],
  });
}

function certificate(privateKey: KeyObject, template: Template): IssuedCertificate {
  const algorithm = derSequence(derObjectIdentifier(OID.ecdsaWithSha256));
  const body = derSequence(
    derContextConstructed(0, derInteger(2n)),
    derInteger(template.serial),
    algorithm,
    template.issuer,
    derSequence(derTime(template.notBefore), derTime(template.notAfter)),
    template.subject,
    template.publicKey.export({ type: "spki", format: "der" }),
    derContextConstructed(3, derSequence(...template.extensions)),
  );
  const signature = sign("sha256", body, { key: template.signingKey, dsaEncoding: "der" });
  return {
    certificatePem: pem("CERTIFICATE", derSequence(body, algorithm, derBitString(signature))),
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function newKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

function randomSerial(): bigint {
  // the topmost bit set below the sign bit keeps the length fixed and the number positive
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return BigInt(`0x${bytes.toString("hex")}`);
}

function checkedSerial(serial: bigint): bigint {
  if (serial <= 0n || serial >= 1n << 159n) throw new RangeError(`the serial ${serial} is not positive or longer than 20 bytes`);
  return serial;
}

function endOfValidity(request: { readonly now: number; readonly validDays: number; readonly commonName: string }): number {
  if (!(request.validDays > 0))
    throw new RangeError(`a certificate for ${request.commonName} cannot be valid for ${request.validDays} days`);
  return request.now + request.validDays * DAY_MS;
}

function distinguishedName(commonName: string, organizations: readonly string[]): Buffer {
  if (commonName === "") throw new RangeError("a certificate needs a common name");
  return derSequence(
    ...organizations.map((organization) => nameAttribute(OID.organization, organization)),
    nameAttribute(OID.commonName, commonName),
  );
}

function nameAttribute(identifier: string, value: string): Buffer {
  return derSetOf(derSequence(derObjectIdentifier(identifier), derUtf8String(value)));
}

function extension(identifier: string, critical: boolean, value: Uint8Array): Buffer {
  return derSequence(derObjectIdentifier(identifier), ...(critical ? [derTrue()] : []), derOctetString(value));
}

function usageIdentifier(usage: CertificateUsage): Buffer {
  return derObjectIdentifier(usage === "server" ? OID.serverAuth : OID.clientAuth);
}

function dnsName(name: string): Buffer {
  if (!/^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(name)) throw new RangeError(`"${name}" is not a host name`);
  return derContextPrimitive(2, Buffer.from(name, "latin1"));
}

function ipAddress(address: string): Buffer {
  return derContextPrimitive(7, Buffer.from(isIPv4(address) ? address.split(".").map(Number) : ipv6Bytes(address)));
}

function ipv6Bytes(address: string): readonly number[] {
  if (!isIPv6(address) || address.includes("%")) throw new RangeError(`"${address}" is not an IP address`);
  const [before = "", after] = address.split("::");
  const head = ipv6Groups(before);
  const tail = ipv6Groups(after ?? "");
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

function ipv6Groups(groups: string): readonly number[] {
  if (groups === "") return [];
  return groups.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** RFC 5280, 4.2.1.2, method 1: SHA-1 over the bits of the public key, as an identifier and not as a proof. */
function keyIdentifierOf(publicKey: KeyObject): Buffer {
  const [info] = readDerElements(publicKey.export({ type: "spki", format: "der" }));
  const bits = readDerElements(info?.contents ?? Buffer.alloc(0))[1]?.contents ?? Buffer.alloc(0);
  return createHash("sha1").update(bits.subarray(1)).digest();
}

/** The fields of the part of a certificate that is signed, without the version that stands in front. */
function signedFields(certificate: X509Certificate): ReturnType<typeof readDerElements> {
  const [whole] = readDerElements(certificate.raw);
  const [body] = readDerElements(whole?.contents ?? Buffer.alloc(0));
  return readDerElements(body?.contents ?? Buffer.alloc(0)).filter((field) => field.tag !== 0xa0);
}

/** The subject exactly as it was encoded: issuer and subject are compared byte by byte. */
function subjectOf(certificate: X509Certificate): Buffer {
  const subject = signedFields(certificate)[4];
  if (subject === undefined) throw new RangeError("the authority's certificate has no subject");
  return subject.encoded;
}

/** The identifier that the issuer's certificate gives its key; computed where it gives none. */
function issuerKeyIdentifier(issuer: X509Certificate): Buffer {
  const wanted = derObjectIdentifier(OID.subjectKeyIdentifier);
  const list = signedFields(issuer).find((field) => field.tag === 0xa3);
  for (const entry of readDerElements(readDerElements(list?.contents ?? Buffer.alloc(0))[0]?.contents ?? Buffer.alloc(0))) {
    const parts = readDerElements(entry.contents);
    if (parts[0]?.encoded.equals(wanted) !== true) continue;
    const identifier = readDerElements(parts.at(-1)?.contents ?? Buffer.alloc(0))[0];
    if (identifier !== undefined) return identifier.contents;
  }
  return keyIdentifierOf(createPublicKey(issuer.publicKey));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
