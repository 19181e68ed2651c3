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

/** Where a pod of flannel lays its plugin down. */
export const flannelPlugin = '/opt/cni/bin/flannel';

export const apiPort = 6443;
export const criSocket = 'unix:///run/containerd/containerd.sock';
