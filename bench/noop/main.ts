import type { RunEvent } from '../../src/report/events.ts';
import { median, reportGoal } from '../lib/goal.ts';
import { runMeasured } from '../lib/measured-process.ts';
import { binary, setUpBench } from '../lib/setup.ts';

/** A run that finds nothing to do, on three hosts: whole process, from start to exit. */
const rounds = 7;

const lab = await setUpBench('bench', 3);
const args = ['cluster-create', '-c', lab.configFile, '--output', 'json'];
const first = await runMeasured(binary, args);
if (first.exitCode !== 0) throw new Error(`cluster-create ended with ${first.exitCode}: ${first.stdout.slice(-2000)}`);
const seconds: number[] = [];
let peak = 0;
for (let round = 1; round <= rounds; round += 1) {
  const run = await runMeasured(binary, args);
  const end = run.lines.map(({ text }) => JSON.parse(text) as RunEvent).find((event) => event.type === 'run.finished');
  if (run.exitCode !== 0 || end === undefined || end.changes !== 0)
    throw new Error(`the second run was not idle: ${run.stdout.slice(-2000)}`);
  seconds.push(run.durationMs / 1000);
  peak = Math.max(peak, run.peakMemoryMb);
  const trips = Object.entries(end.trips).map(([host, count]) => `${host} ${count}`);
  process.stdout.write(
    `round ${round}: ${(run.durationMs / 1000).toFixed(2)} s, round trips: ${trips.join(', ')}, peak memory ${run.peakMemoryMb.toFixed(0)} MB\n`,
  );
}
if (process.env['KEEP_LAB'] === undefined) await lab.down();
const results = [
  reportGoal('noop on 3 hosts', median(seconds), 2, 's'),
  reportGoal('noop peak memory', peak, 150, 'MB'),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
