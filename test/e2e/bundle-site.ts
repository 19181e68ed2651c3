import { copyFile, cp, link, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { dropTraffic, killConnections, must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { waitUntil } from '../lab/waiting.ts';
import type { ClusterFile } from './bundle-files.ts';
import type { InstallerResult, RunningInstaller } from './installer.ts';
import { describe, seconds } from './stage.ts';

/** A site that has nothing but the bundle, and how the installer is started there. */
export interface BundleStage {
  readonly lab: Lab;
  readonly binary: string;
  readonly bundle: string;
  /** Writes a cluster file of these hosts, the first of them the control plane. */
  readonly fileOf: (name: string, hosts: readonly string[], edit?: (config: ClusterFile) => void) => Promise<string>;
  readonly start: (...args: readonly string[]) => RunningInstaller;
  readonly run: (...args: readonly string[]) => Promise<InstallerResult>;
}

/** Peak memory of a run that serves three hosts; MB of 1,000,000 bytes. */
const memoryGoalMb = 200;

/** From now on the host begins no connection to this machine, where the upstream is; it answers those that it gets. */
async function cutOff(lab: Lab, host: LabHost): Promise<void> {
  await must(host, `iptables -I OUTPUT -d ${lab.address} -m conntrack --ctstate NEW -j REJECT`);
}

/** The way to the bundle answers, and some of an image has come: parts of an earlier run may lie there. */
const pulling = `p=$(grep -o '127.0.0.1:[0-9]*' /run/installer/bundle/registries/_default/hosts.toml) &&
ss -Hltn "src $p" | grep -q . && ctr -n k8s.io content active | grep -q sha256`;

/** Waits until the host has received some of an image of this run, and not all of it. */
async function inTheMiddleOfAPull(host: LabHost, running: RunningInstaller): Promise<void> {
  const ended: { result?: InstallerResult } = {};
  void running.done.then((result) => (ended.result = result));
  await waitUntil(`${host.name} to pull`, 300_000, async () => {
    if (ended.result) throw new Error(`the installer ended before ${host.name} pulled: ${describe(ended.result)}`);
    return (await host.exec(pulling)).exitCode === 0;
  });
}

/** Where containerd, package managers or the next run look, nothing names the way to the bundle; no port leads to it. */
async function expectNothingLeft(host: LabHost): Promise<void> {
  const files = await host.exec(
    'grep -rlI 127.0.0.1: /etc/containerd /etc/apt /etc/yum.repos.d /var/lib/installer; ls -d /run/installer/bundle',
  );
  expect(files.stdout, host.name).toBe('');
  await expectNoPort(host);
}

async function expectNoPort(host: LabHost): Promise<void> {
  const listeners = async (): Promise<string> => (await must(host, 'ss -Hltnp | grep sshd | grep -v :22 || :')).stdout;
  await expect.poll(listeners, { timeout: 5000 }).toBe('');
}

/** Hosts that a run connected to again. */
function reconnected(result: InstallerResult): string[] {
  const again = result.of('log').filter(({ message }) => message === 'connecting again');
  return [...new Set(again.map(({ host }) => host ?? ''))].toSorted();
}

export function testBundleSites(stageOf: () => BundleStage): void {
  test('reaches three hosts through SSH alone, over a killed installer and a lost connection', async () => {
    const { lab, bundle, fileOf, start, run } = stageOf();
    await lab.host('node1').reset();
    for (const host of lab.hosts) {
      // What is missing on a host comes from the bundle too, and apt is not told anything for good.
      await must(host, 'apt-get -q -y purge socat && rm -rf /var/lib/apt/lists/*');
      await cutOff(lab, host);
    }
    const site = await fileOf('three', ['node1', 'node2', 'node3']);
    const create = ['cluster-create', '-c', site, '--bundle', bundle];
    const node2 = lab.host('node2');

    const killed = start(...create);
    await inTheMiddleOfAPull(node2, killed);
    killed.kill('SIGKILL');
    await killed.done;
    for (const host of lab.hosts) await expectNoPort(host);
    const running = start(...create);
    await inTheMiddleOfAPull(node2, running);
    await killConnections(node2);
    const created = await running.done;

    expect(describe(created)).toBe('exit 0, ok');
    expect(reconnected(created)).toEqual(['node2']);
    for (const host of lab.hosts) {
      await expectNothingLeft(host);
      await must(host, 'command -v socat');
      expect((await must(host, 'ls /var/lib/apt/lists')).stdout).toBe('');
    }
    for (const more of [['--bundle', bundle], []]) {
      const again = await run('cluster-create', '-c', site, ...more);
      expect([describe(again), again.finished?.changes]).toEqual(['exit 0, ok', 0]);
    }
    const drift = await run('diff', '-c', site, '--bundle', bundle);
    expect(drift.exitCode).toBe(0);
    const peakMb = Math.max((await killed.done).peakMemoryMb, created.peakMemoryMb);
    console.log(
      `      three hosts from the bundle, after a kill, with a lost connection: ${seconds(created.durationMs)}, ${peakMb.toFixed(0)} MB`,
    );
    expect(peakMb).toBeLessThanOrEqual(memoryGoalMb);
  });

  test('reaches hosts behind a bastion, over the loss of its connection', async () => {
    const { lab, bundle, fileOf, start, run } = stageOf();
    await Promise.all(lab.hosts.map((host) => host.reset()));
    const bastion = lab.host('node1');
    const behind = ['node2', 'node3'].map((name) => lab.host(name));
    for (const host of behind) await cutOff(lab, host);
    const site = await fileOf('behind', ['node2', 'node3'], ({ spec }) => {
      spec.ssh['bastion'] = { address: bastion.address, user: 'nosudo' };
    });
    const create = ['cluster-create', '-c', site, '--bundle', bundle];
    const undos = await Promise.all(
      behind.map(({ address }) => dropTraffic(lab, { from: lab.address, to: address, protocol: 'tcp', port: 22 })),
    );
    try {
      const running = start(...create);
      await inTheMiddleOfAPull(lab.host('node3'), running);
      await killConnections(bastion);
      const created = await running.done;

      expect(describe(created)).toBe('exit 0, ok');
      expect(reconnected(created)).toEqual(['node2', 'node3']);
      for (const host of behind) await expectNothingLeft(host);
      const again = await run(...create);
      expect([describe(again), again.finished?.changes]).toEqual(['exit 0, ok', 0]);
      console.log(
        `      two hosts behind a bastion from the bundle: ${seconds(created.durationMs)}, ${created.peakMemoryMb.toFixed(0)} MB`,
      );
    } finally {
      for (const undo of undos) await undo();
    }
  });

  test('makes a cluster of the machine that it lies on', async () => {
    const { lab, binary, bundle, fileOf } = stageOf();
    const host = lab.host('node1');
    await cutOff(lab, host);
    const site = await fileOf('here', ['node1'], ({ spec }) => {
      for (const entry of spec.hosts) Object.assign(entry, { local: true, roles: ['control-plane', 'worker'] });
    });
    // What somebody carries there: the installer, the bundle, and the cluster file with what it names.
    const folder = join(host.root, 'root/site');
    await mkdir(folder);
    await copyFile(binary, join(folder, 'installer'));
    await link(bundle, join(folder, 'site.bundle.tar'));
    const { spec } = parse(await readFile(site, 'utf8')) as ClusterFile;
    const named = [...spec.artifacts.catalogs, ...Object.values(spec.runtime.registries).map(({ ca }) => String(ca))];
    for (const path of new Set(named)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await cp(join(dirname(site), path), join(folder, path));
    }
    await copyFile(site, join(folder, 'site.yaml'));
    const create = 'cd /root/site && ./installer cluster-create -c site.yaml --bundle site.bundle.tar --output json';
    const startedAt = performance.now();

    const created = await host.exec(create, { timeoutMs: 300_000 });

    const finished = (stdout: string): unknown => JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}');
    expect(finished(created.stdout)).toMatchObject({ type: 'run.finished', status: 'ok', errors: [] });
    console.log(`      the machine itself from the bundle: ${seconds(performance.now() - startedAt)}`);
    await expectNothingLeft(host);
    const again = await host.exec(create, { timeoutMs: 300_000 });
    expect(finished(again.stdout)).toMatchObject({ status: 'ok', changes: 0 });
  });
}
