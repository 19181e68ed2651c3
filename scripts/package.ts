/**
 * Makes dist/installer, the single executable: bundle, a stripped copy of the running Node, and the assets in one
 * file. Then tries it as its users will meet it: in an empty folder, with an empty environment.
 *
 *   npm run package                  make and try it
 *   npm run package -- --check       and fail where it is too large or starts too slowly
 *   npm run package -- --measure     and its size as .xz too, which takes half a minute
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listAssets } from '../src/assets.ts';
import { buildBundle } from './build.ts';
import { limits, measure } from './measure-binary.ts';

const packageRoot = join(import.meta.dirname, '..');
const dist = join(packageRoot, 'dist');
const binary = join(dist, 'installer');

const withXz = process.argv.includes('--measure');
/** V8 lets young garbage of 16 MB lie: with a hundred connections memory for nothing. `--optimize-for-size` takes more here, and time. */
const nodeFlags = ['--max-semi-space-size=1'];

const startedMs = performance.now();
await makeBinary();
console.log(`Made ${binary} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
const problems = await measure(binary, { version: readVersion(), withXz });
for (const problem of problems) console.error(`package: over the limit: ${problem}`);
if (problems.length > 0 && (withXz || process.argv.includes('--check'))) process.exitCode = 1;

async function makeBinary(): Promise<void> {
  mkdirSync(dist, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'installer-package-'));
  try {
    const bundle = join(dist, 'installer.cjs');
    await buildBundle(bundle);
    const node = strippedNode(work);
    const blob = join(work, 'sea.blob');
    const config = join(work, 'sea.json');
    writeFileSync(config, JSON.stringify(seaConfig(bundle, blob)));
    // With the flags that it will run with: V8 refuses a cache that was made with others, and says so at every start.
    execFileSync(process.execPath, [...nodeFlags, '--experimental-sea-config', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    inject(node, blob);
    chmodSync(node, 0o755);
    // A binary that is running cannot be written to, yet it can be replaced.
    copyFileSync(node, `${binary}.new`);
    renameSync(`${binary}.new`, binary);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function seaConfig(main: string, output: string): object {
  return {
    main,
    output,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    // The cache holds for this very Node, which is the one that it is packed with.
    useCodeCache: true,
    // NODE_OPTIONS of the user's shell are for other programs.
    execArgvExtension: 'none',
    execArgv: nodeFlags,
    assets: Object.fromEntries(listAssets('').map((path) => [path, join(packageRoot, path)])),
  };
}

/** Puts the blob into the copy of Node. Its remarks on a stripped file are shown only where it fails. */
function inject(node: string, blob: string): void {
  // Source of the word: Node's documentation of single executable applications.
  const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
  const postject = join(packageRoot, 'node_modules', 'postject', 'dist', 'cli.js');
  const args = [postject, node, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', fuse];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`postject ended with ${status}: ${stdout}${stderr}`);
}

/** A copy of the running Node without its symbols; stripped before the injection, which adds a section of its own. */
function strippedNode(folder: string): string {
  const node = join(folder, 'node');
  copyFileSync(process.execPath, node);
  try {
    execFileSync('strip', [node], { stdio: ['ignore', 'ignore', 'inherit'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    console.error(
      `package: strip is not installed, so the binary keeps symbols and passes ${limits.sizeMb} MB. ` +
        'Install binutils (Debian, Ubuntu: apt-get install binutils) and run this again.',
    );
  }
  return node;
}

function readVersion(): string {
  return execFileSync(process.execPath, [join(dist, 'installer.cjs'), '--version'], { encoding: 'utf8' }).trim();
}
