/** The files that the components of a node are started with, as texts. */
import type { NodeAddresses } from "./addresses.ts";

/** The name of the node. */
export const nodeName = "nuptse-node";
/** Its control group, below the root of each hierarchy. */
export const nodeCgroup = (addresses: NodeAddresses): string => `/${addresses.link}`;
/** What holds the namespaces of a pod: nothing but to be there is asked of it. */
export const sandboxImage = "nuptse.local/busybox:node";
/** Where kube-proxy says that it works, at the node's address. */
export const kubeProxyHealthPort = 10_256;
const clusterDomain = "cluster.local";

/** Where a node keeps everything. Sockets are in it: the path is short. */
export interface NodeFolders {
  readonly folder: string;
  readonly containerdSocket: string;
  readonly cniFolder: string;
}

/** The folders of a node below its own. */
export function nodeFolders(folder: string): NodeFolders {
  return { folder, containerdSocket: `${folder}/containerd.sock`, cniFolder: `${folder}/cni` };
}

/** Where programs are that a component starts itself. */
export interface NodePrograms {
  readonly runc: string;
  readonly shim: string;
  /** The folder of the CNI plugins. */
  readonly cni: string;
}

/** containerd's configuration, TOML. */
export function containerdConfiguration(folders: NodeFolders, programs: NodePrograms): string {
  const runtime = "plugins.'io.containerd.cri.v1.runtime'";
  return `version = 3
root = ${quoted(`${folders.folder}/containerd`)}
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
address = ${quoted(folders.containerdSocket)}

[plugins.'io.containerd.cri.v1.images']
snapshotter = "overlayfs"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = ${quoted(sandboxImage)}

[${runtime}]
# without CAP_SYS_RESOURCE nobody may be made less likely to be killed than we are, and runc would fail
restrict_oom_score_adj = true
enable_cdi = false

[${runtime}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = ${quoted(programs.shim)}

[${runtime}.containerd.runtimes.runc.options]
BinaryName = ${quoted(programs.runc)}
SystemdCgroup = false

[${runtime}.cni]
bin_dirs = [${quoted(programs.cni)}]
conf_dir = ${quoted(folders.cniFolder)}
`;
}

/** The pod network: a bridge in the node's own network namespace. No address is translated, since this machine has a route to the pods. */
export function cniConfiguration(addresses: NodeAddresses): string {
  return JSON.stringify({
    cniVersion: "1.0.0",
    name: "nuptse",
    plugins: [
      {
        type: "bridge",
        bridge: "pods",
        isGateway: true,
        hairpinMode: true,
        ipam: { type: "host-local", ranges: [[{ subnet: addresses.pods }]], routes: [{ dst: "0.0.0.0/0" }], dataDir: "/run/cni" },
      },
    ],
  });
}

/** kubelet's configuration, as JSON, which is YAML. */
export function kubeletConfiguration(folders: NodeFolders, addresses: NodeAddresses, authorityPath: string): string {
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: addresses.node,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: authorityPath } },
    authorization: { mode: "AlwaysAllow" },
    containerRuntimeEndpoint: `unix://${folders.containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: nodeCgroup(addresses),
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    clusterDomain,
    clusterDNS: [addresses.machine],
    resolvConf: `${folders.folder}/resolv.conf`,
    podLogsDir: "/var/log/pods",
    volumePluginDir: "/var/lib/kubelet/plugins",
    // images come from archives and could not be fetched again
    imageGCHighThresholdPercent: 100,
    evictionHard: { "memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%" },
    readOnlyPort: 0,
  });
}

/** kube-proxy's configuration, as JSON. */
export function kubeProxyConfiguration(addresses: NodeAddresses, kubeconfig: string): string {
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clientConnection: { kubeconfig },
    hostnameOverride: nodeName,
    clusterCIDR: addresses.pods,
    healthzBindAddress: `${addresses.node}:${kubeProxyHealthPort}`,
    metricsBindAddress: "127.0.0.1:10249",
    oomScoreAdj: 0,
    // limits of the whole machine stay as they are
    conntrack: { maxPerCore: 0, min: 0 },
    // a Service that changes is told within this
    iptables: { minSyncPeriod: "200ms" },
  });
}

const quoted = (text: string): string => JSON.stringify(text);
