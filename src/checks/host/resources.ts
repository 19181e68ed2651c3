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
