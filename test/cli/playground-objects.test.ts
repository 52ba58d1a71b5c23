import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dump } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { freePorts } from "../../hack/control-plane/free-ports.ts";
import { eventually } from "../integration/support/eventually.ts";
import { timeLimits } from "../integration/support/time-limits.ts";
import type { Kubectl } from "./kubectl.ts";
import { usePlayground } from "./stages.ts";

const responder = (port: number): string =>
  `require("node:http").createServer((q, r) => { let b = ""; q.on("data", (c) => b += c); q.on("end", () => r.end(q.method + " " + q.url + " " + b + (q.headers.authorization ?? ""))); }).listen(${port}, "127.0.0.1", () => console.log("listening"))`;

/** Everyday objects in a playground whose containers are processes. */
describe("objects of the playground", function () {
  this.timeout(60_000);
  const stage = usePlayground({ nodes: 2, operator: true });
  let kubectl: Kubectl;
  before(() => {
    kubectl = stage().kubectl;
  });

  const create = (kind: string, name: string, spec: object, apiVersion = "v1") =>
    kubectl.ok(["create", "-f", "-"], dump({ apiVersion, kind, metadata: { name, labels: { app: name } }, spec }));
  /** Runs a pod to its end; its log. */
  async function logOf(name: string, script: string, spec: object = {}, container: object = {}): Promise<string> {
    const main = { name: "main", image: "x", command: ["sh", "-c", script], ...container };
    await create("Pod", name, { restartPolicy: "Never", containers: [main], ...spec });
    await kubectl.ok(["wait", `pod/${name}`, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s"]);
    return kubectl.ok(["logs", name]);
  }

  it("volumes hold ConfigMaps, Secrets, fields of the pod, and what containers of a pod share", async () => {
    await kubectl.ok(["create", "configmap", "colors", "--from-literal=one=red", "--from-literal=two=green"]);
    await kubectl.ok(["create", "secret", "generic", "words", "--from-literal=pass=hush"]);
    const volumes = [
      { name: "colors", configMap: { name: "colors", items: [{ key: "two", path: "deep/second" }] } },
      { name: "words", secret: { secretName: "words", defaultMode: 0o400 } },
      {
        name: "all",
        projected: {
          sources: [
            { configMap: { name: "colors" } },
            { secret: { name: "words", items: [{ key: "pass", path: "word" }] } },
            {
              downwardAPI: {
                items: [
                  { path: "name", fieldRef: { fieldPath: "metadata.name" } },
                  { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
                  { path: "cpu", resourceFieldRef: { containerName: "main", resource: "limits.cpu", divisor: "1m" } },
                ],
              },
            },
          ],
        },
      },
      { name: "scratch", emptyDir: {} },
    ];
    const volumeMounts = [
      { name: "colors", mountPath: "/etc/colors" },
      { name: "words", mountPath: "/etc/words" },
      { name: "all", mountPath: "/etc/all" },
      { name: "scratch", mountPath: "/scratch" },
    ];
    const first = { name: "first", image: "x", command: ["sh", "-c", "echo from-the-first > /scratch/note"], volumeMounts };
    const script =
      "cat /etc/colors/deep/second /etc/words/pass /etc/all/one /etc/all/word; echo; cat /etc/all/name /etc/all/labels /etc/all/cpu; echo; cat /scratch/note; stat -c %a /etc/words/pass";
    const container = { volumeMounts, resources: { limits: { cpu: "250m" } } };
    const log = await logOf("reader", script, { volumes, initContainers: [first] }, container);
    assert.equal(log, 'greenhushredhush\nreaderapp="reader"250\nfrom-the-first\n400\n');
  });

  it("a claim keeps what is in it when its pod goes", async () => {
    const claim = { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } };
    const volumeMounts = [{ name: "data", mountPath: "/data" }];
    const container = {
      name: "main",
      image: "x",
      command: ["sh", "-c", "echo start >> /data/log; cat /data/log; sleep 600"],
      volumeMounts,
    };
    const template = { metadata: { labels: { app: "kept" } }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } };
    const spec = { serviceName: "kept", selector: { matchLabels: { app: "kept" } }, template, volumeClaimTemplates: [claim] };
    await create("StatefulSet", "kept", spec, "apps/v1");
    await kubectl.ok(["rollout", "status", "sts/kept", "--timeout=30s"]);
    await kubectl.ok(["delete", "pod", "kept-0"]);
    await kubectl.ok(["wait", "pod/kept-0", "--for=create", "--timeout=30s"]);
    await kubectl.ok(["rollout", "status", "sts/kept", "--timeout=30s"]);
    assert.equal(await kubectl.ok(["logs", "kept-0"]), "start\nstart\n");
    await kubectl.ok(["delete", "sts", "kept"]);
  });

  it("a pod has a token, and may what its service account may", async () => {
    await kubectl.ok(["create", "serviceaccount", "looker"]);
    await kubectl.ok(["create", "role", "looker", "--verb=list", "--resource=configmaps"]);
    await kubectl.ok(["create", "rolebinding", "looker", "--role=looker", "--serviceaccount=default:looker"]);
    const { kubectl: tool } = await ensureBinaries(["kubectl"]);
    const script = `${tool} auth whoami -o jsonpath={.status.userInfo.username}; echo; ${tool} get configmaps -o name; ${tool} get secrets 2>&1; test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo has a token`;
    const log = await logOf("looking", `${script}; true`, { serviceAccountName: "looker" });
    assert.match(log, /^system:serviceaccount:default:looker\n/);
    assert.match(log, /configmap\/kube-root-ca\.crt\n/);
    assert.match(log, /secrets is forbidden: User "system:serviceaccount:default:looker" cannot list/);
    assert.match(log, /has a token\n$/);
    const token = (await kubectl.ok(["create", "token", "looker", "--duration=10m"])).trim();
    assert.match(await kubectl.ok(["auth", "whoami", `--token=${token}`]), /system:serviceaccounts:default/);
    assert.match(await kubectl.fails(["create", "token", "looker", "--duration=1m"]), /may not specify a duration less than 10 minutes/);
    await kubectl.ok(["delete", "serviceaccount", "looker"]);
    assert.match(await kubectl.fails(["auth", "whoami", `--token=${token}`]), /Unauthorized|must be logged in/);
    assert.match(
      await kubectl.fails(["run", "nobody", "--image=x", "--overrides", '{"spec":{"serviceAccountName":"nobody"}}']),
      /error looking up service account default\/nobody: serviceaccount "nobody" not found/,
    );
  });

  it("the proxy reaches the process behind a pod and behind a Service", async () => {
    const [port = 0] = await freePorts(1);
    const container = {
      name: "main",
      image: "x",
      command: ["node", "-e", responder(port)],
      ports: [{ name: "http", containerPort: port }],
    };
    await create("Pod", "web", { terminationGracePeriodSeconds: 0, containers: [container] });
    await kubectl.ok(
      ["create", "-f", "-"],
      dump({
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "web" },
        spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] },
      }),
    );
    await kubectl.ok(["wait", "pod/web", "--for=condition=Ready", "--timeout=20s"]);
    await kubectl.ok([
      "wait",
      "endpointslice",
      "-l",
      "kubernetes.io/service-name=web",
      "--for=jsonpath={.endpoints[0].conditions.ready}=true",
      "--timeout=20s",
    ]);
    const base = "/api/v1/namespaces/default";
    // the process may listen a moment after it is said to run
    await eventually("it to listen", timeLimits.reaction, async () => (await kubectl.ok(["logs", "web"])).includes("listening"));
    // kubectl adds the time that it waits to every query
    const raw = async (path: string) => (await kubectl.ok(["get", "--raw", `${base}/${path}`])).replace(/[?&]timeout=30s/, "");
    assert.equal(await raw("pods/web/proxy/a?b=c"), "GET /a?b=c ");
    assert.equal(await raw(`pods/http:web:${port}/proxy/`), "GET / ");
    assert.equal(await raw("services/web/proxy/a/b"), "GET /a/b ");
    assert.match(await kubectl.ok(["create", "--raw", `${base}/services/web:80/proxy/x`, "-f", "-"], "hello"), /^POST \/x\S* hello$/);
    assert.match(await kubectl.fails(["get", "--raw", `${base}/services/web:81/proxy/`]), /no service port 81 found for service "web"/);
    assert.match(await kubectl.fails(["get", "--raw", `${base}/services/nobody/proxy/`]), /services "nobody" not found/);
    await kubectl.ok(["delete", "pod", "web"]);
    assert.match(await kubectl.fails(["get", "--raw", `${base}/services/web/proxy/`]), /no endpoints available|error trying to reach/);
  });

  it("jobs, cron jobs and daemon sets run", async () => {
    await kubectl.ok(["create", "job", "hello", "--image=x", "--", "echo", "hello"]);
    await kubectl.ok(["wait", "job/hello", "--for=condition=Complete", "--timeout=30s"]);
    assert.equal(await kubectl.ok(["logs", "job/hello"]), "hello\n");
    await kubectl.ok(["create", "cronjob", "often", "--image=x", "--schedule=* * * * *", "--", "echo", "again"]);
    await kubectl.ok(["create", "job", "now", "--from=cronjob/often"]);
    await kubectl.ok(["wait", "job/now", "--for=condition=Complete", "--timeout=30s"]);
    const container = { name: "main", image: "x", command: ["sleep", "600"] };
    const template = { metadata: { labels: { app: "everywhere" } }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } };
    await create("DaemonSet", "everywhere", { selector: { matchLabels: { app: "everywhere" } }, template }, "apps/v1");
    await kubectl.ok(["rollout", "status", "ds/everywhere", "--timeout=30s"]);
    assert.match(await kubectl.ok(["get", "ds,job,cj"]), /daemonset\.apps\/everywhere +2 +2 +2 +2 +2 /);
  });

  it("our own webhooks judge, as they ship", async () => {
    await kubectl.ok(["create", "namespace", "nuptse"]);
    const manifest = await readFile(new URL("../../crds/optional/webhooks.yaml", import.meta.url), "utf8");
    await kubectl.ok(["apply", "--server-side", "--namespace=nuptse", "-f", "-"], manifest);
    for (const kind of ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"])
      await kubectl.ok(["wait", `${kind}/nuptse`, "--for=jsonpath={.webhooks[0].clientConfig.caBundle}", "--timeout=30s"]);
    const job = (crons: readonly string[]) =>
      dump({
        apiVersion: "nuptse.dev/v1alpha1",
        kind: "ElasticJob",
        metadata: { name: "judged" },
        spec: { schedule: { crons }, template: { spec: { containers: [{ name: "main", image: "busybox" }] } } },
      });
    assert.match(
      await kubectl.fails(["create", "-f", "-"], job(["61 * * * *"])),
      /spec\.schedule\.crons\[0\]: minute, character 1: 61 is out of range/,
    );
    await kubectl.ok(["create", "-f", "-"], job(["0 3 * * *"]));
    const queued = { metadata: { name: "queued", labels: { "nuptse.dev/queue": "somewhere" } } };
    const spec = { containers: [{ name: "main", image: "x", command: ["true"] }] };
    await kubectl.ok(["create", "-f", "-"], dump({ apiVersion: "v1", kind: "Pod", ...queued, spec }));
    assert.match(await kubectl.ok(["get", "pod", "queued", "-o", "jsonpath={.spec.schedulingGates[*].name}"]), /nuptse\.dev/);
  });
});
