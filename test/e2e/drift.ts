import { expect, test } from 'vitest';
import { must } from '../lab/faults/index.ts';
import { describe, planned, seconds, type Stage } from './stage.ts';
import { compareAll, ignoredInCluster, kubectl, snapshotAll, stateOutsideFiles } from './support.ts';

const label = 'example.com/disk';

export function testDrift(stageOf: () => Stage): void {
  test('diff finds nothing where nothing differs, then each drift on its host, and changes nothing', async () => {
    const stage = stageOf();
    await stage.need('cluster');
    const { lab } = stage;
    const { hosts } = lab;
    const diff = ['diff', '-c', lab.configFile];

    const none = await stage.run(diff);

    expect([describe(none), planned(none)]).toEqual(['exit 0, ok', []]);
    await must(lab.host('node1'), 'echo "# by hand" >>/etc/containerd/config.toml');
    await must(lab.host('node2'), 'echo 0 >/proc/sys/net/ipv4/tcp_mtu_probing');
    await must(lab.host('node3'), 'systemctl stop kubelet');
    await kubectl(lab, ['label', 'node', 'node3', `${label}=slow`, '--overwrite']);
    const before = await snapshotAll(hosts);
    const stateBefore = await Promise.all(hosts.map(stateOutsideFiles));

    const some = await stage.run(diff);
    const shown = await stage.start(diff, 'plain').done;

    expect(planned(some).toSorted()).toEqual([
      expect.stringMatching(/^node1 install-runtime: .*\/etc\/containerd\/config\.toml/) as string,
      expect.stringMatching(/^node1 label-nodes: .*node3.*example\.com\/disk/) as string,
      'node2 prepare-hosts: set kernel parameters: net.ipv4.tcp_mtu_probing 0 -> 1',
      expect.stringMatching(/^node3 install-kubernetes: .*kubelet\.service/) as string,
    ]);
    expect([some.exitCode, some.finished?.status, some.of('step.applied')]).toEqual([6, 'ok', []]);
    expect(shown.exitCode).toBe(6);
    expect(shown.stdout).toContain('-# by hand');
    expect(shown.stdout).toContain('net.ipv4.tcp_mtu_probing 0 -> 1');
    expect(compareAll(before, await snapshotAll(hosts), ignoredInCluster)).toEqual({});
    expect(await Promise.all(hosts.map(stateOutsideFiles))).toEqual(stateBefore);
    stage.figure('diff', seconds(some.durationMs));
  });

  test('create brings back what diff showed, and nothing differs again', async () => {
    const stage = stageOf();
    await stage.need('cluster');
    const mended = await stage.create();
    const none = await stage.run(['diff', '-c', stage.lab.configFile]);

    expect(describe(mended)).toBe('exit 0, ok');
    expect([describe(none), planned(none)]).toEqual(['exit 0, ok', []]);
    expect(await kubectl(stage.lab, ['get', 'nodes', '-l', `${label}=fast`, '-o', 'name'])).toBe('node/node3\n');
  });
}
