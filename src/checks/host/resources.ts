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
  expected: ({ cpuCores, workerCpuCores, recommendedCpuCores }) =>
    `at least ${cpuCores} cores on a control plane, ${workerCpuCores} on a worker; more than ${recommendedCpuCores} are good, on arm64 half as many more`,
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
  expected: ({ controlPlaneMemoryMiB, workerMemoryMiB, recommendedMemoryMiB }) =>
    `at least ${controlPlaneMemoryMiB} MiB on a control plane, ${workerMemoryMiB} MiB on a worker; more than ${recommendedMemoryMiB} MiB are good, on arm64 half as much more`,
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
