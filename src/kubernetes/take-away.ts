import { compileClear, compileUnmount, treesPrelude } from '../ops/trees.ts';
import { criSocket } from './paths.ts';

/** Folders of Kubernetes itself and of its network plugin. Those in another one come before it. */
export const kubernetesFolders = [
  '/etc/kubernetes',
  '/var/lib/etcd',
  '/var/lib/kubelet',
  '/var/lib/cni',
  '/run/flannel',
  '/var/log/pods',
  '/var/log/containers',
  '/etc/cni/net.d',
  '/etc/cni',
] as const;

/** Folders of containerd. */
export const containerdFolders = ['/run/containerd', '/var/lib/containerd'] as const;

/** What else is made by programs of a cluster: these folders go where they are empty. */
export const pluginFolders = ['/usr/libexec/kubernetes', '/opt/cni/bin', '/opt/cni', '/opt/containerd'] as const;

/** Where kubelet mounts volumes of pods. */
export const programMounts = ['/var/lib/kubelet/pods/', '/var/lib/kubelet/plugins/'] as const;

/** Where containerd mounts; network namespaces of others have other names. */
export const containerdMounts = ['/run/containerd/', '/var/lib/containerd/tmpmounts/', '/run/netns/cni-'] as const;

/** A runtime that is dead must not keep a host from being cleaned. Three tries: a pod may take longer to go than one call waits. */
const stop = `systemctl stop kubelet.service
for n in 1 2 3; do
  command -v crictl >/dev/null || break
  timeout 70 crictl --runtime-endpoint=${criSocket} --timeout=60s rmp --force --all && break
done
:`;

/** Stops kubelet and removes all pods of the runtime. */
export const stopPods: readonly string[] = ['/bin/sh', '-c', stop];

/** What kubeadm makes; its configuration, which is the installer's, stays. */
const halfMade = ['/var/lib/etcd', '/var/lib/kubelet', '/etc/kubernetes/manifests', '/etc/kubernetes/pki'];

/** Takes what a kubeadm init or join left half made off a host, so that it can be begun anew. */
export const takeHalfMadeAway: readonly string[] = [
  '/bin/sh',
  '-c',
  `${stop}
set -e
${treesPrelude}${compileUnmount(programMounts)}
${compileClear(halfMade)}
rm -f /etc/kubernetes/*.conf
mkdir -p /etc/kubernetes/manifests`,
];
