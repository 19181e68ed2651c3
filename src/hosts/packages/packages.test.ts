import { describe, expect, it } from 'vitest';
import {
  choosePackageManager,
  packageManagerNames,
  parseRemoval,
  refuseRemovals,
  type PackageManager,
} from './index.ts';

function managerNamed(name: string): PackageManager {
  const manager = choosePackageManager(packageManagerNames, new Set([name]));
  if (manager === undefined) throw new Error(`no ${name}`);
  return manager;
}

describe('a package manager', () => {
  it.each<[string, string, string, string, string]>([
    [
      'apt-get',
      'apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 update',
      'apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold --no-install-recommends --no-remove install socat /x',
      'dpkg --purge socat /x',
      'dpkg --simulate --purge',
    ],
    [
      'dnf',
      'dnf -q -y makecache',
      'dnf -q -y --setopt=install_weak_deps=False install socat /x',
      'rpm -e socat /x',
      'rpm -e --test',
    ],
    ['yum', 'yum -q -y makecache', 'yum -q -y install socat /x', 'rpm -e socat /x', 'rpm -e --test'],
    [
      'zypper',
      expect.stringMatching(/rpm --import .*\n.*exec zypper --non-interactive --quiet refresh$/s) as string,
      'zypper --non-interactive --quiet install --no-recommends --auto-agree-with-licenses socat /x',
      'rpm -e socat /x',
      'rpm -e --test',
    ],
  ])('%s is told what to do by argument lists', (name, refresh, install, remove, tryRemoval) => {
    const manager = managerNamed(name);

    expect(manager.refresh.join(' ')).toEqual(refresh);
    expect(manager.install(['socat', '/x']).join(' ')).toBe(install);
    expect(manager.remove(['socat', '/x']).join(' ')).toBe(remove);
    expect(manager.record.tryRemoval.join(' ')).toBe(tryRemoval);
    expect(manager.findInstalled(['a', 'b']).slice(-2)).toEqual(['a', 'b']);
  });

  it.each([
    ['apt-get', undefined],
    ['dnf', 'dnf --assumeno --setopt=install_weak_deps=False install jq'],
    ['yum', 'yum --assumeno install jq'],
    ['zypper', 'zypper --non-interactive --xmlout install --dry-run --no-recommends --auto-agree-with-licenses jq'],
  ])('%s is asked before whether something would go, where it does not refuse that by itself', (name, tried) => {
    const [argv] = refuseRemovals(managerNamed(name), ['jq']);

    expect(argv?.slice(6).join(' ')).toBe(tried);
  });

  it.each([
    ['apt-get', '1:1.1.5+ds1-1', 'runc=1:1.1.5+ds1-1'],
    ['dnf', '4:1.1.12-1.el9.x86_64', 'runc-4:1.1.12-1.el9.x86_64'],
    ['yum', '1.1.12-1.el7.x86_64', 'runc-1.1.12-1.el7.x86_64'],
    ['zypper', '1.1.12-150000.1.noarch', 'runc.noarch=1.1.12-150000.1'],
  ])('%s is asked for version %s by %s', (name, version, expected) => {
    expect(managerNamed(name).atVersion('runc', version)).toBe(expected);
  });

  it.each([
    ['nothing', '', [], []],
    ['one', 'there=runc 1.1-1\n', [{ name: 'runc', version: '1.1-1' }], []],
    [
      'what dpkg says',
      'there=runc 1\nobjection=dpkg: dependency problems prevent removal of runc:\nobjection= kit depends on runc.\nobjection=\n',
      [{ name: 'runc', version: '1' }],
      ['kit depends on runc.'],
    ],
    [
      'what rpm says',
      'there=runc 1\nobjection=error: Failed dependencies:\nobjection=\trunc is needed by (installed) kit-1-1.noarch\n',
      [{ name: 'runc', version: '1' }],
      ['runc is needed by (installed) kit-1-1.noarch'],
    ],
    [
      'other words',
      'there=runc 1\nobjection=rpm: out of order\n',
      [{ name: 'runc', version: '1' }],
      ['rpm: out of order'],
    ],
  ])('says of a removal %s', (_name, stdout, there, objections) => {
    expect(parseRemoval({ exitCode: 0, stdout, stderr: '', durationMs: 1 })).toEqual({ there, objections });
  });

  it('is the first that the distribution uses of those that are there', () => {
    expect(choosePackageManager(['dnf', 'yum'], new Set(['yum', 'apt-get']))?.name).toBe('yum');
    expect(choosePackageManager(['dnf', 'yum'], new Set(['yum', 'dnf']))?.name).toBe('dnf');
    expect(choosePackageManager(['zypper'], new Set(['dnf']))).toBeUndefined();
  });
});
