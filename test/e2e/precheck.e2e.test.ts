import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { must, type Undo } from '../lab/faults/index.ts';
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
import { mendedFaults } from './precheck-mended.ts';
import { compareAll, ignoredOnAnyHost, snapshotAll, stateOutsideFiles, writeVariant } from './support.ts';

const unavailable = labUnavailable();
const title =
  unavailable === undefined ? 'precheck on two real hosts' : `precheck on two real hosts (skipped: ${unavailable})`;

/** One level deeper too, so that the numbers of the lab stay in force. */
function mergeFields(under: object = {}, over: object): object {
  const thresholds = [under, over].map((fields) => (fields as { thresholds?: object }).thresholds);
  const merged = thresholds.some((each) => each !== undefined)
    ? { thresholds: { ...thresholds[0], ...thresholds[1] } }
    : {};
  return { ...under, ...over, ...merged };
}

const withoutSudo = expect.stringMatching(/^node[12] (privilege-escalation error|[a-z-]+ info): /) as string;

suite.skipIf(unavailable !== undefined)(title, { timeout: 120_000 }, () => {
  let lab: Lab;
  let binary: string;
  let stateDir: string;

  beforeAll(async () => {
    binary = await installerBinary();
    stateDir = await mkdtemp(join(tmpdir(), 'precheck-'));
    lab = await labUp({ name: 'pre', hosts: 2, minors: ['1.36'], upstream: false, log: () => undefined });
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

    const result = await run(lab.configFile, '--strict', '--html', join(stateDir, 'report.html'));

    expect(found(result)).toEqual([]);
    expect(result.exitCode).toBe(0);
    expect(Object.values(result.finished?.trips ?? {})).toEqual([2, 2]);
    expect((await stat(join(stateDir, 'report.html'))).size).toBeGreaterThan(2000);
    expect(compareAll(before, await snapshotAll(lab.hosts), ignoredOnAnyHost)).toEqual({});
    expect(await Promise.all(lab.hosts.map(stateOutsideFiles))).toEqual(stateBefore);
  });

  test('an account without root sees what it can and says what it cannot', async () => {
    const file = await writeVariant(lab, 'nosudo', (config) => {
      const spec = config['spec'] as { ssh: { user: string } };
      spec.ssh.user = 'nosudo';
    });
    const result = await run(file);

    expect(found(result)).toEqual(Array.from({ length: 11 }, () => withoutSudo));
    expect(result.exitCode).toBe(3);
    expect((await run(file, '--ignore-check', 'privilege-escalation')).exitCode).toBe(0);
  });

  test.each<HostFault>([
    ...hostFaults,
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

  /** Rules that a service loads at boot, without any that filters. */
  const rulesByHand = broken(
    'printf "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n" >/run/systemd/system/nftables.service && systemctl daemon-reload && systemctl start nftables',
    'systemctl stop nftables; rm /run/systemd/system/nftables.service; systemctl daemon-reload',
  );
  const noFault = (): Promise<Undo> => Promise.resolve(() => Promise.resolve());
  /** An address in the network of the lab. */
  const inLab = (last: number): string => lab.address.replace(/\d+$/, String(last));
  const virtual = (address: string, name?: string): Record<string, object> => ({
    kubernetes: { virtualAddress: { address, ...(name === undefined ? {} : { interface: name }) } },
  });

  test.each<[string, () => Record<string, object>, (host: LabHost) => Promise<Undo>, number, () => string[]]>([
    ['a virtual address that is free', () => virtual(inLab(50)), noFault, 0, () => []],
    [
      'one that another host of the file has',
      () => virtual(inLab(50)),
      (host) => broken(`ip address add ${inLab(50)}/32 dev host0`, `ip address del ${inLab(50)}/32 dev host0`)(host),
      3,
      () => [`node2 vip-free error: ${inLab(50)} is on host0 of this host`],
    ],
    [
      'one that a machine beside them has',
      () => virtual(lab.address),
      noFault,
      3,
      () => [` answers for ${lab.address}, asked from node1, node2`],
    ],
    [
      'one of another subnet',
      () => virtual('10.77.0.50'),
      noFault,
      3,
      () => [`node1 vip-in-subnet error: 10.77.0.50 is not in ${inLab(0)}/24 of host0`],
    ],
    [
      'an interface that is not there',
      () => virtual(inLab(50), 'eth9'),
      noFault,
      3,
      () => ['node1 interface-exists error: no eth9 among lo, host0'],
    ],
    [
      'a load balancer that has nobody behind it yet',
      () => ({ kubernetes: { controlPlaneEndpoint: `${lab.address}:7443` } }),
      noFault,
      0,
      () => [],
    ],
    [
      'a load balancer that one host does not reach',
      () => ({ kubernetes: { controlPlaneEndpoint: `${lab.address}:7443` } }),
      broken(
        `nft 'add table inet fault; add chain inet fault out { type filter hook output priority 0; }; add rule inet fault out tcp dport 7443 drop'`,
        'nft delete table inet fault',
      ),
      3,
      () => [`node2 endpoint-reachable error: ${lab.address}:7443: timed out`],
    ],
    [
      'the name of a load balancer that one host does not know',
      () => ({ kubernetes: { controlPlaneEndpoint: 'api.example.com:7443' } }),
      () => changed('/etc/hosts', `echo ${lab.address} api.example.com >>/etc/hosts`)(lab.host('node1')),
      3,
      () => ['node2 endpoint-reachable error: no address is known for api.example.com'],
    ],
    [
      'rules by hand where ports are to be opened',
      () => ({ hostSettings: { firewall: 'open' } }),
      rulesByHand,
      3,
      () => ['node2 firewall-openable error: nftables.service loads rules of your own'],
    ],
    [
      'no project quotas',
      () => ({ checks: { projectQuota: true } }),
      noFault,
      3,
      () => [
        'node1 disk-quota error: / is mounted without prjquota',
        'node2 disk-quota error: / is mounted without prjquota',
      ],
    ],
    [
      'a link that is narrow',
      () => ({ checks: { measure: ['bandwidth'], ignore: ['disk-speed'], thresholds: { bandwidthMbits: 200 } } }),
      broken('tc qdisc add dev host0 root tbf rate 50mbit burst 64kb latency 50ms', 'tc qdisc del dev host0 root'),
      0,
      () => ['node2 bandwidth warning: '],
    ],
    ...mendedFaults(),
  ])('tells of %s', async (_name, spec, cause, exitCode, expected) => {
    const file = await writeVariant(lab, 'variant', (config) => {
      const sections = config['spec'] as Record<string, object>;
      for (const [section, fields] of Object.entries(spec()))
        sections[section] = mergeFields(sections[section], fields);
    });
    const undo = await cause(lab.host('node2'));
    const result = await run(file).finally(undo);

    expect(found(result)).toEqual(expected().map((line) => expect.stringContaining(line) as string));
    expect(result.exitCode).toBe(exitCode);
  });

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
      ['node2 product-uuid-unique warning: product_uuid '],
    ],
    ['a product_uuid of its own', undefined, []],
  ])('tells of two hosts with %s', async (_name, uuid, expected) => {
    const own = (host: LabHost): Promise<Undo> =>
      productUuid(uuid ?? `4c4c4544-0000-2010-8020-00000000000${host.name.at(-1) ?? ''}`)(host);

    await onBoth([own, own], async () => {
      const result = await run(lab.configFile);

      expect(found(result)).toEqual(expected.map((line) => expect.stringContaining(line) as string));
      expect(result.exitCode).toBe(0);
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
      const { hosts } = config['spec'] as { hosts: Record<string, unknown>[] };
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
      const spec = config['spec'] as Record<string, object>;
      const more = { measure: ['disk'], ignore: ['disk-speed'], thresholds: { diskIops: 1e7, diskMBs: 1e6 } };
      spec['checks'] = mergeFields(spec['checks'], more);
    });
    const before = await snapshotAll(lab.hosts);

    const findings = found(await run(file)).toSorted();

    expect(findings).toEqual(
      ['node1', 'node2'].flatMap((host) => [
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
        return broken(`ip address add ${address} dev host0 nodad`, `ip address del ${address} dev host0`)(host);
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
        'node2 ports-open error: 8472/udp (flannel) cannot be reached from node1',
      ]);
    } finally {
      for (const step of undo) await step();
    }
  });

  test('nothing is found once everything is mended', async () => {
    expect(found(await run(lab.configFile, '--strict'))).toEqual([]);
  });

  async function machineIdOf(name: string): Promise<string> {
    return (await must(lab.host(name), 'cat /etc/machine-id')).stdout;
  }
});
