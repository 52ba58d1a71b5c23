/**
 * The certificates of the webhook and the order in which they change:
 *
 *   steady       one certificate is served, and its authority is told to the API server
 *   introducing  the next certificate exists and is not served; both authorities are told
 *   promoted     the next one is served; both authorities are told, since some replica may still serve the older one
 *
 * so that at any moment whatever any replica serves is signed by an authority that the API server was told of long before. Every certificate
 * has an authority of its own whose key is forgotten as soon as it has signed: nobody can sign another with what stands in the Secret.
 *
 * All here is pure but for the keys that are made.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { KubeObject } from "../api/meta.ts";
import { createAuthority, issueCertificate } from "../base/x509.ts";

/** A certificate to serve, with its key and the authority that signed it; all PEM. */
export interface ServingCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly authorityPem: string;
}

/** What the Secret holds. */
export interface CertificateRecord {
  readonly current: ServingCertificate;
  /** Introduced, and not served yet. */
  readonly next?: ServingCertificate;
  /** The authority of the certificate that was served before, PEM. */
  readonly previousAuthorityPem?: string;
}

/** A Secret with its content. */
export interface Secret extends KubeObject {
  readonly type?: string;
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** How long things last, in milliseconds. */
export interface RotationTimes {
  /** A certificate is valid for so long. */
  readonly validMs: number;
  /** The next one is introduced so long before its end. */
  readonly renewMs: number;
  /** Two authorities are told side by side for so long before the next certificate is served, and so long afterwards. */
  readonly overlapMs: number;
}

/** What is known when it is looked at. */
export interface RotationView extends RotationTimes {
  /** The API server's wall time in milliseconds. */
  readonly now: number;
  /** Host names and addresses that the certificate must answer to. */
  readonly names: readonly string[];
  /** For how long every configuration has been seen to tell of the record as it is; undefined = not all of them do. */
  readonly toldMs: number | undefined;
}

/** Peers whose clocks are behind by less take a new certificate at once. */
const backdateMs = 60 * 60 * 1000;
const dayMs = 86_400_000;

/** A new certificate under a new authority. */
export function issueServing(names: readonly string[], now: number, validMs: number): ServingCertificate {
  const common = { validDays: validMs / dayMs, now, backdateMs };
  const authority = createAuthority({ ...common, commonName: "Nuptse webhook authority" });
  const issued = issueCertificate(authority, {
    ...common,
    commonName: "nuptse-webhook",
    dnsNames: names.filter((name) => isIP(name) === 0),
    ipAddresses: names.filter((name) => isIP(name) !== 0),
    usages: ["server"],
  });
  return { ...issued, authorityPem: authority.certificatePem };
}

/** The first record, or the one after the Secret was lost. A certificate that is served meanwhile goes on until the new one is known everywhere. */
export function firstRecord(served: ServingCertificate | undefined, view: Omit<RotationView, "toldMs">): CertificateRecord {
  const fresh = issueServing(view.names, view.now, view.validMs);
  return served !== undefined && isUsable(served, view) ? { current: served, next: fresh } : { current: fresh };
}

/** What the record is to become now; undefined = nothing is to be done. */
export function rotate(record: CertificateRecord, view: RotationView): CertificateRecord | undefined {
  const { current, next, previousAuthorityPem } = record;
  const { now, names, toldMs, validMs, renewMs, overlapMs } = view;
  if (next !== undefined) {
    if (!isUsable(next, view)) return { current, next: issueServing(names, now, validMs) };
    // One that is of no use any more gives way as soon as the API server was told of the next.
    const waitMs = isUsable(current, view) ? overlapMs : 0;
    return toldMs !== undefined && toldMs >= waitMs ? { current: next, previousAuthorityPem: current.authorityPem } : undefined;
  }
  if (!isUsable(current, view)) {
    // Replicas of two versions must not take it from each other in turns, so it answers to the names of both.
    const both = [...new Set([...names, ...namesOf(current)])];
    return { current: issueServing(both, now, validMs), previousAuthorityPem: current.authorityPem };
  }
  if (previousAuthorityPem !== undefined) return toldMs !== undefined && toldMs >= overlapMs ? { current } : undefined;
  return endOf(current) - now <= renewMs ? { current, next: issueServing(names, now, validMs) } : undefined;
}

/** All authorities that the API server is to be told of, PEM. */
export function bundleOf({ current, next, previousAuthorityPem = "" }: CertificateRecord): string {
  return current.authorityPem + (next?.authorityPem ?? "") + previousAuthorityPem;
}

/** When a certificate ends, in milliseconds since the epoch. */
export const endOf = ({ certificatePem }: Pick<ServingCertificate, "certificatePem">): number =>
  new X509Certificate(certificatePem).validToDate.getTime();

/** Long enough for what is under way, and for all replicas to change over. */
function isUsable(certificate: ServingCertificate, { now, names, overlapMs }: Pick<RotationView, "now" | "names" | "overlapMs">): boolean {
  const parsed = new X509Certificate(certificate.certificatePem);
  if (parsed.validToDate.getTime() - now <= overlapMs) return false;
  const answersTo = (name: string) =>
    (isIP(name) === 0 ? parsed.checkHost(name, { subject: "never" }) : parsed.checkIP(name)) !== undefined;
  return names.every(answersTo);
}

/** "DNS:a.svc, IP Address:127.0.0.1" as a list of names. */
function namesOf({ certificatePem }: ServingCertificate): readonly string[] {
  const { subjectAltName } = new X509Certificate(certificatePem);
  return (subjectAltName ?? "").split(", ").flatMap((entry) => /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? []);
}

/** The field's names for a certificate and its authorities; `ca.crt` is what peers are to trust. */
const keys = {
  certificate: "tls.crt",
  privateKey: "tls.key",
  authority: "authority.crt",
  bundle: "ca.crt",
  nextCertificate: "next.crt",
  nextPrivateKey: "next.key",
  nextAuthority: "next-authority.crt",
  previousAuthority: "previous-authority.crt",
} as const;

/** What a Secret says; undefined = nothing that could be used, whoever wrote it. */
export function readRecord({ data = {} }: Secret): CertificateRecord | undefined {
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString("utf8");
  const current = servingOf(text(keys.certificate), text(keys.privateKey), text(keys.authority));
  const next = servingOf(text(keys.nextCertificate), text(keys.nextPrivateKey), text(keys.nextAuthority));
  if (current === undefined) return undefined;
  const previousAuthorityPem = text(keys.previousAuthority);
  return {
    current,
    ...(next !== undefined && { next }),
    ...(isCertificate(previousAuthorityPem) && { previousAuthorityPem }),
  };
}

function servingOf(certificatePem: string, privateKeyPem: string, authorityPem: string): ServingCertificate | undefined {
  if (!isCertificate(certificatePem) || !isCertificate(authorityPem)) return undefined;
  try {
    const certificate = new X509Certificate(certificatePem);
    const isWhole =
      certificate.checkPrivateKey(createPrivateKey(privateKeyPem)) && certificate.verify(new X509Certificate(authorityPem).publicKey);
    return isWhole ? { certificatePem, privateKeyPem, authorityPem } : undefined;
  } catch {
    return undefined;
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** The data of a Secret that holds the record, base64. */
export function secretData(record: CertificateRecord): Readonly<Record<string, string>> {
  const { current, next, previousAuthorityPem } = record;
  const texts = {
    [keys.certificate]: current.certificatePem,
    [keys.privateKey]: current.privateKeyPem,
    [keys.authority]: current.authorityPem,
    [keys.bundle]: bundleOf(record),
    ...(next !== undefined && {
      [keys.nextCertificate]: next.certificatePem,
      [keys.nextPrivateKey]: next.privateKeyPem,
      [keys.nextAuthority]: next.authorityPem,
    }),
    ...(previousAuthorityPem !== undefined && { [keys.previousAuthority]: previousAuthorityPem }),
  };
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]));
}
