import { isControlPlane } from '../../kubernetes/cluster.ts';
import type { HostCheck } from '../check.ts';

const mebibyte = 1024 * 1024;

export const cpu: HostCheck = {
  id: 'cpu',
  scope: 'host',
  title: 'Too few CPU cores',
  severity: 'error',
  expected: ({ cpuCores }) => `at least ${cpuCores} cores on a control plane`,
  remedy: 'give the host more cores',
  source: 'kubeadm preflight: NumCPU (ControlPlaneNumCPU)',
  reads: ['cpus'],
  run(member, cluster) {
    const { cpus } = member.facts;
    const { cpuCores } = cluster.config.spec.checks.thresholds;
    if (cpus === undefined) return [{ actual: 'the number of cores could not be read', severity: 'warning' }];
    return isControlPlane(member) && cpus < cpuCores ? [{ actual: `${cpus} core${cpus === 1 ? '' : 's'}` }] : [];
  },
};

export const memory: HostCheck = {
  id: 'memory',
  scope: 'host',
  title: 'Too little memory',
  severity: 'error',
  expected: ({ controlPlaneMemoryMiB, workerMemoryMiB }) =>
    `at least ${controlPlaneMemoryMiB} MiB on a control plane, ${workerMemoryMiB} MiB on a worker`,
  remedy: 'give the host more memory',
  source: 'kubeadm preflight: Mem (ControlPlaneMem, 1700 MB)',
  reads: ['meminfo'],
  run(member, cluster) {
    const { controlPlaneMemoryMiB, workerMemoryMiB } = cluster.config.spec.checks.thresholds;
    const { memoryBytes } = member.facts;
    if (memoryBytes === undefined) return [{ actual: 'the size of the memory could not be read', severity: 'warning' }];
    const floor = (isControlPlane(member) ? controlPlaneMemoryMiB : workerMemoryMiB) * mebibyte;
    return memoryBytes < floor ? [{ actual: `${Math.floor(memoryBytes / mebibyte)} MiB` }] : [];
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
