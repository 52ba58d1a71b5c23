import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Command } from "commander";
import { loadAll } from "js-yaml";
import { ensureBinaries } from "../../hack/control-plane/binaries.ts";
import { manifestPaths, renderManifests } from "../../hack/manifests/plain-manifests.ts";
import type { KubeObject } from "../../src/api/meta.ts";
import { gatewayCommand } from "../../src/cli/gateway.ts";
import { operatorCommand } from "../../src/cli/operator.ts";
import { traceCommand } from "../../src/cli/trace.ts";
import { uninstallCommand } from "../../src/cli/uninstall.ts";
import { skipUnless } from "../support/skip.ts";
import {
  type ChartContainer,
  type ChartObject,
  chart,
  containerOf,
  find,
  objectsOf,
  refusal,
  rendered,
  requestsOf,
  root,
  type Values,
} from "./support/chart.ts";

const run = promisify(execFile);
const everything: Values = {
  operator: {
    configuration: { allowedHosts: ["alerts.example.com"], receivers: [{ name: "ops", url: "https://alerts.example.com/nuptse" }] },
    gatewayHosts: ["*.pig.example=pigs,farm", "*=*"],
    evacuationTaints: ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"],
    markEvacuatedNodes: true,
    podLabels: { team: "platform" },
    podAnnotations: { note: "x" },
    nodeSelector: { pool: "system" },
    tolerations: [{ operator: "Exists" }],
  },
  image: { repository: "registry.example/nuptse", digest: `sha256:${"a".repeat(64)}`, pullSecrets: ["pull"] },
  trace: { readers: ["group:platform"], persistence: { storageClassName: "fast" } },
  gateway: { tlsSecrets: [{ namespace: "shop", names: ["shop-tls"] }], threads: 2 },
  networkPolicy: { traceReaderNamespaces: ["console"] },
  priorityClass: { create: true },
  xxlAdmin: { enabled: true },
  monitoring: {
    serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
    prometheusRule: { enabled: true, kubeStateMetrics: true },
    dashboard: { enabled: true },
  },
};
/** Each is a way in which people install it. */
const variants: Readonly<Record<string, Values>> = {
  defaults: {},
  everything,
  "cert-manager": { certificates: { manager: "CertManager" } },
  "cert-manager with an issuer": { certificates: { manager: "CertManager", issuer: { kind: "ClusterIssuer", name: "internal" } } },
  "webhook for gates": { queueGate: "Webhook" },
  "no webhooks": { webhooks: { enabled: false } },
  "trace in PostgreSQL": { trace: { store: "postgres://nuptse@db.example:5432/nuptse", passwordSecret: { name: "db" } } },
  "trace in memory of its pod": { trace: { persistence: { enabled: false } } },
  "no trace": { trace: { enabled: false } },
  "no gateway": { gateway: { enabled: false } },
  least: {
    crds: { install: false },
    policies: { install: false },
    roles: { install: false },
    queueGate: "None",
    webhooks: { enabled: false },
    explain: { enabled: false },
    trace: { enabled: false },
    gateway: { enabled: false },
    podDisruptionBudgets: { enabled: false },
    networkPolicy: { enabled: false },
    flowControl: { enabled: false },
    uninstall: { hook: false },
  },
};
/** Kinds with a template of pods. */
const isWorkload = ({ kind }: ChartObject): boolean => kind === "Deployment" || kind === "Job";

describe("the chart as helm renders it", function () {
  this.timeout(60_000);
  const binaries = skipUnless(() => ensureBinaries(["helm", "kubectl"]));
  const helm = () => binaries().helm;

  it("passes helm lint", async () => {
    const { stdout } = await run(helm(), ["lint", "--strict", chart]);
    assert.match(stdout, /1 chart\(s\) linted, 0 chart\(s\) failed/);
  });

  it("is the same text each time, so that nobody sees a drift", async () => {
    for (const values of [{}, everything]) assert.equal(await rendered(helm(), values), await rendered(helm(), values));
  });

  const typos: readonly { readonly name: string; readonly values: Values; readonly path: RegExp }[] = [
    { name: "a key that is not there", values: { replicas: 3 }, path: /additional properties 'replicas' not allowed/ },
    { name: "a typo below a key", values: { operator: { replica: 3 } }, path: /'\/operator': additional properties 'replica' not allowed/ },
    {
      name: "a typo three deep",
      values: { trace: { persistence: { sice: "1Gi" } } },
      path: /'\/trace\/persistence': additional properties 'sice' not allowed/,
    },
    { name: "a number that is none", values: { operator: { replicas: "two" } }, path: /'\/operator\/replicas': got string, want integer/ },
    { name: "a level that there is not", values: { operator: { logLevel: "loud" } }, path: /'\/operator\/logLevel': value must be one of/ },
    { name: "a gate of another sort", values: { queueGate: "webhook" }, path: /'\/queueGate': value must be one of/ },
    { name: "a store that is no URL", values: { trace: { store: "postgres" } }, path: /'\/trace\/store': .*does not match pattern/ },
    { name: "a digest that is none", values: { image: { digest: "latest" } }, path: /'\/image\/digest': .*does not match pattern/ },
    {
      name: "Secrets without names",
      values: { gateway: { tlsSecrets: [{ namespace: "shop" }] } },
      path: /'\/gateway\/tlsSecrets\/0': missing property 'names'/,
    },
    {
      name: "gates by a webhook that is off",
      values: { queueGate: "Webhook", webhooks: { enabled: false } },
      path: /queueGate: Webhook needs webhooks\.enabled: true/,
    },
  ];
  for (const { name, values, path } of typos)
    it(`refuses ${name}, and says where`, async () => assert.match(await refusal(helm(), values), path));

  it("refuses an older Kubernetes with one line", async () => {
    const said = await refusal(helm(), {}, "--kube-version", "1.32.9");
    assert.match(said, /^Error: chart requires kubeVersion: >=1\.33\.0-0 which is incompatible with Kubernetes v1\.32\.9\n/);
  });

  for (const [name, values] of Object.entries(variants)) {
    describe(name, () => {
      let objects: readonly ChartObject[];
      before(async () => {
        objects = await objectsOf(helm(), values);
      });

      it("has each object once, and namespaced ones in the release's namespace but for what is granted in others", () => {
        const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`);
        assert.deepEqual(keys, [...new Set(keys)]);
        const elsewhere = objects.filter(({ metadata }) => ![undefined, "nuptse-system"].includes(metadata.namespace));
        assert.deepEqual(
          elsewhere.filter(({ metadata }) => metadata.name !== "nuptse-gateway-tls"),
          [],
        );
      });

      it("gives flags that the programs take", async () => {
        const commands: Readonly<Record<string, (run: () => Promise<void>) => Command>> = {
          operator: operatorCommand,
          gateway: gatewayCommand,
          trace: traceCommand,
          uninstall: uninstallCommand,
        };
        for (const { kind, spec } of objects.filter(isWorkload))
          for (const { args = [] } of spec?.template?.spec.containers ?? []) {
            const [name = "", ...flags] = args;
            if (commands[name] === undefined) continue;
            let ran = false;
            const command = commands[name](async () => {
              ran = true;
            });
            command.exitOverride().configureOutput({ writeErr: () => undefined });
            // As the kubelet would put it in.
            const typed = flags.map((flag) => flag.replace("$(POD_NAMESPACE)", "nuptse-system"));
            await command.parseAsync(typed, { from: "user" });
            assert.ok(ran, `${kind} ${name}`);
          }
      });

      it("asks for each port and each volume by a name that is there", () => {
        for (const { metadata, spec } of objects.filter(isWorkload)) {
          const { containers = [], volumes = [] } = spec?.template?.spec ?? {};
          for (const container of containers) assert.deepEqual(danglingPorts(container), [], metadata.name);
          const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map((mount) => mount.name));
          assert.deepEqual(new Set(mounted), new Set(volumes.map((volume) => volume.name)), metadata.name);
        }
      });

      it("grants no wildcard, no exec, and Secrets only by name", () => {
        for (const { metadata, rules = [] } of objects)
          for (const { apiGroups, resources, resourceNames, verbs } of rules) {
            const all = [...apiGroups, ...resources, ...verbs];
            assert.equal(all.includes("*"), false, metadata.name);
            for (const word of ["pods/exec", "pods/attach", "pods/portforward", "impersonate", "escalate", "bind"])
              assert.equal(all.includes(word), false, `${metadata.name}: ${word}`);
            if (resources.includes("secrets") && verbs.some((verb) => verb !== "create"))
              assert.ok((resourceNames?.length ?? 0) > 0, `${metadata.name}: Secrets without names`);
          }
      });

      it("runs without rights on its node", () => {
        for (const { metadata, spec } of objects.filter((object) => isWorkload(object) || object.kind === "Pod")) {
          const pod = (spec?.template?.spec ?? spec) as unknown as RestrictedPod;
          assert.equal(pod.securityContext.runAsNonRoot, true, metadata.name);
          assert.equal(pod.securityContext.seccompProfile.type, "RuntimeDefault");
          for (const { securityContext } of pod.containers)
            assert.deepEqual(securityContext, {
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"] },
            });
        }
      });
    });
  }

  it("has the definitions of crds/, which stay when it is uninstalled", async () => {
    const objects = await objectsOf(helm());
    const shipped = readdirSync(join(root, "crds"))
      .filter((name) => name.endsWith(".yaml"))
      .flatMap((name) => loadAll(readFileSync(join(root, "crds", name), "utf8")) as readonly KubeObject[])
      .filter(({ kind }) => kind === "CustomResourceDefinition");
    const byName = (one: KubeObject, other: KubeObject) => one.metadata.name.localeCompare(other.metadata.name);
    const have = objects.filter(({ kind }) => kind === "CustomResourceDefinition");
    assert.deepEqual([...have].sort(byName), [...shipped].sort(byName));
    for (const { metadata } of have) assert.equal(metadata.annotations?.["helm.sh/resource-policy"], "keep", metadata.name);
  });

  it("has the policies of crds/, written for its own account, and one who holds pods", async () => {
    const policies = async (values: Values) =>
      (await objectsOf(helm(), values)).filter(({ kind }) => /AdmissionPolicy$|^MutatingWebhookConfiguration$/.test(kind ?? ""));
    const names = (objects: readonly ChartObject[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
    const validating = [
      "nuptse-exclusive-pool",
      "nuptse-protected",
      "nuptse-queue-gate",
      "nuptse-queue-in-use",
      "nuptse-require-queue",
      "nuptse-requested-by",
      "nuptse-subdivide",
    ].map((name) => `ValidatingAdmissionPolicy ${name}`);
    const byPolicy = await policies({ queueGate: "Policy" });
    assert.deepEqual(names(byPolicy), ["MutatingAdmissionPolicy nuptse-queue-gate", ...validating].sort());
    assert.deepEqual(names(await policies({ queueGate: "Webhook" })), ["MutatingWebhookConfiguration nuptse", ...validating].sort());
    assert.deepEqual(names(await policies({ queueGate: "None", policies: { install: false } })), []);
    const text = JSON.stringify(byPolicy);
    assert.match(text, /system:serviceaccount:nuptse-system:nuptse-operator/);
    assert.doesNotMatch(text, /system:serviceaccount:nuptse:/);
  });

  it("leaves caBundle to whoever keeps the certificates, and names the Service of its own namespace", async () => {
    for (const values of [{ queueGate: "Webhook" }, { queueGate: "Webhook", certificates: { manager: "CertManager" } }]) {
      const objects = await objectsOf(helm(), values);
      const configurations = objects.filter(({ kind }) => kind?.endsWith("WebhookConfiguration"));
      assert.equal(configurations.length, 2);
      for (const configuration of configurations) {
        const [webhook] = (configuration as unknown as { webhooks: readonly { clientConfig: { service: object } }[] }).webhooks;
        assert.ok(webhook !== undefined);
        const { path: _, ...service } = webhook.clientConfig.service as { readonly path: string };
        assert.deepEqual(service, { namespace: "nuptse-system", name: "nuptse-webhook", port: 443 });
        assert.equal(JSON.stringify(configuration).includes("caBundle"), false);
        assert.deepEqual(
          configuration.metadata.annotations,
          values.certificates === undefined ? undefined : { "cert-manager.io/inject-ca-from": "nuptse-system/nuptse-webhook-tls" },
        );
      }
    }
  });

  it("tells the operator's name to all who must know it", async () => {
    const objects = await objectsOf(helm(), { image: { tag: "9.9" } });
    const user = "system:serviceaccount:nuptse-system:nuptse-operator";
    assert.ok(containerOf(objects, "nuptse-gateway", "agent").args?.includes(`--state-reader=${user}`));
    assert.ok(containerOf(objects, "nuptse-trace", "trace").args?.includes(`--writer=${user}`));
    assert.equal(containerOf(objects, "nuptse-operator", "operator").image, "nuptse:9.9");
    assert.equal(JSON.stringify(find(objects, "Service", "nuptse-explain").spec?.["ports"]), '[{"port":80,"targetPort":8091}]');
  });

  it("opens the operator to executors of XXL-JOB only where that is asked for", async () => {
    const policyOf = (objects: readonly ChartObject[]) => JSON.stringify(find(objects, "NetworkPolicy", "nuptse-operator").spec);
    const closed = await objectsOf(helm(), {});
    assert.equal(JSON.stringify(closed).includes("xxl-admin"), false);
    const open = await objectsOf(helm(), { xxlAdmin: { enabled: true } });
    assert.ok(containerOf(open, "nuptse-operator", "operator").args?.includes("--xxl-admin-address=:9998"));
    const { selector, ports } = find(open, "Service", "nuptse-xxl-admin").spec ?? {};
    assert.deepEqual([selector, ports], [{ "nuptse.dev/leader": "true" }, [{ name: "http", port: 80, targetPort: "xxl-admin" }]]);
    assert.match(policyOf(open), /"xxl-admin"/);
  });

  it("lets gateways and the trace do what docs/gateway.md and docs/trace.md say, and no more", async () => {
    const objects = await objectsOf(helm(), { gateway: { tlsSecrets: [{ namespace: "shop", names: ["shop-tls"] }] } });
    const granted = (kind: string, name: string) => requestsOf(find(objects, kind, name).rules ?? []);
    assert.deepEqual(granted("ClusterRole", "nuptse-gateway"), [
      "list nuptse.dev/runnerapps",
      "watch nuptse.dev/runnerapps",
      "list discovery.k8s.io/endpointslices",
      "watch discovery.k8s.io/endpointslices",
      "create authentication.k8s.io/tokenreviews",
    ]);
    assert.deepEqual(granted("Role", "nuptse-gateway"), ["get /pods"]);
    assert.deepEqual(granted("Role", "nuptse-gateway-tls"), ["get /secrets shop-tls"]);
    assert.deepEqual(granted("ClusterRole", "nuptse-trace"), ["create authentication.k8s.io/tokenreviews"]);
  });

  const hookOf = ({ metadata }: KubeObject) => metadata.annotations?.["helm.sh/hook"];

  it("ends with a Job before it is deleted, whose account is there only meanwhile", async () => {
    const objects = (await objectsOf(helm())).filter((object) => hookOf(object) === "pre-delete");
    assert.deepEqual(
      objects.map(({ kind, metadata }) => [kind, metadata.name, metadata.annotations?.["helm.sh/hook-weight"]]),
      [
        ["ServiceAccount", "nuptse-uninstall", "-5"],
        ["ClusterRole", "nuptse-uninstall", "-5"],
        ["ClusterRoleBinding", "nuptse-uninstall", "-5"],
        ["Role", "nuptse-uninstall", "-5"],
        ["RoleBinding", "nuptse-uninstall", "-5"],
        ["Job", "nuptse-uninstall", "0"],
      ],
    );
    for (const { metadata } of objects)
      assert.equal(metadata.annotations?.["helm.sh/hook-delete-policy"], "before-hook-creation,hook-succeeded");
    const without = await objectsOf(helm(), { uninstall: { hook: false } });
    assert.deepEqual(
      without.filter(({ metadata }) => metadata.name === "nuptse-uninstall"),
      [],
    );
  });

  it("that Job may remove every policy and webhook configuration that the chart installs, by name, and no other", async () => {
    const plural = (kind = "") =>
      kind
        .toLowerCase()
        .replace(/y$/, "ies")
        .replace(/([gn])$/, "$1s");
    const installed = [...(await objectsOf(helm(), { queueGate: "Policy" })), ...(await objectsOf(helm(), { queueGate: "Webhook" }))]
      .filter(({ apiVersion }) => apiVersion?.startsWith("admissionregistration.k8s.io/") === true)
      .map(({ kind, metadata }) => `delete admissionregistration.k8s.io/${plural(kind)} ${metadata.name}`);
    const objects = await objectsOf(helm());
    const granted = (kind: string) => requestsOf(find(objects, kind, "nuptse-uninstall").rules ?? []);
    assert.deepEqual(
      granted("ClusterRole")
        .filter((request) => request.startsWith("delete admission"))
        .sort(),
      [...new Set(installed)].sort(),
    );
    assert.deepEqual(granted("Role"), [
      "patch apps/deployments/scale nuptse-operator",
      "create coordination.k8s.io/leases",
      "get coordination.k8s.io/leases nuptse-operator",
      "update coordination.k8s.io/leases nuptse-operator",
    ]);
  });

  it("kubectl kustomize deploy/uninstall gives the same, and nothing that Helm or Argo CD take for a hook", async () => {
    const { stdout } = await run(binaries().kubectl, ["kustomize", join(root, "deploy/uninstall")]);
    const have = loadAll(stdout) as readonly KubeObject[];
    const want = (await objectsOf(helm())).filter((object) => hookOf(object) === "pre-delete");
    const plain = ({ metadata: { annotations: _, ...metadata }, ...object }: KubeObject) => ({ ...object, metadata });
    const byKind = (one: KubeObject, other: KubeObject) => (one.kind ?? "").localeCompare(other.kind ?? "");
    assert.deepEqual([...have].sort(byKind), want.map(plain).sort(byKind));
  });

  it("is what the plain manifests hold", async () => {
    const manifests = await renderManifests(root, helm());
    assert.deepEqual([...manifests.keys()].sort(), [...manifestPaths].sort());
    for (const [path, text] of manifests) assert.equal(readFileSync(join(root, path), "utf8") === text, true, `${path}: npm run manifests`);
  });

  const folders: readonly { readonly folder: string; readonly values: Values }[] = [
    { folder: "deploy/base", values: { queueGate: "Policy" } },
    { folder: "deploy/before-1.36", values: { queueGate: "Webhook" } },
  ];
  for (const { folder, values } of folders)
    it(`kubectl kustomize ${folder} gives the objects of helm, and the namespace`, async () => {
      const { stdout } = await run(binaries().kubectl, ["kustomize", join(root, folder)], { maxBuffer: 16 * 2 ** 20 });
      const byKey = (objects: readonly KubeObject[]) =>
        new Map(objects.map((object) => [`${object.kind} ${object.metadata.namespace ?? ""}/${object.metadata.name}`, object]));
      const have = byKey(loadAll(stdout) as readonly KubeObject[]);
      assert.ok(have.delete("Namespace /nuptse-system"));
      const want = byKey(await objectsOf(helm(), values, "--no-hooks"));
      assert.deepEqual([...have.keys()].sort(), [...want.keys()].sort());
      for (const [key, object] of want) assert.deepEqual(have.get(key), object, key);
    });

  it("reaches names that kustomize makes, by the configuration that it ships", async () => {
    const { stdout } = await run(binaries().kubectl, [
      "kustomize",
      join(import.meta.dirname, "testdata/kustomize"),
      "--load-restrictor=LoadRestrictionsNone",
    ]);
    const objects = loadAll(stdout) as readonly KubeObject[];
    const made = objects.find(({ kind }) => kind === "ConfigMap")?.metadata.name ?? "";
    assert.match(made, /^my-settings-[a-z0-9]{10}$/);
    const job = objects.find(({ kind }) => kind === "ElasticJob") as unknown as { spec: Record<string, Record<string, unknown>> };
    const text = JSON.stringify(job);
    assert.equal(text.split(made).length - 1, 4, text);
    assert.equal(text.includes('"job":"my-other"'), true, text);
  });
});

interface RestrictedPod {
  readonly securityContext: { readonly runAsNonRoot: boolean; readonly seccompProfile: { readonly type: string } };
  readonly containers: readonly { readonly securityContext: object }[];
}

/** Ports that probes name and the container has not. */
function danglingPorts(container: ChartContainer): readonly string[] {
  const names = new Set(container.ports?.map(({ name }) => name));
  return ["startupProbe", "livenessProbe", "readinessProbe"].flatMap((probe) => {
    const { httpGet } = (container[probe as keyof ChartContainer] ?? {}) as { readonly httpGet?: { readonly port: string } };
    return httpGet === undefined || names.has(httpGet.port) ? [] : [`${probe} ${httpGet.port}`];
  });
}
