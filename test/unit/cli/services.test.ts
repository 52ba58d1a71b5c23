import assert from "node:assert/strict";
import { settingsOf } from "../../../src/cli/gateway.ts";
import { nuptse } from "./program-double.ts";

const webhookDefaults = {
  webhookService: "nuptse-webhook",
  webhookSecret: "nuptse-webhook-tls",
  webhookValidatingConfiguration: "nuptse",
  webhookMutatingConfiguration: "nuptse",
  // 90 days, 30 days before the end, 10 minutes.
  webhookCertificateSeconds: { validMs: 7_776_000_000, renewMs: 2_592_000_000, overlapMs: 600_000 },
};

const publishingDefaults = {
  gatewayOpenPorts: { first: 21_000, last: 23_999 },
  gatewayRestrictedPorts: { first: 24_000, last: 26_999 },
  gatewayStatePort: 8091,
  gatewayStateServerName: "nuptse-gateway",
};

describe("cli/operator", () => {
  it("has defaults for everything", async () => {
    const outcome = await nuptse(["operator"]);
    assert.equal(outcome.code, 0);
    assert.deepEqual(outcome.operator, [
      {
        lease: { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
        maxClockSkewMs: 30_000,
        retainedPods: 4000,
        metricsAddress: { host: "127.0.0.1", port: 8080 },
        concurrency: 32,
        evacuationTaints: [],
        markEvacuatedNodes: false,
        appsAgreeing: 3,
        trace: { kind: "none" },
        traceRetentionDays: 30,
        traceMaxRows: 10_000_000,
        ...webhookDefaults,
        ...publishingDefaults,
        logLevel: "info",
      },
    ]);
  });

  it("hands on what was typed", async () => {
    const outcome = await nuptse([
      ...["operator", "--kubeconfig", "/tmp/k", "--context", "c", "--lease-namespace", "n", "--lease-seconds", "3/2/0.5"],
      ...["--max-clock-skew", "0", "--retained-pods", "10", "--metrics-address", "[::1]:9", "--concurrency", "1"],
      ...[
        "--evacuation-taints",
        "ToBeDeletedByClusterAutoscaler, karpenter.sh/disrupted",
        "--mark-evacuated-nodes",
        "--apps-agreeing",
        "0",
      ],
      ...["--explain-address", ":8091", "--pod", "nuptse-7d9f.x"],
      ...["--deployment", "nuptse", "--trace", "postgres://n@db/n", "--trace-password-file", "/p", "--trace-token-file", "/t"],
      ...["--trace-ca-file", "/c", "--trace-retention-days", "7", "--trace-max-rows", "5000"],
      ...["--webhook-bind-address", ":9443", "--webhook-service", "hooks", "--webhook-host", "10.0.0.7, hooks.example.org"],
      ...["--webhook-secret", "certs", "--webhook-validating-configuration", "v", "--webhook-mutating-configuration", "m"],
      ...["--webhook-certificate-seconds", "3600/60/10", "--webhook-tls-cert-file", "/w.crt", "--webhook-tls-key-file", "/w.key"],
      ...["--certificate=trace-tls=trace.n.svc,trace.example", "--certificate", "gateway-tls=gateway"],
      ...["--gateway-namespace", "edge", "--gateway-open-ports", "2000-2999", "--gateway-restricted-ports", "3000-3999"],
      ...[
        "--gateway-host",
        "*.pig.example=pigs,farm",
        "--gateway-host",
        "*=*",
        "--gateway-state-port",
        "1",
        "--gateway-state-ca-file",
        "/g",
      ],
      ...["--gateway-state-server-name", "edge", "--gateway-state-token-file", "/h"],
      ...["--log-level", "debug", "--log-format", "json"],
    ]);
    assert.equal(outcome.code, 0);
    assert.deepEqual(outcome.operator, [
      {
        kubeconfig: "/tmp/k",
        context: "c",
        leaseNamespace: "n",
        lease: { durationMs: 3000, renewDeadlineMs: 2000, retryMs: 500 },
        maxClockSkewMs: 0,
        retainedPods: 10,
        metricsAddress: { host: "::1", port: 9 },
        explainAddress: { host: "0.0.0.0", port: 8091 },
        pod: "nuptse-7d9f.x",
        concurrency: 1,
        evacuationTaints: ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"],
        markEvacuatedNodes: true,
        appsAgreeing: 0,
        deployment: "nuptse",
        trace: { kind: "postgres", url: "postgres://n@db/n" },
        tracePasswordFile: "/p",
        traceTokenFile: "/t",
        traceCaFile: "/c",
        traceRetentionDays: 7,
        traceMaxRows: 5000,
        webhookBindAddress: { host: "0.0.0.0", port: 9443 },
        webhookService: "hooks",
        webhookHost: ["10.0.0.7", "hooks.example.org"],
        webhookSecret: "certs",
        webhookValidatingConfiguration: "v",
        webhookMutatingConfiguration: "m",
        webhookCertificateSeconds: { validMs: 3_600_000, renewMs: 60_000, overlapMs: 10_000 },
        webhookTlsCertFile: "/w.crt",
        webhookTlsKeyFile: "/w.key",
        certificate: [
          { secret: "trace-tls", names: ["trace.n.svc", "trace.example"] },
          { secret: "gateway-tls", names: ["gateway"] },
        ],
        gatewayNamespace: "edge",
        gatewayOpenPorts: { first: 2000, last: 2999 },
        gatewayRestrictedPorts: { first: 3000, last: 3999 },
        gatewayHost: [
          { pattern: "*.pig.example", namespaces: ["pigs", "farm"] },
          { pattern: "*", namespaces: ["*"] },
        ],
        gatewayStatePort: 1,
        gatewayStateCaFile: "/g",
        gatewayStateServerName: "edge",
        gatewayStateTokenFile: "/h",
        logLevel: "debug",
        logFormat: "json",
      },
    ]);
  });

  it("shows defaults as they are typed", async () => {
    const outcome = await nuptse(["operator", "--help"]);
    assert.equal(outcome.code, 0);
    const help = outcome.results.join("\n").replaceAll(/\s+/g, " ");
    for (const text of [
      "(default: 15/10/2)",
      "(default: 30)",
      "(default: 127.0.0.1:8080)",
      "(default: 4000)",
      "(default: 7776000/2592000/600)",
    ]) {
      assert.ok(help.includes(text), `${text} in ${help}`);
    }
  });

  const refused = [
    { name: "a renew deadline as long as the lease", args: ["--lease-seconds", "15/15/2"], want: /--lease-seconds.*15\/10\/2/ },
    { name: "a lease of parts of a second", args: ["--lease-seconds", "1.5/1/0.5"], want: /whole seconds first/ },
    { name: "two durations", args: ["--lease-seconds", "15/10"], want: /--lease-seconds/ },
    { name: "a negative skew", args: ["--max-clock-skew", "-1"], want: /--max-clock-skew/ },
    { name: "seconds with a unit", args: ["--max-clock-skew", "30s"], want: /without a unit/ },
    { name: "an address without a port", args: ["--metrics-address", "localhost"], want: /such as 127\.0\.0\.1:8080/ },
    { name: "a port beyond 65535", args: ["--metrics-address", ":70000"], want: /--metrics-address/ },
    {
      name: "an address of explanations without a port",
      args: ["--explain-address", "8091"],
      want: /--explain-address.*such as 127\.0\.0\.1:8080/,
    },
    { name: "a pod with its namespace", args: ["--pod", "nuptse-system/nuptse-0"], want: /--pod.*without its namespace/ },
    { name: "no concurrency", args: ["--concurrency", "0"], want: /from 1 to 1000/ },
    { name: "a trace that is no store", args: ["--trace", "mysql://x"], want: /--trace.*sqlite:<path>/ },
    { name: "a PostgreSQL without a database", args: ["--trace", "postgres://n@db"], want: /must name a database/ },
    { name: "a trace kept for no day", args: ["--trace-retention-days", "0"], want: /from 1 to 3650/ },
    { name: "a webhook without a port", args: ["--webhook-bind-address", "localhost"], want: /such as 127\.0\.0\.1:8080/ },
    {
      name: "a webhook's Service where none is served",
      args: ["--webhook-service", "hooks"],
      want: /^error: --webhook-service has no effect without --webhook-bind-address/,
    },
    {
      name: "a webhook's certificate without its key",
      args: ["--webhook-bind-address", ":1", "--webhook-tls-cert-file", "/w.crt"],
      want: /^error: --webhook-tls-cert-file and --webhook-tls-key-file belong together/,
    },
    { name: "a certificate for nobody", args: ["--certificate", "trace-tls"], want: /--certificate.*an equals sign, and host names/ },
    { name: "a certificate in no Secret", args: ["--certificate", "=trace"], want: /--certificate.*lower-case letters/ },
    {
      name: "durations of certificates where none is kept",
      args: ["--webhook-certificate-seconds", "3600/60/10"],
      want: /has no effect without --webhook-bind-address/,
    },
    {
      name: "a webhook's host that is none",
      args: ["--webhook-bind-address", ":1", "--webhook-host", "a,b_c"],
      want: /--webhook-host.*with commas between/,
    },
    {
      name: "a Secret that cannot be one",
      args: ["--webhook-bind-address", ":1", "--webhook-secret", "My_Secret"],
      want: /--webhook-secret.*lower-case letters/,
    },
    {
      name: "a certificate that is renewed after its end",
      args: ["--webhook-bind-address", ":1", "--webhook-certificate-seconds", "60/60/1"],
      want: /--webhook-certificate-seconds.*7776000\/2592000\/600/,
    },
    {
      name: "a certificate that ends before it is replaced",
      args: ["--webhook-bind-address", ":1", "--webhook-certificate-seconds", "60/20/10"],
      want: /more than twice the third/,
    },
    { name: "an unknown log level", args: ["--log-level", "trace"], want: /Allowed choices are debug, info, warn, error/ },
    { name: "an argument that it does not take", args: ["now"], want: /too many arguments/ },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name} with exit code 2 and one line`, async () => {
      const outcome = await nuptse(["operator", ...tc.args]);
      assert.deepEqual({ code: outcome.code, lines: outcome.notes.length, started: outcome.operator }, { code: 2, lines: 1, started: [] });
      assert.match(outcome.notes[0] ?? "", tc.want);
      assert.doesNotMatch(outcome.notes[0] ?? "", /\n/);
    });
  }
});

describe("cli/playground", () => {
  it("user takes a name, roles, a namespace and the kubeconfig of the playground", async () => {
    const outcome = await nuptse([
      "playground",
      "user",
      "alice",
      "--role",
      "job-operator",
      "queue-viewer",
      "-n",
      "shop",
      "--kubeconfig",
      "k.yaml",
    ]);
    assert.equal(outcome.code, 0);
    assert.deepEqual(outcome.users, [{ name: "alice", role: ["job-operator", "queue-viewer"], namespace: "shop", kubeconfig: "k.yaml" }]);
    assert.deepEqual(outcome.playground, []);
  });

  it("has defaults for everything", async () => {
    const outcome = await nuptse(["playground"]);
    assert.equal(outcome.code, 0);
    const capacity = { cpu: "8", memory: "32Gi", pods: "110" };
    const nodes = [1, 2, 3, 4].map((number) => ({ name: `node-${number}`, capacity }));
    assert.deepEqual(outcome.playground, [
      { kubelet: "process", port: 0, nodes, policies: false, operator: true, speed: 1, logLevel: "warn" },
    ]);
  });

  it("hands on what was typed", async () => {
    const args = [
      "playground",
      "--kubelet",
      "stages",
      "--port",
      "6443",
      ...["--nodes", "1", "--node-cpu", "4", "--node-memory", "8Gi", "--node-pods", "20", "--node-resource", "example.com/fpga=1"],
      ...["--node-label", "disk=ssd", "--kubeconfig-out", "k.yaml", "--policies", "--no-operator", "--save", "s"],
      ...["--haproxy", "/opt/haproxy"],
    ];
    const outcome = await nuptse(args);
    const capacity = { cpu: "4", memory: "8Gi", pods: "20", "example.com/fpga": "1" };
    assert.deepEqual(outcome.playground, [
      {
        kubelet: "stages",
        port: 6443,
        nodes: [{ name: "node-1", capacity, labels: { disk: "ssd" } }],
        kubeconfigOut: "k.yaml",
        policies: true,
        operator: false,
        haproxy: "/opt/haproxy",
        save: "s",
        speed: 1,
        logLevel: "warn",
      },
    ]);
  });

  it("groups of nodes differ from the usual ones in what they say", async () => {
    const outcome = await nuptse([
      ...["playground", "--nodes", "0", "--node-cpu", "4", "--node-label", "zone=a"],
      ...["--node-group", "gpu=2,cpu=16,nvidia.com/gpu=8,label.zone=b,taint.dedicated=gpu:NoSchedule,taint.new=NoExecute"],
      ...["--node-group", "small=1,pods=5"],
    ]);
    const gpu = {
      capacity: { cpu: "16", memory: "32Gi", pods: "110", "nvidia.com/gpu": "8" },
      labels: { zone: "b" },
      taints: [
        { key: "dedicated", value: "gpu", effect: "NoSchedule" },
        { key: "new", effect: "NoExecute" },
      ],
    };
    assert.deepEqual(outcome.playground[0]?.nodes, [
      { name: "gpu-1", ...gpu },
      { name: "gpu-2", ...gpu },
      { name: "small-1", capacity: { cpu: "4", memory: "32Gi", pods: "5" }, labels: { zone: "a" } },
    ]);
  });

  it("what is loaded brings its nodes", async () => {
    const [options] = (await nuptse(["playground", "--load", "s"])).playground;
    assert.deepEqual({ load: options?.load, nodes: options?.nodes }, { load: "s", nodes: undefined });
  });

  it("time runs faster where pods only play", async () => {
    for (const text of ["60x", "60"])
      assert.equal((await nuptse(["playground", "--kubelet", "stages", "--speed", text])).playground[0]?.speed, 60);
  });

  it("breaks what is named, or asks", async () => {
    const broken = async (...args: readonly string[]) => (await nuptse(["playground", ...args])).playground[0]?.break;
    assert.deepEqual(await broken("--break", "kill-node, crash-operator"), ["kill-node", "crash-operator"]);
    assert.equal(await broken("--break"), "menu");
    assert.equal(await broken(), undefined);
  });

  const refused: readonly { readonly args: string; readonly want: RegExp }[] = [
    { args: "--nodes 0", want: /--nodes: 0, and no --node-group, leave nothing to run on/ },
    { args: "--nodes many", want: /'--nodes <count>'.*Write a whole number from 0 to 10000/ },
    { args: "--node-cpu lots", want: /'--node-cpu <quantity>'.*lots/ },
    { args: "--node-label =x", want: /Write a label such as/ },
    { args: "--node-group gpu", want: /Begin with a name and how many/ },
    { args: "--node-group GPU=1", want: /Begin with a name and how many/ },
    { args: "--node-group node=1", want: /nodes of the name node already/ },
    { args: "--node-group a=1 --node-group a=2", want: /nodes of the name a already/ },
    { args: "--node-group a=1,cpu", want: /'--node-group <group>'/ },
    { args: "--node-group a=1,label.=x", want: /Write a label such as/ },
    { args: "--node-group a=1,taint.x=y", want: /Write a taint such as .*NoSchedule, PreferNoSchedule, NoExecute/ },
    { args: "--load s --nodes 3", want: /'--load <file>' cannot be used with option '--nodes <count>'/ },
    { args: "--load s --node-group a=1", want: /'--load <file>' cannot be used with option '--node-group <group>'/ },
    { args: "--speed 60x", want: /--speed: processes take the time that they take; add --kubelet stages/ },
    { args: "--speed 60x --kubelet stages --no-operator", want: /--speed: .* leave out --no-operator/ },
    { args: "--speed 0.5x --kubelet stages", want: /from 1x to 600x/ },
    { args: "--break everything", want: /Write some of kill-node, lose-watch, crash-operator/ },
  ];
  for (const { args, want } of refused) {
    it(`refuses ${args}`, async () => {
      const outcome = await nuptse(["playground", ...args.split(" ")]);
      assert.deepEqual(
        { code: outcome.code, lines: outcome.notes.length, asked: outcome.playground.length },
        { code: 2, lines: 1, asked: 0 },
      );
      assert.match(outcome.notes[0] ?? "", want);
    });
  }

  it("refuses a kubelet that is not there with exit code 2 and one line", async () => {
    const outcome = await nuptse(["playground", "--kubelet", "docker"]);
    assert.deepEqual({ code: outcome.code, lines: outcome.notes.length }, { code: 2, lines: 1 });
  });
});

describe("cli/trace", () => {
  it("hands on what was typed, with defaults for the rest", async () => {
    const outcome = await nuptse(["trace", "--data-dir", "/data", "--writer", "system:serviceaccount:a:b", "--reader", "group:c", "d"]);
    assert.deepEqual(outcome.trace, [
      {
        dataDir: "/data",
        listen: { host: "127.0.0.1", port: 8090 },
        writer: ["system:serviceaccount:a:b"],
        reader: ["group:c", "d"],
        traceRetentionDays: 30,
        traceMaxRows: 10_000_000,
        logLevel: "info",
      },
    ]);
  });

  const refused = [
    { name: "no folder", args: ["--writer", "a"], want: /--data-dir/ },
    { name: "nobody who may use it", args: ["--data-dir", "/d"], want: /--writer/ },
    { name: "a certificate without its key", args: ["--data-dir", "/d", "--writer", "a", "--tls-cert-file", "c"], want: /belong together/ },
    { name: "a subject with a blank", args: ["--data-dir", "/d", "--writer", "a b"], want: /without blanks/ },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name} with exit code 2 and one line`, async () => {
      const outcome = await nuptse(["trace", ...tc.args]);
      assert.deepEqual({ code: outcome.code, lines: outcome.notes.length, started: outcome.trace }, { code: 2, lines: 1, started: [] });
      assert.match(outcome.notes[0] ?? "", tc.want);
    });
  }
});

describe("cli/gateway", () => {
  it("has defaults for all but the folder", async () => {
    const outcome = await nuptse(["gateway", "--folder", "/run/gateway/"]);
    assert.deepEqual(outcome.notes, []);
    assert.deepEqual(outcome.gateway, [
      {
        folder: "/run/gateway",
        haproxy: "haproxy",
        openPorts: { first: 21_000, last: 23_999 },
        restrictedPorts: { first: 24_000, last: 26_999 },
        httpPort: 8080,
        httpsPort: 8443,
        maxConnections: 20_000,
        gateways: 2,
        hardStopAfter: 600,
        sparePorts: 100,
        metricsAddress: { host: "127.0.0.1", port: 8092 },
        stateAddress: { host: "127.0.0.1", port: 8091 },
        stateReader: [],
        logLevel: "info",
      },
    ]);
  });

  it("makes settings of what was typed", async () => {
    const flags = [
      "--bind",
      "::",
      "10.0.0.1",
      "--haproxy-metrics",
      "[::1]:9",
      "--threads",
      "2",
      "--gateways",
      "3",
      "--open-ports",
      "2000-2999",
    ];
    const [options] = (await nuptse(["gateway", "--folder", "/g", ...flags])).gateway;
    assert.deepEqual(settingsOf(options as NonNullable<typeof options>), {
      folder: "/g",
      bind: ["::", "10.0.0.1"],
      pools: [
        { first: 2000, last: 2999 },
        { first: 24_000, last: 26_999 },
      ],
      httpPort: 8080,
      httpsPort: 8443,
      metricsBind: "[::1]:9",
      maxConnections: 20_000,
      gateways: 3,
      threads: 2,
      hardStopAfterSeconds: 600,
      sparePorts: 100,
    });
  });

  const refused = [
    { name: "no folder", args: [], want: /--folder/ },
    { name: "a folder that is not absolute", args: ["--folder", "here"], want: /absolute path/ },
    { name: "a folder with a blank, which would end a word of HAProxy's file", args: ["--folder", "/a b"], want: /absolute path/ },
    { name: "a name instead of an address", args: ["--folder", "/g", "--bind", "localhost"], want: /IP address/ },
    { name: "ranges that overlap", args: ["--folder", "/g", "--open-ports", "21000-24000"], want: /overlap/ },
    { name: "a range that goes back", args: ["--folder", "/g", "--open-ports", "3000-2000"], want: /two ports/ },
    { name: "a shared port within a range", args: ["--folder", "/g", "--http-port", "21000"], want: /outside of them/ },
    { name: "one shared port for both", args: ["--folder", "/g", "--http-port", "8443"], want: /must differ/ },
    { name: "a certificate without its key", args: ["--folder", "/g", "--state-tls-cert-file", "c"], want: /belong together/ },
  ];
  for (const tc of refused) {
    it(`refuses ${tc.name} with exit code 2 and one line`, async () => {
      const outcome = await nuptse(["gateway", ...tc.args]);
      assert.deepEqual({ code: outcome.code, lines: outcome.notes.length, started: outcome.gateway }, { code: 2, lines: 1, started: [] });
      assert.match(outcome.notes[0] ?? "", tc.want);
    });
  }
});

describe("cli/uninstall", () => {
  it("has defaults for everything", async () => {
    const outcome = await nuptse(["uninstall"]);
    assert.deepEqual([outcome.code, outcome.uninstall], [0, [{ deployment: "nuptse-operator", timeoutMs: 60_000 }]]);
  });

  it("hands on what was typed", async () => {
    const outcome = await nuptse([
      ...["uninstall", "--kubeconfig", "/tmp/k", "--context", "c", "--namespace", "n", "--deployment", "mine", "--timeout", "1.5"],
    ]);
    assert.deepEqual(outcome.uninstall, [{ kubeconfig: "/tmp/k", context: "c", namespace: "n", deployment: "mine", timeoutMs: 1500 }]);
  });

  it("--help says what is done, and what stays", async () => {
    const { code, results } = await nuptse(["uninstall", "--help"]);
    const text = results.join("\n").replaceAll(/\s+/g, " ");
    assert.equal(code, 0);
    assert.match(text, /lets pods go that wait for a queue/);
    assert.match(text, /Jobs, fleets, queues and their definitions stay/);
    assert.match(text, /each step may take, in seconds \(default: 60\)/);
  });

  const refused = [
    { name: "no time at all", args: ["--timeout", "0"], want: /--timeout.*from 1 to 3600/ },
    { name: "a namespace that is a path", args: ["--namespace", "a/b"], want: /--namespace.*lower-case letters/ },
  ];
  for (const tc of refused)
    it(`refuses ${tc.name} with exit code 2 and one line`, async () => {
      const outcome = await nuptse(["uninstall", ...tc.args]);
      assert.deepEqual({ code: outcome.code, lines: outcome.notes.length, started: outcome.uninstall }, { code: 2, lines: 1, started: [] });
      assert.match(outcome.notes[0] ?? "", tc.want);
    });
});

describe("cli/program", () => {
  const cases = [
    { name: "version prints the version", args: ["version"], wantCode: 0, wantResult: "1.2.3" },
    { name: "--version too", args: ["--version"], wantCode: 0, wantResult: "1.2.3" },
  ];
  for (const tc of cases) {
    it(tc.name, async () => {
      const outcome = await nuptse(tc.args);
      assert.deepEqual({ code: outcome.code, results: outcome.results }, { code: tc.wantCode, results: [tc.wantResult] });
    });
  }

  it("an unknown command is refused with exit code 2, one line and a guess", async () => {
    const outcome = await nuptse(["opertor"]);
    assert.deepEqual(
      { code: outcome.code, notes: outcome.notes },
      { code: 2, notes: ["error: unknown command 'opertor' (Did you mean operator?)"] },
    );
  });

  it("a service that fails is not a matter of what was typed", async () => {
    const { createProgram } = await import("../../../src/cli/program.ts");
    const { runProgram } = await import("../../../src/cli/run-program.ts");
    const { createSystemClock } = await import("../../../src/base/clock.ts");
    const output = { result() {}, note() {} };
    const program = createProgram(
      { clock: createSystemClock({ background: true }), output, version: "" },
      {
        runOperator: () => Promise.reject(new Error("no cluster")),
        runPlayground: () => Promise.resolve(),
        addPlaygroundUser: () => Promise.resolve(),
        runTrace: () => Promise.resolve(),
        runGateway: () => Promise.resolve(),
        runUninstall: () => Promise.resolve(),
      },
    );
    await assert.rejects(runProgram(program, ["operator"], output), /no cluster/);
  });
});
