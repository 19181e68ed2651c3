import { describe, expect, it } from 'vitest';
import { isKeptPackage } from '../../spec/kept-packages.ts';
import { requiredTools } from '../../kubernetes/needed-tools.ts';
import { describeDistro, distros, findDistro, isKnownRelease } from './index.ts';

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
    ['flatcar', [], 'Flatcar Container Linux', undefined],
    ['opensuse-leap-micro', ['suse', 'opensuse'], 'openSUSE MicroOS, Leap Micro and SLE Micro', 'zypper'],
    ['opensuse-tumbleweed', ['opensuse', 'suse'], 'openSUSE Tumbleweed', 'zypper'],
    ['tlinux', [], 'TencentOS', 'dnf'],
    ['TencentOS', [], 'TencentOS', 'dnf'],
    ['UOS', [], 'UOS', 'dnf'],
    ['arch', [], undefined, undefined],
  ])('of %s like %j is %s', (id, idLike, name, manager) => {
    const found = findDistro({ id, idLike });

    expect(found?.name).toBe(name);
    expect(found?.packageManagers[0]).toBe(manager);
  });

  it('has a package for every tool that may be installed, on every distribution, and no id twice', () => {
    const needed = ['conntrack', 'socat', 'ebtables', 'ipset', 'iptables', 'ethtool', 'ip', 'ss', 'tc', 'curl', 'tar'];
    for (const { name, toolPackages } of distros.filter(({ packageManagers }) => packageManagers.length > 0))
      expect(Object.keys(toolPackages), name).toEqual(expect.arrayContaining(needed));
    const ids = distros.flatMap((distro) => distro.ids);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('a package of a tool that nothing works without', () => {
  it.each(distros.map((distro) => [distro.name, distro] as const))('is never removed from %s', (_name, distro) => {
    const tools = [...requiredTools, 'curl', ...(distro.moreTools ?? [])];
    const names = tools.flatMap((tool) => distro.toolPackages[tool] ?? []).filter((name) => !name.startsWith('/'));

    expect(names.filter((name) => !isKeptPackage(name))).toEqual([]);
  });
});

describe('isKnownRelease', () => {
  it.each<[string, string, boolean | undefined]>([
    ['centos', '6', false],
    ['centos', '6.10', false],
    ['centos', '7', true],
    ['centos', '7.9', true],
    ['rhel', '8.6', true],
    ['rhel', '11.0', true],
    ['ubuntu', '14.04', false],
    ['ubuntu', '22.04', true],
    ['ubuntu', '23.10', false],
    ['ubuntu', '26.04', true],
    ['debian', '9', false],
    ['debian', '', undefined],
    ['amzn', '2', true],
    ['amzn', '2018.03', false],
    ['amzn', '2023', true],
    ['kylin', 'V10', true],
    ['kylin', 'v10 (SP2)', true],
    ['kylin', 'V4', false],
    ['openEuler', '20.03', true],
    ['openEuler', '20.09', false],
    ['opensuse-tumbleweed', '20260101', undefined],
    ['flatcar', '3975.2.0', undefined],
  ])('of %s %j is %s', (id, versionId, expected) => {
    const distro = findDistro({ id, idLike: [] });

    expect(distro && isKnownRelease(distro, versionId)).toBe(expected);
  });

  it('describes them for people', () => {
    const texts = ['amzn', 'flatcar']
      .map((id) => findDistro({ id, idLike: [] }))
      .map((distro) => distro && describeDistro(distro));

    expect(texts).toEqual(['Amazon Linux 2, 2023 or later', 'Flatcar Container Linux']);
  });

  it('has ids in small letters, so that capitals of a vendor do not matter', () => {
    expect(distros.flatMap(({ ids }) => ids).filter((id) => id !== id.toLowerCase())).toEqual([]);
  });
});
