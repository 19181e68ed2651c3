import { build } from 'esbuild';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { copy } from '../../src/oci/copy.ts';
import { createLayout } from '../../src/oci/layout.ts';
import { createRegistryStore } from '../../src/oci/registry.ts';
import {
  findCrane,
  findDockerRegistry,
  findRegsync,
  findSkopeo,
  isMissing,
  pathOf,
} from '../../test/support/oci/tools.ts';
import { median, reportGoal } from '../lib/goal.ts';
import { runMeasured } from '../lib/measured-process.ts';
import { fillStore, imageCount, imageName, type BenchBlob } from './images.ts';
import { startRegistry } from './registry.ts';

/**
 * The same images through this program, skopeo, crane, regsync, and a floor of parallel curl, one after the other in each round: from
 * a registry into a layout, from a layout into an empty registry, within a registry, and each where everything is there.
 */
const rounds = Number(process.env['ROUNDS'] ?? 3);
const port = 5971;
const host = `127.0.0.1:${port}`;
/** For a closer look: some of pull, push, mirror; and programs that are left out. */
const only = process.env['ONLY']?.split(',');
const without = process.env['WITHOUT']?.split(',') ?? [];

const tools = {
  registry: await findDockerRegistry(),
  crane: await findCrane(),
  regsync: await findRegsync(),
  skopeo: await findSkopeo(),
};
if (isMissing('bench of copies', ...Object.values(tools))) process.exit(0);
const crane = pathOf(tools.crane);
const regsync = pathOf(tools.regsync);
const skopeo = pathOf(tools.skopeo);

const dir = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'oci-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const program = join(dir, 'ours.mjs');
await build({
  entryPoints: [join(import.meta.dirname, 'ours.ts')],
  outfile: program,
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'error',
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});

const indexes = Array.from({ length: imageCount }, (_, index) => index);
const pristine = join(dir, 'pristine');
const storage = join(dir, 'storage');
const whole = join(dir, 'whole');
const empty = join(dir, 'empty');
mkdirSync(empty);
/** Digests of the manifests, by number of the image. */
const manifests: string[] = [];
const blobs = await prepare();

/** Generates the images as a layout, and a registry's storage that holds them. */
async function prepare(): Promise<readonly BenchBlob[]> {
  const layout = await createLayout(whole);
  const filled = await fillStore(layout, host);
  const bytes = filled.reduce((sum, { descriptor }) => sum + descriptor.sizeBytes, 0);
  process.stdout.write(`${imageCount} images, ${filled.length} different blobs of ${Math.round(bytes / 1e6)} MB\n`);
  mkdirSync(pristine);
  const registry = await startRegistry(pathOf(tools.registry), dir, pristine, port);
  const store = createRegistryStore();
  const items = indexes.map((index) => ({ from: imageName(host, index), to: imageName(host, index) }));
  const { images } = await copy(layout, store, items);
  await store.close();
  await registry.stop();
  for (const { error } of images) if (error) throw error;
  // crane pushes a layout as a whole, so it gets one for each image, of the same blobs.
  for (const index of indexes) {
    const path = singleLayout(index);
    const single = await createLayout(path);
    rmSync(join(path, 'blobs'), { recursive: true });
    execFileSync('cp', ['-al', join(whole, 'blobs'), path]);
    const manifest = await layout.readManifest(imageName(host, index));
    await single.putManifest(imageName(host, index), manifest);
    manifests.push(manifest.descriptor.digest);
  }
  return filled;
}

function singleLayout(index: number): string {
  return join(dir, `single-${index}`);
}

type Step = 'pull' | 'pull again' | 'push' | 'push again' | 'mirror' | 'mirror again';
const steps: readonly Step[] = ['pull', 'pull again', 'push', 'push again', 'mirror', 'mirror again'];

interface Peer {
  readonly name: string;
  /** What does a step, for sh; the working folder is one of its own, empty before `pull`. */
  readonly commands: Readonly<Partial<Record<Step, string>>>;
}

function each(command: (index: number) => string): string {
  return ['set -e', ...indexes.map(command)].join('\n');
}

/** Both runs of a step are the same command. */
function twice(step: 'pull' | 'push' | 'mirror', command: string): Partial<Record<Step, string>> {
  return { [step]: command, [`${step} again`]: command };
}

function regsyncCommand(name: string, entries: readonly (readonly [source: string, target: string])[]): string {
  const path = join(dir, `${name}.yml`);
  const sync = entries.map(([source, target]) => ({ source, target, type: 'image' }));
  // JSON is YAML.
  writeFileSync(
    path,
    JSON.stringify({ version: 1, creds: [{ registry: host, tls: 'disabled' }], defaults: { parallel: 8 }, sync }),
  );
  return `${regsync} once -c ${path} -v error`;
}

function curlCommand(): string {
  const path = join(dir, 'curl.txt');
  const lines = blobs.map(
    ({ repository, descriptor: { digest } }) =>
      `url = "http://${host}/v2/${repository}/blobs/${digest}"\noutput = "${digest}"\n`,
  );
  writeFileSync(path, lines.join(''));
  return `curl -sf --parallel --parallel-max 8 -K ${path}`;
}

const source = (index: number): string => `${host}/src/app${index}:v1`;
const pushed = (index: number): string => `${host}/pushed/app${index}:v1`;
const mirrored = (index: number): string => `${host}/mirror/app${index}:v1`;
const node = `${process.execPath} ${program}`;
const all = indexes.map(source).join(' ');
const ociDir = (index: number): string => `ocidir://${singleLayout(index)}@${manifests[index] ?? ''}`;
const peers: readonly Peer[] = [
  {
    name: 'ours',
    commands: {
      ...twice('pull', `${node} pull ${host} layout`),
      ...twice('push', `${node} push ${whole} ${host} ${host}`),
      ...twice('mirror', `${node} mirror ${host} mirror`),
    },
  },
  {
    name: 'crane',
    commands: {
      ...twice('pull', `${crane} pull --insecure --format=oci ${all} layout`),
      ...twice(
        'push',
        each((index) => `${crane} push --insecure ${singleLayout(index)} ${pushed(index)} >/dev/null 2>&1`),
      ),
      ...twice(
        'mirror',
        each((index) => `${crane} copy --insecure ${source(index)} ${mirrored(index)} 2>/dev/null`),
      ),
    },
  },
  {
    name: 'regsync',
    commands: {
      ...twice(
        'pull',
        regsyncCommand(
          'pull',
          indexes.map((index) => [source(index), `ocidir://layout/app${index}:v1`] as const),
        ),
      ),
      ...twice(
        'push',
        regsyncCommand(
          'push',
          indexes.map((index) => [ociDir(index), pushed(index)] as const),
        ),
      ),
      ...twice(
        'mirror',
        regsyncCommand(
          'mirror',
          indexes.map((index) => [source(index), mirrored(index)] as const),
        ),
      ),
    },
  },
  {
    name: 'skopeo',
    commands: {
      ...twice(
        'pull',
        each((index) => `${skopeo} copy -q --src-tls-verify=false docker://${source(index)} oci:layout:app${index}`),
      ),
      ...twice(
        'push',
        each(
          (index) =>
            `${skopeo} copy -q --dest-tls-verify=false oci:${whole}:${source(index)} docker://${pushed(index)}`,
        ),
      ),
      ...twice(
        'mirror',
        each(
          (index) =>
            `${skopeo} copy -q --src-tls-verify=false --dest-tls-verify=false docker://${source(index)} docker://${mirrored(index)}`,
        ),
      ),
    },
  },
  { name: 'curl (floor)', commands: { pull: curlCommand() } },
];

interface Sample {
  readonly seconds: number;
  readonly requests: number;
  readonly peakMb: number | undefined;
}
const samples = new Map<string, Sample[]>();

for (let round = 1; round <= rounds; round += 1) {
  for (const group of ['pull', 'push', 'mirror'] as const) {
    if (only !== undefined && !only.includes(group)) continue;
    // Each round begins with another, so that nobody always comes after the same one.
    const order = peers
      .flatMap((_, index) => peers[(index + round - 1) % peers.length] ?? [])
      .filter(({ name }) => !without.includes(name));
    for (const peer of order) await measure(peer, group);
  }
}
report();

async function measure(peer: Peer, group: 'pull' | 'push' | 'mirror'): Promise<void> {
  rmSync(storage, { recursive: true, force: true });
  if (group === 'push') mkdirSync(storage);
  else execFileSync('cp', ['-al', pristine, storage]);
  const work = join(dir, 'work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work);
  // What the removal left to the disk shall not slow the next one down.
  execFileSync('sync');
  const registry = await startRegistry(pathOf(tools.registry), dir, storage, port);
  try {
    for (const step of [group, `${group} again`] as const) {
      const command = peer.commands[step];
      if (command === undefined) continue;
      const before = registry.requests();
      const run = await runMeasured('sh', ['-c', `cd ${work} && ${command}`]);
      if (run.exitCode !== 0) throw new Error(`${peer.name} ${step}: ${run.exitCode} ${run.stderr.slice(-1000)}`);
      // The log of the registry is written behind its answers.
      await wait(100);
      const own = peer.name === 'ours' ? (JSON.parse(run.stdout) as { peakMb: number }) : undefined;
      const sample = { seconds: run.durationMs / 1000, requests: registry.requests() - before, peakMb: own?.peakMb };
      const key = `${step}/${peer.name}`;
      samples.set(key, [...(samples.get(key) ?? []), sample]);
      process.stderr.write(`${key}: ${sample.seconds.toFixed(2)} s, ${sample.requests} requests\n`);
    }
  } finally {
    await registry.stop();
  }
}

function report(): void {
  let isMet = true;
  for (const step of steps) {
    const rows = peers.flatMap((peer) => {
      const found = samples.get(`${step}/${peer.name}`);
      return found ? [{ name: peer.name, seconds: median(found.map(({ seconds }) => seconds)), found }] : [];
    });
    const ours = rows.find(({ name }) => name === 'ours');
    if (ours === undefined) continue;
    process.stdout.write(`\n${step}\n`);
    for (const { name, seconds, found } of rows) {
      const requests = median(found.map((sample) => sample.requests));
      const peak =
        found[0]?.peakMb === undefined
          ? ''
          : `, peak memory ${Math.max(...found.map(({ peakMb }) => peakMb ?? 0)).toFixed(0)} MB`;
      const times = found.map((sample) => sample.seconds.toFixed(2)).join(' ');
      process.stdout.write(
        `  ${name.padEnd(13)} ${seconds.toFixed(2)} s (${times}), ${(seconds / ours.seconds).toFixed(2)} x ours, ${requests} requests${peak}\n`,
      );
    }
    const best = Math.min(
      ...rows.filter(({ name }) => name !== 'ours' && !name.startsWith('curl')).map(({ seconds }) => seconds),
    );
    isMet = reportGoal(`${step}, against the best of the others`, ours.seconds / best, 1, '') && isMet;
    if (step.endsWith('again')) isMet = reportGoal(`${step} of ${imageCount} images`, ours.seconds, 0.6, 's') && isMet;
    isMet =
      reportGoal(`${step}, peak memory`, Math.max(...ours.found.map(({ peakMb }) => peakMb ?? 0)), 200, 'MB') && isMet;
  }
  process.exitCode = isMet ? 0 : 1;
}
