import { belongsToCluster, versionsOf } from '../../kubernetes/cluster.ts';
import type { HostCheck } from '../check.ts';
import { leftoversOf } from './leftovers-of.ts';

/** One finding for each thing, with what reset would do with it. */
export const leftovers: HostCheck = {
  id: 'leftovers',
  needsRoot: true,
  scope: 'host',
  title: 'Something of another cluster is here',
  severity: 'error',
  expected:
    'nothing of kubeadm, kubelet, etcd, pods or a network plugin, but of this very cluster; empty folders do not count',
  remedy:
    'installer reset with the file of the cluster that it is of; by hand where that was not made by the installer',
  source: 'kubeadm preflight: DirAvailable and FileAvailable; host requirements',
  reads: ['leftovers', 'links'],
  run(member, cluster) {
    if (belongsToCluster(member, cluster)) return [];
    const { identity } = member.facts;
    return leftoversOf(member).map(({ what, mark, onReset, byHand }) => ({
      actual: what,
      remedy:
        identity === undefined
          ? `installer reset touches nothing here, because no identity says whose it is; where it is not needed any more: ${byHand}`
          : `installer reset with the file of cluster ${identity.clusterName} ${onReset}${onReset.startsWith('leaves') ? `; then ${byHand}` : ''}`,
      about: (line: string) => line.startsWith(mark) || line.split(' ')[1]?.replace(/(@.*)?:$/, '') === mark,
    }));
  },
};

export const sameCluster: HostCheck = {
  id: 'same-cluster',
  needsRoot: true,
  mandatory: true,
  scope: 'host',
  title: 'The host belongs to another cluster',
  severity: 'error',
  expected: 'no identity, or that of this cluster',
  remedy: 'take it out of that cluster first: installer reset with that cluster file',
  source: 'installer: the identity that it writes first and removes last',
  reads: ['identity'],
  run(member, cluster) {
    const { identity, identityUnreadable } = member.facts;
    if (identityUnreadable !== undefined)
      return [{ actual: `/var/lib/installer/cluster.json cannot be read: ${identityUnreadable}` }];
    if (identity === undefined) return [];
    if (identity.clusterName !== cluster.config.metadata.name)
      return [{ actual: `cluster ${identity.clusterName} (${identity.clusterId})` }];
    return identity.clusterId === cluster.clusterId
      ? []
      : [{ actual: `another cluster of the same name (${identity.clusterId}, not ${cluster.clusterId})` }];
  },
};

/** Another kubelet under a running cluster would be an upgrade without its order and its backups. */
export const versionUnchanged: HostCheck = {
  id: 'version-unchanged',
  needsRoot: true,
  mandatory: true,
  scope: 'host',
  title: 'The cluster runs another Kubernetes version',
  severity: 'error',
  expected: 'the version of the cluster file',
  remedy: 'set spec.kubernetes.version to the version that runs; cluster-create never upgrades',
  source: 'Kubernetes, "Version skew policy": versions change in an order, by an upgrade',
  reads: ['kubeletRecord', 'identity'],
  run(member, cluster) {
    const { kubeletVersion, identity } = member.facts;
    const wanted = versionsOf(cluster).kubernetes.version;
    return identity === undefined || kubeletVersion === undefined || kubeletVersion === wanted
      ? []
      : [{ actual: `${kubeletVersion} is installed, the file says ${wanted}` }];
  },
};
