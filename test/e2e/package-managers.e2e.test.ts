import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import { becomeSuse, becomeYumHost } from '../lab/rpm-variants.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import { accounts, packageStates, unownedFolders } from './rpm-ignored.ts';
import { describe, planned } from './stage.ts';
import { compareAll, ignoredOnAnyHost, snapshotAll, writeVariant } from './support.ts';

const unavailable = labUnavailable();
const title = unavailable === undefined ? 'zypper and yum' : `zypper and yum (skipped: ${unavailable})`;

/** rpm1 is an openSUSE with zypper, rpm2 a CentOS with yum. */
suite.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let suse: LabHost;
  let centos: LabHost;
  let binary: string;
  let file: string;

  beforeAll(async () => {
    await labDown('zyp', () => undefined);
    binary = await installerBinary();
    const log = (line: string): void => console.log(`      ${line}`);
    const up = await labUp({ name: 'zyp', hosts: 0, rpmHosts: 2, minors: ['1.36'], log });
    lab = up;
    const rpm = up.upstream?.rpm;
    if (rpm === undefined) throw new Error('the lab has no rpm repository');
    [suse, centos] = [lab.host('rpm1'), lab.host('rpm2')];
    await becomeSuse(suse, rpm, log);
    await becomeYumHost(centos);
    await must(
      centos,
      'mkdir -p /etc/selinux && printf "# x\\nSELINUX=enforcing\\nSELINUXTYPE=targeted\\n" >/etc/selinux/config',
    );
    await copyFile(rpm.keyFile, join(lab.dir, 'site.asc'));
    file = await writeVariant(lab, 'packages', (config) => {
      (config['spec'] as Record<string, unknown>)['hostSettings'] = {
        installTools: 'all',
        packages: ['jq'],
        ntp: { servers: ['10.0.0.1'] },
        selinux: 'permissive',
        packageRepositories: { exclusive: true, repositories: [{ name: 'site', url: rpm.url, keyFile: './site.asc' }] },
      };
    });
  }, 2_700_000);

  afterAll(async () => {
    await labDown('zyp', () => undefined);
  }, 180_000);

  function run(command: string): Promise<InstallerResult> {
    return startInstaller(binary, [command, '-c', file], { stateDir: lab.dir }).done;
  }

  /** Packages and keys that rpm has, and units, of both hosts. */
  function stateOf(): Promise<string[]> {
    const command = 'rpm -qa | sort; systemctl list-unit-files --no-pager --no-legend';
    return Promise.all(lab.hosts.map(async (host) => (await must(host, command)).stdout));
  }

  test('packages that the file names are removed, and come back in the version that was there', async () => {
    await must(suse, 'zypper --non-interactive --quiet install --no-recommends psmisc');
    await must(centos, 'yum -q -y install psmisc');
    const before = await stateOf();
    const removing = await writeVariant(lab, 'removing', (config) => {
      (config['spec'] as Record<string, unknown>)['hostSettings'] = { removePackages: ['psmisc'] };
    });
    const act = (command: string): Promise<InstallerResult> =>
      startInstaller(binary, [command, '-c', removing], { stateDir: lab.dir }).done;

    const removed = await act('prepare');

    expect(describe(removed)).toBe('exit 0, ok');
    for (const name of ['rpm1', 'rpm2'])
      expect(planned(removed)).toContain(`${name} prepare-hosts: remove packages psmisc`);
    for (const host of lab.hosts) expect((await host.exec('rpm -q psmisc')).exitCode).toBe(1);
    const restored = await act('restore-host');
    expect(describe(restored)).toBe('exit 0, ok');
    expect(restored.of('log').filter(({ level }) => level === 'warning')).toEqual([]);
    expect(await stateOf()).toEqual(before);
    for (const host of lab.hosts) await must(host, 'rpm -e psmisc');
  });

  test('install what is missing from the repository of the user, once, and take it away again', async () => {
    // The user's key is not that of the distribution: on one of the hosts rpm does not know it yet.
    await must(suse, 'rpm -e $(rpm -q gpg-pubkey)');
    const before = await snapshotAll(lab.hosts);
    const stateBefore = await stateOf();

    const first = await run('prepare');

    expect(describe(first)).toBe('exit 0, ok');
    const lines = planned(first);
    for (const name of ['rpm1', 'rpm2'])
      expect(lines.filter((line) => line.startsWith(`${name} prepare-hosts: `))).toEqual(
        expect.arrayContaining([
          expect.stringContaining('install packages iptables, conntrack-tools, ethtool, socat, ') as string,
          expect.stringContaining('install chrony and take the time from the servers') as string,
        ]),
      );
    expect(lines).toContain('rpm1 prepare-hosts: put other package repositories aside: /etc/zypp/repos.d/oss.repo');
    expect(lines).toContain('rpm2 prepare-hosts: SELinux is permissive from the next boot on');
    for (const host of lab.hosts) {
      await must(
        host,
        'for t in iptables conntrack socat ethtool ebtables ipset jq chronyd; do command -v $t || exit 1; done',
      );
      await must(
        host,
        'systemctl is-enabled chronyd && rpm -q gpg-pubkey && grep -q "server 10.0.0.1 iburst" /etc/chrony.conf',
      );
    }
    const second = await run('prepare');
    expect([describe(second), planned(second)]).toEqual(['exit 0, ok', []]);

    expect(describe(await run('restore-host'))).toBe('exit 0, ok');
    const ignored = [...ignoredOnAnyHost, ...packageStates, ...unownedFolders, ...accounts];
    expect(compareAll(before, await snapshotAll(lab.hosts), ignored)).toEqual({});
    expect(await stateOf()).toEqual(stateBefore);
  });

  test('packages that something else needs by now stay, with why', async () => {
    expect(describe(await run('prepare'))).toBe('exit 0, ok');
    await must(suse, 'zypper --non-interactive --quiet install --no-recommends keepalived');
    const result = await run('restore-host');

    expect(describe(result)).toBe('exit 0, ok');
    const about = planned(result)
      .filter((line) => / packages /.test(line))
      .toSorted();
    expect(about).toEqual([
      expect.stringMatching(/^rpm1 restore-hosts: keep packages .*: they are needed by now$/) as string,
      expect.stringMatching(/^rpm2 restore-hosts: remove packages /) as string,
    ]);
    await must(suse, 'command -v socat && rpm -q keepalived');
  });
});
