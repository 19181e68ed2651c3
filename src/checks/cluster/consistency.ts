import { architectures } from '../../artifacts/catalog.ts';
import { belongsToCluster, type Cluster, type Member } from '../../kubernetes/cluster.ts';
import type { ClusterCheck } from '../check.ts';

type Found = ReturnType<ClusterCheck['run']>[number];

/** One finding for each host whose value is not that of most hosts; of equally many, that of the first counts. */
function oddOnes(cluster: Cluster, valueOf: (member: Member) => string | undefined): Found[] {
  const byValue = Map.groupBy(cluster.members, valueOf);
  byValue.delete(undefined);
  const [most, ...others] = [...byValue].toSorted(([, a], [, b]) => b.length - a.length);
  if (most === undefined) return [];
  const [usual = '', owners] = most;
  return others.flatMap(([value = '', members]) =>
    members.map(({ config }) => ({
      host: config.name,
      actual: `${value}, and ${owners.length === 1 ? (owners[0]?.config.name ?? '') : `${owners.length} hosts`} ${owners.length === 1 ? 'has' : 'have'} ${usual}`,
    })),
  );
}

/**
 * A new cluster is made of hosts that are alike. A bundle was found to have everything for all hosts before any was asked, and a
 * cluster that runs already runs with what it has: there it is told only.
 */
function oddOnesOfNew(cluster: Cluster, valueOf: (member: Member) => string | undefined): Found[] {
  const isTold = cluster.supply !== undefined || cluster.members.some((member) => belongsToCluster(member, cluster));
  return oddOnes(cluster, valueOf).map((found) => ({ ...found, ...(isTold ? { severity: 'warning' } : {}) }));
}

const whereIntended = 'where it is intended, set it to warning in spec.checks.severities';

export const osConsistent: ClusterCheck = {
  id: 'os-consistent',
  scope: 'cluster',
  title: 'The hosts do not run the same distribution',
  severity: 'error',
  expected:
    'one distribution and one version of it on all hosts of a new cluster; a warning with --bundle, which has everything for each of them, and where the cluster runs already',
  remedy: `install the host anew with the distribution of the others; ${whereIntended}`,
  source: 'host requirements: all hosts of a new cluster alike',
  reads: ['osRelease'],
  run: (cluster) =>
    oddOnesOfNew(cluster, ({ facts }) =>
      facts.os.id === 'unknown' ? undefined : `${facts.os.id} ${facts.os.versionId}`.trim(),
    ),
};

/** Zones are compared by name; where a host names none, its distance from UTC at this moment counts. */
export const timezoneConsistent: ClusterCheck = {
  id: 'timezone-consistent',
  scope: 'cluster',
  title: 'The hosts do not have the same time zone',
  severity: 'warning',
  expected: 'one time zone on all hosts, so that their logs can be compared',
  remedy: 'set it with timedatectl set-timezone',
  source: 'host requirements: the same time zone everywhere',
  reads: ['zoneFile', 'zoneOffset'],
  run(cluster) {
    const areAllNamed = cluster.members.every(({ facts }) => facts.timeZone?.name !== undefined);
    return oddOnes(cluster, ({ facts: { timeZone } }) =>
      areAllNamed ? timeZone?.name : timeZone && `UTC${timeZone.offset}`,
    );
  },
};

export const archConsistent: ClusterCheck = {
  id: 'arch-consistent',
  scope: 'cluster',
  title: 'The hosts do not have the same architecture',
  severity: 'error',
  expected:
    'one architecture on all hosts of a new cluster; a warning with --bundle, which has everything for each of them, and where the cluster runs already',
  remedy: `use other hosts, or see that every image that will run has all architectures: ${whereIntended}`,
  source: 'host requirements: all hosts of a new cluster alike',
  reads: ['uname'],
  // One that is not supported at all is told by architecture-supported.
  run: (cluster) => oddOnesOfNew(cluster, ({ facts }) => architectures.find((name) => name === facts.architecture)),
};
