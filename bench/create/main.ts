import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunEvent } from '../../src/report/events.ts';
import type { Lab } from '../../test/lab/lab.ts';
import { median, reportGoal } from '../lib/goal.ts';
import { runMeasured } from '../lib/measured-process.ts';
import { binary, setUpBench } from '../lib/setup.ts';
import { loadFloorInput, writeFloorFiles, type FloorInput } from './floor-files.ts';

/** One control plane and two workers, from bare hosts to all nodes Ready and CoreDNS ready. */
const pairs = Number(process.env['BENCH_PAIRS'] ?? '3');

interface Created {
  /** Seconds to the point where the floor stops too. */
  readonly readySeconds: number;
  readonly verifySeconds: number;
  readonly peakMemoryMb: number;
}

async function bareHosts(lab: Lab): Promise<void> {
  for (const host of lab.hosts) await host.reset();
}

async function runInstaller(lab: Lab): Promise<Created> {
  const run = await runMeasured(binary, ['cluster-create', '-c', lab.configFile, '--output', 'json']);
  if (run.exitCode !== 0) throw new Error(`the installer ended with ${run.exitCode}: ${run.stdout.slice(-2000)}`);
  const events = run.lines.map(({ atMs, text }) => ({ atMs, event: JSON.parse(text) as RunEvent }));
  const met = (id: string): number | undefined =>
    events.find(({ event }) => event.type === 'condition.met' && event.condition === id)?.atMs;
  const nodesMs = met('nodes-ready');
  const corednsMs = met('coredns-ready');
  const end = events.find(({ event }) => event.type === 'phase.finished' && event.phase === 'verify-cluster');
  if (nodesMs === undefined || corednsMs === undefined || end === undefined)
    throw new Error('the run did not say when the cluster was ready');
  // Where the floor stops too: all nodes Ready and CoreDNS ready.
  const readyMs = Math.max(nodesMs, corednsMs);
  return {
    readySeconds: readyMs / 1000,
    verifySeconds: (end.atMs - readyMs) / 1000,
    peakMemoryMb: run.peakMemoryMb,
  };
}

async function runFloor(lab: Lab, input: FloorInput): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'installer-floor-'));
  try {
    await writeFloorFiles(folder, input);
    const [first, ...others] = lab.hosts;
    const { images } = input.versions;
    const worker = [
      images.kubernetes.find((image) => image.includes('/kube-proxy:')),
      images.coredns,
      images.pause,
      ...images.network,
    ];
    const run = await runMeasured('sh', [join(import.meta.dirname, 'floor.sh')], {
      ...process.env,
      FILES: folder,
      KEY: lab.keyFile,
      KNOWN_HOSTS: lab.knownHostsFile,
      CONTROL_PLANE: `${first?.name}=${first?.address}`,
      WORKERS: others.map(({ name, address }) => `${name}=${address}`).join(' '),
      IMAGES_CONTROL_PLANE: [...images.kubernetes, ...images.network].join(' '),
      IMAGES_WORKER: worker.join(' '),
    });
    if (run.exitCode !== 0) throw new Error(`the floor script ended with ${run.exitCode}: ${run.stderr.slice(-2000)}`);
    return run.durationMs / 1000;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const lab = await setUpBench('bench', 3);
const input = await loadFloorInput(lab.configFile);
const floors: number[] = [];
const created: Created[] = [];
for (let pair = 1; pair <= pairs; pair += 1) {
  await bareHosts(lab);
  const floor = await runFloor(lab, input);
  await bareHosts(lab);
  const ours = await runInstaller(lab);
  floors.push(floor);
  created.push(ours);
  process.stdout.write(
    `pair ${pair}: floor ${floor.toFixed(1)} s, installer ${ours.readySeconds.toFixed(1)} s, ratio ${(ours.readySeconds / floor).toFixed(2)}; verification ${ours.verifySeconds.toFixed(1)} s, peak memory ${ours.peakMemoryMb.toFixed(0)} MB\n`,
  );
}
if (process.env['KEEP_LAB'] === undefined) await lab.down();
const results = [
  reportGoal(
    'create/floor ratio',
    median(created.map(({ readySeconds }, index) => readySeconds / (floors[index] ?? Number.NaN))),
    1.0,
    '',
  ),
  reportGoal('create verification', median(created.map(({ verifySeconds }) => verifySeconds)), 10, 's'),
  reportGoal('create peak memory', Math.max(...created.map(({ peakMemoryMb }) => peakMemoryMb)), 150, 'MB'),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
