import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import { installMorePackages } from '../lab/more-packages.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import { ignoredAfterRestore } from './prepare-ignored.ts';
import { describe, occupyPort, planned, seconds } from './stage.ts';
import { compareAll, ignoredAfterReset, snapshotAll, writeVariant, type Snapshots } from './support.ts';

const unavailable = labUnavailable();
const title = unavailable === undefined ? 'hosts with firewalls' : `hosts with firewalls (skipped: ${unavailable})`;

/** The control plane has ufw, the worker firewalld. */
suite.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let ufw: LabHost;
  let firewalld: LabHost;
  let binary: string;
  let open: string;
  let disable: string;
  let before: Snapshots;
  let rulesBefore: string[][];

  beforeAll(async () => {
    await labDown('fire', () => undefined);
    binary = await installerBinary();
    const log = (line: string): void => console.log(`      ${line}`);
    lab = await labUp({ name: 'fire', hosts: 2, minors: ['1.36'], log });
    ufw = lab.host('node1');
    firewalld = lab.host('node2');
    await installMorePackages(ufw, ['ufw'], log);
    await installMorePackages(firewalld, ['firewalld'], log);
    // As administrators do it: ufw enable loads the rules and starts no unit; a zone that is not the default one.
    await must(ufw, 'ufw allow 22/tcp && ufw --force enable');
    await must(
      firewalld,
      'firewall-cmd -q --permanent --zone=internal --change-interface=host0 && firewall-cmd -q --reload',
    );
    [open, disable] = (await Promise.all(
      ['open', 'disable'].map((firewall) =>
        writeVariant(lab, firewall, (config) => {
          (config['spec'] as Record<string, unknown>)['hostSettings'] = { firewall };
        }),
      ),
    )) as [string, string];
    before = await snapshotAll(lab.hosts);
    rulesBefore = await rules();
  }, 2_700_000);

  afterAll(async () => {
    await labDown('fire', () => undefined);
  }, 180_000);

  function run(command: string, file: string, ...more: readonly string[]): Promise<InstallerResult> {
    return startInstaller(binary, [command, '-c', file, ...more], { stateDir: lab.dir }).done;
  }

  /** What the kernel filters by on each host. */
  async function rules(): Promise<string[][]> {
    return Promise.all(lab.hosts.map(async (host) => chainsOf((await must(host, 'nft -s list ruleset')).stdout)));
  }

  async function reaches(from: LabHost, to: LabHost, port: number): Promise<boolean> {
    const close = await occupyPort(to, port);
    const target = `TCP:${to.address}:${port},connect-timeout=2`;
    return (await from.exec(['socat', '-u', 'OPEN:/dev/null', target]).finally(close)).exitCode === 0;
  }

  /** Whether each of the two reaches a port of the other. */
  function reached(port: number): Promise<boolean[]> {
    return Promise.all([reaches(firewalld, ufw, port), reaches(ufw, firewalld, port)]);
  }

  function found(result: InstallerResult, check: string): string[] {
    const findings = result.of('check.finding').filter((finding) => finding.check === check);
    return findings.map(({ host = '', severity, actual }) => `${host} ${severity}: ${actual}`).sort();
  }

  async function rebootAll(): Promise<void> {
    await Promise.all(lab.hosts.map((host) => host.reboot()));
  }

  async function expectOriginal(): Promise<void> {
    expect(compareAll(before, await snapshotAll(lab.hosts), [...ignoredAfterRestore, ...ignoredAfterReset])).toEqual(
      {},
    );
    expect(await rules()).toEqual(rulesBefore);
  }

  test('precheck tells of the firewalls and of what they block', async () => {
    const result = await run('precheck', lab.configFile);

    expect(result.exitCode).toBe(3);
    expect(found(result, 'firewall')).toEqual(['node1 warning: ufw is active', 'node2 warning: firewalld is active']);
    expect(found(result, 'ports-open')).toEqual(
      expect.arrayContaining([
        'node1 error: 6443/tcp (API server) cannot be reached from node2',
        'node1 error: 8472/udp (flannel) cannot be reached from node2',
        'node2 error: 10250/tcp (kubelet) cannot be reached from node1',
        'node2 error: 8472/udp (flannel) cannot be reached from node1',
      ]),
    );
  });

  test('open lets what a cluster needs through, which works behind them, and nothing else', async () => {
    const created = await run('cluster-create', open);

    expect(describe(created)).toBe('exit 0, ok');
    expect(found(created, 'ports-open')).toContain('node1 info: 6443/tcp (API server) cannot be reached from node2');
    expect(new Set(created.of('check.finding').map(({ severity }) => severity))).toEqual(new Set(['info']));
    expect(await reached(30_080)).toEqual([true, true]);
    expect(await reached(9999)).toEqual([false, false]);
    console.log(`      cluster-create: ${seconds(created.durationMs)}`);
  });

  test('what was opened is open after a reboot, and reset puts the very rules back', async () => {
    await rebootAll();
    // It waits until the cluster works again: what is still starting would be in the way of a reset.
    const again = await run('cluster-create', open);

    expect([describe(again), planned(again)]).toEqual(['exit 0, ok', []]);
    expect(await reached(30_080)).toEqual([true, true]);
    expect(await reached(9999)).toEqual([false, false]);
    expect(describe(await run('reset', open, '--confirm', 'fire'))).toBe('exit 0, ok');
    await expectOriginal();
  });

  test('disable takes all rules away, once and after a reboot, and restore-host loads them again', async () => {
    const first = await run('prepare', disable);
    expect(describe(first)).toBe('exit 0, ok');
    expect(planned(first)).toEqual(
      expect.arrayContaining([
        'node1 prepare-hosts: turn ufw off',
        'node2 prepare-hosts: stop and disable firewalld.service',
      ]),
    );
    await rebootAll();
    const second = await run('prepare', disable);

    expect([describe(second), planned(second)]).toEqual(['exit 0, ok', []]);
    expect(second.of('check.finding')).toEqual([]);
    expect(await reached(9999)).toEqual([true, true]);
    expect(describe(await run('restore-host', disable))).toBe('exit 0, ok');
    await expectOriginal();
  });
});

/** Chains with their rules and the table that they are in, in no order; without those that iptables made and left empty. */
function chainsOf(ruleset: string): string[] {
  return ruleset
    .split(/^(?=table )/m)
    .flatMap((table) => {
      const [head = '', ...chains] = table.split(/^(?=\t(?:chain|set|map) )/m);
      return chains.map((chain) => `${head.trim()} ${chain.trim().replace(/\n\}$/, '').trim()}`);
    })
    .filter((chain) => !/ chain [A-Z]+ \{\s+type .*policy accept;\s+\}$/.test(chain))
    .toSorted();
}
