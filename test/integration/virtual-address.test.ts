import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readAsset } from '../../src/assets.ts';
import { fillTemplate } from '../../src/lib/template.ts';

const run = promisify(execFile);
const canMakeNetworks = process.getuid?.() === 0 && spawnSync('unshare', ['-n', 'true']).status === 0;

const address = '10.66.0.50';
const unit = fillTemplate(readAsset('templates/systemd/virtual-address.service'), { address, interface: 'eth0' });
/** What the unit does before it starts, in order: takes the address, tells the neighbours. */
const commands = [...unit.matchAll(/^ExecStartPre=-?\/bin\/sh -c '([^']*)'$/gm)].map(([, command = '']) => command);

describe.skipIf(!canMakeNetworks)('the announcement of a virtual address (needs root and network namespaces)', () => {
  const prefix = `ann${process.pid}`;
  const hosts = [1, 2, 3].map((number) => `${prefix}-${number}`);
  const cable = `${prefix}-sw`;
  let folder: string;

  const inside = (host: string, ...argv: string[]) =>
    run('ip', ['netns', 'exec', host, ...argv], {
      env: { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` },
    });

  /** With the commands of `folder` alone: whether this machine has arping says nothing. */
  const bare = (host: string, command: string) =>
    run('/usr/bin/env', ['-i', `PATH=${folder}`, join(folder, 'ip'), 'netns', 'exec', host, '/bin/sh', '-c', command]);

  const which = async (name: string): Promise<string> =>
    (await run('/bin/sh', ['-c', `command -v ${name}`])).stdout.trim();

  /** A switch with three hosts, 10.66.0.1 to 3. */
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'installer-announce-'));
    for (const name of ['ip', 'timeout', 'sleep']) symlinkSync(await which(name), join(folder, name));
    await run('ip', ['netns', 'add', cable]);
    await run('ip', ['-n', cable, 'link', 'add', 'br0', 'up', 'type', 'bridge']);
    for (const [index, host] of hosts.entries()) {
      const port = `p${index}`;
      await run('ip', ['netns', 'add', host]);
      await run('ip', ['-n', cable, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host]);
      await run('ip', ['-n', cable, 'link', 'set', port, 'up', 'master', 'br0']);
      await run('ip', ['-n', host, 'address', 'add', `10.66.0.${index + 1}/24`, 'dev', 'eth0']);
      for (const name of ['lo', 'eth0']) await run('ip', ['-n', host, 'link', 'set', name, 'up']);
    }
  });

  afterEach(async () => {
    for (const name of [...hosts, cable].filter((each) => existsSync(`/run/netns/${each}`)))
      await run('ip', ['netns', 'del', name]);
    rmSync(folder, { recursive: true });
  });

  async function macOf(host: string): Promise<string> {
    return (await inside(host, 'cat', '/sys/class/net/eth0/address')).stdout.trim();
  }

  /** Which MAC address the third host has for the virtual one. */
  async function known(): Promise<string | undefined> {
    return /lladdr (\S+)/.exec((await run('ip', ['-n', hosts[2] ?? '', 'neigh', 'show', address])).stdout)?.[1];
  }

  /** The first host has the address, the third one knows it, and the second one takes it over. */
  async function move(): Promise<void> {
    const [first = '', second = '', third = ''] = hosts;
    await run('ip', ['-n', first, 'address', 'add', `${address}/32`, 'dev', 'eth0']);
    await vi.waitFor(async () => {
      await inside(third, '/bin/bash', '-c', `echo >/dev/udp/${address}/9`);
      expect(await known()).toBe(await macOf(first));
    }, 10_000);
    await run('ip', ['-n', first, 'address', 'del', `${address}/32`, 'dev', 'eth0']);
    const [hold = '', ...tell] = commands;
    await bare(second, hold);
    expect(await known()).toBe(await macOf(first));
    for (const command of tell) await bare(second, command);
  }

  it('corrects the entries of the neighbours, on a host that has bash alone, and leaves no route', async () => {
    const second = hosts[1] ?? '';
    const before = (await run('ip', ['-n', second, 'route'])).stdout;

    await move();

    await vi.waitFor(async () => expect(await known()).toBe(await macOf(second)), 5000);
    expect((await run('ip', ['-n', second, 'route'])).stdout).toBe(before);
  }, 30_000);

  it('is that of arping, where it is installed', async () => {
    const told = join(folder, 'told');
    writeFileSync(join(folder, 'arping'), `#!/bin/sh\necho "$*" >${told}\n`);
    chmodSync(join(folder, 'arping'), 0o755);

    await move();

    expect(readFileSync(told, 'utf8')).toBe(`-q -U -c 2 -I eth0 ${address}\n`);
    expect(await known()).toBe(await macOf(hosts[0] ?? ''));
  }, 30_000);
});
