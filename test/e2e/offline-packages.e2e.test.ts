import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { copyFile, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { openBundle } from '../../src/bundle/bundle.ts';
import type { BundleItem } from '../../src/bundle/manifest.ts';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { dropTraffic, must, type Undo } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import type { LabUpstream } from '../lab/lab-upstream.ts';
import { installerBinary, startInstaller, type InstallerResult } from './installer.ts';
import { describe, seconds } from './stage.ts';
import { writeVariant } from './support.ts';

/** Packages of two distributions out of one file, on hosts that reach nothing else. */
const unavailable = labUnavailable();
const title = unavailable === undefined ? 'packages of a bundle' : `packages of a bundle (skipped: ${unavailable})`;
const name = 'rpm';
const debian = 'debian-12-amd64';
const rocky = 'rocky-9.6-amd64';
/** Without what it has already: apt would go on with that. */
const aptUpdate = 'rm -rf /var/lib/apt/lists/*; apt-get update -o APT::Update::Error-Mode=any';

interface Spec {
  hosts: { name: string; roles: string[] }[];
  hostSettings: Record<string, unknown>;
  osPackages: Record<string, unknown>;
  runtime: { registries: Record<string, unknown> };
  artifacts: { mirrors: Record<string, string> };
}

interface Addresses {
  readonly registry: string;
  readonly files: string;
  readonly packages: Readonly<Record<string, string>>;
}

suite.skipIf(unavailable !== undefined)(title, { timeout: 600_000 }, () => {
  let lab: Lab;
  let upstream: LabUpstream;
  let binary: string;
  let bundle: string;
  let items: readonly BundleItem[];
  let server: ChildProcess | undefined;
  let addresses: Addresses;
  const undos: Undo[] = [];

  beforeAll(async () => {
    await labDown(name, () => undefined);
    const built = await installerBinary();
    const log = (line: string): void => console.log(`      ${line}`);
    const up = await labUp({ name, hosts: 1, rpmHosts: 1, minors: ['1.36'], log });
    if (!up.upstream) throw new Error('the lab has no upstream');
    lab = up;
    upstream = up.upstream;
    binary = join(lab.dir, 'installer');
    await copyFile(built, binary);
    bundle = join(lab.dir, 'site.bundle.tar');
  }, 2_700_000);

  afterAll(async () => {
    server?.kill('SIGTERM');
    for (const undo of undos) await undo();
    await labDown(name, () => undefined);
  }, 180_000);

  function run(...args: readonly string[]): Promise<InstallerResult> {
    return startInstaller(binary, args, { stateDir: lab.dir }).done;
  }

  async function sha256Of(path: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return hash.digest('hex');
  }

  /** Names of the packages in a repository of the bundle. */
  function packagesOf(repository: string): string[] {
    const here = items.filter(({ paths = [] }) => paths.some((path) => path.startsWith(`packages/${repository}/`)));
    return here.filter(({ kind }) => kind === 'package').map((item) => item.name);
  }

  function itemAt(path: RegExp): BundleItem {
    const found = items.find(({ paths = [] }) => paths.some((place) => path.test(place)));
    if (found === undefined) throw new Error(`nothing in the bundle is at ${String(path)}`);
    return found;
  }

  /** A cluster file of one host that takes everything from the served bundle. */
  function offlineFile(host: string, repository: string, packages: readonly string[], file = host): Promise<string> {
    return writeVariant(lab, `offline-${file}`, (config) => {
      const spec = config['spec'] as Spec;
      spec.hosts = spec.hosts.filter((one) => one.name === host);
      for (const one of spec.hosts) one.roles = ['control-plane', 'worker'];
      for (const site of Object.keys(spec.runtime.registries))
        spec.runtime.registries[site] = { mirrors: [addresses.registry] };
      for (const site of Object.keys(spec.artifacts.mirrors))
        spec.artifacts.mirrors[site] = `${addresses.files}/${site}`;
      const apt = repository === debian ? { suites: ['bundle'], components: ['main'] } : { signedIndex: true };
      const source = { name: 'bundle', url: addresses.packages[repository], keyFile: `./${repository}.asc`, ...apt };
      spec.hostSettings = { packages, packageRepositories: { exclusive: true, repositories: [source] } };
    });
  }

  async function withFlippedByte(item: BundleItem, work: () => Promise<void>): Promise<void> {
    const opened = await openBundle(bundle);
    await opened.close();
    const at = (opened.plan.blobs.get(item.digest)?.offset ?? 0) + Math.floor(item.sizeBytes / 2);
    const file = await open(bundle, 'r+');
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at);
    try {
      await work();
    } finally {
      await file.write(buffer, 0, 1, at);
      await file.close();
    }
  }

  test('are in it with all that they depend on, the same bytes each time', async () => {
    if (!upstream.rpm) throw new Error('the upstream has no rpm repository');
    const { url, suite: aptSuite, component, keyFile } = upstream.apt;
    const rpm = upstream.rpm;
    const groups = ['base', 'chrony', 'load-balancer', 'nfs', 'xfs'];
    const config = await writeVariant(lab, 'packages', (file) => {
      const spec = file['spec'] as Spec;
      spec.hostSettings = { packages: ['jq'] };
      const apt = { url, suites: [aptSuite], components: [component], keyFile };
      spec.osPackages = {
        distributions: [
          { id: 'debian', version: '12', repositories: [apt], groups: [...groups, 'iscsi'] },
          { id: 'rocky', version: '9.6', repositories: [{ url: rpm.url, keyFile: rpm.keyFile }], groups },
        ],
      };
    });
    const key = join(lab.dir, 'repository.key');
    expect((await run('bundle', 'keygen', key, '--repository')).exitCode).toBe(0);
    const create = (file: string): Promise<InstallerResult> =>
      run(
        'bundle',
        'create',
        '--allow-unpinned',
        '-c',
        config,
        '-o',
        file,
        '--platform',
        'linux/amd64',
        '--repository-key',
        key,
      );

    const first = await create(bundle);
    const second = await create(`${bundle}.again`);

    expect(describe(first)).toBe('exit 0, ok');
    expect(describe(second)).toBe('exit 0, ok');
    expect(await sha256Of(`${bundle}.again`)).toBe(await sha256Of(bundle));
    await rm(`${bundle}.again`);
    const opened = await openBundle(bundle);
    await opened.close();
    items = opened.manifest.items;
    for (const repository of [debian, rocky])
      expect(packagesOf(repository)).toEqual(expect.arrayContaining(['jq', 'haproxy', 'keepalived', 'socat']));
    console.log(`      create: ${seconds(first.durationMs)}, again: ${seconds(second.durationMs)}`);
    console.log(`      ${packagesOf(debian).length} packages of Debian, ${packagesOf(rocky).length} of rpm`);
  });

  test('are served to hosts that reach nothing else', async () => {
    server = spawn(binary, ['bundle', 'serve', bundle, '--host', lab.address, '--port', '0', '--output', 'json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(server, 'exit').then(() => Promise.reject(new Error('serve ended')));
    ended.catch(() => undefined);
    const line = once(createInterface({ input: server.stdout ?? process.stdin }), 'line');
    const [text] = (await Promise.race([line, ended])) as [string];
    addresses = JSON.parse(text) as Addresses;
    expect(Object.keys(addresses.packages)).toEqual([debian, rocky]);
    for (const [repository, url] of Object.entries(addresses.packages)) {
      const key = await fetch(`${url}/key.asc`);
      await writeFile(join(lab.dir, `${repository}.asc`), await key.text());
    }
    for (const url of [`https://${upstream.registry}`, upstream.downloadsUrl])
      undos.push(await dropTraffic(lab, { to: lab.address, protocol: 'tcp', port: Number(new URL(url).port) }));

    for (const host of lab.hosts) {
      expect((await host.exec(['curl', '-sS', '--max-time', '2', upstream.downloadsUrl])).exitCode).toBe(28);
      await must(host, ['curl', '-sS', '--max-time', '5', '-o', '/dev/null', addresses.registry]);
    }
  });

  test.each<[string, string, string, (host: LabHost) => Promise<string>]>([
    ['apt', 'node1', debian, async (host) => (await must(host, "dpkg-query -W -f '${Package}\\n'")).stdout],
    ['dnf', 'rpm1', rocky, async (host) => (await must(host, "rpm -qa --qf '%{NAME}\\n'")).stdout],
  ])('are all installed by %s through prepare', async (_, hostName, repository, installed) => {
    const host = lab.host(hostName);
    const wanted = packagesOf(repository);
    const before = new Set((await installed(host)).split('\n'));

    const prepared = await run('prepare', '-c', await offlineFile(hostName, repository, wanted));

    expect(describe(prepared)).toBe('exit 0, ok');
    const there = new Set((await installed(host)).split('\n'));
    expect(wanted.filter((item) => !there.has(item))).toEqual([]);
    const programs = 'for p in haproxy keepalived jq mount.nfs mkfs.xfs conntrack socat; do command -v $p; done';
    expect((await must(host, programs)).stdout.trim().split('\n')).toHaveLength(7);
    console.log(
      `      ${hostName}: ${wanted.length} packages, ${wanted.filter((item) => !before.has(item)).length} of them new: ${seconds(prepared.durationMs)}`,
    );
  });

  test.each([
    ['a package of apt', /debian-12-amd64\/pool\/jq_/, 'node1', 'apt-get clean; apt-get -y --reinstall install jq'],
    ['the index of apt', /debian-12-amd64\/dists\/bundle\/InRelease$/, 'node1', aptUpdate],
    ['a package of dnf', /rocky-9\.6-amd64\/Packages\/jq-/, 'rpm1', 'dnf clean all; dnf -y reinstall jq'],
    ['the index of dnf', /rocky-9\.6-amd64\/repodata\/repomd\.xml$/, 'rpm1', 'dnf clean all; dnf makecache'],
    ['the list of dnf', /rocky-9\.6-amd64\/repodata\/.*primary/, 'rpm1', 'dnf clean all; dnf makecache'],
  ])('a flipped byte in %s is found by verify, and refused by the host', async (_, path, hostName, command) => {
    const item = itemAt(path);
    const host = lab.host(hostName);
    await withFlippedByte(item, async () => {
      const verified = await run('bundle', 'verify', bundle);
      expect(verified.exitCode).toBe(4);
      expect(verified.stdout).toContain(item.digest);
      expect((await host.exec(command)).exitCode).not.toBe(0);
    });
    await must(host, command);
  });

  test('a cluster is made of the host with dnf, out of the bundle alone', async () => {
    const config = await offlineFile('rpm1', rocky, ['jq']);

    const created = await run('cluster-create', '-c', config);

    expect(describe(created)).toBe('exit 0, ok');
    expect((await run('cluster-create', '-c', config)).finished?.changes).toBe(0);
    console.log(`      cluster of an rpm host from the served bundle: ${seconds(created.durationMs)}`);
  });
});
