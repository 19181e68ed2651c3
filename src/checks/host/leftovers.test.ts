import { expect, it } from 'vitest';
import { testCluster } from '../../../test/support/cluster.ts';
import type { Facts } from '../../hosts/facts.ts';
import { runChecks } from '../check.ts';
import { leftovers } from './leftovers.ts';

const of = { clusterId: 'c9', clusterName: 'other' };
const found = [
  '/etc/kubernetes/admin.conf',
  ...['a', 'b', 'c', 'd'].map((name) => `/etc/kubernetes/pki/${name}.crt`),
  '/etc/systemd/system/kubelet.service',
  '/var/lib/etcd/member',
  '/var/log/pods/kube-system_etcd_0',
  '/etc/cni/net.d/10-flannel.conflist',
];
const mtus = new Map(
  ['lo', 'eth0', 'cni0', 'flannel.1', 'cali12ab', 'cni-podman0', 'docker0', 'tunl0'].map((name) => [name, 1500]),
);

function rows(facts: Partial<Facts>): string[] {
  const all = runChecks([leftovers], testCluster({ facts: { w1: facts } }));
  return all.map(({ actual, remedy }) => `${actual} -> ${remedy}`);
}

const unknown =
  'installer reset touches nothing here, because no identity says whose it is; where it is not needed any more:';
const known = 'installer reset with the file of cluster other';

it('tells each thing, and what reset does with it on a host of a cluster that is known', () => {
  expect(rows({ identity: of, leftovers: found, mtus })).toEqual([
    `/etc/kubernetes (admin.conf, pki/a.crt, pki/b.crt and 2 more) -> ${known} stops the control plane and removes it`,
    `/etc/systemd/system/kubelet.service -> ${known} stops kubelet and removes it`,
    `/var/lib/etcd/member -> ${known} removes it with all data of the cluster`,
    `/var/log/pods/kube-system_etcd_0 -> ${known} removes it`,
    `/etc/cni/net.d/10-flannel.conflist -> ${known} removes it, or of a runtime that stays its own file alone`,
    `the interface cni0 -> ${known} deletes it`,
    `the interface flannel.1 -> ${known} deletes it`,
    `the interface cali12ab -> ${known} leaves it, because no network plugin of the installer makes it; then ip link delete cali12ab`,
  ]);
});

it('says what to do by hand where nobody knows whose it is', () => {
  expect(rows({ leftovers: ['/var/log/pods/x'], mtus: new Map([['kube-ipvs0', 1500]]) })).toEqual([
    `/var/log/pods/x -> ${unknown} rm -r /var/log/pods`,
    `the interface kube-ipvs0 -> ${unknown} ip link delete kube-ipvs0`,
  ]);
});

it('finds nothing where nothing is, and on a node of this cluster', () => {
  expect(rows({})).toEqual([]);
  expect(rows({ identity: { clusterId: 'c1', clusterName: 'prod' }, leftovers: found, mtus })).toEqual([]);
});
