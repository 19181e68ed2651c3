import { readFile, stat, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { tryRun } from '../lab/commands.ts';
import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { describe, errorCodes, planned, seconds, type Stage } from './stage.ts';
import {
  compareAll,
  ignoredAfterReset,
  ignoredInCluster,
  kubeconfigOf,
  kubectl,
  snapshotAll,
  writeVariant,
} from './support.ts';

/** What the installer brings to a host, by hand: reset has to know it by itself. */
const brought = [
  ...[
    '/var/lib/installer',
    '/etc/kubernetes',
    '/var/lib/kubelet',
    '/var/lib/etcd',
    '/etc/cni',
    '/opt/cni',
    '/var/lib/cni',
  ],
  ...['/run/flannel', '/etc/containerd', '/var/lib/containerd', '/run/containerd', '/etc/crictl.yaml'],
  ...['kubeadm', 'kubelet', 'kubectl', 'crictl', 'containerd', 'containerd-shim-runc-v2', 'ctr'].map(
    (name) => `/usr/local/bin/${name}`,
  ),
  ...['/usr/local/sbin/runc', '/etc/sysctl.d/zz-installer.conf', '/etc/modules-load.d/installer.conf'],
  ...['kubelet', 'containerd'].flatMap((name) => [
    `/etc/systemd/system/${name}.service`,
    `/etc/systemd/system/${name}.service.d`,
  ]),
  ...['cni0', 'flannel.1', 'kube-ipvs0'].map((name) => `/sys/class/net/${name}`),
];

export function testReset(stageOf: () => Stage): void {
  test('reset with another name, or with a host of another cluster, changes nothing', async () => {
    const stage = stageOf();
    await stage.need('cluster');
    const { lab } = stage;
    const identity = '/var/lib/installer/cluster.json';
    const other = lab.host('node2');
    await must(
      other,
      `cp -a ${identity} /root/identity.kept && sed -i 's/"clusterName":"[^"]*"/"clusterName":"other"/' ${identity}`,
    );
    const before = await snapshotAll(lab.hosts);

    const misnamed = await stage.run(['reset', '-c', lab.configFile, '--confirm', 'prod']);
    const foreign = await stage.run(['reset', '-c', lab.configFile, '--confirm', lab.name]);

    expect(misnamed.exitCode).toBe(2);
    expect(misnamed.stderr).toContain('NOT_CONFIRMED');
    expect(misnamed.of('host.started')).toEqual([]);
    expect(foreign.exitCode).toBe(3);
    expect(foreign.finished?.errors).toMatchObject([{ code: 'NOT_THIS_CLUSTER', host: 'node2' }]);
    expect(compareAll(before, await snapshotAll(lab.hosts), ignoredInCluster)).toEqual({});
    await must(other, `mv -f /root/identity.kept ${identity}`);
    expect((await kubectl(lab, ['get', '--raw=/readyz'])).trim()).toBe('ok');
  });

  test('reset takes away what create brought, and the second reset finds nothing', async () => {
    const stage = stageOf();
    await stage.need('cluster');
    const { lab } = stage;
    stage.state = 'unknown';
    // A rule of the user's has to stay.
    for (const host of lab.hosts) await must(host, 'iptables -A INPUT -p tcp --dport 4242 -j ACCEPT');
    const dry = await stage.run(['reset', '-c', lab.configFile, '--confirm', lab.name, '--dry-run']);
    expect(describe(dry)).toBe('exit 0, ok');
    expect((await kubectl(lab, ['get', '--raw=/readyz'])).trim()).toBe('ok');

    const first = await stage.run(['reset', '-c', lab.configFile, '--confirm', lab.name]);

    expect(describe(first)).toBe('exit 0, ok');
    expect(planned(dry).length).toBeGreaterThan(0);
    expect(compareAll(stage.bare, await snapshotAll(lab.hosts), ignoredAfterReset)).toEqual({});
    for (const host of lab.hosts) await expectClean(host);
    for (const host of lab.hosts) await must(host, 'iptables -D INPUT -p tcp --dport 4242 -j ACCEPT');
    await expect(stat(kubeconfigOf(lab))).rejects.toThrow('ENOENT');
    const files = [
      '-i',
      lab.keyFile,
      '-o',
      `UserKnownHostsFile=${lab.knownHostsFile}`,
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=yes',
    ];
    for (const host of lab.hosts) {
      expect(await tryRun('ssh', ['-F', '/dev/null', ...files, `ops@${host.address}`, 'sudo -n id -u'])).toMatchObject({
        stdout: '0\n',
      });
    }
    const second = await stage.run(['reset', '-c', lab.configFile, '--confirm', lab.name]);
    expect(describe(second)).toBe('exit 0, ok');
    expect([second.finished?.changes, planned(second)]).toEqual([0, []]);
    stage.state = 'bare';
    stage.figure('reset', `${seconds(first.durationMs)}, ${first.finished?.changes ?? 0} changes`);
    stage.figure('reset again', seconds(second.durationMs));
  });

  test('a download that is not what the catalog says, or is not there, ends with what a reader needs', async () => {
    const stage = stageOf();
    await stage.need('bare');
    const { lab } = stage;
    stage.state = 'unknown';
    const wrongSum = 'f'.repeat(64);
    const wrongCatalog = await writeVariant(lab, 'wrong-checksum', (config) => {
      const artifacts = (config['spec'] as { artifacts: { catalogs: string[] } }).artifacts;
      artifacts.catalogs.push('./wrong-checksum-catalog.yaml');
    });
    await writeWrongCatalog(stage, wrongSum);
    const wrongMirror = await writeVariant(lab, 'wrong-mirror', (config) => {
      const { mirrors } = (config['spec'] as { artifacts: { mirrors: Record<string, string> } }).artifacts;
      mirrors['github.com'] = `${mirrors['github.com'] ?? ''}/nowhere`;
    });

    const missing = await stage.run(['cluster-create', '-c', wrongMirror]);
    const wrong = await stage.run(['cluster-create', '-c', wrongCatalog]);

    for (const result of [missing, wrong]) {
      expect([4, 5]).toContain(result.exitCode);
      expect(errorCodes(result).filter((code) => code === 'ACTION_FAILED')).toHaveLength(3);
      expect(new Set(result.finished?.errors.slice(0, 3).map(({ host }) => host))).toEqual(
        new Set(['node1', 'node2', 'node3']),
      );
    }
    const [notFound] = missing.finished?.errors ?? [];
    expect(notFound?.message).toMatch(
      /^install-runtime\/containerd: .*fetch http:\/\/\S+\/nowhere\/\S+containerd\S+: exit status 22$/,
    );
    expect(notFound?.details.join('\n')).toContain('404');
    const [mismatch] = wrong.finished?.errors ?? [];
    expect(mismatch?.message).toMatch(/^install-runtime\/runc: .*fetch http:\/\/\S+runc\S*: exit status 65$/);
    expect(mismatch?.details.join('\n')).toMatch(
      new RegExp(`checksum of http://\\S+runc\\S*: expected sha256 ${wrongSum}, got [0-9a-f]{64}`),
    );
    for (const host of lab.hosts) expect((await host.exec('ls /usr/local/sbin/runc')).exitCode).not.toBe(0);
    stage.figure(
      'wrong checksum told after',
      `${seconds(wrong.durationMs)}: ${mismatch?.host ?? ''}: ${mismatch?.message ?? ''}`,
    );
  });
}

async function writeWrongCatalog(stage: Stage, sum: string): Promise<void> {
  const { lab } = stage;
  const config = parse(await readFile(lab.configFile, 'utf8')) as { spec: { artifacts: { catalogs: string[] } } };
  const [first = ''] = config.spec.artifacts.catalogs;
  const catalog = parse(await readFile(`${lab.dir}/${first}`, 'utf8')) as {
    metadata: { name: string };
    spec: { components: Record<string, unknown> };
  };
  const { components } = catalog.spec;
  components['runc'] = JSON.parse(JSON.stringify(components['runc']).replaceAll(/"[0-9a-f]{64}"/g, `"${sum}"`));
  catalog.metadata.name = 'wrong-checksum';
  await writeFile(`${lab.dir}/wrong-checksum-catalog.yaml`, stringify(catalog));
}

async function expectClean(host: LabHost): Promise<void> {
  const left = await host.exec(['find', ...brought, '-maxdepth', '0']);
  expect(left.stdout).toBe('');
  const rules = await must(host, 'iptables-save; ip6tables-save; nft list ruleset 2>/dev/null | grep -v "^#" || :');
  expect(rules.stdout).not.toMatch(/KUBE-|CNI-|FLANNEL-/);
  expect(rules.stdout).toContain('--dport 4242');
  const links = await must(host, 'ip -o link; ip netns; findmnt -rn -o TARGET');
  expect(links.stdout).not.toMatch(/veth|cni|flannel|kubelet|containerd|kubernetes\.io/);
  const processes = await must(host, 'ps -eo args');
  expect(processes.stdout).not.toMatch(/kube|containerd|etcd|flannel|coredns/);
  // The lock stays for another run that may wait for it; the next boot takes it away.
  const volatile = await must(host, 'ls -A /run/installer; systemctl --failed --no-legend --plain');
  expect(volatile.stdout).toBe('generation\nlock\n');
}
