import { mountOf } from '../../hosts/facts-settings.ts';
import { isControlPlane, type Member } from '../../kubernetes/cluster.ts';
import { diskPaths, type DiskPath, type Thresholds } from '../../spec/config.ts';
import type { HostCheck } from '../check.ts';

const gibibyte = 1024 ** 3;

/** Each file system that one of the paths lies on, by the number of the path that it is mounted at. */
export const diskFree: HostCheck = {
  id: 'disk-free',
  scope: 'host',
  title: 'Too little free disk space',
  severity: 'error',
  expected: ({ diskFreeGiB, diskFloorGiB }) =>
    `at least ${diskFloorGiB} GiB free, and better ${diskPaths.map((path) => `${diskFreeGiB[path]} on ${path}`).join(', ')}; what is no mount of its own is judged with the file system that it lies on`,
  remedy:
    'free space, or mount a larger file system there; where less is enough, set spec.checks.thresholds.diskFreeGiB',
  source:
    'host requirements: / 150 GB, /var/lib 50 GB, /var/lib/containerd 100 GB, /opt 30 GB in production; measured: binaries and images of Kubernetes itself take about 2 GB',
  reads: ['free'],
  run(member, cluster) {
    const { thresholds } = cluster.config.spec.checks;
    const hasCluster = member.facts.identity?.clusterName === cluster.config.metadata.name;
    return [...member.facts.freeBytes].flatMap(([mount, bytes]) => {
      const good = wantedOn(mount, member, thresholds);
      if (good === undefined || bytes >= good * gibibyte) return [];
      const floor = Math.min(thresholds.diskFloorGiB, good);
      return [
        {
          actual: `${(bytes / gibibyte).toFixed(1)} GiB free on ${mount}`,
          expected: `at least ${floor} GiB free on ${mount}${good === floor ? '' : `, and better ${good} GiB`}`,
          severity: bytes < floor * gibibyte && !hasCluster ? 'error' : 'warning',
          about: (line: string) => line.endsWith(` ${mount}`),
        } as const,
      ];
    });
  },
};

/** GiB; a file system at another path (/var) needs what the most demanding path on it does. */
function wantedOn(mount: string, member: Member, { diskFreeGiB }: Thresholds): number | undefined {
  const isUsed = (path: DiskPath): boolean => path !== '/var/lib/etcd' || isControlPlane(member);
  const own = diskPaths.find((path) => path === mount);
  if (own !== undefined) return isUsed(own) ? diskFreeGiB[own] : undefined;
  const mounts = [...member.facts.freeBytes.keys()].map((path) => ({ path }));
  const there = diskPaths.filter((path) => isUsed(path) && mountOf(mounts, path)?.path === mount);
  return there.length === 0 ? undefined : Math.max(...there.map((path) => diskFreeGiB[path]));
}
