import { generateKeyPairSync } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CertificateAuthority, createAuthority, type IssuedCertificate, issueCertificate } from "../../src/base/x509.ts";

/** Longer than any cluster of ours lives. */
const validDays = 30;

/** The files that the components are started with, and the authority behind them. */
export interface Credentials {
  readonly authority: CertificateAuthority;
  readonly authorityPath: string;
  readonly serverCertificatePath: string;
  readonly serverKeyPath: string;
  /** The key that tokens of service accounts are signed with, and its public half, which they are checked with. */
  readonly serviceAccountKeyPath: string;
  readonly serviceAccountPublicKeyPath: string;
  /** What the API server shows to kubelets. */
  readonly kubeletClientCertificatePath: string;
  readonly kubeletClientKeyPath: string;
}

/** Makes an authority, a server certificate for this machine's loopback and `addresses` (IP), and a signing key, all new, in `folder`. */
export async function writeCredentials(folder: string, addresses: readonly string[] = []): Promise<Credentials> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = Date.now();
  const authority = createAuthority({ commonName: "nuptse control plane", validDays, now });
  const server = issueCertificate(authority, {
    commonName: "kube-apiserver",
    dnsNames: ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
    ipAddresses: ["127.0.0.1", "::1", ...addresses],
    usages: ["server"],
    validDays,
    now,
  });
  const kubeletClient = clientCertificate(authority, "kube-apiserver-kubelet-client", []);
  const serviceAccountKeys = generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const write = async (name: string, content: string) => {
    const path = join(folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  return {
    authority,
    authorityPath: await write("ca.crt", authority.certificatePem),
    serverCertificatePath: await write("server.crt", server.certificatePem),
    serverKeyPath: await write("server.key", server.privateKeyPem),
    serviceAccountKeyPath: await write("service-account.key", serviceAccountKeys.privateKey),
    serviceAccountPublicKeyPath: await write("service-account.pub", serviceAccountKeys.publicKey),
    kubeletClientCertificatePath: await write("kubelet-client.crt", kubeletClient.certificatePem),
    kubeletClientKeyPath: await write("kubelet-client.key", kubeletClient.privateKeyPem),
  };
}

/** A client certificate: the common name is the user, the organizations are the groups. */
export function clientCertificate(authority: CertificateAuthority, user: string, groups: readonly string[]): IssuedCertificate {
  return issueCertificate(authority, { commonName: user, organizations: groups, usages: ["client"], validDays, now: Date.now() });
}

/** The text of a kubeconfig (YAML) with everything inside it. */
export function kubeconfigText(server: string, authority: CertificateAuthority, user: string, client: IssuedCertificate): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return `apiVersion: v1
kind: Config
current-context: nuptse
contexts:
- name: nuptse
  context:
    cluster: nuptse
    user: ${JSON.stringify(user)}
clusters:
- name: nuptse
  cluster:
    server: ${server}
    certificate-authority-data: ${base64(authority.certificatePem)}
users:
- name: ${JSON.stringify(user)}
  user:
    client-certificate-data: ${base64(client.certificatePem)}
    client-key-data: ${base64(client.privateKeyPem)}
`;
}
