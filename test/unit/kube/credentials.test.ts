import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "../../../src/base/virtual-clock.ts";
import { createAuthority, issueCertificate } from "../../../src/base/x509.ts";
import { CredentialsError, loadCredentials } from "../../../src/kube/credentials.ts";

const now = Date.now();
const authority = createAuthority({ commonName: "authority", validDays: 1, now });
const client = issueCertificate(authority, { commonName: "someone", usages: ["client"], validDays: 1, now });
const base64 = (text: string) => Buffer.from(text).toString("base64");

const cluster = { server: "https://127.0.0.1:6443/", "certificate-authority-data": base64(authority.certificatePem) };

function kubeconfig(user: unknown, overrides: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "main",
    contexts: [{ name: "main", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user }],
    ...overrides,
  });
}

describe("kube/credentials", () => {
  let folder: string;
  let file: string;
  let clock: VirtualClock;
  const environment = { HOME: "/nowhere" };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "nuptse-credentials-"));
    file = join(folder, "config");
    clock = new VirtualClock(now);
  });
  afterEach(() => rm(folder, { recursive: true }));

  const load = (options: Partial<Parameters<typeof loadCredentials>[0]> = {}) =>
    loadCredentials({ kubeconfig: file, clock, environment, ...options });

  it("reads a token and an authority", async () => {
    await writeFile(file, kubeconfig({ token: "secret" }));
    const credentials = await load();
    assert.equal(credentials.server, "https://127.0.0.1:6443");
    assert.deepEqual(credentials.tls, { ca: authority.certificatePem });
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer secret" });
  });

  it("reads a client certificate from files beside the kubeconfig, a server name and the wish not to check", async () => {
    await writeFile(join(folder, "client.crt"), client.certificatePem);
    await writeFile(join(folder, "client.key"), client.privateKeyPem);
    const other = { server: "https://10.0.0.1:6443", "tls-server-name": "kubernetes", "insecure-skip-tls-verify": true };
    const user = { "client-certificate": "client.crt", "client-key": "client.key" };
    await writeFile(file, kubeconfig(user, { clusters: [{ name: "c", cluster: other }] }));
    const credentials = await load();
    assert.deepEqual(credentials.tls, {
      cert: client.certificatePem,
      key: client.privateKeyPem,
      servername: "kubernetes",
      rejectUnauthorized: false,
    });
    assert.deepEqual(await credentials.headers(), {});
  });

  it("tells the namespace that the context names, and none when it names none", async () => {
    const contexts = [
      { name: "main", context: { cluster: "c", user: "u", namespace: "shop" } },
      { name: "other", context: { cluster: "c", user: "u" } },
    ];
    await writeFile(file, kubeconfig({ token: "secret" }, { contexts }));
    assert.deepEqual([(await load()).namespace, (await load({ context: "other" })).namespace], ["shop", undefined]);
  });

  it("takes another context when told", async () => {
    const contexts = [
      { name: "main", context: { cluster: "c", user: "u" } },
      { name: "other", context: { cluster: "c", user: "v" } },
    ];
    const users = [
      { name: "u", user: { token: "one" } },
      { name: "v", user: { username: "a", password: "b" } },
    ];
    await writeFile(file, kubeconfig({}, { contexts, users }));
    assert.deepEqual(await (await load({ context: "other" })).headers(), { authorization: "Basic YTpi" });
  });

  it("merges the files of KUBECONFIG, of which one may be absent: the first one wins", async () => {
    const second = join(folder, "second");
    await writeFile(file, kubeconfig({ token: "first" }, { clusters: [] }));
    await writeFile(second, kubeconfig({ token: "second" }, { "current-context": "elsewhere" }));
    const credentials = await loadCredentials({ clock, environment: { KUBECONFIG: `${file}:${join(folder, "absent")}:${second}` } });
    assert.equal(credentials.server, "https://127.0.0.1:6443");
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer first" });
  });

  it("in a pod uses the service account, and reads its token anew once a minute", async () => {
    await writeFile(join(folder, "token"), "one\n");
    await writeFile(join(folder, "ca.crt"), authority.certificatePem);
    await writeFile(join(folder, "namespace"), "shop");
    const pod = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
    const credentials = await loadCredentials({ clock, environment: pod, serviceAccountFolder: folder });
    assert.deepEqual([credentials.server, credentials.namespace], ["https://[fd00::1]:443", "shop"]);
    const { tls } = credentials;
    await writeFile(join(folder, "token"), "two\n");
    await clock.runUntil(now + 59_000);
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer one" });
    await clock.runUntil(now + 60_000);
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer two" });
    assert.equal(credentials.tls, tls);
    await rm(join(folder, "token"));
    await clock.runUntil(now + 130_000);
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer two" });
  });

  it("reads everything anew when told, but not twice a second, and shows other certificates as another object", async () => {
    await writeFile(file, kubeconfig({ token: "one" }));
    const credentials = await load();
    const { tls } = credentials;
    await writeFile(
      file,
      kubeconfig({
        token: "two",
        "client-certificate-data": base64(client.certificatePem),
        "client-key-data": base64(client.privateKeyPem),
      }),
    );
    await credentials.refresh();
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer one" });
    await clock.runUntil(now + 1000);
    await credentials.refresh();
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer two" });
    assert.notEqual(credentials.tls, tls);
    assert.equal(credentials.tls.cert, client.certificatePem);
    await writeFile(file, "{ half");
    await clock.runUntil(now + 3000);
    await credentials.refresh();
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer two" });
  });

  it("asks an exec plug-in, and again after its answer was refused", async () => {
    const plugin = join(folder, "plugin.sh");
    const answer = (token: string) =>
      `#!/bin/sh\necho '${JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } })}'\n`;
    await writeFile(plugin, answer("one"));
    await chmod(plugin, 0o755);
    await writeFile(file, kubeconfig({ exec: { apiVersion: "client.authentication.k8s.io/v1", command: "./plugin.sh", args: [] } }));
    const credentials = await load();
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer one" });
    await writeFile(plugin, answer("two"));
    await clock.runUntil(now + 5000);
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer one" });
    await clock.runUntil(now + 10_000);
    await credentials.refresh();
    assert.deepEqual(await credentials.headers(), { authorization: "Bearer two" });
    assert.equal(credentials.tls.ca, authority.certificatePem);
  });

  const refused: readonly { readonly name: string; readonly text: string | undefined; readonly context?: string; readonly want: RegExp }[] =
    [
      { name: "an absent file", text: undefined, want: /^there is no kubeconfig .*config: name one with --kubeconfig or KUBECONFIG/ },
      { name: "what is not YAML", text: "clusters: [", want: /^the kubeconfig .*config is not YAML: .*; repair it or name another one/ },
      { name: "an empty file", text: "", want: /^the kubeconfig .*config is (malformed: it is not a mapping|not YAML)/ },
      { name: "a list", text: "[1]", want: /^the kubeconfig .*config is malformed: it is not a mapping with clusters, users and contexts/ },
      {
        name: "no current context",
        text: kubeconfig({}, { "current-context": "" }),
        want: /has no current-context: name one with --context \(there are: main\)/,
      },
      {
        name: "a context that is not there",
        text: kubeconfig({}),
        context: "prod",
        want: /has no context "prod": name one of main with --context/,
      },
      {
        name: "a cluster that is not there",
        text: kubeconfig({}, { clusters: [] }),
        want: /malformed: context "main" names the cluster "c", which it does not hold/,
      },
      {
        name: "a server that is no URL",
        text: kubeconfig({}, { clusters: [{ name: "c", cluster: { server: "banana" } }] }),
        want: /malformed: "banana" is not the URL of a server/,
      },
      {
        name: "an entry without a name",
        text: kubeconfig({}, { users: [{ user: {} }] }),
        want: /malformed: an entry of "users" has no name/,
      },
      {
        name: "a certificate without a key",
        text: kubeconfig({ "client-certificate-data": "YQ==" }),
        want: /a client certificate needs a client key/,
      },
      {
        name: "a certificate that is none",
        text: kubeconfig({ "client-certificate-data": "YQ==", "client-key-data": "YQ==" }),
        want: /^the certificates for the API server cannot be used \(.*\): repair the kubeconfig$/,
      },
      {
        name: "groups to be impersonated",
        text: kubeconfig({ as: "a", "as-groups": ["b"] }),
        want: /: as-groups is not supported; name a user without it$/,
      },
      {
        name: "a token file that is absent",
        text: kubeconfig({ tokenFile: "nothing" }),
        want: /^cannot read .*nothing, which the kubeconfig .*config names: ENOENT/,
      },
      {
        name: "a plug-in that is absent",
        text: kubeconfig({ exec: { command: "./nothing" } }),
        want: /^the credential plug-in of context "main" in .*config failed: spawn .*nothing ENOENT/,
      },
    ];
  for (const tc of refused) {
    it(`says in one line what is wrong: ${tc.name}`, async () => {
      if (tc.text !== undefined) await writeFile(file, tc.text);
      await assert.rejects(load(tc.context === undefined ? {} : { context: tc.context }), (error: Error) => {
        assert.ok(error instanceof CredentialsError);
        assert.match(error.message, tc.want);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    });
  }

  it("says so where there is no pod", async () => {
    await assert.rejects(load({ inCluster: true }), /^CredentialsError: this is not a pod/);
  });
});
