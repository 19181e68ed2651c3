import { isControlPlane, type Member } from '../../kubernetes/cluster.ts';
import type { Found, HostCheck } from '../check.ts';

const mebibyte = 1024 * 1024;

/** Guides ask for half as much more on arm64, whose cores do less each. */
function factorOf({ facts }: Member): number {
  return facts.architecture === 'arm64' ? 1.5 : 1;
}

/** Enough to run Kubernetes, and little for what runs on it. */
function fewerThanGood(actual: string, expected: string): Found {
  return {
    title: 'The host is small',
    actual,
    expected: `${expected}, for what runs beside Kubernetes itself`,
    severity: 'warning',
    remedy:
      'nothing to do where little will run here; spec.checks.thresholds (recommended…) sets what is good, 0 for none',
  };
}

export const cpu: HostCheck = {
  id: 'cpu',
  scope: 'host',
  title: 'Too few CPU cores',
  severity: 'error',
  expected: 'at least 2 cores; a warning where there are not more than 4 (6 on arm64)',
  remedy: 'give the host more cores',
  source:
    'kubeadm preflight: NumCPU (ControlPlaneNumCPU); host requirements: at least 2, more than 4, on ARM half as many more',
  reads: ['cpus'],
  run(member, cluster) {
    const { cpus } = member.facts;
    const { cpuCores, workerCpuCores, recommendedCpuCores } = cluster.config.spec.checks.thresholds;
    if (cpus === undefined) return [{ actual: 'the number of cores could not be read', severity: 'warning' }];
    const actual = `${cpus} core${cpus === 1 ? '' : 's'}`;
    if (cpus < (isControlPlane(member) ? cpuCores : workerCpuCores)) return [{ actual }];
    const good = recommendedCpuCores * factorOf(member);
    return cpus > good ? [] : [fewerThanGood(actual, `more than ${good} cores`)];
  },
};

export const memory: HostCheck = {
  id: 'memory',
  scope: 'host',
  title: 'Too little memory',
  severity: 'error',
  expected: 'at least 1700 MiB; a warning where there are not more than 8192 MiB (12288 on arm64)',
  remedy: 'give the host more memory',
  source:
    'kubeadm preflight: Mem (ControlPlaneMem, 1700 MB), which is what a machine of 2 GiB has for programs; host requirements: 2 GiB, more than 8 GB, on ARM half as much more',
  reads: ['meminfo'],
  run(member, cluster) {
    const { controlPlaneMemoryMiB, workerMemoryMiB, recommendedMemoryMiB } = cluster.config.spec.checks.thresholds;
    const { memoryBytes } = member.facts;
    if (memoryBytes === undefined) return [{ actual: 'the size of the memory could not be read', severity: 'warning' }];
    const mib = memoryBytes / mebibyte;
    const actual = `${Math.floor(mib)} MiB`;
    if (mib < (isControlPlane(member) ? controlPlaneMemoryMiB : workerMemoryMiB)) return [{ actual }];
    const good = recommendedMemoryMiB * factorOf(member);
    return mib > good ? [] : [fewerThanGood(actual, `more than ${good} MiB`)];
  },
};

export const diskFree: HostCheck = {
  id: 'disk-free',
  scope: 'host',
  title: 'Too little free disk space',
  severity: 'error',
  expected: 'at least 3 GiB free for /var/lib and /usr/local; 20 GiB are good',
  remedy: 'free space, or mount a larger file system at /var/lib',
  source: 'measured: binaries and images of Kubernetes itself take about 2 GB',
  reads: ['free'],
  run(member, cluster) {
    const { diskFreeGiB } = cluster.config.spec.checks.thresholds;
    const rows = [...member.facts.freeBytes].filter(([, bytes]) => bytes < Math.max(diskFreeGiB, 3) * 1024 * mebibyte);
    return rows.flatMap(([mount, bytes]) => {
      const gib = (bytes / 1024 / mebibyte).toFixed(1);
      const isLow = bytes < 3 * 1024 * mebibyte;
      const hasCluster = member.facts.identity?.clusterName === cluster.config.metadata.name;
      return [
        {
          actual: `${gib} GiB free on ${mount}`,
          severity: isLow && !hasCluster ? 'error' : 'warning',
          about: (line: string) => line.endsWith(` ${mount}`),
        } as const,
      ];
    });
  },
};
