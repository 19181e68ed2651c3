import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aptPackagePath, renderAptRepository } from '../../src/packages/apt/render.ts';
import { loadPackageCatalogs, packageRequest, type PackageQuestion } from '../../src/packages/catalog.ts';
import { resolvePackages } from '../../src/packages/resolve.ts';
import { renderRpmRepository, rpmPackagePath } from '../../src/packages/rpm/render.ts';
import { generateRepositoryKey, openRepositoryKey, type RepositoryKey } from '../../src/packages/signing.ts';
import type { Fetch, PackageSet, RepositoryFile, ResolvedPackage, Trust } from '../../src/packages/types.ts';
import { labUnavailable } from '../lab/available.ts';
import { labDown } from '../lab/down.ts';
import { must, pullCable } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { labUp, type Lab } from '../lab/lab.ts';
import type { LabUpstream } from '../lab/lab-upstream.ts';

const unavailable = labUnavailable();
const title =
  unavailable === undefined ? 'packages without a network' : `packages without a network (skipped: ${unavailable})`;

const fetchUrl: Fetch = async (url) => {
  const response = await fetch(url);
  if (response.status === 404) return undefined;
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  return response.body;
};

describe.skipIf(unavailable !== undefined)(title, { timeout: 300_000 }, () => {
  let lab: Lab;
  let upstream: LabUpstream;
  let key: RepositoryKey;
  const nowMs = Date.now();

  beforeAll(async () => {
    await labDown('rpm', () => undefined);
    const log = (line: string): void => console.log(`      ${line}`);
    const up = await labUp({ name: 'rpm', hosts: 1, rpmHosts: 1, minors: ['1.36'], log });
    if (!up.upstream) throw new Error('the lab has no upstream');
    lab = up;
    upstream = up.upstream;
    const { privateKey } = await generateRepositoryKey('offline', nowMs - 60_000);
    key = await openRepositoryKey(privateKey, nowMs - 60_000);
  }, 2_700_000);

  afterAll(async () => {
    await labDown('rpm', () => undefined);
  }, 180_000);

  async function ask(
    question: Pick<PackageQuestion, 'id' | 'versionId' | 'groups' | 'names' | 'repositories'>,
  ): Promise<PackageSet> {
    const unused: Trust = { keys: [], signatures: 'required' };
    const rest = { architecture: 'amd64', trust: unused, nowMs: Date.now() + 60_000 } as const;
    return resolvePackages(fetchUrl, packageRequest(loadPackageCatalogs(), { ...question, ...rest }));
  }

  /** Lays a repository into the host's /opt/offline, each package as its index says it is. */
  async function layDown(
    host: LabHost,
    files: readonly RepositoryFile[],
    packages: readonly ResolvedPackage[],
    pathOf: (item: ResolvedPackage) => string,
  ): Promise<void> {
    const root = join(host.root, 'opt/offline');
    for (const { path, content } of files) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    for (const item of packages) {
      const content = Buffer.from(await (await fetch(item.url)).arrayBuffer());
      expect(createHash('sha256').update(content).digest('hex'), item.url).toBe(item.sha256);
      expect(content.length, item.url).toBe(item.sizeBytes);
      await mkdir(dirname(join(root, pathOf(item))), { recursive: true });
      await writeFile(join(root, pathOf(item)), content);
    }
    await writeFile(join(root, 'key.asc'), key.publicKey);
  }

  test('apt installs what the catalog names for its distribution, and what that depends on', async () => {
    const host = lab.host('node1');
    const { url, suite, component, keyFile } = upstream.apt;
    const trust: Trust = { keys: [await readFile(keyFile)], signatures: 'required' };
    const set = await ask({
      id: 'debian',
      versionId: '12',
      // The lab's mirror lacks procps, so the names of `base` are given one by one.
      groups: ['chrony', 'iscsi', 'load-balancer', 'nfs', 'xfs'],
      names: ['jq', 'conntrack', 'ebtables', 'ethtool', 'ipset', 'iptables', 'socat'],
      repositories: { apt: [{ url, suite, components: [component], trust }] },
    });
    const files = await renderAptRepository({ sets: [set], suite: 'offline', label: 'offline', dateMs: nowMs, key });
    await layDown(host, files, set.packages, aptPackagePath);
    await writeFile(
      join(host.root, 'etc/apt/sources.list'),
      'deb [signed-by=/opt/offline/key.asc] file:/opt/offline offline main\n',
    );
    const undo = await pullCable(host);

    await must(host, 'apt-get -qq update -o APT::Update::Error-Mode=any');
    await must(host, `DEBIAN_FRONTEND=noninteractive apt-get -qq install ${requested(set)}`, { timeoutMs: 200_000 });

    const programs = 'for p in haproxy keepalived jq mount.nfs iscsiadm mkfs.xfs conntrack; do command -v $p; done';
    expect((await must(host, programs)).stdout.trim().split('\n')).toHaveLength(7);
    console.log(`      apt: ${set.packages.length} packages`);
    await undo();
  });

  test('dnf does the same, with index and packages checked', async () => {
    const host = lab.host('rpm1');
    if (!upstream.rpm) throw new Error('the upstream has no rpm repository');
    const { url, keyFile } = upstream.rpm;
    const trust: Trust = { keys: [await readFile(keyFile)], signatures: 'required' };
    const set = await ask({
      id: 'rocky',
      versionId: '9.6',
      groups: ['base', 'chrony', 'load-balancer', 'nfs', 'xfs'],
      names: ['jq'],
      repositories: { rpm: [{ url, trust }] },
    });
    const files = await renderRpmRepository({ packages: set.packages, dateMs: nowMs, key });
    await layDown(host, files, set.packages, rpmPackagePath);
    await copyFile(keyFile, join(host.root, 'opt/offline/packages.asc'));
    const keys = 'gpgkey=file:///opt/offline/key.asc file:///opt/offline/packages.asc';
    const lines = [
      '[offline]',
      'name=offline',
      'baseurl=file:///opt/offline',
      'gpgcheck=1',
      'repo_gpgcheck=1',
      keys,
      '',
    ];
    await writeFile(join(host.root, 'etc/yum.repos.d/lab.repo'), lines.join('\n'));
    const undo = await pullCable(host);

    await must(host, `dnf -y -q install ${requested(set)}`, { timeoutMs: 200_000 });

    const programs =
      'for p in haproxy keepalived jq mount.nfs mkfs.xfs conntrack iptables ebtables chronyd ethtool socat; do command -v $p; done';
    expect((await must(host, programs)).stdout.trim().split('\n')).toHaveLength(11);
    console.log(`      dnf: ${set.packages.length} packages`);
    await undo();
  });
});

/** The packages that were asked for by name, or for what they provide. */
function requested(set: PackageSet): string {
  return set.packages
    .filter(({ reason }) => reason === 'requested')
    .map(({ name }) => name)
    .join(' ');
}
