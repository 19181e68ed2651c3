import { describeDistro, distros, findDistro, isKnownRelease } from '../../hosts/distros/index.ts';
import { neededModules } from '../../kubernetes/kernel-modules.ts';
import type { HostCheck } from '../check.ts';

export const osSupported: HostCheck = {
  id: 'os-supported',
  scope: 'host',
  title: 'The distribution or its release is not one that is known',
  severity: 'warning',
  expected: `one of ${distros.map(describeDistro).join('; ')}`,
  remedy: 'nothing to do where it is like one of them; names of packages and files may differ',
  source: 'host requirements: matrix of distributions; release notes of the distributions for what came later',
  reads: ['osRelease'],
  run({ facts: { os } }) {
    const distro = findDistro(os);
    const actual = `${os.id} ${os.versionId}`.trim();
    if (distro === undefined) return [{ actual }];
    // One that is only like another counts its releases in its own way.
    const isItself = distro.ids.includes(os.id.toLowerCase());
    if (!isItself || isKnownRelease(distro, os.versionId) !== false) return [];
    return [{ actual, expected: describeDistro(distro) }];
  },
};

/** 4.18 of RHEL 8 has what was taken from later kernels. */
export const kernelSupported: HostCheck = {
  id: 'kernel-supported',
  scope: 'host',
  title: 'The kernel is old',
  severity: 'warning',
  expected: 'Linux 4.19 or later, or 4.18 of RHEL 8 and its likes',
  remedy: 'upgrade the kernel, or the distribution',
  source: 'Kubernetes, "Kernel version requirements": 4.19 is the oldest kernel that is tested',
  reads: ['uname'],
  run({ facts: { kernel } }) {
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
    if (major === undefined || minor === undefined) return [];
    const isNew = Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 19);
    return isNew || /^4\.18\..*\.el8/.test(kernel) ? [] : [{ actual: kernel }];
  },
};

/** A feature that is built into the kernel counts as there. */
export const kernelModules: HostCheck = {
  id: 'kernel-modules',
  scope: 'host',
  title: 'The kernel lacks a feature',
  severity: 'error',
  expected:
    'overlay, br_netfilter and nf_conntrack; vxlan for flannel; ip_vs, ip_vs_rr, ip_vs_wrr and ip_vs_sh where kube-proxy has mode ipvs; nf_conntrack_ipv4 before Linux 4.19; what spec.hostSettings.modules names: built in, loaded, or to be loaded',
  remedy:
    'install the package with the rest of the modules (linux-modules-extra, kernel-modules), or another kernel; take what cannot be had out of spec.hostSettings.modules or spec.kubernetes.kubeProxy.mode',
  source:
    'Kubernetes, "Container runtimes": overlay and br_netfilter; kube-proxy, IPVS: required modules; flannel; host requirements',
  reads: ['missingFeatures'],
  run(member, cluster) {
    const needed = [
      ...neededModules(member, cluster),
      ...(cluster.config.spec.network.plugin === 'flannel' ? ['vxlan'] : []),
    ];
    const always = ['overlay', 'br_netfilter', 'nf_conntrack'];
    const missing = new Set([
      ...member.facts.missingFeatures.filter((name) => always.includes(name) || needed.includes(name)),
      ...(cluster.probed.get(member.config.name)?.missingModules ?? []),
    ]);
    const names = [...missing];
    return names.length === 0
      ? []
      : [{ actual: `missing: ${names.join(', ')}`, seen: names.map((name) => `no ${name}`).join(' | ') }];
  },
};
