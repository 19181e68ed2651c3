import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  findCrane,
  findDockerRegistry,
  findRegsync,
  findSkopeo,
  isMissing,
  pathOf,
} from '../../test/support/oci/tools.ts';
import { runMeasured } from '../lib/measured-process.ts';
import installTools from '../../test/support/install-tools.ts';
import { warmMemory } from '../lib/warm-memory.ts';
import { imageCount } from './images.ts';
import { groups, listPeers, type Group, type Peer } from './peers.ts';
import { prepare } from './prepare.ts';
import { startRegistry, type BenchRegistry } from './registry.ts';
import { loopbackGoals, report, slowGoals, type Sample } from './report.ts';
import { openSlowLink, type SlowLink } from './slow-link.ts';

/**
 * The same images through this program, skopeo, crane, regsync, and a floor of parallel curl, one after the other in each round: from
 * a registry into a bundle or layout, into an empty registry, within a registry, and each where everything is there.
 *
 *   npm run bench:bundle              on loopback
 *   npm run bench:bundle -- --slow    behind 200 Mbit/s and 10 ms each way; needs root
 *
 * ROUNDS=n; for a closer look ONLY=create,push,mirror and WITHOUT=skopeo,…
 */
const isSlow = process.argv.includes('--slow');
const rounds = Number(process.env['ROUNDS'] ?? (isSlow ? 1 : 3));
const only = process.env['ONLY']?.split(',');
const without = process.env['WITHOUT']?.split(',') ?? [];
const port = 5971;

await installTools();
const tools = {
  registry: await findDockerRegistry(),
  crane: await findCrane(),
  regsync: await findRegsync(),
  skopeo: await findSkopeo(),
};
if (isMissing('bench of copies', ...Object.values(tools))) process.exit(1);

const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'oci-bench-'));
let link: SlowLink | undefined;
let registry: BenchRegistry | undefined;
process.on('exit', () => {
  registry?.kill();
  link?.close();
  rmSync(dir, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
const registryOptions = { binary: pathOf(tools.registry), dir, port };
const prepared = await prepare(dir, registryOptions);
if (isSlow) link = await openSlowLink(port);
const peers = listPeers({
  ...prepared,
  dir,
  crane: pathOf(tools.crane),
  regsync: pathOf(tools.regsync),
  skopeo: pathOf(tools.skopeo),
});
const samples = new Map<string, Sample[]>();

for (let round = 1; round <= rounds; round += 1) {
  for (const group of groups) {
    if (only !== undefined && !only.includes(group)) continue;
    // Each round begins with another, so that nobody always comes after the same one.
    const order = peers.flatMap((_, index) => peers[(index + round - 1) % peers.length] ?? []);
    for (const peer of order.filter(({ name }) => !without.includes(name))) await measure(peer, group);
  }
}
const isMet = report(
  peers,
  (step, name) => samples.get(`${step}/${name}`) ?? [],
  isSlow ? slowGoals : loopbackGoals,
  (step, name) => {
    if (step.startsWith('push') && name === 'installer') return prepared.bundleItems;
    // Between two tags of one registry both are asked what they name.
    return step.startsWith('mirror') ? 2 * imageCount : imageCount;
  },
);
process.exitCode = isMet ? 0 : 1;
await prepared.close();
link?.close();
link = undefined;

async function measure(peer: Peer, group: Group): Promise<void> {
  if (peer.commands[group] === undefined) return;
  const storage = join(dir, 'storage');
  rmSync(storage, { recursive: true, force: true });
  if (group === 'push') mkdirSync(storage);
  else execFileSync('cp', ['-al', prepared.pristine, storage]);
  const work = join(dir, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  // What the removal left to the disk shall not slow the next one down.
  execFileSync('sync');
  warmMemory();
  registry = await startRegistry(storage, { ...registryOptions, address: link?.address, prefix: link?.prefix });
  try {
    for (const step of [group, `${group} again`] as const) {
      const command = peer.commands[step];
      if (command === undefined) continue;
      const before = registry.requests();
      const run = await runMeasured('sh', ['-c', `cd ${work} && ${command}`]);
      if (run.exitCode !== 0) {
        throw new Error(`${peer.name} ${step}: ${run.exitCode} ${run.stdout.slice(-1000)} ${run.stderr.slice(-1000)}`);
      }
      // The log of the registry is written behind its answers.
      await wait(100);
      const sample = {
        seconds: run.durationMs / 1000,
        requests: registry.requests() - before,
        peakMb: command.startsWith('exec ') ? run.peakMemoryMb : undefined,
      };
      const key = `${step}/${peer.name}`;
      samples.set(key, [...(samples.get(key) ?? []), sample]);
      process.stderr.write(`${key}: ${sample.seconds.toFixed(2)} s, ${sample.requests} requests\n`);
    }
  } finally {
    await registry.stop();
    registry = undefined;
  }
}
