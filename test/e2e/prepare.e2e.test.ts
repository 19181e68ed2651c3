import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { cutPower, must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import type { FileRecord } from '../lab/snapshot.ts';
import { fullSettings } from './full-settings.ts';
import { installerBinary, startInstaller, type InstallerResult, type RunningInstaller } from './installer.ts';
import { ignoredAfterRestore } from './prepare-ignored.ts';
import { describe, errorCodes, planned, seconds } from './stage.ts';
import {
  compareAll,
  ignoredAfterReset,
  ignoredOnAnyHost,
  snapshotAll,
  stateOutsideFiles,
  writeVariant,
  type Snapshots,
} from './support.ts';

/** One host alone, because values of the kernel are those of the machine. */
const unavailable = labUnavailable();
const title =
  unavailable === undefined ? 'prepare and restore-host' : `prepare and restore-host (skipped: ${unavailable})`;

/** Kernel values that prepare sets here and that are the host's own. */
const ownValues = [
  ...['net/ipv4/ip_forward', 'net/ipv4/tcp_mtu_probing', 'net/ipv4/ip_local_reserved_ports'],
  ...['net/ipv4/tcp_keepalive_time', 'kernel/hostname'],
].map((name) => `/proc/sys/${name}`);

/** Those of the machine: a cluster in another lab sets them, too, so they are compared right after the act alone. */
const sharedValues = [
  ...['fs/inotify/max_user_instances', 'vm/max_map_count', 'vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic'],
  ...['kernel/panic_on_oops', 'kernel/keys/root_maxkeys'],
].map((name) => `/proc/sys/${name}`);
const hugepages = '/sys/kernel/mm/transparent_hugepage/enabled';

suite.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let host: LabHost;
  let binary: string;
  let stateDir: string;
  let file: string;
  let before: Snapshots;
  let stateBefore: string;
  let sharedBefore: string;

  beforeAll(async () => {
    await labDown('prep', () => undefined);
    binary = await installerBinary();
    stateDir = await mkdtemp(join(tmpdir(), 'prepare-'));
    lab = await labUp({ name: 'prep', hosts: 1, minors: ['1.36'], log: (line) => console.log(`      ${line}`) });
    host = lab.host('node1');
    await settle();
    file = await writeVariant(lab, 'settings', (config) => {
      (config['spec'] as Record<string, unknown>)['hostSettings'] = settings;
    });
    before = await snapshotAll(lab.hosts);
    stateBefore = await stateOf();
    sharedBefore = await sharedState();
  }, 2_700_000);

  afterAll(async () => {
    await labDown('prep', () => undefined);
    await rm(stateDir, { recursive: true });
  }, 180_000);

  let settings: Record<string, unknown>;

  /** A host as somebody may have set it up, with everything in it that prepare changes. */
  async function settle(): Promise<void> {
    await must(
      host,
      `set -e
printf 'UUID=0000 none swap sw 0 0\\n' >>/etc/fstab
chmod 640 /etc/fstab
echo old-name >/etc/hostname
echo old-name >/proc/sys/kernel/hostname
printf '10.9.9.9 other' >>/etc/hosts
printf 'net.ipv4.tcp_mtu_probing = 2\\n' >/etc/sysctl.d/50-own.conf
echo 2 >/proc/sys/net/ipv4/tcp_mtu_probing
printf 'net.ipv4.ip_forward=0\n' >>/etc/sysctl.conf
echo 5 >/proc/sys/kernel/panic
echo Etc/UTC >/etc/timezone
printf 'table inet own {}\\n' >/etc/nftables.conf
systemctl --quiet enable nftables
systemctl start nftables`,
    );
    const line = await readFile(join(host.root, 'etc/apt/sources.list'), 'utf8');
    const [, key = '', url, suite, component] = /signed-by=(\S+)\] (\S+) (\S+) (\S+)/.exec(line) ?? [];
    await copyFile(join(host.root, key), join(lab.dir, 'repository.asc'));
    settings = fullSettings({
      name: 'site',
      url,
      suites: [suite],
      components: [component],
      keyFile: './repository.asc',
    });
  }

  function start(...args: readonly string[]): RunningInstaller {
    return startInstaller(binary, args, { stateDir });
  }

  async function run(command: string, ...more: readonly string[]): Promise<InstallerResult> {
    return start(command, '-c', file, ...more).done;
  }

  /** What is in force, beside the files. */
  async function stateOf(): Promise<string> {
    const read = ownValues.map((path) => `echo "${path} $(cat ${path})"`).join('\n');
    const text = `${await stateOutsideFiles(host)}${(await must(host, `${read}\nnft list ruleset`)).stdout}`;
    // A cable has another number after each boot; lock and generation stay until the next one.
    return text.replaceAll(/host0@if\d+/g, 'host0').replaceAll(/^(generation|lock)\n/gm, '');
  }

  async function sharedState(): Promise<string> {
    return (await must(host, ['grep', '-H', '', ...sharedValues, hugepages])).stdout;
  }

  async function expectOriginal(): Promise<void> {
    expect(compareAll(before, await snapshotAll(lab.hosts), ignoredAfterRestore)).toEqual({});
    expect(await stateOf()).toBe(stateBefore);
  }

  async function recordOf(): Promise<FileRecord[]> {
    const files = await host.snapshotFiles();
    return [...files].filter(([path]) => path.startsWith('/var/lib/installer/before/')).map(([, record]) => record);
  }

  test('a precheck and a dry run leave no difference', async () => {
    await run('precheck');
    const dry = await run('prepare', '--dry-run');

    expect(describe(dry)).toBe('exit 0, ok');
    expect(planned(dry).length).toBeGreaterThanOrEqual(17);
    expect(compareAll(before, await snapshotAll(lab.hosts), ignoredOnAnyHost)).toEqual({});
    expect(await stateOf()).toBe(stateBefore);
  });

  test('prepare does what the file says, and a second one changes neither host nor record', async () => {
    const first = await run('prepare');

    expect(describe(first)).toBe('exit 0, ok');
    const state = await stateOf();
    expect(state).toContain('/proc/sys/net/ipv4/ip_forward 1\n');
    expect(state).toContain('/proc/sys/net/ipv4/tcp_keepalive_time 600\n');
    expect(state).toContain('/proc/sys/net/ipv4/ip_local_reserved_ports 30000-32767\n');
    expect(state).toContain('/proc/sys/kernel/hostname node1\n');
    const shared = await sharedState();
    expect(shared).toContain('always madvise [never]\n');
    expect(shared).toContain('/proc/sys/kernel/panic:10\n');
    expect(state).toMatch(/^jq .* installed$/m);
    expect(state).not.toContain('table inet own');
    const shown = await must(
      host,
      'readlink /etc/localtime; cat /etc/timezone; grep -h mtu_probing /etc/sysctl.d/*; ls /etc/apt/sources.list.d; date +%Z',
    );
    expect(shown.stdout.split('\n')).toEqual([
      '../usr/share/zoneinfo/Asia/Tokyo',
      'Asia/Tokyo',
      'net.ipv4.tcp_mtu_probing = 2',
      '# net.ipv4.tcp_mtu_probing stays as /etc/sysctl.d/50-own.conf sets it',
      'installer.sources',
      'JST',
      '',
    ]);
    expect((await must(host, 'grep -h -B1 "ip_forward = 1" /etc/sysctl.d/zz-*')).stdout.split('\n')).toEqual([
      expect.stringMatching(/^# .*sysctl.conf sets 0$/) as string,
      'net.ipv4.ip_forward = 1',
      '',
    ]);
    const record = await recordOf();
    const files = await snapshotAll(lab.hosts);

    const second = await run('prepare');

    expect(describe(second)).toBe('exit 0, ok');
    expect([second.finished?.changes, planned(second)]).toEqual([0, []]);
    expect(second.finished?.trips).toEqual({ node1: 3 });
    expect(await recordOf()).toEqual(record);
    expect(compareAll(files, await snapshotAll(lab.hosts), ignoredOnAnyHost)).toEqual({});
    console.log(`      prepare: ${seconds(first.durationMs)}, again: ${seconds(second.durationMs)}`);
  });

  test('the settings survive a power cut', async () => {
    const record = await recordOf();
    const on = await cutPower(host);
    await on();

    const result = await run('prepare');

    expect(describe(result)).toBe('exit 0, ok');
    expect(planned(result)).toEqual([]);
    expect(await recordOf()).toEqual(record);
  });

  test('restore-host puts everything back, and a second one finds nothing', async () => {
    const dry = await run('restore-host', '--dry-run');
    const first = await run('restore-host');

    const shared = await sharedState();
    expect(describe(first)).toBe('exit 0, ok');
    expect(shared).toBe(sharedBefore);
    expect(planned(first)).toEqual(planned(dry));
    expect(planned(first)).toContain('node1 restore-hosts: set kernel.panic back: 10 -> 5');
    expect(planned(first).filter((line) => /: keep | kept$/.test(line))).toEqual([]);
    await expectOriginal();
    const second = await run('restore-host', '--host', 'node1');
    expect([describe(second), second.finished?.changes, planned(second)]).toEqual(['exit 0, ok', 0, []]);
    console.log(`      restore-host: ${seconds(first.durationMs)}`);
  });

  test('what was edited since is kept, and said', async () => {
    expect(describe(await run('prepare'))).toBe('exit 0, ok');
    const journal = '/etc/systemd/journald.conf.d/90-installer.conf';
    await must(
      host,
      `echo '# mine' >>${journal}; echo 10.8.8.8 mine >>/etc/hosts; echo 900 >/proc/sys/net/ipv4/tcp_keepalive_time; echo mine >/etc/timezone`,
    );

    const result = await run('restore-host');

    expect(describe(result)).toBe('exit 0, ok');
    const kept = planned(result).filter((line) => /: keep | kept$/.test(line));
    expect(kept.map((line) => line.replace('node1 restore-hosts: ', '')).sort()).toEqual(
      [
        `keep ${journal}: it was edited since`,
        'keep /etc/timezone: it was edited since; what was there before is /etc/timezone.before-installer',
        'keep net.ipv4.tcp_keepalive_time = 900: somebody set it since',
        "take the installer's part out of /etc/hosts; it was edited since, and the rest is kept",
      ].sort(),
    );
    const { added, changed } = compareAll(before, await snapshotAll(lab.hosts), ignoredAfterRestore)['node1'] ?? {};
    expect(added?.toSorted()).toEqual(['/etc/timezone.before-installer', journal].sort());
    expect(changed?.toSorted()).toEqual(['/etc/hosts', '/etc/timezone']);
    expect((await must(host, 'cat /etc/hosts')).stdout).toMatch(/10\.9\.9\.9 other\n10\.8\.8\.8 mine\n$/);
    expect(describe(await run('restore-host'))).toBe('exit 0, ok');
    await must(
      host,
      `rm ${journal}; mv /etc/timezone.before-installer /etc/timezone; sed -i '/10.8.8.8/d' /etc/hosts; truncate -s -1 /etc/hosts; echo 7200 >/proc/sys/net/ipv4/tcp_keepalive_time; systemctl restart systemd-journald`,
    );
    await expectOriginal();
  });

  test('a package that the file names is removed, and comes back as it was', async () => {
    const asking = (name: string, removePackages: string[], packages: string[]): Promise<string> =>
      writeVariant(lab, name, (config) => {
        (config['spec'] as Record<string, unknown>)['hostSettings'] = { removePackages, packages };
      });
    const needed = await asking('needed', ['libedit2'], ['jq']);
    const chrony = await asking('chrony', ['chrony', 'not-there'], ['jq']);
    const alone = await asking('alone', ['chrony'], []);
    await must(
      host,
      "apt-mark hold chrony && echo '# mine' >>/etc/chrony/chrony.conf && systemctl --quiet disable chrony",
    );
    const own = [await snapshotAll(lab.hosts), await stateOf()] as const;
    const expectOwn = async (): Promise<void> => {
      expect(compareAll(own[0], await snapshotAll(lab.hosts), ignoredAfterRestore)).toEqual({});
      expect(await stateOf()).toBe(own[1]);
      expect((await must(host, 'apt-mark showhold')).stdout).toBe('chrony\n');
    };

    const refused = await start('prepare', '-c', needed).done;
    expect([refused.exitCode, errorCodes(refused)]).toEqual([4, ['PACKAGE_NEEDED']]);
    expect(refused.finished?.errors[0]?.message).toMatch(/libedit2 cannot be removed: .*chrony depends on libedit2/);
    await expectOwn();

    const dry = await start('prepare', '-c', chrony, '--dry-run').done;
    expect(planned(dry)).toContain('node1 prepare-hosts: remove packages chrony');
    await expectOwn();
    const removed = await start('prepare', '-c', chrony).done;
    expect([describe(removed), planned(removed)]).toEqual(['exit 0, ok', planned(dry)]);
    expect((await host.exec('command -v chronyd')).exitCode).not.toBe(0);
    await must(host, "grep -q '# mine' /etc/chrony/chrony.conf && command -v jq");
    const again = await start('prepare', '-c', chrony).done;
    expect([describe(again), planned(again)]).toEqual(['exit 0, ok', []]);

    // Nothing that is reached has it: all else is put back, and a later run goes on.
    await must(host, 'mv /etc/apt/sources.list /root/ && rm -r /var/lib/apt/lists && mkdir /var/lib/apt/lists');
    const without = await start('restore-host', '-c', chrony).done;
    expect([without.exitCode, errorCodes(without)]).toEqual([5, ['ACTION_FAILED']]);
    expect(without.finished?.errors[0]?.details.join('\n')).toMatch(/package chrony was not put back, .* version \d/);
    expect((await host.exec('command -v jq || ls /var/lib/installer/cluster.json')).exitCode).not.toBe(0);
    await must(host, 'mv /root/sources.list /etc/apt/');
    const restored = await start('restore-host', '-c', chrony).done;
    expect(describe(restored)).toBe('exit 0, ok');
    expect(planned(restored)).toEqual([expect.stringMatching(/^node1 return-packages: put packages back: chrony \d/)]);
    await expectOwn();
    expect((await start('restore-host', '-c', chrony).done).finished?.changes).toBe(0);

    // The unit itself, which no end of the installer ends.
    const killUnits = `for i in $(seq 400); do for u in $(systemctl list-units --plain --no-legend 'installer-*' | awk '{print $1}'); do
systemctl kill -s KILL "$u" && echo killed "$u"; done; sleep 0.0$1; done`;
    for (const command of ['prepare', 'restore-host']) {
      for (const wait of ['1', '7']) {
        const killer = host.exec(['timeout', '4', 'sh', '-c', killUnits, 'sh', wait]);
        const running = start(command, '-c', alone);
        setTimeout(() => running.kill('SIGKILL'), 2500);
        await running.done;
        console.log(`      ${command}: ${(await killer).stdout.trim().replaceAll('\n', ', ')}`);
      }
      expect(describe(await start(command, '-c', alone).done)).toBe('exit 0, ok');
    }
    // Scratch files of an apt-get that was killed: nobody takes those away but the next boot.
    await must(host, 'rm -rf /tmp/apt.* /tmp/apt-* /tmp/fileutl.message.*');
    await expectOwn();
    await must(
      host,
      "apt-mark unhold chrony && sed -i '/# mine/d' /etc/chrony/chrony.conf && systemctl --quiet enable chrony",
    );
    await expectOriginal();
  });

  test('an installer that is killed in the middle, again and again, loses nothing of what was before', async () => {
    for (const [command, delays] of [
      ['prepare', [30, 120, 300, 600, 1500]],
      ['restore-host', [30, 120, 300]],
    ] as const) {
      for (const delay of delays) {
        const running = start(command, '-c', file);
        await running.seen('a plan', (event) => event.type === 'step.planned').catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, delay));
        running.kill('SIGKILL');
        await running.done;
      }
      expect(describe(await run(command))).toBe('exit 0, ok');
    }
    await expectOriginal();
  });

  test('restore-host leaves a host alone on which a cluster stands, and one of another cluster', async () => {
    expect(describe(await run('prepare'))).toBe('exit 0, ok');
    const source = '/var/lib/installer/artifacts/kubelet/source';
    await must(host, `mkdir -p ${source.replace('/source', '')} && echo 'abc v1.36.3' >${source}`);
    const kept = await snapshotAll(lab.hosts);

    const refused = await run('restore-host');
    const unknown = await run('restore-host', '--host', 'node7');
    await must(host, `rm -r ${source.replace('/source', '')}`);
    await must(host, `sed -i 's/"clusterName":"prep"/"clusterName":"else"/' /var/lib/installer/cluster.json`);
    const foreign = await run('restore-host');
    await must(host, `sed -i 's/"clusterName":"else"/"clusterName":"prep"/' /var/lib/installer/cluster.json`);
    await must(host, `mkdir -p ${source.replace('/source', '')} && echo 'abc v1.36.3' >${source}`);

    expect([refused.exitCode, errorCodes(refused)]).toEqual([3, ['CLUSTER_PRESENT']]);
    expect(refused.finished?.errors[0]?.message).toContain('kubelet v1.36.3');
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toContain('UNKNOWN_HOST');
    expect([foreign.exitCode, errorCodes(foreign)]).toEqual([3, ['NOT_THIS_CLUSTER']]);
    expect(compareAll(kept, await snapshotAll(lab.hosts), ignoredOnAnyHost)).toEqual({});
    await must(host, `rm -r ${source.replace('/source', '')}`);
    expect(describe(await run('restore-host'))).toBe('exit 0, ok');
    await expectOriginal();
  });

  test('reset puts everything back, too', async () => {
    const created = await run('cluster-create');
    const refused = await run('restore-host');
    const reset = await run('reset', '--confirm', 'prep');

    expect(describe(created)).toBe('exit 0, ok');
    expect([refused.exitCode, errorCodes(refused)]).toEqual([3, ['CLUSTER_PRESENT']]);
    expect(describe(reset)).toBe('exit 0, ok');
    expect(compareAll(before, await snapshotAll(lab.hosts), [...ignoredAfterRestore, ...ignoredAfterReset])).toEqual(
      {},
    );
    // Tables that iptables made stay, empty, until the next boot.
    expect(withoutEmptyTables(await stateOf())).toBe(withoutEmptyTables(stateBefore));
    const second = await run('reset', '--confirm', 'prep');
    expect([describe(second), second.finished?.changes]).toEqual(['exit 0, ok', 0]);
    console.log(`      cluster-create: ${seconds(created.durationMs)}, reset: ${seconds(reset.durationMs)}`);
  });
});

function withoutEmptyTables(state: string): string {
  return state
    .replaceAll(/^(\*(mangle|filter|nat)|:[A-Z]+ ACCEPT .*|COMMIT)\n/gm, '')
    .replaceAll(/^table ip6? (mangle|filter|nat) \{\n(\s+chain [A-Z]+ \{\n\s+type .*\n\s+\}\n\n?)*\}\n/gm, '');
}
