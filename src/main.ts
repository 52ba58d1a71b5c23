import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Logger } from "./api/logger.ts";
import { namespaces } from "./api/resource.ts";
import { createSystemClock } from "./base/clock.ts";
import type { Random } from "./base/random.ts";
import type { OperatorOptions } from "./cli/operator.ts";
import { nodeVersionProblem } from "./cli/node-version.ts";
import { packageVersion } from "./cli/package-version.ts";
import type { PlaygroundOptions, PlaygroundUserOptions } from "./cli/playground.ts";
import { createProcessOutput } from "./cli/process-output.ts";
import { type GatewayOptions, settingsOf } from "./cli/gateway.ts";
import { createProgram } from "./cli/program.ts";
import { runProgram } from "./cli/run-program.ts";
import type { TraceServerOptions } from "./cli/trace.ts";
import type { UninstallOptions } from "./cli/uninstall.ts";
import { retentionOf } from "./cli/trace-flags.ts";
import type { Outbox } from "./notify/outbox.ts";
import type { Operator } from "./operator/operator.ts";
import type { AskGateway } from "./runnerapp/services/gateway-request.ts";
import type { Metrics } from "./runtime/metrics.ts";
import type { TraceService } from "./trace/trace-service.ts";
import type { CertificateTrouble } from "./webhook/certificate-keeper.ts";
import type { TlsPair } from "./webhook/read-certificates.ts";
import type { WebhookService } from "./webhook/webhook-service.ts";

// The composition root: flags, wiring and signals. Whatever only one command needs is imported when that command runs, so that short
// ones start fast.

/** Where the kubelet puts the token of the account of the pod that we run in. */
const ownTokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/** The Lease that operators lead by. */
const leaseName = "nuptse-operator";
/** How long connections of others to a process that has stopped are waited for. */
const lingerMs = 5000;
const clock = createSystemClock();
const random: Random = { next: () => Math.random() };
const output = createProcessOutput();

const problem = nodeVersionProblem(process.version);
if (problem !== undefined) {
  output.note(`error: ${problem}`);
  process.exit(1);
}
const program = createProgram(
  { clock, output, version: packageVersion },
  { runOperator, runPlayground, addPlaygroundUser, runTrace, runGateway, runUninstall },
);
try {
  process.exitCode = await runProgram(program, process.argv.slice(2), output);
} catch (error) {
  output.note(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function runOperator(options: OperatorOptions): Promise<void> {
  const [{ loadCredentials }, { createHttpTransport }, { createServerTime }, { createPrometheusMetrics }, health, { startJsonServer }] =
    await Promise.all([
      import("./kube/credentials.ts"),
      import("./kube/http-transport.ts"),
      import("./kube/server-time.ts"),
      import("./runtime/metrics.ts"),
      import("./runtime/health.ts"),
      import("./runtime/json-server.ts"),
    ]);
  const { createOperator } = await import("./operator/operator.ts");
  const logger = await createProcessLogger(options);
  const credentials = await loadCredentials({
    clock,
    ...(options.kubeconfig !== undefined && { kubeconfig: options.kubeconfig }),
    ...(options.context !== undefined && { context: options.context }),
  });
  const metrics = await createPrometheusMetrics({ process: true });
  const outbox = options.config === undefined ? undefined : await openOutbox(options.config, metrics, logger);
  const serverTime = createServerTime(clock);
  const transport = createHttpTransport({
    credentials,
    clock,
    random,
    userAgent: `nuptse/${packageVersion} (operator)`,
    onServerDate: (date) => serverTime.observe(date),
    onRequest({ verb, resource, code, seconds }) {
      metrics.count("nuptse_api_requests_total", { verb, resource, code });
      metrics.observe("nuptse_api_request_seconds", { verb, resource }, seconds);
    },
  });
  const trace = await startOperatorTrace(options, logger, metrics);
  const namespace = options.leaseNamespace ?? ownNamespace();
  const { createExecutors } = await import("./executor/executors.ts");
  const executors = createExecutors({
    clock,
    logger,
    knowsAll: () => operator.knowsTasks(),
    tokens: () => operator.executorTokens("XxlJob"),
  });
  const operator: Operator = createOperator({
    transport,
    clock,
    random,
    logger,
    metrics,
    serverTime,
    namespace,
    leaseName,
    claims: true,
    identity: `${hostname()}_${randomBytes(5).toString("hex")}`,
    leaseTimings: options.lease,
    maxClockSkewMs: options.maxClockSkewMs,
    retainedPods: options.retainedPods,
    concurrency: options.concurrency,
    evacuationTaints: options.evacuationTaints,
    markEvacuated: options.markEvacuatedNodes,
    appsAgreeing: options.appsAgreeing,
    executors: executors.clients,
    ...(trace !== undefined && { trace: trace.buffer }),
    ...(outbox !== undefined && { notifications: outbox }),
    ...(options.deployment !== undefined && { deployment: { namespace, name: options.deployment } }),
    ...(options.pod !== undefined && { pod: options.pod }),
    publishing: {
      pools: { open: options.gatewayOpenPorts, restricted: options.gatewayRestrictedPorts },
      ...(options.gatewayNamespace !== undefined && { gatewayNamespace: options.gatewayNamespace }),
      ...(options.gatewayHost !== undefined && { hostGrants: options.gatewayHost }),
    },
    ...(await gatewayAsking(options)),
  });
  let webhooks: WebhookService | undefined;
  const { claim } = operator;
  const server = await health.startHealthServer({
    ...options.metricsAddress,
    alive: {},
    ready: { claim: () => claim.notReady(), operator: () => operator.notReady(), webhooks: () => webhooks?.notReady() },
    metrics,
  });
  const explain =
    options.explainAddress === undefined
      ? undefined
      : await startJsonServer({ ...options.explainAddress, endpoint: operator.explain, logger });
  const xxlAdmin = options.xxlAdminAddress === undefined ? undefined : await executors.serveXxlAdmin(options.xxlAdminAddress);
  logger.info("operator starts", {
    version: packageVersion,
    server: credentials.server,
    metricsPort: server.port,
    ...(xxlAdmin !== undefined && { xxlAdminPort: xxlAdmin.port }),
    ...(explain !== undefined && { explainPort: explain.port }),
  });
  const stopping = new AbortController();
  endOnSignal(() => {
    stopping.abort();
    operator.stop();
  });
  const endRefused = (reason: string): void => {
    logger.error("this cluster is looked after by another installation, this process ends", { reason });
    process.exit(1);
  };
  // Before anything that writes, webhooks and certificates too: their names are the same in every installation.
  const refusal = await claim.settle(stopping.signal, { definedOnly: true });
  if (refusal !== undefined) endRefused(refusal);
  void claim.follow(stopping.signal).then((lost) => lost !== undefined && endRefused(lost));
  let closeCertificates: (() => Promise<void>) | undefined;
  if (!stopping.signal.aborted) {
    const around = { namespace, metrics, logger, now: () => serverTime.now() };
    webhooks = await startOperatorWebhooks(options, operator, around);
    closeCertificates = await keepCertificates(options, operator, around);
  }
  const end = await operator.run();
  if (claim.refusal !== undefined) endRefused(claim.refusal);
  if (end.kind === "lost") {
    // Whoever lost the lease must not write again, whatever is still under way in this process.
    logger.error("the lease is lost, this process ends", { reason: end.reason });
    process.exit(1);
  }
  logger.info("operator has stopped");
  // The Lease is free, and nothing is under way: what others keep open does not keep the pod.
  createSystemClock({ background: true }).after(lingerMs, () => process.exit());
  stopping.abort();
  await webhooks?.close();
  await closeCertificates?.();
  outbox?.close();
  await trace?.close();
  await explain?.close();
  await xxlAdmin?.close();
  await executors.close();
  await server.close();
  transport.close();
}

/** How gateways are asked for their state, if they are. */
async function gatewayAsking(options: OperatorOptions): Promise<{ readonly askGateway?: AskGateway }> {
  const { gatewayStateCaFile: caFile, gatewayStatePort: port, gatewayStateServerName: serverName } = options;
  if (caFile === undefined) return {};
  const { createGatewayRequest } = await import("./runnerapp/services/gateway-request.ts");
  return { askGateway: createGatewayRequest({ port, caFile, serverName, tokenFile: options.gatewayStateTokenFile ?? ownTokenFile }) };
}

/** What webhooks and the keepers of certificates stand on. */
interface AroundWebhooks {
  readonly namespace: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly now: () => number;
}

/** The admission webhooks, if they are to be served. */
async function startOperatorWebhooks(
  options: OperatorOptions,
  operator: Operator,
  around: AroundWebhooks,
): Promise<WebhookService | undefined> {
  if (options.webhookBindAddress === undefined) return undefined;
  const { startWebhooks } = await import("./webhook/webhook-service.ts");
  const { webhookTlsCertFile: certFile, webhookTlsKeyFile: keyFile } = options;
  return startWebhooks({
    ...around,
    ...options.webhookBindAddress,
    client: operator.client,
    cached: operator.surroundings,
    clock,
    random,
    service: options.webhookService,
    hosts: options.webhookHost ?? [],
    secret: options.webhookSecret,
    validatingConfiguration: options.webhookValidatingConfiguration,
    mutatingConfiguration: options.webhookMutatingConfiguration,
    times: options.webhookCertificateSeconds,
    ...(certFile !== undefined && keyFile !== undefined && { readTls: () => readTlsPair(certFile, keyFile) }),
    onTrouble: await certificateTrouble(operator),
  });
}

async function readTlsPair(certFile: string, keyFile: string): Promise<TlsPair> {
  const [certificatePem, privateKeyPem] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
  return { certificatePem, privateKeyPem };
}

/** Keeps the certificates that --certificate names; resolves with what ends that. */
async function keepCertificates(
  { certificate: certificates, webhookCertificateSeconds: times }: OperatorOptions,
  operator: Operator,
  around: AroundWebhooks,
): Promise<(() => Promise<void>) | undefined> {
  if (certificates === undefined) return undefined;
  const kept = await import("./webhook/kept-certificates.ts");
  return kept.keepCertificates({
    ...around,
    client: operator.client,
    clock,
    random,
    certificates,
    times,
    onTrouble: await certificateTrouble(operator),
  });
}

/** Troubles with certificates are told on the operator's Deployment. */
async function certificateTrouble(operator: Operator): Promise<(trouble: CertificateTrouble) => void> {
  const { operatorEventReasons } = await import("./api/reasons.ts");
  const { webhookCertificateFailed, webhookCertificateRecovered } = operatorEventReasons;
  return ({ kind, note }) =>
    kind === "failed"
      ? operator.tellDeployment("Warning", webhookCertificateFailed, note)
      : operator.tellDeployment("Normal", webhookCertificateRecovered, note);
}

/** The outbox for notifications, as the file of --config says. */
async function openOutbox(file: string, metrics: Metrics, logger: Logger): Promise<Outbox> {
  const [{ readConfiguration, readSecret }, { createOutbox }, { httpPost }] = await Promise.all([
    import("./notify/configuration.ts"),
    import("./notify/outbox.ts"),
    import("./notify/http-post.ts"),
  ]);
  return createOutbox({ ...(await readConfiguration(file)), post: httpPost, readSecret, clock, random, metrics, logger });
}

/** The trace that --trace names; undefined for none. */
async function startOperatorTrace(options: OperatorOptions, logger: Logger, metrics: Metrics): Promise<TraceService | undefined> {
  const { trace: target, traceTokenFile, traceCaFile, tracePasswordFile } = options;
  if (target.kind === "none") return undefined;
  const { startTrace } = await import("./trace/trace-service.ts");
  const tokenFile = traceTokenFile ?? (existsSync(ownTokenFile) ? ownTokenFile : undefined);
  return startTrace({
    target,
    retention: retentionOf(options),
    files: {
      ...(tokenFile !== undefined && { tokenFile }),
      ...(traceCaFile !== undefined && { caFile: traceCaFile }),
      ...(tracePasswordFile !== undefined && { passwordFile: tracePasswordFile }),
    },
    clock,
    random,
    logger,
    metrics,
  });
}

async function runTrace(options: TraceServerOptions): Promise<void> {
  const [{ createTokenAccess }, { startTraceServer }, { createSqliteStore }, { startHousekeeping }] = await Promise.all([
    import("./runtime/token-access.ts"),
    import("./trace/http-server.ts"),
    import("./trace/sqlite-store.ts"),
    import("./trace/housekeeping.ts"),
  ]);
  const logger = await createProcessLogger(options);
  const cluster = await connect(options, "trace");
  const { tlsCertFile, tlsKeyFile } = options;
  const readTls =
    tlsCertFile === undefined || tlsKeyFile === undefined
      ? undefined
      : () => ({ cert: readFileSync(tlsCertFile, "utf8"), key: readFileSync(tlsKeyFile, "utf8") });
  const store = createSqliteStore({ path: join(options.dataDir, "trace.db"), clock });
  const server = await startTraceServer({
    store,
    access: createTokenAccess({
      client: cluster.client,
      clock,
      allowed: { write: options.writer, read: options.reader },
      ...(options.audience !== undefined && { audiences: options.audience }),
    }),
    logger,
    ...options.listen,
    ...(readTls !== undefined && { tls: readTls() }),
  });
  const housekeeping = startHousekeeping({ store, retention: retentionOf(options), clock, logger });
  const stopped = new AbortController();
  endOnSignal(() => stopped.abort());
  logger.info("trace starts", { version: packageVersion, server: cluster.server, port: server.port, tls: readTls !== undefined });
  while (!stopped.signal.aborted) {
    await clock.sleep(60_000, stopped.signal).catch(() => undefined);
    if (readTls === undefined || stopped.signal.aborted) continue;
    try {
      server.renewTls(readTls());
    } catch (error) {
      logger.warn("the certificate could not be read anew, the one before stays", { error });
    }
  }
  await server.close();
  housekeeping.stop();
  await store.close();
  cluster.close();
  logger.info("trace has stopped");
}

async function runGateway(options: GatewayOptions): Promise<void> {
  const [{ createPrometheusMetrics }, { startGateway }] = await Promise.all([
    import("./runtime/metrics.ts"),
    import("./gateway/gateway.ts"),
  ]);
  const logger = await createProcessLogger(options);
  const cluster = await connect(options, "gateway");
  const { stateTlsCertFile, stateTlsKeyFile } = options;
  const pod = process.env.POD_NAME;
  const gateway = await startGateway({
    settings: settingsOf(options),
    program: options.haproxy,
    client: cluster.client,
    clock,
    random,
    logger,
    metrics: await createPrometheusMetrics({ process: true }),
    metricsAddress: options.metricsAddress,
    stateAddress: options.stateAddress,
    stateReaders: options.stateReader,
    signal: (pid, signal) => process.kill(pid, signal),
    ...(stateTlsCertFile !== undefined &&
      stateTlsKeyFile !== undefined && {
        stateTls: () => ({ cert: readFileSync(stateTlsCertFile, "utf8"), key: readFileSync(stateTlsKeyFile, "utf8") }),
      }),
    ...(pod !== undefined && { pod: { namespace: process.env.POD_NAMESPACE ?? ownNamespace(), name: pod } }),
  });
  logger.info("gateway starts", { version: packageVersion, server: cluster.server, haproxy: gateway.haproxyVersion });
  const stopped = Promise.withResolvers<void>();
  endOnSignal(stopped.resolve);
  await stopped.promise;
  await gateway.leave();
  cluster.close();
  logger.info("gateway has stopped");
}

async function runUninstall(options: UninstallOptions): Promise<void> {
  const { uninstall } = await import("./operator/uninstall/uninstall.ts");
  const cluster = await connect(options, "uninstall");
  try {
    const left = await uninstall({
      client: cluster.client,
      clock,
      random,
      logger: await createProcessLogger({ logLevel: "warn" }),
      namespace: options.namespace ?? ownNamespace("nuptse-system"),
      deployment: options.deployment,
      leaseName,
      identity: `${hostname()}_${randomBytes(5).toString("hex")}`,
      limitMs: options.timeoutMs,
      say: (line) => output.result(line),
    });
    for (const line of left) output.note(`error: ${line}`);
    if (left.length > 0) throw new Error("not all of it could be done; what is done is not done again by another run");
    output.result("the cluster works without nuptse now");
  } finally {
    cluster.close();
  }
}

/** A client for the cluster that a command was told of; `role` is how the API server's log names it. */
async function connect({ kubeconfig, context }: Pick<OperatorOptions, "kubeconfig" | "context">, role: string) {
  const [{ loadCredentials }, { createHttpTransport }, { createKubeClient }] = await Promise.all([
    import("./kube/credentials.ts"),
    import("./kube/http-transport.ts"),
    import("./kube/kube-client.ts"),
  ]);
  const credentials = await loadCredentials({
    clock,
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
  });
  const transport = createHttpTransport({ credentials, clock, random, userAgent: `nuptse/${packageVersion} (${role})` });
  return { server: credentials.server, client: createKubeClient(transport), close: () => transport.close() };
}

async function runPlayground(options: PlaygroundOptions): Promise<void> {
  const stopped = new AbortController();
  // A signal in the middle of the start must not leave anything behind: what was begun is brought to its end, and ended.
  endOnSignal(() => stopped.abort());
  const { startPlayground } = await import("./simulator/harness/playground.ts");
  const { logLevel: _, logFormat: __, break: breaking, ...cluster } = options;
  const playground = await startPlayground({
    ...cluster,
    random,
    clock,
    program: packageVersion,
    logger: await createProcessLogger(options),
  });
  output.result(`the cluster is up at ${playground.url}; it is gone when this process ends (Ctrl-C)`);
  output.result(`kubectl --kubeconfig ${playground.kubeconfigPath} get ${namespaces.plural},elasticjobs -A`);
  if (options.speed !== 1) output.result(`its time runs ${options.speed} times as fast as yours`);
  if (breaking !== undefined) {
    const { breakByMenu, breakByTurns } = await import("./cli/break-playground.ts");
    const how = { break: playground.break, output, signal: stopped.signal, clock };
    void (breaking === "menu" ? breakByMenu(createInterface({ input: process.stdin }), how) : breakByTurns(breaking, how));
  }
  await new Promise((resolve) => (stopped.signal.aborted ? resolve(undefined) : stopped.signal.addEventListener("abort", resolve)));
  try {
    await playground.close();
    if (options.save !== undefined) output.result(`the cluster is saved in ${options.save}`);
  } catch (error) {
    output.note(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
  // The API server's timers, such as its bookmarks, have nothing left to serve.
  process.exit();
}

async function addPlaygroundUser({ name, role: roles, namespace, kubeconfig }: PlaygroundUserOptions): Promise<void> {
  const users = await import("./simulator/harness/playground-user.ts");
  const cluster = await connect({ kubeconfig }, "playground user");
  const user = { name, roles, token: randomBytes(24).toString("base64url"), ...(namespace !== undefined && { namespace }) };
  try {
    await users.addPlaygroundUser(cluster.client, user);
    output.result(users.userKubeconfig(await readFile(kubeconfig, "utf8"), user).trimEnd());
  } finally {
    cluster.close();
  }
}

async function createProcessLogger(options: Pick<OperatorOptions, "logLevel" | "logFormat">) {
  const { createLogger, wantsColour } = await import("./runtime/logging.ts");
  return createLogger({
    level: options.logLevel,
    format: options.logFormat ?? (process.stderr.isTTY ? "pretty" : "json"),
    colour: wantsColour(process.stderr, process.env),
    stream: process.stderr,
    clock,
  });
}

/** The first signal asks for a clean end, the second ends at once. */
function endOnSignal(stop: () => void): void {
  let asked = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (asked) process.exit(1);
      asked = true;
      stop();
    });
  }
}

/** The namespace of the pod that this process runs in, else another. */
function ownNamespace(otherwise = "default"): string {
  try {
    return readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/namespace", "utf8").trim();
  } catch {
    return otherwise;
  }
}
