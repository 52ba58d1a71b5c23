/**
 * A real control plane for tests and benchmarks: etcd, kube-apiserver and, if asked for, kube-controller-manager and kube-scheduler, on loopback,
 * with certificates, ports and a data folder of its own. There are no nodes. It ends with `stop()`, and with this process however that dies.
 */
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IssuedCertificate } from "../../src/base/x509.ts";
import { CertificateClient } from "./certificate-client.ts";
import { type AuditEvent, type AuditFilter, auditEvents } from "./audit.ts";
import { type BinaryName, ensureBinaries } from "./binaries.ts";
import { Component } from "./component.ts";
import {
  type Arguments,
  apiserverArguments,
  controllerManagerArguments,
  etcdArguments,
  type Layout,
  schedulerArguments,
} from "./component-arguments.ts";
import { clientCertificate, kubeconfigText, writeCredentials } from "./credentials.ts";
import { freePorts } from "./free-ports.ts";
import { Watchdog } from "./watchdog.ts";

/** A component beside etcd and kube-apiserver: wanted or not, or wanted with arguments added. */
export type ComponentChoice = boolean | { readonly args: readonly string[] };

/** The processes of a control plane. */
export type ComponentName = Extract<BinaryName, "etcd" | "kube-apiserver" | "kube-controller-manager" | "kube-scheduler">;

/** Where pods of a real node reach the API server. */
export interface PodAccess {
  /** The address of this machine that the API server listens on, in place of loopback: one that leads to nobody but the node. */
  readonly address: string;
  /** The addresses of Services, such as 10.96.0.0/16; the first is that of the API server. */
  readonly serviceRange: string;
  /** The first address of the range. */
  readonly serviceAddress: string;
}

/** What to start. */
export interface ControlPlaneOptions {
  readonly components?: { readonly controllerManager?: ComponentChoice; readonly scheduler?: ComponentChoice };
  /**
   * The audit log (level Metadata, without the stage RequestReceived). "blocking", also `true` and the default: the line is in the file before the
   * reply goes out, so that a test can act on it; "batch": written within 200 ms, which costs the requests nothing.
   */
  readonly audit?: boolean | "blocking" | "batch";
  readonly apiserverArgs?: Arguments;
  readonly etcdArgs?: Arguments;
  /** For a control plane that has a real node; absent = only this machine's loopback. */
  readonly podAccess?: PodAccess;
  /** An existing folder for data and logs, which is left there. If absent, a new one below the system's temporary folder, removed at the end. */
  readonly dir?: string;
}

const attempts = 3;

/** Starts a control plane, building its binaries first where they are absent; resolves when all of it serves. Throws MissingComponent where a binary cannot be had. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { controllerManager = false, scheduler = false } = options.components ?? {};
  const names: ComponentName[] = ["etcd", "kube-apiserver"];
  if (controllerManager !== false) names.push("kube-controller-manager");
  if (scheduler !== false) names.push("kube-scheduler");
  const binaries = await ensureBinaries(names);
  for (let attempt = 1; ; attempt++) {
    const folder = options.dir ?? (await mkdtemp(join(tmpdir(), "nuptse-control-plane-")));
    const plane = await ControlPlane.prepare(folder, options, binaries);
    try {
      await plane.start();
      return plane;
    } catch (error) {
      await plane.stop();
      // another process took a port between the look and the start
      if (attempt === attempts || !String(error).includes("address already in use")) throw error;
    }
  }
}

/** A running control plane. */
export class ControlPlane {
  /** The URL of the API server. */
  readonly server: string;
  /** Path of a kubeconfig for a member of system:masters, whom no limit and no RBAC holds. */
  readonly kubeconfig: string;
  /** The text of that kubeconfig. */
  readonly kubeconfigContent: string;
  /** The authority that the server's certificate comes from, PEM. */
  readonly authorityPem: string;
  /** The administrator's client certificate. */
  readonly adminCertificate: IssuedCertificate;
  readonly auditLogPath: string;
  /** Logs of the components, one file each. */
  readonly logsFolder: string;
  /** As the administrator. */
  readonly client: CertificateClient;
  readonly #layout: Layout;
  readonly #components: ReadonlyMap<ComponentName, Component>;
  readonly #watchdog: Watchdog;
  readonly #removesFolder: boolean;
  #userCount = 0;

  private constructor(
    layout: Layout,
    components: ReadonlyMap<ComponentName, Component>,
    watchdog: Watchdog,
    admin: Admin,
    removesFolder: boolean,
  ) {
    this.#layout = layout;
    this.#components = components;
    this.#watchdog = watchdog;
    this.#removesFolder = removesFolder;
    this.server = layout.server;
    this.kubeconfig = layout.adminKubeconfig;
    this.kubeconfigContent = admin.kubeconfig;
    this.authorityPem = layout.credentials.authority.certificatePem;
    this.adminCertificate = admin.certificate;
    this.auditLogPath = layout.auditLogPath;
    this.logsFolder = layout.logsFolder;
    this.client = admin.client;
  }

  /** Writes everything that the components need, and starts none. For startControlPlane. */
  static async prepare(
    folder: string,
    options: ControlPlaneOptions,
    binaries: Readonly<Partial<Record<ComponentName, string>>>,
  ): Promise<ControlPlane> {
    const watchdog = new Watchdog();
    const removesFolder = options.dir === undefined;
    if (removesFolder) watchdog.removeAtEnd(folder);
    const layout = await writeLayout(folder, options.podAccess);
    const certificate = clientCertificate(layout.credentials.authority, "nuptse-admin", ["system:masters"]);
    const kubeconfig = kubeconfigText(layout.server, layout.credentials.authority, "nuptse-admin", certificate);
    await writeFile(layout.adminKubeconfig, kubeconfig, { mode: 0o600 });
    const client = new CertificateClient(layout.server, layout.credentials.authority.certificatePem, certificate);
    const serves = (url: string) => async () => (await client.get(url)).status === 200;
    const plans: readonly ComponentPlan[] = [
      {
        name: "etcd",
        args: [...etcdArguments(layout), ...(options.etcdArgs ?? [])],
        isReady: serves(`${layout.etcdServer}/health`),
      },
      { name: "kube-apiserver", args: apiserverArguments(layout, options), isReady: serves(`${layout.server}/readyz`) },
      {
        name: "kube-controller-manager",
        args: controllerManagerArguments(layout, options.components?.controllerManager),
        isReady: serves(`${layout.controllerManagerServer}/healthz`),
      },
      {
        name: "kube-scheduler",
        args: schedulerArguments(layout, options.components?.scheduler),
        isReady: serves(`${layout.schedulerServer}/healthz`),
      },
    ];
    const components = new Map<ComponentName, Component>();
    for (const plan of plans) {
      const binary = binaries[plan.name];
      if (binary === undefined) continue;
      components.set(plan.name, new Component({ ...plan, binary, watchdog, logPath: join(layout.logsFolder, `${plan.name}.log`) }));
    }
    return new ControlPlane(layout, components, watchdog, { certificate, kubeconfig, client }, removesFolder);
  }

  /** Starts the components that do not run, in their order; resolves when they serve. */
  async start(): Promise<void> {
    const [etcd, apiserver, ...clients] = this.#components.values();
    etcd?.launch();
    await etcd?.ready();
    apiserver?.launch();
    await apiserver?.ready();
    for (const component of clients) component.launch();
    await Promise.all(clients.map((component) => component.ready()));
  }

  /** Process ids of what runs. */
  pids(): Readonly<Partial<Record<ComponentName, number>>> {
    return Object.fromEntries(
      [...this.#components].flatMap(([name, component]) => (component.pid === undefined ? [] : [[name, component.pid]])),
    );
  }

  /** The text of a kubeconfig for this user and these groups, such as a component of a node. */
  kubeconfigTextFor(user: string, groups: readonly string[] = []): string {
    const { authority } = this.#layout.credentials;
    return kubeconfigText(this.server, authority, user, clientCertificate(authority, user, groups));
  }

  /** A new kubeconfig (its path) with a client certificate of this user and these groups: one who is held by RBAC and by fairness. */
  async kubeconfigFor(user: string, groups: readonly string[] = []): Promise<string> {
    const path = join(this.#layout.folder, `user-${++this.#userCount}.kubeconfig`);
    await writeFile(path, this.kubeconfigTextFor(user, groups), { mode: 0o600 });
    return path;
  }

  /**
   * Kills the API server (SIGKILL unless told otherwise), starts it again on the same port and data, and resolves when it is ready.
   * kube-controller-manager ends when it loses the server while it starts its controllers; what ended so is started again too, as a node's kubelet would.
   */
  async restartApiserver(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const before = Object.keys(this.pids()) as ComponentName[];
    await this.kill("kube-apiserver", signal);
    await this.launch("kube-apiserver");
    for (const name of before) await this.launch(name);
  }

  /** Starts a component that ended; resolves when it serves. */
  async launch(name: ComponentName): Promise<void> {
    const component = this.#component(name);
    component.launch();
    await component.ready();
  }

  /** Sends a signal that ends the component, and resolves when it is gone. */
  async kill(name: ComponentName, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#component(name).kill(signal);
  }

  /** Stops a component in its tracks (SIGSTOP): connections stay, replies do not come. */
  async pause(name: ComponentName): Promise<void> {
    await this.#component(name).kill("SIGSTOP");
  }

  /** Lets a paused component go on. */
  async resume(name: ComponentName): Promise<void> {
    await this.#component(name).kill("SIGCONT");
  }

  /** The metrics of etcd in Prometheus' text format. */
  async etcdMetrics(): Promise<string> {
    return (await this.client.get(`${this.#layout.etcdServer}/metrics`)).text;
  }

  /** The metrics of the API server in Prometheus' text format. */
  async apiserverMetrics(): Promise<string> {
    return await this.client.text({ path: "/metrics" });
  }

  /** The audit log's events so far. */
  auditEvents(filter: AuditFilter = {}): AsyncGenerator<AuditEvent, void, undefined> {
    return auditEvents(this.auditLogPath, filter);
  }

  /** Where the audit log ends now, in bytes, for the filter's `fromByte`. */
  async auditPosition(): Promise<number> {
    return (await stat(this.auditLogPath)).size;
  }

  /** Ends all processes and removes the folder, unless it was given. May be called twice. */
  async stop(): Promise<void> {
    await this.client.close();
    const [etcd, apiserver, ...clients] = this.#components.values();
    await Promise.all(clients.map((component) => component.end()));
    await apiserver?.end();
    await etcd?.end();
    if (this.#removesFolder) await rm(this.#layout.folder, { recursive: true, force: true });
    await this.#watchdog.close();
  }

  #component(name: ComponentName): Component {
    const component = this.#components.get(name);
    if (component === undefined) throw new Error(`this control plane was started without ${name}`);
    return component;
  }
}

interface Admin {
  readonly certificate: IssuedCertificate;
  readonly kubeconfig: string;
  readonly client: CertificateClient;
}

interface ComponentPlan {
  readonly name: ComponentName;
  readonly args: Arguments;
  readonly isReady: () => Promise<boolean>;
}

async function writeLayout(folder: string, access: PodAccess | undefined): Promise<Layout> {
  const [etcd = 0, etcdPeer = 0, apiserver = 0, controllerManager = 0, scheduler = 0] = await freePorts(5);
  const logsFolder = join(folder, "logs");
  await mkdir(logsFolder, { recursive: true });
  const credentials = await writeCredentials(
    join(folder, "credentials"),
    access === undefined ? [] : [access.address, access.serviceAddress],
  );
  const server = `https://${access?.address ?? "127.0.0.1"}:${apiserver}`;
  const layout: Layout = {
    folder,
    logsFolder,
    credentials,
    server,
    etcdServer: `http://127.0.0.1:${etcd}`,
    etcdPeer: `http://127.0.0.1:${etcdPeer}`,
    controllerManagerServer: `https://127.0.0.1:${controllerManager}`,
    schedulerServer: `https://127.0.0.1:${scheduler}`,
    adminKubeconfig: join(folder, "admin.kubeconfig"),
    controllerManagerKubeconfig: join(folder, "controller-manager.kubeconfig"),
    schedulerKubeconfig: join(folder, "scheduler.kubeconfig"),
    auditPolicyPath: join(folder, "audit-policy.yaml"),
    auditLogPath: join(logsFolder, "audit.log"),
  };
  const componentKubeconfig = (user: string) =>
    kubeconfigText(server, credentials.authority, user, clientCertificate(credentials.authority, user, []));
  await writeFile(layout.controllerManagerKubeconfig, componentKubeconfig("system:kube-controller-manager"), { mode: 0o600 });
  await writeFile(layout.schedulerKubeconfig, componentKubeconfig("system:kube-scheduler"), { mode: 0o600 });
  const policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";
  await writeFile(layout.auditPolicyPath, policy);
  return layout;
}
