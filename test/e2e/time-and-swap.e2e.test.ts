import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import { installMorePackages } from '../lab/more-packages.ts';
import { hasZram, installSwap, turnSwapOff, turnSwapOn } from '../lab/swap.ts';
import { allowTimeServices, serveTime } from '../lab/time-service.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import { ignoredAfterRestore } from './prepare-ignored.ts';
import { describe, planned } from './stage.ts';
import { compareAll, snapshotAll, stateOutsideFiles, writeVariant, type Snapshots } from './support.ts';

const unavailable = labUnavailable();
const title = unavailable === undefined ? 'time services and swap' : `time services and swap (skipped: ${unavailable})`;
const log = (line: string): void => console.log(`      ${line}`);

/** node1 serves the time, node2 alone is prepared. */
suite.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let host: LabHost;
  let server: string;
  let binary: string;
  let before: Snapshots;
  let stateBefore: string;

  beforeAll(async () => {
    await labDown('swap', () => undefined);
    binary = await installerBinary();
    lab = await labUp({ name: 'swap', hosts: 2, minors: ['1.36'], log });
    host = lab.host('node2');
    server = lab.host('node1').address;
    await serveTime(lab.host('node1'));
    await allowTimeServices(host);
    await must(host, 'dpkg --purge chrony');
    await remember();
  }, 2_700_000);

  afterAll(async () => {
    if (await host.leader()) await turnSwapOff(host);
    await labDown('swap', () => undefined);
  }, 180_000);

  /** A cluster file of node2 alone. */
  function configWith(name: string, hostSettings: Record<string, unknown>): Promise<string> {
    return writeVariant(lab, name, (config) => {
      const spec = config['spec'] as { hosts: { name: string; roles: string[] }[]; hostSettings: unknown };
      spec.hosts = spec.hosts
        .filter((entry) => entry.name === host.name)
        .map((entry) => ({ ...entry, roles: ['control-plane'] }));
      spec.hostSettings = hostSettings;
    });
  }

  function run(command: string, file: string): Promise<InstallerResult> {
    return startInstaller(binary, [command, '-c', file], { stateDir: lab.dir }).done;
  }

  async function textOf(command: string): Promise<string> {
    return (await must(host, command)).stdout.trim();
  }

  async function remember(): Promise<void> {
    before = await snapshotAll([host]);
    stateBefore = await stateOf();
  }

  /** Lock and generation stay until the next boot, and a cable has another number after each. */
  async function stateOf(): Promise<string> {
    return (await stateOutsideFiles(host)).replaceAll(/host0@if\d+/g, 'host0').replaceAll(/^(generation|lock)\n/gm, '');
  }

  async function expectOriginal(): Promise<void> {
    expect(compareAll(before, await snapshotAll([host]), ignoredAfterRestore)).toEqual({});
    expect(await stateOf()).toBe(stateBefore);
  }

  async function expectNothingPlanned(file: string): Promise<void> {
    const result = await run('prepare', file);
    expect([describe(result), planned(result)]).toEqual(['exit 0, ok', []]);
  }

  test('chrony is installed where there is no time service, asks the servers of the file, and is removed again', async () => {
    const file = await configWith('chrony', { ntp: { servers: [server] } });
    const first = await run('prepare', file);

    expect(describe(first)).toBe('exit 0, ok');
    const chosen = `for i in $(seq 60); do chronyc -n sources | grep '^^[*]' && exit; sleep 0.5; done; exit 1`;
    expect(await textOf(chosen)).toMatch(new RegExp(`^\\^\\* ${server.replaceAll('.', '\\.')} `));
    await expectNothingPlanned(file);

    expect(describe(await run('restore-host', file))).toBe('exit 0, ok');
    await expectOriginal();
  });

  test('systemd-timesyncd is given the servers, and gives them back', async () => {
    await installMorePackages(host, ['systemd-timesyncd'], log);
    await must(host, 'systemctl start systemd-timesyncd');
    await remember();
    const file = await configWith('timesyncd', { ntp: { servers: [server] } });

    expect(describe(await run('prepare', file))).toBe('exit 0, ok');

    const asked =
      'for i in $(seq 60); do timedatectl show-timesync -p ServerAddress | grep = && exit; sleep 0.5; done; exit 1';
    expect(await textOf(asked)).toBe(`ServerAddress=${server}`);
    await expectNothingPlanned(file);
    expect(describe(await run('restore-host', file))).toBe('exit 0, ok');
    expect(await textOf('timedatectl show-timesync -p SystemNTPServers')).toBe('SystemNTPServers=');
    await expectOriginal();
  });

  test('a package is not installed at the price of another one', async () => {
    const file = await configWith('no-removal', { packages: ['chrony'] });
    const result = await run('prepare', file);

    expect(describe(result)).toMatch(/^exit 4, failed\nACTION_FAILED node2: .*(\n.*)*systemd-timesyncd/);
    expect(await textOf('systemctl is-active systemd-timesyncd')).toBe('active');
    expect(describe(await run('restore-host', file))).toBe('exit 0, ok');
    await expectOriginal();
  });

  test('real swap is turned off, also at the next boot, and on again', async () => {
    const zram = await hasZram(host);
    if (zram) await installMorePackages(host, ['systemd-zram-generator'], log);
    await installSwap(host);
    await remember();
    const units = 'systemctl list-unit-files --type=swap --no-legend --no-pager | sed "s/  */ /g"';
    const unitsBefore = await textOf(units);
    expect(unitsBefore).toMatch(zram ? /^dev-zram0.swap generated -\nown.img.swap enabled/ : /^own.img.swap enabled/);
    const file = await configWith('swap', {});
    const on = 'tail -n +2 /proc/swaps | while read -r device _ _ _ priority; do echo "$device $priority"; done | sort';
    const devices = [...(zram ? ['/dev/zram0'] : []), '/own.img', '/swap.img'];
    const listed = devices.join(', ');
    const atBoot = 'UUID=0000 in /etc/fstab, /swap.img in /etc/fstab, dev-zram0.swap generated, own.img.swap enabled';

    await turnSwapOn(host);
    const swapsBefore = await textOf(on);
    const checked = await run('precheck', file);
    const off = await run('prepare', file);
    const swapsAfter = await textOf(on);
    const again = await run('prepare', file);
    const back = await run('restore-host', file);
    const swapsBack = await textOf(on);
    await turnSwapOff(host);

    const found = checked.of('check.finding').map(({ check, severity, actual }) => `${check} ${severity}: ${actual}`);
    expect([checked.exitCode, found]).toEqual([0, [`swap-disabled info: ${listed}, ${atBoot}`]]);
    expect(describe(off)).toBe('exit 0, ok');
    expect(planned(off).filter((line) => /swap/.test(line))).toEqual([
      ...(zram ? ['node2 prepare-hosts: mask dev-zram0.swap'] : []),
      'node2 prepare-hosts: disable own.img.swap',
      `node2 prepare-hosts: turn swap off (${listed})`,
      'node2 prepare-hosts: comment swap out in /etc/fstab',
    ]);
    expect([swapsAfter, describe(again), planned(again)]).toEqual(['', 'exit 0, ok', []]);
    expect(describe(back)).toBe('exit 0, ok');
    expect(swapsBack).toBe(swapsBefore);
    expect(await textOf(units)).toBe(unitsBefore);
    await expectOriginal();

    await turnSwapOn(host);
    expect(describe(await run('prepare', file))).toBe('exit 0, ok');
    // What is in zram ends with a boot.
    await turnSwapOff(host);
    await host.reboot();
    await expectNothingPlanned(file);
    const late = await run('restore-host', file);
    expect(planned(late).filter((line) => /: (turn )?swap on/.test(line))).toEqual([
      `node2 restore-hosts: turn swap on (/own.img, /swap.img)${zram ? '; swap on /dev/zram0 is made anew by its unit, or at the next boot' : ''}`,
    ]);
    expect(await textOf(on)).toBe(
      swapsBefore
        .split('\n')
        .filter((line) => !line.startsWith('/dev/zram0'))
        .join('\n'),
    );
    await turnSwapOff(host);
    expect(await textOf(units)).toBe(unitsBefore);
    await expectOriginal();
  });
});
