import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { must, smallDisk, type Undo } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import type { FileRecord } from '../lab/snapshot.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import { installOwnContainerd, placeOwnTools } from './own-things.ts';
import { describe, planned, seconds } from './stage.ts';
import { compareAll, ignoredAfterReset, snapshotAll, writeVariant, type Ignored } from './support.ts';

const unavailable = labUnavailable();
const title = unavailable === undefined ? 'what a reset leaves' : `what a reset leaves (skipped: ${unavailable})`;

const ownImages: readonly Ignored[] = [
  { path: /^\/var\/lib\/containerd\//, reason: 'a containerd of the owner keeps images that it pulled' },
];

/** One host that had things of its owner in the places where a cluster puts its own. */
suite.skipIf(unavailable !== undefined)(title, { timeout: 900_000 }, () => {
  let lab: Lab;
  let host: LabHost;
  let binary: string;
  let file: string;

  beforeAll(async () => {
    await labDown('undo', () => undefined);
    binary = await installerBinary();
    lab = await labUp({ name: 'undo', hosts: 1, minors: ['1.36'], log: (line) => console.log(`      ${line}`) });
    host = lab.host('node1');
    file = await writeVariant(lab, 'both-roles', (config) => {
      for (const entry of (config['spec'] as { hosts: Record<string, unknown>[] }).hosts)
        entry['roles'] = ['control-plane', 'worker'];
    });
  }, 2_700_000);

  afterAll(async () => {
    await labDown('undo', () => undefined);
  }, 180_000);

  function run(command: string, ...more: readonly string[]): Promise<InstallerResult> {
    return startInstaller(binary, [command, '-c', file, ...more], { stateDir: lab.dir }).done;
  }

  const reset = (): Promise<InstallerResult> => run('reset', '--confirm', 'undo');

  async function textOf(command: string): Promise<string> {
    return (await host.exec(command)).stdout.trim();
  }

  const containerdState = (): Promise<string> =>
    textOf('systemctl is-enabled containerd; systemctl is-active containerd');

  async function recordOf(): Promise<[string, FileRecord][]> {
    const files = await host.snapshotFiles();
    return [...files].filter(([path]) => path.startsWith('/var/lib/installer/before/'));
  }

  test('files of the owner come back, with mode, owner and links, and a containerd is as it was', async () => {
    await installOwnContainerd(host, lab.address);
    await must(host, 'systemctl --quiet disable containerd');
    await placeOwnTools(host);
    const before = await snapshotAll([host]);
    expect(await containerdState()).toBe('disabled\nactive');

    const created = await run('cluster-create');
    expect(describe(created)).toBe('exit 0, ok');
    expect(await textOf('kubectl version --client')).toContain('v1.36');
    const record = await recordOf();
    expect(record.map(([path]) => path)).toContain('/var/lib/installer/before/file:usr:local:bin:kubectl/content');
    const again = await run('cluster-create');
    expect([describe(again), planned(again)]).toEqual(['exit 0, ok', []]);
    expect(await recordOf()).toEqual(record);

    const first = await reset();

    expect(describe(first)).toBe('exit 0, ok');
    expect(compareAll(before, await snapshotAll([host]), [...ignoredAfterReset, ...ownImages])).toEqual({});
    expect(planned(first).filter((line) => /keep /.test(line))).toEqual([]);
    expect(await containerdState()).toBe('disabled\nactive');
    expect(await textOf('kubectl')).toBe('own kubectl');
    const second = await reset();
    expect([describe(second), planned(second)]).toEqual(['exit 0, ok', []]);
    console.log(
      `      create beside things of the owner: ${seconds(created.durationMs)}, reset: ${seconds(first.durationMs)}`,
    );
  });

  test('what was changed since is kept, and said', async () => {
    await host.reset();
    await placeOwnTools(host);
    const before = await snapshotAll([host]);
    expect(describe(await run('cluster-create'))).toBe('exit 0, ok');
    await must(
      host,
      `printf 'other' >/usr/local/bin/kubectl.new && mv -f /usr/local/bin/kubectl.new /usr/local/bin/kubectl
printf 'other' >/opt/cni/bin/portmap.new && mv -f /opt/cni/bin/portmap.new /opt/cni/bin/portmap
printf 'later' >/opt/cni/bin/later
echo '# mine' >>/etc/crictl.yaml`,
    );

    const result = await reset();

    expect(describe(result)).toBe('exit 0, ok');
    const kept = planned(result).filter((line) => /keep /.test(line));
    expect(kept.map((line) => line.replace(/^node1 [a-z-]+: /, '')).toSorted()).toEqual([
      expect.stringMatching(/^keep \/etc\/crictl\.yaml: it was edited since; what was there before is /) as string,
      expect.stringMatching(
        /^keep \/usr\/local\/bin\/kubectl: it was edited since; what was there before is /,
      ) as string,
      expect.stringMatching(/^remove cni-plugins .*; keep \/opt\/cni\/bin\/portmap: changed since, or gone$/) as string,
    ]);
    expect(compareAll(before, await snapshotAll([host]), ignoredAfterReset)).toEqual({
      node1: {
        added: expect.toSatisfy(
          (paths: string[]) =>
            paths.toSorted().join(' ') ===
            '/etc/crictl.yaml.before-installer /opt/cni/bin/later /opt/cni/bin/portmap /usr/local/bin/kubectl.before-installer',
        ) as string[],
        removed: [],
        changed: expect.toSatisfy(
          (paths: string[]) => paths.toSorted().join(' ') === '/etc/crictl.yaml /usr/local/bin/kubectl',
        ) as string[],
      },
    });
  });

  test('disks of their own for etcd, kubelet and containerd stay mounted, and those of the owner below keep what they hold', async () => {
    await host.reset();
    const undos: Undo[] = [];
    try {
      for (const [path, sizeMiB] of [
        ['/var/lib/etcd', 512],
        ['/var/lib/kubelet', 256],
        ['/var/lib/containerd', 4096],
      ] as const)
        undos.push(await smallDisk(host, { path, sizeMiB }));
      // By fstab, by a unit and by hand; and a folder of the same file system.
      await must(
        host,
        `set -e
mkdir -p /srv/bound && echo kept >/srv/bound/file
mkdir -p /var/lib/etcd/own /var/lib/kubelet/own /var/lib/kubelet/plugins/own
echo 'tmpfs /var/lib/kubelet/plugins/own tmpfs defaults 0 0' >>/etc/fstab
mount /var/lib/kubelet/plugins/own
mount -t tmpfs none /var/lib/kubelet/own
mount --bind /srv/bound /var/lib/etcd/own
for m in /var/lib/kubelet/plugins/own /var/lib/kubelet/own; do echo kept >$m/file; done`,
      );
      const look =
        'findmnt -rn -o TARGET | grep "^/var/lib/" | sort; find /var/lib/etcd /var/lib/kubelet /var/lib/containerd | sort; cat /srv/bound/file';
      const before = await textOf(look);
      const files = await snapshotAll([host]);

      // The disks are small, and what the owner has below etcd's folder could as well be of another cluster.
      const created = await run('cluster-create', '--ignore-check', 'disk-free', '--ignore-check', 'leftovers');
      expect(describe(created)).toBe('exit 0, ok');
      const first = await reset();

      expect(describe(first)).toBe('exit 0, ok');
      expect(planned(first).join('\n')).toContain('what is mounted at /var/lib/etcd/own, /var/lib/kubelet/own stays');
      expect(await textOf(look)).toBe(before);
      expect(compareAll(files, await snapshotAll([host]), ignoredAfterReset)).toEqual({});
      const second = await reset();
      expect([describe(second), planned(second)]).toEqual(['exit 0, ok', []]);
    } finally {
      await host.exec('umount -l /var/lib/kubelet/plugins/own /var/lib/kubelet/own /var/lib/etcd/own');
      for (const undo of undos.toReversed()) await undo();
    }
  });
});
