import type { HostCheck } from '../check.ts';

/** ID of os-release(5). */
const known = [
  ...['debian', 'ubuntu', 'rhel', 'centos', 'rocky', 'almalinux', 'ol', 'anolis', 'tencentos', 'opencloudos', 'fedora'],
  ...['amzn', 'openeuler', 'kylin', 'uos', 'sles', 'opensuse-leap', 'opensuse-tumbleweed', 'flatcar'],
];

export const osSupported: HostCheck = {
  id: 'os-supported',
  scope: 'host',
  title: 'The distribution is not one that is known',
  severity: 'warning',
  expected: known.join(', '),
  remedy: 'nothing to do where it is like one of them; names of packages and files may differ',
  source: 'host requirements: matrix of distributions',
  reads: ['osRelease'],
  run: ({ facts: { os } }) => {
    // os-release has openEuler and Kylin in capitals of different editions.
    const names = [os.id, ...os.idLike].map((name) => name.toLowerCase());
    return names.some((name) => known.includes(name)) ? [] : [{ actual: `${os.id} ${os.versionId}`.trim() }];
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

/** vxlan is flannel's. A feature that is built into the kernel counts as there. */
export const kernelModules: HostCheck = {
  id: 'kernel-modules',
  scope: 'host',
  title: 'The kernel lacks a feature',
  severity: 'error',
  expected: 'overlay, br_netfilter, nf_conntrack, and vxlan for flannel: built in, loaded, or to be loaded',
  remedy: 'install the package with the rest of the modules (linux-modules-extra, kernel-modules), or another kernel',
  source: 'Kubernetes, "Container runtimes": overlay and br_netfilter; kube-proxy; flannel',
  reads: ['missingFeatures'],
  run({ facts }, cluster) {
    const isFlannel = cluster.config.spec.network.plugin === 'flannel';
    const missing = facts.missingFeatures.filter((name) => name !== 'vxlan' || isFlannel);
    return missing.length === 0 ? [] : [{ actual: `missing: ${missing.join(', ')}` }];
  },
};
