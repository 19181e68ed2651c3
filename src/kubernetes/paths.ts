/** Paths and ports of a kubeadm cluster; source: kubeadm's constants. */
export const kubernetesPaths = {
  adminConf: '/etc/kubernetes/admin.conf',
  kubeletConf: '/etc/kubernetes/kubelet.conf',
  manifests: '/etc/kubernetes/manifests',
  apiServerManifest: '/etc/kubernetes/manifests/kube-apiserver.yaml',
  etcdData: '/var/lib/etcd/member',
  caCertificate: '/etc/kubernetes/pki/ca.crt',
  /** Ours: what kubeadm init was given. */
  initConfig: '/etc/kubernetes/kubeadm-init.yaml',
  /** Ours, with a token in it: on a memory file system, and removed after the join. */
  joinConfig: '/run/installer/kubeadm-join.yaml',
  /** Ours: address and CA of the cluster that is joined; removed with it. */
  joinDiscovery: '/run/installer/kubeadm-discovery.yaml',
} as const;

export const apiPort = 6443;
export const criSocket = 'unix:///run/containerd/containerd.sock';

/** Takes what a kubeadm init or join left half made off a host, so that it can be begun anew. */
export const kubeadmReset = ['kubeadm', 'reset', '--force', `--cri-socket=${criSocket}`, '--cleanup-tmp-dir'] as const;
