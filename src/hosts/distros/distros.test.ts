import { describe, expect, it } from 'vitest';
import { distros, findDistro } from './index.ts';

describe('findDistro', () => {
  it.each<[string, string[], string | undefined, string | undefined]>([
    ['debian', [], 'Debian', 'apt-get'],
    ['ubuntu', ['debian'], 'Ubuntu', 'apt-get'],
    ['linuxmint', ['ubuntu', 'debian'], 'Ubuntu', 'apt-get'],
    ['rhel', ['fedora'], 'RHEL', 'dnf'],
    ['centos', ['rhel', 'fedora'], 'CentOS', 'dnf'],
    ['rocky', ['rhel', 'centos', 'fedora'], 'Rocky Linux', 'dnf'],
    ['almalinux', ['rhel', 'centos', 'fedora'], 'AlmaLinux', 'dnf'],
    ['ol', ['fedora'], 'Oracle Linux', 'dnf'],
    ['anolis', ['rhel', 'fedora', 'centos'], 'Anolis OS', 'dnf'],
    ['tencentos', ['rhel', 'fedora', 'centos'], 'TencentOS', 'dnf'],
    ['openEuler', [], 'openEuler', 'dnf'],
    ['kylin', ['fedora'], 'Kylin', 'dnf'],
    ['uos', [], 'UOS', 'dnf'],
    ['opensuse-leap', ['suse', 'opensuse'], 'openSUSE and SLES', 'zypper'],
    ['sles', ['suse'], 'openSUSE and SLES', 'zypper'],
    ['fedora', [], 'Fedora', 'dnf'],
    ['amzn', ['centos', 'rhel', 'fedora'], 'Amazon Linux', 'dnf'],
    ['amzn2like', ['centos', 'rhel', 'fedora'], 'CentOS', 'dnf'],
    ['arch', [], undefined, undefined],
  ])('of %s like %j is %s', (id, idLike, name, manager) => {
    const found = findDistro({ id, idLike });

    expect(found?.name).toBe(name);
    expect(found?.packageManagers[0]).toBe(manager);
  });

  it('has a package for every tool that may be installed, on every distribution, and no id twice', () => {
    const needed = ['conntrack', 'socat', 'ebtables', 'ipset', 'iptables', 'ethtool', 'ip', 'ss', 'tc', 'curl', 'tar'];
    for (const { name, toolPackages } of distros)
      expect(Object.keys(toolPackages), name).toEqual(expect.arrayContaining(needed));
    const ids = distros.flatMap((distro) => distro.ids);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
