import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { mergeDeep } from '../../src/lib/merge.ts';
import { labUnavailable } from '../lab/available.ts';
import { dropTraffic, must, type Undo } from '../lab/faults/index.ts';
import { run as runCommand } from '../lab/commands.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import {
  addressOfSecondNetwork,
  broken,
  changed,
  dropped,
  hostFaults,
  productUuid,
  secondNetwork,
  type HostFault,
} from './precheck-faults.ts';
import { machineFaults } from './precheck-machines.ts';
import { mendedFaults } from './precheck-mended.ts';
import { variantFaults, type VariantFault } from './precheck-variants.ts';
import { compareAll, ignoredOnAnyHost, snapshotAll, stateOutsideFiles, writeVariant } from './support.ts';

const unavailable = labUnavailable();
const title =
  unavailable === undefined ? 'precheck on three real hosts' : `precheck on three real hosts (skipped: ${unavailable})`;

function specOf(config: Record<string, unknown>): Record<string, unknown> {
  return config['spec'] as Record<string, unknown>;
}

const withoutSudo = expect.stringMatching(/^node[123] (privilege-escalation error|[a-z-]+ info): /) as string;

suite.skipIf(unavailable !== undefined)(title, { timeout: 120_000 }, () => {
  let lab: Lab;
  let binary: string;
  let stateDir: string;

  beforeAll(async () => {
    binary = await installerBinary();
    stateDir = await mkdtemp(join(tmpdir(), 'precheck-'));
    lab = await labUp({ name: 'pre', hosts: 3, minors: ['1.36'], upstream: false, log: () => undefined });
  }, 600_000);

  afterAll(async () => {
    await lab.down();
    await rm(stateDir, { recursive: true });
  }, 180_000);

  async function run(file: string, ...args: readonly string[]): Promise<InstallerResult> {
    return startInstaller(binary, ['precheck', '-c', file, ...args], { stateDir }).done;
  }

  /** `host check severity: what was found`. */
  function found(result: InstallerResult): string[] {
    const hosts = (result.finished?.errors ?? []).flatMap(({ host, code }) =>
      host === undefined ? [] : [`${host} ${code}`],
    );
    const findings = result
      .of('check.finding')
      .map(({ check, host, severity, actual }) => `${host ?? 'cluster'} ${check} ${severity}: ${actual ?? ''}`);
    return [...hosts, ...findings];
  }

  test('bare hosts are fit, and nothing on them is another afterwards', async () => {
    const before = await snapshotAll(lab.hosts);
    const stateBefore = await Promise.all(lab.hosts.map(stateOutsideFiles));
    // Snapshots leave out what is in memory.
    const inMemory = await Promise.all(lab.hosts.map(filesInMemory));

    const result = await run(lab.configFile, '--strict', '--html', join(stateDir, 'report.html'));

    expect(found(result)).toEqual([]);
    expect(result.exitCode).toBe(0);
    expect(Object.values(result.finished?.trips ?? {})).toEqual([2, 2, 2]);
    expect((await stat(join(stateDir, 'report.html'))).size).toBeGreaterThan(2000);
    expect(compareAll(before, await snapshotAll(lab.hosts), ignoredOnAnyHost)).toEqual({});
    expect(await Promise.all(lab.hosts.map(stateOutsideFiles))).toEqual(stateBefore);
    expect(await Promise.all(lab.hosts.map(filesInMemory))).toEqual(inMemory);
  });

  test('an account without root sees what it can and says what it cannot', async () => {
    const file = await writeVariant(lab, 'nosudo', (config) => {
      const spec = config['spec'] as { ssh: { user: string } };
      spec.ssh.user = 'nosudo';
    });
    const result = await run(file);

    expect(found(result)).toEqual(Array.from({ length: 16 }, () => withoutSudo));
    expect(result.exitCode).toBe(3);
    expect((await run(file, '--ignore-check', 'privilege-escalation')).exitCode).toBe(0);
  });

  test.each<HostFault>([
    ...hostFaults,
    ...machineFaults,
    [
      'the machine-id of another host',
      async (host) => changed('/etc/machine-id', `echo ${(await machineIdOf('node1')).trim()} >/etc/machine-id`)(host),
      3,
      ['machine-id-unique error: machine-id '],
    ],
  ])('tells of %s, on that host alone, and of nothing else', async (_name, cause, exitCode, expected) => {
    const undo = await cause(lab.host('node2'));
    const result = await run(lab.configFile).finally(undo);

    expect(found(result)).toEqual(expected.map((line) => expect.stringContaining(`node2 ${line}`) as string));
    expect(result.exitCode).toBe(exitCode);
  });

  test.each<VariantFault>([...variantFaults(() => lab), ...mendedFaults()])(
    'tells of %s',
    async (_name, spec, cause, exitCode, expected) => {
      const file = await writeVariant(lab, 'variant', (config) => {
        config['spec'] = mergeDeep(specOf(config), spec());
      });
      const undo = await cause(lab.host('node2'));
      const result = await run(file).finally(undo);

      expect(found(result)).toEqual(expected().map((line) => expect.stringContaining(line) as string));
      expect(result.exitCode).toBe(exitCode);
    },
  );

  /** Does the same to both hosts, and undoes it. */
  async function onBoth(
    causes: readonly ((host: LabHost) => Promise<Undo>)[],
    look: () => Promise<void>,
  ): Promise<void> {
    const undo: Undo[] = [];
    try {
      for (const [index, host] of lab.hosts.entries()) {
        const cause = causes[index];
        if (cause !== undefined) undo.push(await cause(host));
      }
      await look();
    } finally {
      for (const step of undo) await step();
    }
  }

  test.each([
    [
      'the same product_uuid',
      '4c4c4544-0000-2010-8020-80c04f202020',
      3,
      ['node2 product-uuid-unique error: product_uuid '],
    ],
    ['a product_uuid of its own', undefined, 0, []],
  ])('tells of two hosts with %s', async (_name, uuid, exitCode, expected) => {
    const own = (host: LabHost): Promise<Undo> =>
      productUuid(uuid ?? `4c4c4544-0000-2010-8020-00000000000${host.name.at(-1) ?? ''}`)(host);

    await onBoth([own, own], async () => {
      const result = await run(lab.configFile);

      expect(found(result)).toEqual(expected.map((line) => expect.stringContaining(line) as string));
      expect(result.exitCode).toBe(exitCode);
    });
  });

  test.each([
    [
      'the same MAC address',
      ['02:00:00:00:00:66', '02:00:00:00:00:66'],
      3,
      ['node2 mac-unique error: MAC address 02:00:00:00:00:66 is that of node1 too'],
    ],
    ['MAC addresses of their own', ['02:00:00:00:00:66', '02:00:00:00:00:67'], 0, []],
  ])('tells of two hosts whose node addresses are on interfaces with %s', async (_name, macs, exitCode, expected) => {
    const file = await writeVariant(lab, 'macs', (config) => {
      const spec = config['spec'] as { hosts: Record<string, unknown>[] };
      // The two have a way to each other, and to no third one.
      spec.hosts = spec.hosts.slice(0, 2);
      const { hosts } = spec;
      for (const host of hosts) host['internalAddress'] = addressOfSecondNetwork(String(host['name']));
    });
    const [first = '', second = ''] = macs;

    await onBoth([secondNetwork(first, lab.host('node2')), secondNetwork(second, lab.host('node1'))], async () => {
      const result = await run(file);

      expect(found(result)).toEqual(expected);
      expect(result.exitCode).toBe(exitCode);
    });
  });

  test('measures the disks where the file asks for it, and leaves nothing on them', async () => {
    const file = await writeVariant(lab, 'disks', (config) => {
      const checks = { measure: ['disk'], ignore: ['disk-speed'], thresholds: { diskIops: 1e7, diskMBs: 1e6 } };
      config['spec'] = mergeDeep(specOf(config), { checks });
    });
    const before = await snapshotAll(lab.hosts);

    const findings = found(await run(file)).toSorted();

    expect(findings).toEqual(
      ['node1', 'node2', 'node3'].flatMap((host) => [
        expect.stringMatching(new RegExp(`^${host} disk-iops warning: [1-9]\\d* writes a second$`)) as string,
        expect.stringMatching(new RegExp(`^${host} disk-throughput warning: [1-9]\\d* MB/s$`)) as string,
      ]),
    );
    expect(compareAll(before, await snapshotAll(lab.hosts), ignoredOnAnyHost)).toEqual({});
  });

  test.each<[string, (host: LabHost) => Promise<Undo>, boolean]>([
    [
      'socat, where there is no systemd-socket-activate',
      broken('mv /usr/bin/systemd-socket-activate /root/', 'mv /root/systemd-socket-activate /usr/bin/'),
      false,
    ],
    [
      'IPv6',
      (host) => {
        const address = `fd00:88::${host.name.at(-1) ?? ''}/64`;
        // Without the second in which an address that was just added cannot be listened on.
        const gateway = 'default via fd00:88::fe dev host0';
        return broken(
          `ip address add ${address} dev host0 nodad && ip -6 route add ${gateway}`,
          `ip -6 route del ${gateway} && ip address del ${address} dev host0`,
        )(host);
      },
      true,
    ],
  ])('probes the network with %s', async (_name, setUp, isIpv6) => {
    const file = await writeVariant(lab, 'probe', (config) => {
      const spec = config['spec'] as { hosts: Record<string, unknown>[]; network: Record<string, unknown> };
      if (!isIpv6) return;
      spec.hosts.forEach((host, index) => (host['internalAddress'] = `fd00:88::${index + 1}`));
      spec.network['podSubnets'] = ['fd00:10:244::/56', '10.244.0.0/16'];
      spec.network['serviceSubnets'] = ['fd00:10:96::/112', '10.96.0.0/16'];
    });
    const undo = [];
    for (const host of lab.hosts) undo.push(await setUp(host));
    try {
      expect(found(await run(file))).toEqual([]);

      undo.push(await dropped('udp dport 8472 drop')(lab.host('node2')));

      expect(found(await run(file))).toEqual([
        'node2 ports-open error: 8472/udp (flannel) cannot be reached from node1, node3',
      ]);
    } finally {
      for (const step of undo) await step();
    }
  });

  /** A firewall between two hosts, which neither of them has; node1 and its way to both stay as they were. */
  test.each<[string, readonly (readonly ['node2' | 'node3', 'node2' | 'node3'])[], string[]]>([
    [
      'in one direction',
      [['node2', 'node3']],
      ['node3 ports-open error: 8472/udp (flannel) cannot be reached from node2'],
    ],
    [
      'in both directions',
      [
        ['node2', 'node3'],
        ['node3', 'node2'],
      ],
      [
        'node2 ports-open error: 8472/udp (flannel) cannot be reached from node3',
        'node3 ports-open error: 8472/udp (flannel) cannot be reached from node2',
      ],
    ],
  ])('tells of UDP 8472 that is dropped between two hosts %s', async (_name, pairs, expected) => {
    const undo: Undo[] = [];
    for (const [from, to] of pairs) {
      const ends = { from: lab.host(from).address, to: lab.host(to).address };
      undo.push(await dropTraffic(lab, { ...ends, protocol: 'udp', port: 8472 }));
    }
    const result = await run(lab.configFile).finally(async () => {
      for (const step of undo) await step();
    });

    expect(found(result).toSorted()).toEqual(expected);
    expect(result.exitCode).toBe(3);
  });

  test('tells of a link between the hosts that is narrower than their interfaces', async () => {
    const { cable } = lab.host('node2');
    await runCommand('ip', ['link', 'set', cable, 'mtu', '1300']);
    const result = await run(lab.configFile).finally(() => runCommand('ip', ['link', 'set', cable, 'mtu', '1500']));

    expect(found(result)).toEqual([
      'node2 mtu-consistent error: packets of 1500 bytes from and to node1, node3 are lost; the MTU here is 1500',
    ]);
    expect(result.exitCode).toBe(3);
  });

  test('measures how long the disk of etcd takes for synchronous writes, on the control plane alone', async () => {
    const file = await writeVariant(lab, 'fsync', (config) => {
      config['spec'] = mergeDeep(specOf(config), { checks: { thresholds: { fsyncMs: 0.001 } } });
    });
    const result = await run(file);

    expect(found(result)).toEqual([
      expect.stringMatching(/^node1 disk-speed warning: 99 of 100 within [\d.]+ ms$/) as string,
    ]);
    const [, measured] = /hundredth ([\d.]+) ms/.exec(result.of('check.finding')[0]?.evidence ?? '') ?? [];
    expect(Number(measured)).toBeGreaterThan(0.001);
    expect((await run(file, '--ignore-check', 'disk-speed')).of('check.finding')).toEqual([]);
  });

  /** What a cluster file may say of the checks, on hosts that are as they were. */
  test.each<[string, Record<string, unknown>, string[], { readonly exitCode: number; readonly strictly: number }]>([
    [
      'warnings',
      { thresholds: { recommendedCpuCores: 1024 } },
      ['node1 cpu warning', 'node2 cpu warning', 'node3 cpu warning'],
      { exitCode: 0, strictly: 3 },
    ],
    [
      'warnings that count as errors',
      { thresholds: { recommendedMemoryMiB: 1e9 }, severities: { memory: 'error' } },
      ['node1 memory error', 'node2 memory error', 'node3 memory error'],
      { exitCode: 3, strictly: 3 },
    ],
    [
      'errors that count as warnings',
      { thresholds: { cpuCores: 1024 }, severities: { cpu: 'warning' } },
      ['node1 cpu warning'],
      { exitCode: 0, strictly: 3 },
    ],
    [
      'errors that are told only',
      { thresholds: { workerMemoryMiB: 1e9 }, severities: { memory: 'info' } },
      ['node2 memory info', 'node3 memory info'],
      { exitCode: 0, strictly: 0 },
    ],
    [
      'errors of several checks',
      { thresholds: { workerCpuCores: 1024, controlPlaneMemoryMiB: 1e9 } },
      ['node1 memory error', 'node2 cpu error', 'node3 cpu error'],
      { exitCode: 3, strictly: 3 },
    ],
  ])('counts findings as the file and --strict say: %s', async (_name, checks, expected, codes) => {
    const file = await writeVariant(lab, 'counting', (config) => {
      config['spec'] = mergeDeep(specOf(config), { checks });
    });
    const result = await run(file);
    const strict = await run(file, '--strict');
    const told = (one: InstallerResult): string[] =>
      found(one)
        .map((line) => line.replace(/:.*/, ''))
        .toSorted();

    expect(told(result)).toEqual(expected.toSorted());
    expect(told(strict)).toEqual(expected.toSorted());
    expect([result.exitCode, strict.exitCode]).toEqual([codes.exitCode, codes.strictly]);
  });

  test('nothing is found once everything is mended', async () => {
    expect(found(await run(lab.configFile, '--strict'))).toEqual([]);
  });

  /** What is below /tmp, /dev/shm and /run; left out what sudo, systemd and logind note of a login and of services. */
  async function filesInMemory(host: LabHost): Promise<string[]> {
    const left = 'sudo|user|systemd|udev|log|motd\\.dynamic|utmp|lock';
    const find = `find /tmp /dev/shm /run -xdev -mindepth 1 | grep -vE '^/run/(${left})(/|$)|^/tmp/systemd-private-' | sort`;
    return (await must(host, find)).stdout.split('\n');
  }

  async function machineIdOf(name: string): Promise<string> {
    return (await must(lab.host(name), 'cat /etc/machine-id')).stdout;
  }
});
