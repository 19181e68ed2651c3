import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderAptRepository } from '../../../src/packages/apt/render.ts';
import { renderRpmRepository } from '../../../src/packages/rpm/render.ts';
import { generateRepositoryKey, openRepositoryKey, type RepositoryKey } from '../../../src/packages/signing.ts';
import type { PackageSet, RepositoryFile, ResolvedPackage } from '../../../src/packages/types.ts';
import type { ClusterConfig, OsDistribution } from '../../../src/spec/schema.ts';
import { contentOf, dateMs, debOf, rpmOf } from '../package-repositories.ts';
import type { Site } from './site.ts';

/** Package repositories of a made-up vendor, on the file server of a site. */
export interface Vendor {
  readonly key: RepositoryKey;
  /** Of the repositories, as the cluster file names it. */
  readonly keyFile: string;
  /** For --repository-key. */
  readonly ownKey: string;
  publishApt(path: string, suite: string, sets: readonly PackageSet[]): Promise<void>;
  publishRpm(path: string, packages: readonly ResolvedPackage[]): Promise<void>;
}

/** The names that a host of Debian, and one of Rocky Linux, lack where they have nothing. */
const debianTools = ['tar', 'iproute2', 'iptables', 'procps', 'findutils', 'diffutils', 'kmod', 'curl'];
const rpmTools = ['tar', 'iproute', 'iptables', 'procps-ng', 'findutils', 'diffutils', 'kmod', 'curl'];

const keys = new Map<string, ReturnType<typeof generateRepositoryKey>>();

/** Made once in a run of tests: a key takes the better part of a second. */
function keyOf(name: string): ReturnType<typeof generateRepositoryKey> {
  const key = keys.get(name) ?? generateRepositoryKey(name, dateMs);
  keys.set(name, key);
  return key;
}

export async function openVendor(dir: string, site: Site, name = 'vendor'): Promise<Vendor> {
  const made = await keyOf(name);
  const own = await keyOf('site');
  const key = await openRepositoryKey(made.privateKey);
  const keyFile = join(dir, 'vendor.asc');
  await writeFile(keyFile, key.publicKey);
  const publish = (path: string, files: readonly RepositoryFile[]): void => {
    for (const file of files) site.files.contents.set(`/${path}/${file.path}`, file.content);
  };
  return {
    key,
    keyFile,
    ownKey: own.privateKey,
    async publishApt(path, suite, sets) {
      publish(path, await renderAptRepository({ sets, suite, label: 'vendor', dateMs, key }));
      for (const item of sets.flatMap(({ packages }) => packages))
        site.files.contents.set(`/${path}/pool/${item.filename}`, contentOf(item));
    },
    async publishRpm(path, packages) {
      publish(path, await renderRpmRepository({ packages, dateMs, key }));
      for (const item of packages) site.files.contents.set(`/${path}/Packages/${item.filename}`, contentOf(item));
    },
  };
}

/** Packages of every tool, and jq, which depends on one that is good for all architectures. */
export function debianSet(architecture: 'amd64' | 'arm64', release = 'deb12'): PackageSet {
  const fields = { Architecture: architecture };
  const packages = [
    ...debianTools.map((name) => debOf(`${name} 1+${release}`, fields)),
    debOf(`jq 1:1.6+${release}`, { ...fields, Depends: 'jq-data' }),
    debOf('jq-data 1.6', { Architecture: 'all' }),
  ];
  return { family: 'apt', architecture, packages, warnings: [] };
}

export function rockyPackages(): ResolvedPackage[] {
  return [
    ...rpmTools.map((name) => rpmOf(`${name} 1-1`)),
    rpmOf('jq 1.6-1', { requires: ['libonig'] }),
    rpmOf('oniguruma 6-1', { provides: ['libonig'] }),
  ];
}

/** A cluster file with these distributions, whose repositories are those of the site's file server. */
export function withDistributions(
  { config }: Site,
  ...distributions: readonly (Partial<OsDistribution> & Pick<OsDistribution, 'id' | 'version' | 'repositories'>)[]
): ClusterConfig {
  const all = distributions.map((one) => ({ groups: [], packages: ['jq'], ...one }));
  return { ...config, spec: { ...config.spec, osPackages: { distributions: all } } };
}
