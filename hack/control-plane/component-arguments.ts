import { join } from "node:path";
import type { ComponentChoice, ControlPlaneOptions, PodAccess } from "./control-plane.ts";
import type { Credentials } from "./credentials.ts";

/** Arguments of a command. */
export type Arguments = readonly string[];

/** Where everything of one control plane is. */
export interface Layout {
  readonly folder: string;
  readonly logsFolder: string;
  readonly credentials: Credentials;
  /** URL of the API server; the others likewise. */
  readonly server: string;
  readonly etcdServer: string;
  readonly etcdPeer: string;
  readonly controllerManagerServer: string;
  readonly schedulerServer: string;
  readonly adminKubeconfig: string;
  readonly controllerManagerKubeconfig: string;
  readonly schedulerKubeconfig: string;
  readonly auditPolicyPath: string;
  readonly auditLogPath: string;
}

/** One etcd member that forgets its last writes when the machine (not the process) dies, which is what makes it fast. */
export function etcdArguments(layout: Layout): Arguments {
  return [
    "--name=nuptse",
    `--data-dir=${join(layout.folder, "etcd")}`,
    `--listen-client-urls=${layout.etcdServer}`,
    `--advertise-client-urls=${layout.etcdServer}`,
    `--listen-peer-urls=${layout.etcdPeer}`,
    `--initial-advertise-peer-urls=${layout.etcdPeer}`,
    `--initial-cluster=nuptse=${layout.etcdPeer}`,
    "--unsafe-no-fsync",
    // a benchmark of many rounds must not end with "database space exceeded" at the default of 2 GiB
    `--quota-backend-bytes=${8 * 2 ** 30}`,
    "--log-level=warn",
  ];
}

/** Defaults wherever they can be kept: tests are about the API server that users have. */
export function apiserverArguments(layout: Layout, options: ControlPlaneOptions): Arguments {
  const { credentials } = layout;
  const hasControllerManager = options.components?.controllerManager !== undefined && options.components.controllerManager !== false;
  return [
    `--etcd-servers=${layout.etcdServer}`,
    ...addressArguments(options.podAccess),
    `--secure-port=${new URL(layout.server).port}`,
    `--tls-cert-file=${credentials.serverCertificatePath}`,
    `--tls-private-key-file=${credentials.serverKeyPath}`,
    `--client-ca-file=${credentials.authorityPath}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${credentials.serviceAccountPublicKeyPath}`,
    `--service-account-signing-key-file=${credentials.serviceAccountKeyPath}`,
    `--service-cluster-ip-range=${options.podAccess?.serviceRange ?? "10.96.0.0/16"}`,
    `--kubelet-client-certificate=${credentials.kubeletClientCertificatePath}`,
    `--kubelet-client-key=${credentials.kubeletClientKeyPath}`,
    // names of nodes are known to nobody but us
    "--kubelet-preferred-address-types=InternalIP",
    "--authorization-mode=Node,RBAC",
    "--allow-privileged=true",
    // without kube-controller-manager no namespace gets a service account, and no pod would be let in
    ...(hasControllerManager ? [] : ["--disable-admission-plugins=ServiceAccount"]),
    ...auditArguments(layout, options.audit ?? true),
    ...(options.apiserverArgs ?? []),
  ];
}

function addressArguments(access: PodAccess | undefined): Arguments {
  if (access !== undefined) return [`--bind-address=${access.address}`, `--advertise-address=${access.address}`];
  // the endpoints of the service "kubernetes" may not be a loopback address
  return ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"];
}

/** Every controller under a service account of its own, as in a cluster of kubeadm; no leases, since there is one of it. */
export function controllerManagerArguments(layout: Layout, choice: ComponentChoice | undefined): Arguments {
  return [
    ...clientArguments(layout, layout.controllerManagerKubeconfig, layout.controllerManagerServer),
    "--use-service-account-credentials=true",
    `--service-account-private-key-file=${layout.credentials.serviceAccountKeyPath}`,
    `--root-ca-file=${layout.credentials.authorityPath}`,
    ...addedArguments(choice),
  ];
}

/** A scheduler without leases. */
export function schedulerArguments(layout: Layout, choice: ComponentChoice | undefined): Arguments {
  return [...clientArguments(layout, layout.schedulerKubeconfig, layout.schedulerServer), ...addedArguments(choice)];
}

function clientArguments(layout: Layout, kubeconfig: string, server: string): Arguments {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    "--leader-elect=false",
    "--bind-address=127.0.0.1",
    `--secure-port=${new URL(server).port}`,
    `--tls-cert-file=${layout.credentials.serverCertificatePath}`,
    `--tls-private-key-file=${layout.credentials.serverKeyPath}`,
  ];
}

function addedArguments(choice: ComponentChoice | undefined): Arguments {
  return typeof choice === "object" ? choice.args : [];
}

function auditArguments(layout: Layout, audit: boolean | "blocking" | "batch"): Arguments {
  if (audit === false) return [];
  const always = [
    `--audit-policy-file=${layout.auditPolicyPath}`,
    `--audit-log-path=${layout.auditLogPath}`,
    // 0 would mean 100 MB, and a rotated file is lost to its reader
    "--audit-log-maxsize=100000",
  ];
  if (audit !== "batch") return [...always, "--audit-log-mode=blocking"];
  return [
    ...always,
    "--audit-log-mode=batch",
    "--audit-log-batch-max-wait=200ms",
    "--audit-log-batch-max-size=400",
    // events beyond the buffer are dropped, and a benchmark counts them
    "--audit-log-batch-buffer-size=200000",
  ];
}
