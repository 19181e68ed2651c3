import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { openBundle } from '../../src/bundle/bundle.ts';
import type { RunEvent } from '../../src/report/events.ts';
import { debianSet, openVendor } from '../support/bundle/packages.ts';
import { openSite, versions, type Site } from '../support/bundle/site.ts';
import { TestRegistry } from '../support/oci/registry.ts';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The site's images are named by tags, and the sources are no program that a bundle could carry. */
const fromSources = ['--allow-unpinned', '--allow-missing-installer'];

/** Creates a bundle for one platform; `more` are further options. */
function createArgs(out: string, clusterFile: string, ...more: readonly string[]): string[] {
  return ['create', '-c', clusterFile, '-o', out, '--platform', 'linux/amd64', ...more];
}

let dir: string;
let site: Site;
let path: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bundle-cli-'));
  site = await openSite(dir);
  path = join(dir, 'site.tar');
  const made = await installer(...createArgs(path, site.clusterFile, ...fromSources, '--output', 'plain'));
  expect(made.stderr).toContain('is written');
  expect(made.code).toBe(0);
});

afterAll(async () => {
  await site.close();
  await rm(dir, { recursive: true, force: true });
});

function start(args: readonly string[]): {
  ended: Promise<Ended>;
  child: ReturnType<typeof spawn>;
  text: { stdout: string };
} {
  const main = join(import.meta.dirname, '../../src/main.ts');
  const child = spawn(process.execPath, [main, 'bundle', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: dir, XDG_STATE_HOME: dir, BUNDLE_PASSWORD: 'a-secret-word' },
  });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (text.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (text.stderr += data.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...text }));
  return { ended, child, text };
}

function installer(...args: readonly string[]): Promise<Ended> {
  return start(args).ended;
}

function eventsOf(stdout: string): RunEvent[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RunEvent);
}

it('tells how far it is with an honest total', async () => {
  const other = join(dir, 'events.tar');
  const args = createArgs(other, site.clusterFile, ...fromSources, '--output', 'json');
  const { code, stdout } = await installer(...args);
  const events = eventsOf(stdout);
  const transfers = events.filter((event) => event.type === 'transfer.progress');
  const bundle = await openBundle(other);
  await bundle.close();
  const total = bundle.manifest.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

  expect(code).toBe(0);
  expect(new Set(transfers.map(({ totalBytes }) => totalBytes))).toEqual(new Set([total]));
  expect(transfers.at(-1)?.doneBytes).toBe(total);
  const done = transfers.map(({ doneBytes }) => doneBytes);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', status: 'ok', changes: 1 });
  const again = eventsOf((await installer(...args)).stdout);
  expect(again.at(-1)).toMatchObject({ type: 'run.finished', status: 'ok', changes: 0 });
});

it('verifies: 0 where it is whole, 4 where a byte is another', async () => {
  expect(await installer('verify', path)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('whole') as string,
  });
  const bundle = await openBundle(path);
  await bundle.close();
  const kubelet = bundle.manifest.items.find(({ name }) => name === 'kubelet');
  const at = (kubelet && bundle.plan.blobs.get(kubelet.digest)?.offset) ?? 0;
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
  await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at);
  const damaged = await installer('verify', path);
  const json = await installer('verify', path, '--output', 'json');
  await file.write(buffer, 0, 1, at);
  await file.close();

  expect(damaged.code).toBe(4);
  expect(damaged.stdout).toMatch(/wrong-digest .*kubelet v1\.36\.3 \(linux\/amd64\)/);
  expect(JSON.parse(json.stdout)).toMatchObject({ isWhole: false });
});

it('shows what takes the space, as a tree and as JSON', async () => {
  const tree = await installer('inspect', path);
  const json = await installer('inspect', path, '--output', 'json');
  const list = await installer('list', path);

  expect(tree.stdout).toMatch(/bundle of cluster site: .* items/);
  expect(tree.stdout).toMatch(/└─ +[\d.]+ \w+ {2}/);
  const summary = JSON.parse(json.stdout) as { manifest: { items: { name: string }[] } };
  for (const { name } of summary.manifest.items) expect(list.stdout).toContain(name);
});

it('prints what its images are in a form that the cluster file takes', async () => {
  const { code, stdout } = await installer('list', path, '--digests');

  expect(code).toBe(0);
  const digests = parse(stdout) as Record<string, string>;
  expect(Object.keys(digests)).toContain('registry.k8s.io/pause:3.10.2');
  const config = parse(await readFile(site.clusterFile, 'utf8')) as { spec: Record<string, unknown> };
  const pinned = join(dir, 'pinned.yaml');
  await writeFile(pinned, stringify({ ...config, spec: { ...config.spec, bundle: { digests } } }));
  const out = join(dir, 'pinned.tar');
  const made = await installer(...createArgs(out, pinned, '--allow-missing-installer'));
  expect(made).toMatchObject({ code: 0 });
});

it('signs with a key that nobody else may read and that is never shown', async () => {
  const key = join(dir, 'site.key');
  const made = await installer('keygen', key);
  const secret = (await readFile(key, 'utf8')).split('\n')[1] ?? '';
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  expect(secret.length).toBeGreaterThan(20);
  expect(made.stdout + made.stderr).not.toContain(secret);

  const signed = join(dir, 'signed.tar');
  const args = createArgs(signed, site.clusterFile, ...fromSources, '--sign', key);
  expect((await installer(...args, '--output', 'json')).code).toBe(0);
  expect(await installer('verify', signed, '--key', `${key}.pub`)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('verified') as string,
  });
  const unsigned = await installer('verify', path, '--key', `${key}.pub`);
  expect(unsigned).toMatchObject({ code: 4, stderr: expect.stringContaining('BUNDLE_SIGNATURE_MISSING') as string });
  expect((await installer('verify', path, '--signature', 'always')).code).toBe(2);
  expect((await installer('inspect', signed, '--signature', 'if-present')).stdout).toContain('not verified');
  expect((await installer('inspect', signed, '--signature', 'never')).stdout).toContain('not signed');

  const pub = ['--key', `${key}.pub`];
  const out = join(dir, 'judged.tar');
  expect((await installer('diff', signed, signed, ...pub)).code).toBe(0);
  expect((await installer('join', signed, '-o', out, ...pub)).code).toBe(0);
  await rm(out);
  const create = createArgs(out, site.clusterFile, ...fromSources);
  for (const refused of [
    ['diff', signed, path, ...pub],
    ['join', path, '-o', out, ...pub],
    ['merge', signed, path, '-o', out, ...pub],
    [...create, '--delta-from', path, '--base-key', `${key}.pub`],
  ]) {
    const ended = await installer(...refused);
    expect(ended.stderr, refused[0]).toContain('BUNDLE_SIGNATURE_MISSING');
    expect(ended.code, refused[0]).toBe(4);
    expect(await readdir(dir), refused[0]).not.toContain('judged.tar');
  }
});

it('makes a key for package repositories once, and says where repositories are served', async () => {
  const key = join(dir, 'repository.key');
  const made = await installer('keygen', key, '--repository');
  const again = await installer('keygen', key, '--repository');
  const text = await readFile(key, 'utf8');
  expect((await stat(key)).mode & 0o777).toBe(0o600);
  expect(text).toContain('BEGIN PGP PRIVATE KEY BLOCK');
  expect(made.stdout).toBe(`private key: ${key}\npublic key: ${key}.pub\n`);
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('BUNDLE_KEY_EXISTS') as string });

  const vendor = await openVendor(dir, site);
  await vendor.publishApt('debian', 'bookworm', [debianSet('amd64')]);
  const repository = { url: `http://127.0.0.1:${site.files.port}/debian`, suites: ['bookworm'], components: ['main'] };
  const distributions = [{ id: 'debian', version: 12, keyFile: './vendor.asc', repositories: [repository] }];
  const config = parse(await readFile(site.clusterFile, 'utf8')) as { spec: Record<string, unknown> };
  const clusterFile = join(dir, 'packages.yaml');
  await writeFile(clusterFile, stringify({ ...config, spec: { ...config.spec, osPackages: { distributions } } }));
  const out = join(dir, 'packages.tar');
  const args = createArgs(out, clusterFile, ...fromSources, '--output', 'json');
  const notAKey = await installer(...args, '--repository-key', `${key}.pub`);
  const created = await installer(...args, '--repository-key', key);
  expect(notAKey.stdout).toContain('REPOSITORY_KEY_INVALID');
  expect(notAKey.code).toBe(2);
  expect(created.code).toBe(0);
  expect(created.stdout + created.stderr).not.toContain(text.split('\n')[3]);

  const { child, ended, text: said } = start(['serve', out, '--port', '0']);
  await once(child.stdout ?? process.stdin, 'data');
  const [, url = ''] = /^packages debian-12-amd64 (\S+)$/m.exec(said.stdout) ?? [];
  const release = await fetch(`${url}/dists/bundle/InRelease`);
  child.kill('SIGINT');
  await ended;
  expect(await release.text()).toContain('Suite: bundle');
});

it('tells two bundles from each other', async () => {
  const later = join(dir, 'later.tar');
  await installer(...createArgs(later, site.clusterFile, ...fromSources, '--upgrade-to', versions[1]));
  const { code, stdout } = await installer('diff', path, later);

  expect(code).toBe(0);
  expect(stdout).toMatch(/^\+ binary kubelet v1\.37\.1/m);
  expect(stdout).toContain('~ sbom sbom.cdx.json');
});

it('shows the names of a push without asking anybody, then pushes with a password that is never shown', async () => {
  const dry = await installer('push', path, '--to', 'registry.example.com/offline', '--dry-run');
  expect(dry).toMatchObject({ code: 0 });
  expect(dry.stdout).toContain('registry.k8s.io/pause:3.10.2 -> registry.example.com/offline/pause:3.10.2\n');
  const target = await new TestRegistry({ takesSparse: true }).start();
  const login = ['--username', 'me', '--password-env', 'BUNDLE_PASSWORD'];
  const pushed = await installer('push', path, '--to', target.host, ...login, '--output', 'json');
  const check = await installer('check', path, '--registry', target.host);
  const taken = target.takenBytes;
  await target.close();

  const events = eventsOf(pushed.stdout);
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', status: 'ok' });
  const last = events.filter((event) => event.type === 'transfer.progress').at(-1);
  expect(last?.doneBytes).toBe(last?.totalBytes);
  // Layers that several images share are mounted, which is told beside, and not as sent.
  expect(last?.doneBytes).toBe(taken);
  expect(events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join()).toMatch(
    / KiB\) mounted, 0 were there/,
  );
  expect(check).toMatchObject({ code: 0 });
  expect(pushed.stdout + pushed.stderr).not.toContain('a-secret-word');
});

const plain = createArgs('OUT', 'CONFIG');

it.each([
  [[...plain, '--allow-missing-installer'], 2, 'BUNDLE_UNPINNED'],
  [[...plain, '--allow-unpinned'], 2, 'BUNDLE_INSTALLER_MISSING'],
  [[...plain, '--installer', 'linux/arm64=/bin/true'], 2, 'BUNDLE_INSTALLER_PLATFORM'],
  [[...plain, '--platform', 'linux/arm64', '--installer', 'linux/arm64=NODE'], 2, 'BUNDLE_INSTALLER_WRONG'],
  [[...plain, '--platform', 'linux/arm64', '--installer', 'linux/arm64=CONFIG'], 2, 'BUNDLE_INSTALLER_WRONG'],
  [['create', '-c', 'CONFIG', '-o', 'OUT', '--platform', 'linux/s390x'], 2, 'BUNDLE_PLATFORM'],
  [['create', '-c', 'CONFIG', '-o', 'OUT', '--upgrade-to', 'v1.30.0'], 2, 'BUNDLE_UPGRADE_INVALID'],
  [['create', '-c', 'CONFIG', '-o', 'OUT', '--sign', '/nowhere'], 2, 'BUNDLE_KEY_INVALID'],
  [['create', '-c', 'CONFIG', '-o', 'OUT', '--split', '3'], 2, 'at least 64K'],
  [['create', '-c', 'CONFIG', '-o', '/nowhere/site.tar', '--platform', 'linux/amd64'], 2, 'BUNDLE_OUT'],
  [['verify', '/nowhere'], 2, 'BUNDLE_UNREADABLE'],
  [['push', 'BUNDLE', '--to', 'https://x'], 2, 'BUNDLE_TARGET_INVALID'],
  [['push', 'BUNDLE', '--to', 'r.io', '--username', 'me'], 2, '--password-env'],
  [['extract', 'BUNDLE', '-o', 'OUT', '--item', 'nothing'], 2, 'BUNDLE_ITEM_UNKNOWN'],
])('ends %j with %d and %s', async (args, code, text) => {
  const out = join(dir, 'never');
  const names: Record<string, string> = { CONFIG: site.clusterFile, OUT: out, BUNDLE: path, NODE: process.execPath };
  const isComplete = args.some((arg) => arg.startsWith('--allow-'));
  const given = args.map((arg) => arg.replace(/CONFIG|OUT|BUNDLE|NODE/, (name) => names[name] ?? name));
  const ended = await installer(...given, ...(args[0] === 'create' && !isComplete ? fromSources : []));

  expect(ended.stderr).toContain(text);
  expect(ended.code).toBe(code);
  expect((await readdir(dir)).filter((name) => name.startsWith('never'))).toEqual([]);
});

it('serves until it is told to end, with a login that clients must know', async () => {
  const login = ['--username', 'me', '--password-env', 'BUNDLE_PASSWORD', '--auth', 'basic'];
  const { child, ended, text } = start(['serve', path, '--port', '0', '--output', 'json', ...login]);
  await once(child.stdout ?? process.stdin, 'data');
  const { registry, files } = JSON.parse(text.stdout) as { registry: string; files: string };
  const authorization = `Basic ${Buffer.from('me:a-secret-word').toString('base64')}`;

  expect((await fetch(`${registry}/v2/pause/manifests/3.10.2`)).status).toBe(401);
  expect((await fetch(`${registry}/v2/pause/manifests/3.10.2`, { headers: { authorization } })).status).toBe(200);
  expect((await fetch(`${files}/dl.k8s.io/v1.36.3/bin/linux/amd64/kubelet`)).status).toBe(401);
  expect(
    (await fetch(`${files}/dl.k8s.io/v1.36.3/bin/linux/amd64/kubelet`, { headers: { authorization }, method: 'HEAD' }))
      .status,
  ).toBe(200);
  child.kill('SIGINT');
  expect((await ended).code).toBe(0);
});

it('ends with 130 where it is interrupted, and goes on afterwards', async () => {
  const slow = join(dir, 'slow.tar');
  const args = [
    'create',
    ...fromSources,
    '-c',
    site.clusterFile,
    '-o',
    slow,
    '--platform',
    'linux/amd64',
    '--output',
    'json',
  ];
  let held: (() => void) | undefined;
  site.files.fault = (name, response) => {
    if (!name.endsWith('kubelet') || held !== undefined) return false;
    response.writeHead(200, { 'content-length': 1_000_000 }).write('x');
    held = () => response.destroy();
    return true;
  };
  // The size is asked for first; the transfer is what hangs.
  const fault = site.files.fault;
  site.files.fault = (name, response, request) => request.method === 'GET' && fault(name, response, request);
  const { child, ended } = start(args);
  while (held === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  const { code, stdout } = await ended;
  held();
  site.files.fault = undefined;

  expect(eventsOf(stdout).at(-1)).toMatchObject({ type: 'run.finished', status: 'interrupted' });
  expect(code).toBe(130);
  expect((await installer(...args)).code).toBe(0);
  expect((await readFile(slow)).equals(await readFile(path))).toBe(true);
});
