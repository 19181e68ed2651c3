import { interfaceOf, type Cluster, type Member } from '../../kubernetes/cluster.ts';
import { notChecked, type ClusterCheck } from '../check.ts';

type Found = ReturnType<ClusterCheck['run']>[number];

/** One finding for each value that several hosts share, under the name of the second and later ones. */
function duplicates(cluster: Cluster, valueOf: (member: Member) => string | undefined, what: string): Found[] {
  const owners = new Map<string, string>();
  return cluster.members.flatMap((member) => {
    const value = valueOf(member);
    if (value === undefined || value === '') return [];
    const owner = owners.get(value);
    if (owner === undefined) owners.set(value, member.config.name);
    return owner === undefined
      ? []
      : [{ host: member.config.name, actual: `${what} ${value} is that of ${owner} too` }];
  });
}

export const hostnameUnique: ClusterCheck = {
  id: 'hostname-unique',
  scope: 'cluster',
  title: 'Two hosts have the same hostname',
  severity: 'error',
  expected: 'a hostname of its own for every host',
  remedy: 'set another one with hostnamectl set-hostname',
  source: 'kubeadm, "Before you begin": a unique hostname for every node',
  reads: ['uname'],
  run: (cluster) => duplicates(cluster, ({ facts }) => facts.hostname, 'hostname'),
};

export const machineIdUnique: ClusterCheck = {
  id: 'machine-id-unique',
  scope: 'cluster',
  title: 'Two hosts have the same machine-id',
  severity: 'error',
  expected: 'a machine-id of its own for every host; cloned machines share it',
  remedy: 'on the clone: rm /etc/machine-id && systemd-machine-id-setup, then reboot',
  source: 'machine-id(5): unique for every machine; systemd and DHCP clients derive identities from it',
  reads: ['machineId'],
  run: (cluster) => duplicates(cluster, ({ facts }) => facts.machineId, 'machine-id'),
};

export const productUuidUnique: ClusterCheck = {
  id: 'product-uuid-unique',
  scope: 'cluster',
  title: 'Two hosts have the same product_uuid',
  severity: 'error',
  expected: 'a product_uuid of its own for every host',
  remedy: 'give the virtual machine another UUID in its hypervisor',
  source: 'kubeadm, "Before you begin": a unique product_uuid for every node',
  reads: ['productUuid'],
  run: (cluster) => [
    ...duplicates(cluster, ({ facts }) => facts.productUuid, 'product_uuid'),
    ...cluster.members.filter(({ facts }) => !facts.isRoot).map(({ config }) => ({ ...notChecked, host: config.name })),
  ],
};

/** The interface of the node address alone: those of containers and bonds may share theirs. */
export const macUnique: ClusterCheck = {
  id: 'mac-unique',
  scope: 'cluster',
  title: 'Two hosts have the same MAC address',
  severity: 'error',
  expected: 'a MAC address of its own for the interface of every node address',
  remedy: 'give the virtual machine another MAC address in its hypervisor',
  source: 'kubeadm, "Before you begin": a unique MAC address for every node',
  reads: ['links'],
  run: (cluster) =>
    duplicates(cluster, macOf, 'MAC address').map((found) => ({ ...found, about: isOneOf(cluster, found.host) })),
};

function macOf(member: Member): string | undefined {
  return member.facts.macAddresses.get(interfaceOf(member) ?? '');
}

/** The line of the interface that carries the node address. */
function isOneOf({ members }: Cluster, host: string | undefined): (line: string) => boolean {
  const member = members.find(({ config }) => config.name === host);
  const mac = member && macOf(member);
  return (line) => mac !== undefined && line.includes(mac);
}
