import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { stringify } from 'yaml';
import type { RunEvent } from '../../src/report/events.ts';
import { median, reportGoal } from '../lib/goal.ts';
import { runMeasured } from '../lib/measured-process.ts';
import { loopbackOf, shapeOf } from './hosts.ts';

/**
 * A precheck of many hosts over a line of 50 ms in each direction: whole process, from start to exit. The SSH servers are one
 * process of their own, so that the memory is the installer's; their processor time is not taken off.
 */
const delayMs = 50;
const rounds = 5;
const root = join(import.meta.dirname, '..', '..');
const binary = join(root, 'dist', 'installer');
/** More options for Node where the sources are measured in place of the binary: for profiles. */
const profile = process.env['BENCH_NODE_OPTIONS'];

interface Servers {
  readonly port: number;
  readonly hostKey: string;
  readonly privateKey: string;
}

if (!existsSync(binary)) await execa('npm', ['run', 'package'], { cwd: root, stdio: 'inherit' });
const folder = await mkdtemp(join(tmpdir(), 'bench-precheck-'));
const child = spawn(process.execPath, [join(import.meta.dirname, 'servers.ts'), String(delayMs)], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const results: boolean[] = [];
try {
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const servers = JSON.parse(line) as Servers;
  // The answers are recorded by the first run.
  await measure(servers, 2, 1);
  const hundred = await measure(servers, 100, rounds);
  const many = await measure(servers, 300, process.env['QUICK'] ? 1 : 3);
  results.push(
    reportGoal('precheck of 100 hosts', hundred.seconds, 2.5, 's'),
    reportGoal('precheck of 100 hosts, peak memory', hundred.peakMb, 130, 'MB'),
    reportGoal('precheck of 300 hosts', many.seconds, 5, 's'),
  );
} finally {
  child.stdin.end();
  await rm(folder, { recursive: true });
}
process.exitCode = results.every(Boolean) ? 0 : 1;

/** Median of the seconds, largest peak of the memory. */
async function measure(servers: Servers, count: number, times: number): Promise<{ seconds: number; peakMb: number }> {
  const file = await writeClusterFile(servers, count);
  const seconds: number[] = [];
  let peakMb = 0;
  for (let round = 1; round <= times; round += 1) {
    const command = profile === undefined ? binary : process.execPath;
    const first = profile === undefined ? [] : [...profile.split(' '), join(root, 'src/main.ts')];
    const run = await runMeasured(command, [...first, 'precheck', '-c', file, '--output', 'json'], {
      ...process.env,
      XDG_STATE_HOME: folder,
    });
    const events = run.lines.map(({ text }) => JSON.parse(text) as RunEvent);
    const end = events.find((event) => event.type === 'run.finished');
    const unreachable = (end?.errors ?? []).filter(({ host }) => host !== undefined);
    if (end === undefined || unreachable.length > 0)
      throw new Error(`the precheck did not reach its hosts: ${JSON.stringify(unreachable[0])} ${run.stderr}`);
    seconds.push(run.durationMs / 1000);
    peakMb = Math.max(peakMb, run.peakMemoryMb);
    const phases = end.phases.map(({ id, durationMs }) => `${id} ${(durationMs / 1000).toFixed(2)} s`).join(', ');
    const trips = new Set(Object.values(end.trips));
    process.stdout.write(
      `${count} hosts, round ${round}: ${(run.durationMs / 1000).toFixed(2)} s (${phases}), peak memory ${run.peakMemoryMb.toFixed(0)} MB, scripts a host ${[...trips].join(' or ')}, findings ${events.filter(({ type }) => type === 'check.finding').length}\n`,
    );
  }
  return { seconds: median(seconds), peakMb };
}

async function writeClusterFile(servers: Servers, count: number): Promise<string> {
  const indexes = Array.from({ length: count }, (_, index) => index);
  const keyFile = join(folder, 'key');
  const knownHosts = join(folder, `known-hosts-${count}`);
  await writeFile(keyFile, servers.privateKey, { mode: 0o600 });
  // A line for each host, as in a real file.
  await writeFile(
    knownHosts,
    indexes.map((index) => `[${loopbackOf(index)}]:${servers.port} ${servers.hostKey}\n`).join(''),
  );
  const file = join(folder, `cluster-${count}.yaml`);
  await writeFile(
    file,
    stringify({
      apiVersion: 'installer.io/v1alpha1',
      kind: 'ClusterConfig',
      metadata: { name: 'bench' },
      spec: {
        network: { podSubnets: ['10.240.0.0/12'] },
        // The machine is every host: what it is like would be found a hundred times.
        checks: { thresholds: { recommendedCpuCores: 0, recommendedMemoryMiB: 0 } },
        ssh: { port: servers.port, keyFile, knownHosts: { file: knownHosts } },
        hosts: indexes.map((index) => ({
          name: shapeOf(index).name,
          address: loopbackOf(index),
          internalAddress: shapeOf(index).address,
          roles: [index === 0 ? 'control-plane' : 'worker'],
        })),
      },
    }),
  );
  return file;
}
