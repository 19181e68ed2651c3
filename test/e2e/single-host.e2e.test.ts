import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { killConnections, must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import { waitUntil } from '../lab/waiting.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import { installOwnContainerd } from './own-things.ts';
import { describe, planned, seconds } from './stage.ts';

/** One host that is control plane and worker at once: what does not need three of them. */
const unavailable = labUnavailable();
const title = unavailable === undefined ? 'a cluster of one host' : `a cluster of one host (skipped: ${unavailable})`;

interface ClusterFile {
  spec: {
    hosts: Record<string, unknown>[];
    kubernetes: Record<string, unknown>;
    network: Record<string, unknown>;
  };
}

suite.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let host: LabHost;
  let binary: string;
  /** Empty until there is one. */
  let file = '';

  beforeAll(async () => {
    await labDown('one', () => undefined);
    binary = await installerBinary();
    lab = await labUp({ name: 'one', hosts: 1, minors: ['1.36'], log: (line) => console.log(`      ${line}`) });
    host = lab.host('node1');
    file = await writeClusterFile('both-roles.yaml', (config) => {
      for (const entry of config.spec.hosts) entry['roles'] = ['control-plane', 'worker'];
    });
  }, 2_700_000);

  afterAll(async () => {
    await labDown('one', () => undefined);
  }, 180_000);

  async function writeClusterFile(name: string, change: (config: ClusterFile) => void): Promise<string> {
    const config = parse(await readFile(file === '' ? lab.configFile : file, 'utf8')) as ClusterFile;
    change(config);
    const path = join(lab.dir, name);
    await writeFile(path, stringify(config));
    return path;
  }

  function run(...args: readonly string[]): Promise<InstallerResult> {
    return startInstaller(binary, args, { stateDir: lab.dir }).done;
  }

  async function textOf(argv: readonly string[]): Promise<string> {
    return (await must(host, [...argv])).stdout.trim();
  }

  test('a containerd that was there before is kept, configured, and given back', async () => {
    await installOwnContainerd(host, lab.address);
    const before = await textOf(['cat', '/etc/containerd/config.toml']);

    const created = await run('cluster-create', '-c', file);

    expect(describe(created)).toBe('exit 0, ok');
    expect(planned(created).filter((line) => line.includes('install containerd'))).toEqual([]);
    expect(await textOf(['sh', '-c', 'ls /usr/local/bin'])).not.toContain('containerd');
    const pid = await textOf(['pidof', 'containerd']);

    const again = await run('cluster-create', '-c', file);

    expect(describe(again)).toBe('exit 0, ok');
    expect(again.finished?.changes).toBe(0);
    expect(await textOf(['pidof', 'containerd'])).toBe(pid);

    const reset = await run('reset', '-c', file, '--confirm', 'one');

    expect(describe(reset)).toBe('exit 0, ok');
    expect(await textOf(['cat', '/etc/containerd/config.toml'])).toBe(before);
    expect(await textOf(['systemctl', 'is-active', 'containerd'])).toBe('active');
    console.log(`      create with a kept containerd: ${seconds(created.durationMs)}`);
  });

  test('a connection that breaks during kubeadm init is made again, and kubeadm runs once', async () => {
    await host.reset();
    const running = startInstaller(binary, ['cluster-create', '-c', file], { stateDir: lab.dir });
    await running.seen(
      'kubeadm init is planned',
      (event) => event.type === 'step.planned' && event.step === 'kubeadm-init',
      120_000,
    );
    await new Promise((resolve) => setTimeout(resolve, 2500));

    await killConnections(host);
    const result = await running.done;

    expect(describe(result)).toBe('exit 0, ok');
    const warnings = result.of('log').filter(({ level }) => level === 'warning');
    expect(warnings.map(({ message }) => message).join('\n')).toContain('was lost');
    const starts = await textOf([
      'sh',
      '-c',
      'journalctl -o cat -u "installer-*-kubeadm-init.service" | grep -c ^Started',
    ]);
    expect(starts).toBe('1');
  });

  test('settings of kubelet that change later are brought to the node, and fixed ones are refused', async () => {
    const changed = await writeClusterFile('more-pods.yaml', (config) => {
      config.spec.kubernetes['kubelet'] = { ...(config.spec.kubernetes['kubelet'] as object), maxPods: 123 };
    });

    const result = await run('cluster-create', '-c', changed);

    expect(describe(result)).toBe('exit 0, ok');
    expect(planned(result).join('\n')).toContain('node1 configure-components: change the configuration of kubelet');
    expect(await textOf(['grep', 'maxPods', '/var/lib/kubelet/config.yaml'])).toBe('maxPods: 123');
    const again = await run('cluster-create', '-c', changed);
    expect(again.finished?.changes).toBe(0);

    const moved = await writeClusterFile('other-subnet.yaml', (config) => {
      config.spec.network['podSubnets'] = ['10.200.0.0/16'];
    });
    const refused = await run('cluster-create', '-c', moved);

    expect(refused.finished?.errors.map(({ code }) => code)).toEqual(['SETTING_FIXED']);
    expect(refused.finished?.changes).toBe(0);
  });

  test('the API server has an address of its own, which the host holds from boot on and lets go of at reset', async () => {
    await host.reset();
    const address = lab.address.replace(/\d+$/, '50');
    const virtual = await writeClusterFile('virtual.yaml', (config) => {
      config.spec.kubernetes['virtualAddress'] = { address };
    });
    const holds = (): Promise<boolean> =>
      host.exec(['ip', '-o', '-4', 'addr', 'show']).then(({ stdout }) => stdout.includes(` ${address}/32 `));
    const unit = 'kubernetes-virtual-address.service';

    const created = await run('cluster-create', '-c', virtual);

    expect(describe(created)).toBe('exit 0, ok');
    expect(await holds()).toBe(true);
    expect(await readFile(join(lab.dir, 'one.kubeconfig'), 'utf8')).toContain(`server: https://${address}:6443`);
    expect(await textOf(['grep', 'server:', '/etc/kubernetes/admin.conf'])).toContain(`https://${address}:6443`);
    expect((await run('cluster-create', '-c', virtual)).finished?.changes).toBe(0);

    await must(host, `systemctl --quiet disable ${unit}`);
    const drift = await run('diff', '-c', virtual);
    expect(drift.exitCode).toBe(6);
    expect(planned(drift)).toEqual([
      `node1 hold-virtual-address: hold the address ${address} of the API server on host0`,
    ]);
    expect((await run('cluster-create', '-c', virtual)).finished?.changes).toBe(1);

    await must(host, `ip address del ${address}/32 dev host0`);
    await waitUntil('the address to be put back', 15_000, holds);
    await host.reboot();
    await waitUntil('the address after a reboot', 30_000, holds);
    const after = await run('cluster-create', '-c', virtual);
    expect(describe(after)).toBe('exit 0, ok');
    expect(after.finished?.changes).toBe(0);

    const moved = await writeClusterFile('moved.yaml', (config) => {
      config.spec.kubernetes['virtualAddress'] = { address: lab.address.replace(/\d+$/, '51') };
    });
    const refused = await run('cluster-create', '-c', moved);
    expect(refused.finished?.errors.map(({ code }) => code)).toEqual(['SETTING_FIXED']);
    expect(await holds()).toBe(true);

    expect(describe(await run('reset', '-c', virtual, '--confirm', 'one'))).toBe('exit 0, ok');
    expect(await holds()).toBe(false);
    expect((await host.exec(['systemctl', 'cat', unit])).exitCode).not.toBe(0);
  });

  test('the binary makes a cluster of the machine that it runs on', async () => {
    await host.reset();
    const folder = join(host.root, 'root/installer');
    await mkdir(folder, { recursive: true });
    await copyFile(binary, join(folder, 'installer'));
    await cp(join(lab.dir, 'catalogs'), join(folder, 'catalogs'), { recursive: true });
    await cp(join(lab.dir, 'upstream/registry-tls/ca.crt'), join(folder, 'upstream/registry-tls/ca.crt'));
    const local = await writeClusterFile('local.yaml', (config) => {
      for (const entry of config.spec.hosts) Object.assign(entry, { local: true, internalAddress: entry['address'] });
    });
    await copyFile(local, join(folder, 'local.yaml'));
    const create =
      'cd /root/installer && env -i PATH="$PATH" HOME=/root ./installer cluster-create -c local.yaml --output json';

    const first = await host.exec(create, { timeoutMs: 240_000 });
    const second = await host.exec(create, { timeoutMs: 60_000 });

    expect(first.stdout.trim().split('\n').at(-1)).toContain('"status":"ok"');
    expect(first.exitCode).toBe(0);
    expect(second.stdout.trim().split('\n').at(-1)).toContain('"changes":0');
    const nodes = await textOf([
      'kubectl',
      '--kubeconfig=/root/installer/one.kubeconfig',
      'get',
      'nodes',
      '--no-headers',
    ]);
    expect(nodes).toMatch(/^node1\s+Ready\s+control-plane,worker/);
  });
});
