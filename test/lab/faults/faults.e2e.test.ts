import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { labUnavailable } from '../available.ts';
import { tryRun } from '../commands.ts';
import { labDown } from '../down.ts';
import type { LabHost } from '../host.ts';
import { labUp, type Lab } from '../lab.ts';
import { portAnswers, sshAnswers, waitUntil } from '../waiting.ts';
import * as faults from './index.ts';

const name = 'fault';
const unavailable = labUnavailable();
const title = unavailable === undefined ? 'faults of real hosts' : `faults of real hosts (skipped: ${unavailable})`;

describe.skipIf(unavailable !== undefined)(title, { timeout: 60_000 }, () => {
  let lab: Lab;
  let host: LabHost;
  let other: LabHost;
  const reaches = async (from: LabHost, to: string): Promise<boolean> =>
    (await from.exec(`timeout 1 bash -c '</dev/tcp/${to}/22'`)).exitCode === 0;

  beforeAll(async () => {
    lab = await labUp({ name, hosts: 2, minors: ['1.36'], upstream: false, log: () => undefined });
    [host, other] = lab.hosts as [LabHost, LabHost];
  }, 600_000);

  afterAll(async () => {
    await labDown(name, () => undefined);
  }, 120_000);

  test('power: the host is gone at once and comes back with undo', async () => {
    const undo = await faults.cutPower(host);
    expect(await sshAnswers(host.address)).toBe(false);
    await undo();
    expect(await host.isReady()).toBe(true);
  });

  test('cable: the host runs on and reaches nobody', async () => {
    const undo = await faults.pullCable(host);
    expect(await sshAnswers(host.address)).toBe(false);
    expect((await host.exec('true')).exitCode).toBe(0);
    await undo();
    await waitUntil('the link', 5000, () => sshAnswers(host.address));
  });

  test('slow link: half a megabyte takes its time in both directions', async () => {
    const undo = await faults.slowLink(host, { rateKbit: 4000 });
    const files = ['-i', lab.keyFile, '-o', `UserKnownHostsFile=${lab.knownHostsFile}`];
    const login = ['-F', '/dev/null', ...files, '-o', 'BatchMode=yes', `ops@${host.address}`];
    const halfMegabyte = 'x'.repeat(500_000);
    for (const [command, input] of [
      ['cat >/dev/null', halfMegabyte],
      ['head -c 500000 /dev/zero', ''],
    ] as const) {
      const started = performance.now();
      expect((await tryRun('ssh', [...login, command], { input })).exitCode).toBe(0);
      expect(performance.now() - started).toBeGreaterThan(800);
    }
    await undo();
    const started = performance.now();
    await tryRun('ssh', [...login, 'cat >/dev/null'], { input: halfMegabyte });
    expect(performance.now() - started).toBeLessThan(800);
  });

  test('firewall: only what was named is dropped, between hosts and from the installer', async () => {
    const between = await faults.dropTraffic(lab, { from: other.address, to: host.address, protocol: 'tcp', port: 22 });
    expect([await reaches(other, host.address), await sshAnswers(host.address)]).toEqual([false, true]);
    expect((await other.exec(['ping', '-c', '1', '-W', '1', host.address])).exitCode).toBe(0);
    await between();
    const installer = await faults.dropTraffic(lab, { from: lab.address, to: host.address, port: 22 });
    expect([await reaches(other, host.address), await sshAnswers(host.address)]).toEqual([true, false]);
    await installer();
    expect(await sshAnswers(host.address)).toBe(true);
  });

  test('no default route: service addresses are unreachable until undo', async () => {
    const undo = await faults.removeDefaultRoute(host);
    expect((await host.exec('ip route get 10.96.0.1')).exitCode).not.toBe(0);
    await undo();
    expect((await host.exec('ip route get 10.96.0.1')).exitCode).toBe(0);
  });

  test('SSH server stopped: refused; hanging: accepted and never greeted', async () => {
    const stopped = await faults.stopSshd(host);
    expect(await portAnswers(host.address, 22)).toBe(false);
    await stopped();
    const hanging = await faults.hangSshd(host);
    expect([await portAnswers(host.address, 22), await sshAnswers(host.address)]).toEqual([true, false]);
    await hanging();
    expect(await sshAnswers(host.address)).toBe(true);
  });

  test('connections killed: open ones are reset, new ones are taken', async () => {
    const socket = connect(22, host.address);
    await once(socket, 'data');
    const failed = new Promise((settle) => socket.once('error', (error) => settle(error.message)));
    await faults.killConnections(host);
    expect(await failed).toContain('ECONNRESET');
    expect(await sshAnswers(host.address)).toBe(true);
  });

  test('disk full: writing fails below the path alone, and what was there comes back', async () => {
    await host.exec('mkdir -p /var/lib/app && echo kept >/var/lib/app/file');
    const undo = await faults.fillDisk(host, { path: '/var/lib/app', sizeMiB: 16 });
    expect((await host.exec('cat /etc/passwd >/var/lib/app/more')).stderr).toContain('No space left');
    expect((await host.exec('echo 1 >/var/lib/other')).exitCode).toBe(0);
    await undo();
    expect((await host.exec('cat /var/lib/app/file')).stdout).toBe('kept\n');
    const roomy = await faults.fillDisk(host, { path: '/var/lib/app', sizeMiB: 32, freeMiB: 8 });
    const free = Number((await host.exec('df --output=avail -m /var/lib/app | tail -1')).stdout);
    expect([7, 8, 9]).toContain(free);
    // The power takes the mount along; undo afterwards finds nothing to do.
    await host.powerOff();
    await roomy();
    await host.boot();
    expect((await tryRun('losetup', ['--list', '--output', 'BACK-FILE'])).stdout).not.toContain(lab.dir);
  });

  test('swap and clock are shown to one host only', async () => {
    const swap = await faults.simulateSwap(host);
    const clock = await faults.simulateClockSkew(host, { seconds: 3600 });
    expect((await host.exec('cat /proc/swaps')).stdout).toContain('/dev/vda2');
    expect((await other.exec('cat /proc/swaps')).stdout).not.toContain('/dev/vda2');
    const skew = Number((await host.exec('date +%s')).stdout) - Date.now() / 1000;
    expect(Math.round(skew / 60)).toBe(60);
    expect((await host.exec('date -u -d @0 +%Y')).stdout).toBe('1970\n');
    await swap();
    await clock();
    expect((await host.exec('cat /proc/swaps')).stdout).not.toContain('/dev/vda2');
    expect(Math.abs(Number((await host.exec('date +%s')).stdout) - Date.now() / 1000)).toBeLessThan(5);
  });
});
