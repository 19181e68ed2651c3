import type { Member } from '../../kubernetes/cluster.ts';

/** Something of a cluster on a host. */
export interface Leftover {
  /** For people: `/etc/kubernetes/manifests (etcd.yaml, kube-apiserver.yaml)`. */
  readonly what: string;
  /** How a line of the evidence that tells of it begins, or a word that it has. */
  readonly mark: string;
  /** What reset does with it on a host whose cluster it knows: part of a sentence. */
  readonly onReset: string;
  /** By hand. */
  readonly byHand: string;
}

/** Where a cluster leaves traces; none lies in another. */
const places: readonly { readonly root: string; readonly onReset: string; readonly byHand: string }[] = [
  {
    root: '/etc/kubernetes',
    onReset: 'stops the control plane and removes it',
    byHand: 'kubeadm reset --force, then rm -r /etc/kubernetes',
  },
  {
    root: '/etc/systemd/system/kubelet.service',
    onReset: 'stops kubelet and removes it',
    byHand: 'systemctl disable --now kubelet, rm -r /etc/systemd/system/kubelet.service*, then systemctl daemon-reload',
  },
  {
    root: '/var/lib/etcd',
    onReset: 'removes it with all data of the cluster',
    byHand: 'save what is needed of it, then empty /var/lib/etcd',
  },
  {
    root: '/var/lib/kubelet/pki',
    onReset: 'removes it',
    byHand: 'kubeadm reset --force, then rm -r /var/lib/kubelet/pki',
  },
  { root: '/var/log/pods', onReset: 'removes it', byHand: 'rm -r /var/log/pods' },
  {
    root: '/etc/cni/net.d',
    onReset: 'removes it, or of a runtime that stays its own file alone',
    byHand: 'empty /etc/cni/net.d, where nothing else (podman) needs it',
  },
];

/** Interfaces of network plugins and kube-proxy; tunl0 and its like come with a kernel module, whoever loads it. */
const podInterface =
  /^(cni0|cbr0|flannel|kube-|nodelocaldns|cali[0-9a-f]|vxlan\.calico|vxlan-v6\.calico|cilium_|lxc_health|weave|ovn0|ovn-k8s|genev_sys_|antrea-)/;

/** Those that reset takes away. */
const ownInterfaces = new Set(['cni0', 'flannel.1', 'flannel-v6.1', 'kube-ipvs0']);

/** What a cluster left, one for each place and one for all interfaces. */
export function leftoversOf({ facts }: Pick<Member, 'facts'>): Leftover[] {
  const known = places.flatMap(({ root, onReset, byHand }): Leftover[] => {
    const found = facts.leftovers.filter((path) => isWithin(path, root));
    return found.length === 0 ? [] : [{ what: nameAll(found, root), mark: root, onReset, byHand }];
  });
  const others = facts.leftovers
    .filter((path) => !places.some(({ root }) => isWithin(path, root)))
    .map((path): Leftover => ({ what: path, mark: path, onReset: 'leaves it', byHand: `remove ${path}` }));
  return [...known, ...others, ...interfacesOf([...facts.mtus.keys()])];
}

function interfacesOf(names: readonly string[]): Leftover[] {
  const found = names.filter((name) => podInterface.test(name));
  return found.map((name) => ({
    what: `the interface ${name}`,
    mark: name,
    onReset: ownInterfaces.has(name) ? 'deletes it' : 'leaves it, because no network plugin of the installer makes it',
    byHand: `ip link delete ${name}`,
  }));
}

function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`);
}

/** `/etc/kubernetes/admin.conf`, `/etc/kubernetes (admin.conf, pki/ca.crt and 7 more)`. */
function nameAll(paths: readonly string[], root: string): string {
  const [only] = paths;
  if (only !== undefined && paths.length === 1) return only;
  const names = paths.map((path) => path.slice(root.length + 1));
  const shown = names.slice(0, 3).join(', ');
  return `${root} (${shown}${names.length > 3 ? ` and ${names.length - 3} more` : ''})`;
}
