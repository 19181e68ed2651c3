import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reportGoal } from '../lib/goal.ts';
import { runMeasured } from '../lib/measured-process.ts';
import { binary } from '../lib/setup.ts';
import { createArgs, openBenchSite } from '../oci-copy/site.ts';
import { serveLargeImages } from './registry.ts';

/**
 * Memory with a bundle of more than 10 GB: create, verify, and push of images that are made while they are pulled. Needs that much
 * room in BENCH_DIR, else in the folder for temporary files.
 */
const sharedBytes = 400_000_000;
const largestBytes = 3_200_000_000;
const largest = 'src/app0';
const names = ['etcd', 'coredns', 'pause', 'agnhost', ...Array.from({ length: 14 }, (_, index) => `app${index + 1}`)];

if (!existsSync(binary)) throw new Error('dist/installer is not there: npm run package');
const base = process.env['BENCH_DIR'] ?? tmpdir();
const registry = await serveLargeImages({
  [largest]: largestBytes,
  ...Object.fromEntries(names.map((name) => [`src/${name}`, sharedBytes])),
});
const { bavail, bsize } = statfsSync(base);
if (bavail * bsize < 1.1 * registry.totalBytes) {
  throw new Error(`${base} has too little room: ${Math.ceil(registry.totalBytes / 1e9) + 1} GB are needed`);
}
const dir = mkdtempSync(join(base, 'large-bundle-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const site = await openBenchSite(dir, registry.images);
const bundle = join(dir, 'site.bundle.tar');
const met: boolean[] = [];
try {
  await measure('create', createArgs(site.clusterFile, bundle));
  await measure('verify', ['verify', bundle]);
  await measure('push', ['push', bundle, '--to', `${registry.host}/pushed`, '--plain-http']);
  if (registry.takenBytes() < registry.totalBytes) throw new Error(`only ${registry.takenBytes()} bytes were pushed`);
} finally {
  await site.close();
  await registry.close();
}
process.exitCode = met.every(Boolean) ? 0 : 1;

async function measure(name: string, args: readonly string[]): Promise<void> {
  const run = await runMeasured(binary, ['bundle', ...args]);
  if (run.exitCode !== 0)
    throw new Error(`${name}: ${run.exitCode} ${run.stdout.slice(-1000)} ${run.stderr.slice(-1000)}`);
  const seconds = run.durationMs / 1000;
  const rate = registry.totalBytes / 1e6 / seconds;
  process.stdout.write(
    `bundle ${name}: ${(registry.totalBytes / 1e9).toFixed(1)} GB in ${seconds.toFixed(1)} s, ${rate.toFixed(0)} MB/s\n`,
  );
  met.push(reportGoal(`bundle ${name}, peak memory`, run.peakMemoryMb, 200, 'MB'));
}
