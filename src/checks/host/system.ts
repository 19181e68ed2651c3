import { architectures } from '../../artifacts/catalog.ts';
import { versionsOf } from '../../kubernetes/cluster.ts';
import { distroOf } from '../../kubernetes/host-distro.ts';
import { needsCurl } from '../../kubernetes/host-servers.ts';
import { installableTools, recommendedTools, requiredTools, requiredToolsOf } from '../../kubernetes/needed-tools.ts';
import type { HostCheck } from '../check.ts';

export const architectureSupported: HostCheck = {
  id: 'architecture-supported',
  scope: 'host',
  title: 'Architecture not supported',
  severity: 'error',
  expected: architectures.join(' or '),
  remedy: 'use another host: Kubernetes is not published for this one',
  source: 'Kubernetes releases, as the version catalog lists them',
  reads: ['uname'],
  run: ({ facts }) =>
    architectures.some((name) => name === facts.architecture) ? [] : [{ actual: facts.architecture }],
};

export const systemdRunning: HostCheck = {
  id: 'systemd-running',
  scope: 'host',
  title: 'systemd is missing or too old',
  severity: 'error',
  expected: 'systemd 229 or later',
  remedy: 'use a distribution with a current systemd',
  source: 'systemd 229: systemd-run with --remain-after-exit and RuntimeMaxSec',
  reads: ['systemd'],
  run({ facts }) {
    if (facts.systemdVersion === undefined) return [{ actual: 'systemctl does not answer' }];
    return facts.systemdVersion < 229 ? [{ actual: `systemd ${facts.systemdVersion}` }] : [];
  },
};

export const cgroupVersion: HostCheck = {
  id: 'cgroup-version',
  scope: 'host',
  title: 'kubelet would refuse cgroup v1',
  severity: 'error',
  expected: 'cgroup v2, or failCgroupV1: false in spec.kubernetes.kubelet',
  remedy: 'boot with systemd.unified_cgroup_hierarchy=1, or set spec.kubernetes.kubelet.failCgroupV1: false',
  source: 'Kubernetes 1.35: kubelet refuses cgroup v1 unless failCgroupV1 is false',
  reads: ['cgroup'],
  run({ facts }, cluster) {
    const minor = Number(versionsOf(cluster).kubernetes.minor.split('.')[1]);
    const isAllowed = cluster.config.spec.kubernetes.kubelet['failCgroupV1'] === false;
    return facts.cgroupVersion === 1 && minor >= 35 && !isAllowed ? [{ actual: 'cgroup v1' }] : [];
  },
};

/** What phases, kubeadm and kubelet call; source: kubeadm's preflight for the latter. */

export const toolsPresent: HostCheck = {
  id: 'tools-present',
  scope: 'host',
  title: 'Tools are missing',
  severity: 'error',
  expected: `${requiredTools.join(', ')}, and curl or wget; bc on openEuler`,
  remedy:
    'install the packages that bring them (iproute2, iptables, util-linux, procps, findutils, diffutils, curl; with rpm, iproute, iptables-nft and procps-ng)',
  source: 'kubeadm preflight: FileExisting; what the phases of the installer call',
  reads: ['tools'],
  run(member, cluster) {
    const { facts } = member;
    const installed = installableTools(member, cluster);
    const willCome = (tool: string): boolean => installed.some((item) => item.tool === tool);
    const lacking: string[] = requiredToolsOf(distroOf(member)).filter((tool) => !facts.tools.has(tool));
    const missing = lacking.filter((tool) => !willCome(tool));
    const wantsCurl = needsCurl(cluster);
    if (!facts.tools.has('curl') && (wantsCurl || !facts.tools.has('wget')) && !willCome('curl'))
      missing.push(wantsCurl ? 'curl (wget is not enough for a server of spec.artifacts.servers)' : 'curl or wget');
    const useful = recommendedTools.filter((tool) => !facts.tools.has(tool) && !willCome(tool));
    return [
      ...(installed.length === 0
        ? []
        : [
            {
              ...lack(installed.map(({ tool }) => tool)),
              severity: 'info',
              remedy: `nothing to do: prepare-hosts installs ${[...new Set(installed.map((item) => item.package))].join(', ')}`,
            } as const,
          ]),
      ...(missing.length === 0 ? [] : [lack(missing)]),
      ...(useful.length === 0
        ? []
        : [
            {
              ...lack(useful),
              severity: 'warning',
              expected: recommendedTools.join(', '),
              remedy:
                'install conntrack, ethtool, socat and iproute2 (with rpm, conntrack-tools and iproute-tc); port-forward and some network plugins need them',
            } as const,
          ]),
    ];
  },
};

function lack(tools: readonly string[]): { readonly actual: string; readonly seen: string } {
  const names = tools.join(', ');
  return { actual: `missing: ${names}`, seen: `no path of ${names}` };
}

/** With `swap: off` prepare-hosts mends it; with `leave` kubelet bears it, which is told. */
export const swapDisabled: HostCheck = {
  id: 'swap-disabled',
  scope: 'host',
  title: 'Swap is on, or will be after the next boot',
  severity: 'error',
  expected: 'no active swap, none in /etc/fstab, and no unit that turns it on at boot',
  remedy: 'swapoff -a, comment the entries of /etc/fstab out, and disable the units',
  source: 'kubeadm preflight: Swap; kubelet: failSwapOn; host requirements: no active swap, none in fstab',
  reads: ['swaps', 'fstab', 'swapUnits'],
  run({ facts }, cluster) {
    const { swaps, swapEntries, swapUnits } = facts;
    const found = [
      ...swaps,
      ...swapEntries.map((entry) => `${entry.split(' ')[0] ?? ''} in /etc/fstab`),
      ...swapUnits.map(({ unit, state }) => `${unit} ${state}`),
    ];
    if (found.length === 0) return [];
    const kept = {
      severity: 'info',
      remedy:
        'nothing to do: spec.hostSettings.swap is leave, and kubelet is told to start with it (failSwapOn: false)',
    } as const;
    return [
      {
        actual: found.join(', '),
        ...(cluster.config.spec.hostSettings.swap === 'leave' ? kept : {}),
        about: () => true,
      },
    ];
  },
};

/** A runtime that was there before is kept, where it is one that this Kubernetes can use. */
export const runtimeUsable: HostCheck = {
  id: 'runtime-usable',
  scope: 'host',
  title: 'The containerd that is there cannot be used',
  severity: 'error',
  expected: 'none, or containerd 2.0 or later, and of the version in spec.runtime.containerd.version where that is set',
  remedy: 'upgrade it or remove it; with none there, the installer brings its own',
  source: 'Kubernetes, "Container runtimes": containerd 2.0 or later',
  reads: ['containerd', 'tools'],
  run({ facts }, cluster) {
    const { containerd } = facts;
    if (containerd === undefined || containerd.isOurs) return [];
    const wanted = cluster.config.spec.runtime.containerd.version;
    const isGood =
      Number(containerd.version.split('.')[0]) >= 2 && (wanted === undefined || wanted === containerd.version);
    const about = (line: string): boolean => line.includes(containerd.version) || line === containerd.path;
    return isGood ? [] : [{ actual: `containerd ${containerd.version} at ${containerd.path}`, about }];
  },
};
