import { belongsToCluster, versionsOf } from '../../kubernetes/cluster.ts';
import type { HostCheck } from '../check.ts';

export const noLeftovers: HostCheck = {
  id: 'no-leftovers',
  needsRoot: true,
  scope: 'host',
  title: 'Something of another cluster is here',
  severity: 'error',
  expected: 'no files of kubeadm, etcd or a network plugin, but those of this very cluster',
  remedy:
    'where they are not needed any more: kubeadm reset --force, then remove /etc/cni/net.d; where they are, this is not the host',
  source: 'kubeadm preflight: DirAvailable and FileAvailable',
  reads: ['leftovers'],
  run(member, cluster) {
    if (belongsToCluster(member, cluster)) return [];
    const { leftovers } = member.facts;
    return leftovers.length === 0 ? [] : [{ actual: leftovers.join(', ') }];
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
