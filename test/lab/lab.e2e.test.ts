import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labUnavailable } from './available.ts';
import { cgroupFolders, cgroupName, cgroupPids } from './cgroups.ts';
import { run, tryRun, type CommandResult } from './commands.ts';
import { labDown } from './down.ts';
import type { LabHost } from './host.ts';
import { labUp, openLab, type Lab } from './lab.ts';
import { bridgeName, parseTables, tableName } from './network.ts';
import { existingLabs, labPaths } from './paths.ts';
import { signalPid } from './processes.ts';
import { diffSnapshots } from './snapshot.ts';
import { labStatus } from './status.ts';

const name = 'e2e';
const unavailable = labUnavailable();
const title = unavailable === undefined ? 'a lab of two hosts' : `a lab of two hosts (skipped: ${unavailable})`;
const lines: string[] = [];
const up = async (): Promise<Lab> =>
  labUp({ name, hosts: 2, minors: ['1.36'], upstream: false, log: (line) => lines.push(line) });

async function ssh(lab: Lab, user: string, host: LabHost, command: string, input = ''): Promise<CommandResult> {
  const strict = ['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', '-o', 'GlobalKnownHostsFile=/dev/null'];
  const files = ['-i', lab.keyFile, '-o', `UserKnownHostsFile=${lab.knownHostsFile}`, '-o', 'IdentitiesOnly=yes'];
  return tryRun('ssh', ['-F', '/dev/null', ...strict, ...files, `${user}@${host.address}`, command], { input });
}

/** Runs `lab:up` as a process of its own and kills it after a while, as a closed terminal or an impatient user would. */
async function upKilledAfter(ms: number): Promise<void> {
  const cli = join(import.meta.dirname, 'cli.ts');
  const args = [cli, 'up', '--name', name, '--hosts', '2', '--no-upstream'];
  const child = spawn(process.execPath, args, { stdio: 'ignore', detached: true });
  const ended = once(child, 'exit');
  await Promise.race([sleep(ms), ended]);
  child.kill('SIGKILL');
  await ended;
}

async function leaders(lab: Lab): Promise<(number | undefined)[]> {
  return Promise.all(lab.hosts.map(async (host) => (await host.leader())?.pid));
}

/** Everything of a lab that can be seen on this machine. */
async function traces(): Promise<string[]> {
  const links = (await run('ip', ['-o', 'link'])).split('\n');
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n');
  const paths = labPaths(name);
  return [
    ...links.filter((line) => line.includes(bridgeName(name)) || line.includes(`vb-${name}-`)),
    ...mounts.filter((line) => line.includes(paths.dir)),
    ...parseTables(await run('nft', ['list', 'tables'])).flatMap(([, table]) =>
      table.startsWith(tableName(name)) ? [table] : [],
    ),
    ...(await run('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']))
      .split('\n')
      .filter((file) => file.startsWith(paths.dir)),
    ...[...cgroupFolders(cgroupName(name)), paths.dir, `/run/systemd/nspawn/propagate/${name}-node1`].filter((path) =>
      existsSync(path),
    ),
    ...(await run('ps', ['-eo', 'args'])).split('\n').filter((line) => line.includes(paths.dir)),
  ];
}

/** Kernel values that hosts change at boot, or a test changes here. */
async function kernelValues(): Promise<string> {
  return run('sysctl', ['fs.protected_regular', 'fs.file-max', 'vm.overcommit_memory', 'kernel.panic_on_oops']);
}

describe.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let valuesBefore: string;

  beforeAll(async () => {
    await labDown(name, () => undefined);
    valuesBefore = await kernelValues();
    lab = await up();
  }, 600_000);

  afterAll(async () => {
    await labDown(name, () => undefined);
  }, 120_000);

  test('its users log in over strict SSH, each with the rights of its kind', async () => {
    for (const host of lab.hosts) {
      expect(await ssh(lab, 'ops', host, 'hostname; sudo -n id -u')).toMatchObject({ stdout: `${host.name}\n0\n` });
    }
    const [host] = lab.hosts as [LabHost];
    expect((await ssh(lab, 'root', host, 'id -u')).stdout).toBe('0\n');
    expect((await ssh(lab, 'nosudo', host, 'sudo -k -n true')).exitCode).not.toBe(0);
    expect((await ssh(lab, 'pwsudo', host, 'sudo -k -n true')).exitCode).not.toBe(0);
    const withPassword = await ssh(lab, 'pwsudo', host, 'sudo -k -S -p "" id -u', `${lab.sudoPassword}\n`);
    expect(withPassword.stdout).toBe('0\n');
  });

  test('its hosts are plain servers that an installer has never touched', async () => {
    const ids = new Set<string>();
    for (const host of lab.hosts) {
      const facts = await host.exec(
        'systemctl is-system-running; cat /proc/swaps | wc -l; date +%Z; command -v kubelet containerd; cat /etc/machine-id',
      );
      const [state, swaps, zone, machineId = ''] = facts.stdout.split('\n');
      expect([state, swaps, zone]).toEqual(['running', '1', 'UTC']);
      ids.add(machineId);
    }
    expect(ids.size).toBe(2);
  });

  test('names of hosts resolve, others are denied at once, and nothing outside is reached', async () => {
    const host = lab.host('node1');
    expect((await host.exec('getent hosts node2')).stdout).toContain(lab.host('node2').address);
    const started = performance.now();
    expect((await host.exec('getent hosts registry.k8s.io')).exitCode).not.toBe(0);
    expect(performance.now() - started).toBeLessThan(1000);
    expect((await host.exec('ping -c 1 -W 1 node2')).exitCode).toBe(0);
    expect((await host.exec('timeout 4 bash -c "</dev/tcp/192.0.2.1/80"')).exitCode).not.toBe(0);
    expect((await host.exec('ip route get 10.96.0.1')).exitCode).toBe(0);
  });

  test('up again leaves running hosts as they are', async () => {
    const before = await leaders(lab);
    lab = await up();
    expect(await leaders(lab)).toEqual(before);
  });

  test('a host comes back from a reboot, but not by itself from power-off or a power cut', async () => {
    const host = lab.host('node1');
    const bootId = async (): Promise<string> => (await host.exec('cat /proc/sys/kernel/random/boot_id')).stdout;
    const before = await bootId();
    await host.reboot();
    expect(await bootId()).not.toBe(before);
    await host.exec('systemctl poweroff');
    await sleep(6000);
    expect(await host.leader()).toBeUndefined();
    await host.boot();
    await host.powerOff();
    await sleep(1500);
    expect(await labStatus(name)).toMatchObject({ hosts: [{ state: 'down' }, { state: 'up' }] });
    await expect(host.exec('true')).rejects.toThrow('node1 is off');
    await host.boot();
  });

  test('files outlive a power cut and a snapshot tells what changed; a reset forgets them and keeps the SSH key', async () => {
    const host = lab.host('node2');
    const before = await host.snapshotFiles();
    await host.exec('echo 1 >/opt/new; rm /etc/issue; chmod 600 /etc/issue.net; sync');
    await host.powerOff();
    await host.boot();
    const ignore = [/^\/(tmp|var\/(log|tmp|lib\/systemd))\//];
    const difference = diffSnapshots(before, await host.snapshotFiles(), { ignore });
    expect(difference).toEqual({ added: ['/opt/new'], removed: ['/etc/issue'], changed: ['/etc/issue.net'] });
    const machineId = (await host.exec('cat /etc/machine-id')).stdout;
    await host.reset();
    expect((await ssh(lab, 'ops', host, 'ls /opt; cat /etc/machine-id')).stdout).toMatch(/^[0-9a-f]{32}\n$/);
    expect((await host.exec('cat /etc/machine-id')).stdout).not.toBe(machineId);
  });

  test('up completes a lab whose processes were all killed', async () => {
    for (const pid of await cgroupPids(cgroupName(name))) signalPid(pid, 'SIGKILL');
    await sleep(300);
    expect(await leaders(lab)).toEqual([undefined, undefined]);
    lab = await up();
    expect((await ssh(lab, 'ops', lab.host('node2'), 'getent hosts node1')).exitCode).toBe(0);
  });

  test('up completes what a killed up left, wherever it was cut off', async () => {
    for (const ms of [400, 800, 1500, 3000, 6000]) {
      await labDown(name, () => undefined);
      await upKilledAfter(ms);
      lab = await up();
      for (const host of lab.hosts)
        expect((await ssh(lab, 'ops', host, 'hostname')).stdout, `${ms} ms`).toBe(`${host.name}\n`);
    }
    await upKilledAfter(500);
    expect((await openLab(name)).hosts).toHaveLength(2);
  });

  test('down leaves nothing, twice, also after a killed up', async () => {
    await lab.host('node1').exec('sysctl -w vm.overcommit_memory=1 kernel.panic_on_oops=1');
    expect(await traces()).not.toEqual([]);
    await labDown(name, () => undefined);
    expect(await traces()).toEqual([]);
    // Other labs that are up still need the kernel as it is.
    if (existingLabs().length === 0) expect(await kernelValues()).toBe(valuesBefore);
    await labDown(name, () => undefined);
    await upKilledAfter(2500);
    await labDown(name, () => undefined);
    expect(await traces()).toEqual([]);
  });
});
