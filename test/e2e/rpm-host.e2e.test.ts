import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import type { RpmAccess } from '../lab/upstream/index.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import { makeRemovalsRepository } from '../support/removals-repository.ts';
import { fullSettings } from './full-settings.ts';
import { accounts, packageStates, unownedFolders } from './rpm-ignored.ts';
import { describe, planned, seconds } from './stage.ts';
import { compareAll, ignoredAfterReset, ignoredOnAnyHost, snapshotAll, writeVariant } from './support.ts';

const unavailable = labUnavailable();
const title =
  unavailable === undefined ? 'a host of the rpm family' : `a host of the rpm family (skipped: ${unavailable})`;

/** Those that are the host's own, and one of the machine, which no other lab sets. */
const values = [
  ...['net/ipv4/ip_forward', 'net/ipv4/tcp_mtu_probing', 'net/ipv4/ip_local_reserved_ports'].map(
    (name) => `/proc/sys/${name}`,
  ),
  ...['/proc/sys/net/ipv4/tcp_keepalive_time', '/proc/sys/kernel/hostname'],
  '/sys/kernel/mm/transparent_hugepage/enabled',
];

suite.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let host: LabHost;
  let binary: string;
  let rpm: RpmAccess;

  beforeAll(async () => {
    await labDown('rpm', () => undefined);
    binary = await installerBinary();
    const log = (line: string): void => console.log(`      ${line}`);
    const up = await labUp({ name: 'rpm', hosts: 0, rpmHosts: 1, minors: ['1.36'], log });
    if (up.upstream?.rpm === undefined) throw new Error('the lab has no rpm repository');
    rpm = up.upstream.rpm;
    lab = up;
    host = lab.host('rpm1');
  }, 2_700_000);

  afterAll(async () => {
    await labDown('rpm', () => undefined);
  }, 180_000);

  function run(...args: readonly string[]): Promise<InstallerResult> {
    return startInstaller(binary, args, { stateDir: lab.dir }).done;
  }

  async function textOf(command: string): Promise<string> {
    return (await must(host, command)).stdout.trim();
  }

  test('it shows itself as one, with a package manager of its own and without another', async () => {
    expect(await textOf('. /etc/os-release; echo "$ID $VERSION_ID"')).toBe('rocky 9.6');
    expect((await host.exec('command -v apt apt-get dpkg')).stdout).toBe('');
    expect(await textOf('rpm -q --whatprovides "system-release(releasever)"')).toMatch(/^rocky-release-9\.6-/);
    expect(await textOf('systemctl is-system-running')).toBe('running');
  });

  test('precheck says which tools it lacks, and which of them will be installed, and changes nothing', async () => {
    const before = await snapshotAll([host]);
    const result = await run('precheck', '-c', lab.configFile);
    expect(compareAll(before, await snapshotAll([host]), ignoredOnAnyHost)).toEqual({});

    expect(result.of('check.finding').map(({ check, severity, actual }) => `${check} ${severity}: ${actual}`)).toEqual([
      'tools-present info: missing: iptables',
      'tools-present warning: missing: conntrack, ethtool, socat',
    ]);
  });

  test('dnf refuses packages whose key it is not given', async () => {
    const other = join(host.root, 'etc/pki/rpm-gpg/other');
    await must(host, 'rpm -q gpg-pubkey && exit 1 || :');
    await writeFile(other, 'no key at all\n');
    const option = '--setopt=baseos.gpgkey=file:///etc/pki/rpm-gpg/other';

    const noIndex = await host.exec(`dnf -y ${option} install socat`);
    const noPackage = await host.exec(`dnf -y ${option} --setopt=baseos.repo_gpgcheck=0 install socat`);
    await must(host, `rm /etc/pki/rpm-gpg/other; dnf clean all`);

    expect(noIndex.exitCode).not.toBe(0);
    expect(noPackage.exitCode).not.toBe(0);
    expect(noPackage.stderr).toMatch(/GPG|key/i);
    expect((await host.exec('command -v socat')).exitCode).not.toBe(0);
  });

  test('prepare installs with dnf what is missing, once, and restore-host takes that away again', async () => {
    const before = await snapshotAll([host]);
    const installed = (): Promise<string> => textOf('rpm -qa --qf "%{NAME}\\n" | sort');
    const packages = await installed();
    const config = await writeVariant(lab, 'all-tools', (file) => {
      const spec = file['spec'] as Record<string, unknown>;
      spec['hostSettings'] = {
        ...(spec['hostSettings'] as object | undefined),
        installTools: 'all',
        packages: ['nfs-utils'],
      };
    });

    expect(describe(await run('prepare', '-c', config))).toBe('exit 0, ok');
    for (const tool of ['iptables', 'conntrack', 'socat', 'ethtool', 'mount.nfs'])
      await must(host, `command -v ${tool}`);
    expect((await run('prepare', '-c', config)).finished?.changes).toBe(0);

    expect(describe(await run('restore-host', '-c', config))).toBe('exit 0, ok');
    expect(await installed()).toBe(packages);
    expect(
      compareAll(before, await snapshotAll([host]), [...ignoredAfterReset, ...packageStates, ...unownedFolders]),
    ).toEqual({});
    expect((await run('restore-host', '-c', config)).finished?.changes).toBe(0);
  });

  test('dnf takes no package of the owner away for one that is asked for, and the run names it', async () => {
    await makeRemovalsRepository(join(host.root, 'srv/removals'), join(lab.dir, 'rpm-work'));
    await must(
      host,
      `printf '[removals]\\nname=removals\\nbaseurl=file:///srv/removals\\ngpgcheck=0\\n' >/etc/yum.repos.d/removals.repo && rpm -i /srv/removals/own-1-1.noarch.rpm`,
    );
    const packages = await textOf('rpm -qa | sort');
    const config = await writeVariant(lab, 'removals', (file) => {
      (file['spec'] as Record<string, unknown>)['hostSettings'] = { packages: ['wanted'] };
    });

    const refused = await run('prepare', '-c', config);

    expect(refused.finished?.errors.map(({ code }) => code)).toEqual(['ACTION_FAILED']);
    expect(refused.finished?.errors[0]?.details.join('\n')).toMatch(
      /nothing was installed: that would remove or replace packages that are on the host: own\.noarch/,
    );
    expect(await textOf('rpm -qa | sort')).toBe(packages);
    await must(host, 'rm -r /etc/yum.repos.d/removals.repo /srv/removals && rpm -e own');
    expect(describe(await run('restore-host', '-c', config))).toBe('exit 0, ok');
  });

  test('packages that the file names are removed, and come back as they were', async () => {
    await makeRemovalsRepository(join(host.root, 'srv/removals'), join(lab.dir, 'rpm-work'));
    await must(
      host,
      `set -e
printf '[removals]\\nname=removals\\nbaseurl=file:///srv/removals\\ngpgcheck=0\\nexcludepkgs=successor\\n' >/etc/yum.repos.d/removals.repo
dnf -q -y install chrony own own-app
echo '# mine' >>/etc/chrony.conf
chmod 640 /etc/chrony.conf
systemctl --quiet enable chronyd`,
    );
    const asking = (...removePackages: string[]): Promise<string> =>
      writeVariant(lab, `remove-${removePackages.join('-')}`, (file) => {
        (file['spec'] as Record<string, unknown>)['hostSettings'] = { removePackages };
      });
    const before = await snapshotAll([host]);
    const state = await stateOf();
    const expectBefore = async (): Promise<void> => {
      const ignored = [...ignoredOnAnyHost, ...packageStates, ...unownedFolders, ...accounts];
      expect(compareAll(before, await snapshotAll([host]), ignored)).toEqual({});
      expect(await stateOf()).toBe(state);
    };

    const refused = await run('prepare', '-c', await asking('own'));
    expect(refused.finished?.errors.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/^PACKAGE_NEEDED .*own cannot be removed: own is needed by \(installed\) own-app-1-1/),
    ]);
    await expectBefore();

    const config = await asking('own', 'own-app', 'chrony', 'not-there');
    const removed = await run('prepare', '-c', config);
    expect(describe(removed)).toBe('exit 0, ok');
    expect(planned(removed)).toContain('rpm1 prepare-hosts: remove packages own, own-app, chrony');
    expect((await host.exec('rpm -q own own-app chrony')).exitCode).toBe(3);
    const again = await run('prepare', '-c', config);
    expect([describe(again), planned(again)]).toEqual(['exit 0, ok', []]);

    expect(describe(await run('restore-host', '-c', config))).toBe('exit 0, ok');
    await expectBefore();
    expect((await run('restore-host', '-c', config)).finished?.changes).toBe(0);
    await must(
      host,
      'rpm -e own own-app chrony && rm -r /etc/yum.repos.d/removals.repo /srv/removals /etc/chrony.conf.rpmsave',
    );
  });

  test('every setting is done, survives a reboot, and is undone', async () => {
    await copyFile(rpm.keyFile, join(lab.dir, 'site.asc'));
    const unit = '[Unit]\\nDescription=x\\n[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n';
    await must(
      host,
      `set -e
printf 'UUID=0000 none swap sw 0 0\\n' >>/etc/fstab
echo old-name >/etc/hostname
echo old-name >/proc/sys/kernel/hostname
printf '10.9.9.9 other' >>/etc/hosts
mkdir -p /etc/selinux
printf '# own\\nSELINUX=enforcing\\nSELINUXTYPE=targeted\\n' >/etc/selinux/config
printf '${unit}' >/etc/systemd/system/dnf-automatic.timer
printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/dnf-automatic.service
printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/nftables.service
systemctl daemon-reload
systemctl --quiet enable --now nftables dnf-automatic.timer`,
    );
    const config = await writeVariant(lab, 'full', (file) => {
      (file['spec'] as Record<string, unknown>)['hostSettings'] = {
        ...fullSettings({ name: 'site', url: rpm.url, keyFile: './site.asc' }),
        installTools: 'all',
        selinux: 'permissive',
      };
    });
    const before = await snapshotAll([host]);
    const state = await stateOf();

    const first = await run('prepare', '-c', config);
    expect(describe(first)).toBe('exit 0, ok');
    expect(planned(first).length).toBeGreaterThanOrEqual(17);
    const prepared = await stateOf();
    for (const line of [
      '/proc/sys/net/ipv4/tcp_keepalive_time:600',
      '/proc/sys/kernel/hostname:rpm1',
      '/sys/kernel/mm/transparent_hugepage/enabled:always madvise [never]',
      'dnf-automatic.timer disabled',
      'nftables.service disabled',
    ])
      expect(prepared).toContain(line);
    expect(planned(await run('prepare', '-c', config))).toEqual([]);

    await host.reboot();
    const after = await run('prepare', '-c', config);
    expect([describe(after), planned(after)]).toEqual(['exit 0, ok', []]);
    expect(await stateOf()).toBe(prepared);

    const restored = await run('restore-host', '-c', config);
    expect(describe(restored)).toBe('exit 0, ok');
    expect(planned(restored).filter((line) => /: keep /.test(line))).toEqual([]);
    expect(
      compareAll(before, await snapshotAll([host]), [
        ...ignoredAfterReset,
        ...packageStates,
        ...unownedFolders,
        ...accounts,
      ]),
    ).toEqual({});
    expect(await stateOf()).toBe(state);
    console.log(`      prepare with every setting on an rpm host: ${seconds(first.durationMs)}`);
  });

  /** Packages, units and kernel values in force. */
  async function stateOf(): Promise<string> {
    return textOf(
      `rpm -qa | sort; systemctl list-unit-files --no-pager --no-legend | awk '{print $1, $2}'
systemctl list-units --no-pager --no-legend --plain --type=service,timer --state=active | awk '{print $1}' | grep -v '^user\\|^session\\|^systemd-tmpfiles-clean' | sort
grep -H '' ${values.join(' ')}`,
    );
  }

  test('dnf installs packages with what they depend on, and the programs work', async () => {
    const output = await textOf('dnf -y install conntrack-tools iptables ethtool socat');

    expect(output).toContain('Installing dependencies:');
    expect(await textOf('rpm -q conntrack-tools libnetfilter_conntrack libnfnetlink')).not.toContain('not installed');
    expect(await textOf('rpm -q gpg-pubkey')).toMatch(/^gpg-pubkey-/);
    expect(await textOf('conntrack --version')).toContain('conntrack v');
    expect(await textOf('iptables -S INPUT')).toContain('-P INPUT ACCEPT');
  });

  test('a cluster is made of it, once, and taken away again', async () => {
    const before = await snapshotAll([host]);

    const created = await run('cluster-create', '-c', lab.configFile);
    expect(describe(created)).toBe('exit 0, ok');
    console.log(`      cluster on an rpm host: ${seconds(created.durationMs)}`);
    const again = await run('cluster-create', '-c', lab.configFile);
    expect(again.finished?.changes).toBe(0);

    const reset = await run('reset', '-c', lab.configFile, '--confirm', 'rpm');
    expect(describe(reset)).toBe('exit 0, ok');
    expect(compareAll(before, await snapshotAll([host]), [...ignoredAfterReset, ...packageStates])).toEqual({});
  });
});
