import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, copyFile, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { labUnavailable } from '../lab/available.ts';
import { run as exec } from '../lab/commands.ts';
import { labDown } from '../lab/down.ts';
import { must } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import type { LabUpstream } from '../lab/lab-upstream.ts';
import type { CatalogFile, ClusterFile } from './bundle-files.ts';
import { testBundleSites } from './bundle-site.ts';
import { installerBinary, startInstaller, type InstallerResult, type RunningInstaller } from './installer.ts';
import { describe, seconds } from './stage.ts';
import { writeVariant } from './support.ts';

/** A cluster out of one file: made from the lab's upstream, which the host then cannot reach any more. */
const unavailable = labUnavailable();
const title = unavailable === undefined ? 'a bundle' : `a bundle (skipped: ${unavailable})`;
const name = 'bun';
const upgradeTo = '1.37';

interface Item {
  readonly kind: string;
  readonly blobs: readonly string[];
  readonly name: string;
  readonly version?: string;
  readonly digest: string;
}

/** A reference without its tag. */
function bare(reference: string): string {
  return reference.replace(/:[^:/]*$/, '');
}

/** Changes one byte in the middle of the largest of these blobs; returns its digest. */
async function flipIn(file: string, digests: readonly string[]): Promise<string> {
  const listing = await exec('tar', ['--list', '--verbose', '--block-number', '-f', file]);
  const blobs = listing.split('\n').flatMap((line) => {
    const found = /^block (\d+): \S+ \S+ +(\d+) .* blobs\/sha256\/([0-9a-f]{64})$/.exec(line);
    const digest = `sha256:${found?.[3] ?? ''}`;
    return digests.includes(digest)
      ? [{ digest, offset: (Number(found?.[1]) + 1) * 512, size: Number(found?.[2]) }]
      : [];
  });
  const [largest] = blobs.toSorted((a, b) => b.size - a.size);
  if (largest === undefined) throw new Error(`${file} has none of ${digests.join(', ')}`);
  const handle = await open(file, 'r+');
  const at = largest.offset + Math.floor(largest.size / 2);
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  await handle.close();
  return largest.digest;
}

suite.skipIf(unavailable !== undefined)(title, { timeout: 600_000 }, () => {
  let lab: Lab;
  let apt: LabUpstream['apt'];
  let host: LabHost;
  let binary: string;
  let bundle: string;
  let server: ChildProcess | undefined;
  let latest = '';
  let port = '';

  beforeAll(async () => {
    await labDown(name, () => undefined);
    const built = await installerBinary();
    const log = (line: string): void => console.log(`      ${line}`);
    const up = await labUp({ name, hosts: 3, minors: ['1.36', upgradeTo], log });
    if (!up.upstream) throw new Error('the lab has no upstream');
    lab = up;
    apt = up.upstream.apt;
    host = lab.host('node1');
    binary = join(lab.dir, 'installer');
    await copyFile(built, binary);
    bundle = join(lab.dir, 'site.bundle.tar');
  }, 2_700_000);

  afterAll(async () => {
    server?.kill('SIGTERM');
    await labDown(name, () => undefined);
  }, 180_000);

  function run(...args: readonly string[]): Promise<InstallerResult> {
    return startInstaller(binary, args, { stateDir: join(lab.dir, 'state') }).done;
  }

  /** A cluster file of some of the hosts, which asks for every tool. */
  function fileOf(file: string, hosts: readonly string[], edit?: (config: ClusterFile) => void): Promise<string> {
    return writeVariant(lab, file, (config) => {
      const { spec } = config as unknown as ClusterFile;
      spec.hosts = spec.hosts.filter((entry) => hosts.includes(String(entry['name'])));
      for (const [index, entry] of spec.hosts.entries()) {
        entry['roles'] = hosts.length === 1 ? ['control-plane', 'worker'] : [index === 0 ? 'control-plane' : 'worker'];
      }
      spec.hostSettings = { installTools: 'all' };
      edit?.(config as unknown as ClusterFile);
    });
  }

  async function itemsOf(file: string): Promise<Item[]> {
    const { stdout } = await run('bundle', 'list', file);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Item);
  }

  async function sha256Of(path: string): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
    return hash.digest('hex');
  }

  /** Serves a bundle in the place of the one before, where that was. */
  async function serve(file: string, port = '0'): Promise<{ registry: string; files: string; stderr: () => string }> {
    if (server !== undefined) {
      server.kill('SIGTERM');
      await once(server, 'close');
    }
    const child = spawn(binary, ['bundle', 'serve', file, '--host', lab.address, '--port', port, '--output', 'json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    server = child;
    let said = '';
    child.stderr.on('data', (text: Buffer) => (said += text.toString()));
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return { ...(JSON.parse(line) as { registry: string; files: string }), stderr: () => said };
  }

  test('is made of everything that the cluster file and an upgrade need, the same bytes each time', async () => {
    // Which patch of the later minor the lab has, its catalog says.
    const catalogs = (parse(await readFile(lab.configFile, 'utf8')) as ClusterFile).spec.artifacts.catalogs;
    for (const path of catalogs) {
      const { spec } = parse(await readFile(join(lab.dir, path), 'utf8')) as CatalogFile;
      if (spec.minor === upgradeTo) latest = spec.defaultVersion ?? Object.keys(spec.kubernetes)[0] ?? '';
    }
    const { url, suite: aptSuite, component, keyFile } = apt;
    const site = await fileOf('site', ['node1', 'node2', 'node3'], ({ spec }) => {
      const repositories = [{ url, suites: [aptSuite], components: [component], keyFile }];
      spec.osPackages = { distributions: [{ id: 'debian', version: '12', repositories }] };
    });
    const key = join(lab.dir, 'repository.key');
    await run('bundle', 'keygen', key, '--repository');
    const platform = ['--platform', 'linux/amd64', '--upgrade-to', latest, '--repository-key', key];
    const create = (file: string): Promise<InstallerResult> =>
      run('bundle', 'create', '--allow-unpinned', '-c', site, '-o', file, ...platform);
    const first = await create(bundle);
    const second = await create(`${bundle}.again`);

    expect(describe(first)).toBe('exit 0, ok');
    expect(describe(second)).toBe('exit 0, ok');
    expect(await sha256Of(bundle)).toBe(await sha256Of(`${bundle}.again`));
    await rm(`${bundle}.again`);
    const verified = await run('bundle', 'verify', bundle);
    expect(verified.exitCode).toBe(0);
    const items = await itemsOf(bundle);
    expect(new Set(items.filter((item) => item.name === 'kubelet').map(({ version }) => version)).size).toBe(2);
    expect(items.filter(({ kind }) => kind === 'installer')).toHaveLength(1);
    console.log(`      create: ${seconds(first.durationMs)}, again: ${seconds(second.durationMs)}`);
    console.log(`      verify: ${seconds(verified.durationMs)}; ${items.length} items`);
  });

  test('has every image that the kubeadm in it asks for itself, of each version', async () => {
    const out = join(lab.dir, 'kubeadm');
    expect((await run('bundle', 'extract', bundle, '-o', out, '--item', 'kubeadm')).exitCode).toBe(0);
    const items = await itemsOf(bundle);
    const images = items.filter(({ kind }) => kind === 'image').map((item) => item.name);
    const versions = items.filter((item) => item.name === 'kubeadm').map(({ version = '' }) => version);
    expect(versions).toContain(latest);
    for (const version of versions) {
      const kubeadm = join(out, 'files/dl.k8s.io', version, 'bin/linux/amd64/kubeadm');
      await chmod(kubeadm, 0o755);
      const asked = await exec(kubeadm, ['config', 'images', 'list', '--kubernetes-version', version]);
      const named = asked.split('\n').filter((line) => line !== '');
      expect(named.length, version).toBeGreaterThan(5);
      expect(images, version).toEqual(expect.arrayContaining(named));
    }
    await rm(out, { recursive: true });
  });

  test('is all that a cluster is made from', async () => {
    const address = lab.address;
    const { registry, files } = await serve(bundle);
    const file = await fileOf('offline', ['node1'], ({ spec }) => {
      for (const name of Object.keys(spec.runtime.registries)) spec.runtime.registries[name] = { mirrors: [registry] };
      for (const name of Object.keys(spec.artifacts.mirrors)) spec.artifacts.mirrors[name] = `${files}/${name}`;
      delete spec.hostSettings;
    });
    // Nothing but the served bundle answers the host: neither the upstream's registry nor its downloads.
    ({ port } = new URL(registry));
    const rule = `OUTPUT -p tcp -d ${address} ! --dport ${port} -m conntrack --ctstate NEW -j REJECT`;
    await must(host, `iptables -I ${rule}`);
    const blocked = await host.exec(['curl', '-sS', '--max-time', '5', `http://${address}:8080/`]);
    expect(blocked.exitCode).not.toBe(0);

    const created = await run('cluster-create', '-c', file);

    expect(describe(created)).toBe('exit 0, ok');
    console.log(`      cluster-create from the served bundle: ${seconds(created.durationMs)}`);
    const again = await run('cluster-create', '-c', file);
    expect(again.finished?.changes).toBe(0);
  });

  test('gives containerd every image in it, of both versions, by its digest', async () => {
    const images = (await itemsOf(bundle)).filter(({ kind }) => kind === 'image');
    for (const image of images) await must(host, ['crictl', '--timeout=120s', 'pull', image.name]);
    const { stdout } = await must(host, ['crictl', 'images', '-o', 'json']);
    const { images: there } = JSON.parse(stdout) as { images: { repoTags: string[]; repoDigests: string[] }[] };

    for (const { name: reference, digest } of images) {
      const found = there.find(({ repoTags }) => repoTags.includes(reference));
      expect(found?.repoDigests, reference).toContain(`${bare(reference)}@${digest}`);
    }
    console.log(`      ${images.length} images pulled from the served bundle`);
    // What is extracted is an archive of images for ctr, too; so is the whole file, which takes it a minute.
    const some = images.map((image) => image.name).filter((image) => /pause|kube-scheduler/.test(image));
    const wanted = some.flatMap((image) => ['--item', image]);
    await run('bundle', 'extract', bundle, '-o', join(lab.dir, 'out'), ...wanted);
    await exec('tar', ['-C', join(lab.dir, 'out/images'), '-cf', join(host.root, 'images.tar'), '.']);
    await must(host, ['ctr', '-n', 'imported', 'images', 'import', '/images.tar']);
    const imported = (await must(host, ['ctr', '-n', 'imported', 'images', 'ls', '-q'])).stdout.trim().split('\n');
    expect(imported.toSorted()).toEqual(some.toSorted());
  });

  test('gives containerd no layer in which one byte is another, and the same pull goes on from the right file', async () => {
    // One that no container and no other namespace of containerd has: what any of them has is not fetched.
    const image = (await itemsOf(bundle)).find((item) => item.name.endsWith(`/kube-controller-manager:${latest}`));
    if (image === undefined) throw new Error('the bundle has no kube-controller-manager of the later version');
    const damaged = join(lab.dir, 'damaged.tar');
    await exec('cp', ['--reflink=auto', bundle, damaged]);
    const flipped = await flipIn(damaged, image.blobs);
    const content = async (): Promise<string> => (await must(host, 'ctr -n k8s.io content ls -q')).stdout;
    expect(await content()).toContain(flipped);
    await must(host, ['crictl', 'rmi', image.name]);
    await must(host, 'ctr -n k8s.io content prune references');
    expect(await content()).not.toContain(flipped);
    const { stderr } = await serve(damaged, port);

    const refused = await host.exec(['crictl', '--timeout=60s', 'pull', image.name]);

    expect(refused.exitCode).not.toBe(0);
    expect(await content()).not.toContain(flipped);
    expect((await must(host, 'crictl images -o json')).stdout).not.toContain(image.name);
    expect(stderr()).toContain(flipped);
    await serve(bundle, port);
    await must(host, ['crictl', '--timeout=60s', 'pull', image.name]);
    expect(await content()).toContain(flipped);
    await rm(damaged);
  });

  test('is refused before a host is touched where it is not what it should be', async () => {
    const key = join(lab.dir, 'key');
    await run('bundle', 'keygen', key);
    const cut = join(lab.dir, 'cut.tar');
    await pipeline(createReadStream(bundle, { end: 100_000_000 }), createWriteStream(cut));
    const config = parse(await readFile(lab.configFile, 'utf8')) as ClusterFile;
    config.spec.kubernetes.version = 'v1.36.2';
    const other = join(lab.dir, 'other.yaml');
    await writeFile(other, stringify(config));

    const refused: readonly [string, readonly string[]][] = [
      ['BUNDLE_SIGNATURE_MISSING', ['-c', lab.configFile, '--bundle', bundle, '--key', `${key}.pub`]],
      ['BUNDLE_TRUNCATED', ['-c', lab.configFile, '--bundle', cut]],
      [
        'registry.k8s.io/kube-apiserver:v1.36.2 for linux/amd64 is not in the bundle',
        ['-c', other, '--bundle', bundle],
      ],
    ];
    for (const [what, args] of refused) {
      const { events, exitCode, stderr } = await run('cluster-create', ...args);
      expect(stderr).toContain(what);
      expect(exitCode).toBeGreaterThan(1);
      expect(events.filter(({ type }) => type === 'host.started')).toEqual([]);
    }
    await rm(cut);
  });

  testBundleSites(() => {
    server?.kill('SIGTERM');
    const start = (...args: readonly string[]): RunningInstaller =>
      startInstaller(binary, args, { stateDir: join(lab.dir, 'state') });
    return { lab, binary, bundle, fileOf, start, run };
  });

  test('says that sshd forwards nothing, and what to do instead', async () => {
    await must(host, 'echo AllowTcpForwarding no >/etc/ssh/sshd_config.d/00-no.conf; systemctl reload ssh');

    const looked = await run('precheck', '-c', await fileOf('one', ['node1']), '--bundle', bundle);

    expect(looked.exitCode).toBe(3);
    const [error] = looked.finished?.errors ?? [];
    expect([error?.code, error?.host]).toEqual(['SSH_FORWARDING', 'node1']);
    expect(error?.remedy).toContain('installer bundle serve');
  });
});
