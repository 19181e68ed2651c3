import { architectures, resolveVersions, type Architecture } from '../artifacts/catalog.ts';
import { loadCatalogs, readNamedFile } from '../artifacts/load-catalogs.ts';
import type { ClusterPhase } from '../engine/phase.ts';
import { InstallerError } from '../errors.ts';
import type { Cluster, Member } from '../kubernetes/cluster.ts';
import { collectGarbageOf } from '../lib/garbage.ts';
import { registrySecretName } from '../kubernetes/containerd-config.ts';
import { readHostServers } from '../kubernetes/host-servers.ts';
import type { HostConfig } from '../spec/schema.ts';
import { readSecret } from '../spec/secrets.ts';
import { basicHeader } from '../lib/basic-auth.ts';

/** What the machines are, as connect saw them; and from that the exact versions of everything. */
export const gatherFacts: ClusterPhase<Cluster> = {
  scope: 'cluster',
  id: 'gather-facts',
  title: 'Gather facts',
  required: true,
  runsOnDryRun: true,
  async run(cluster, context) {
    await readLocalFiles(cluster, (value) => context.emitter.addSecret(value));
    await readRepositoryKeys(cluster);
    cluster.members = cluster.config.spec.hosts.flatMap((config) => memberOf(cluster, config) ?? []);
    const found = new Set(cluster.members.map(({ facts }) => facts.architecture));
    const known = architectures.filter((architecture): architecture is Architecture => found.has(architecture));
    cluster.versions = resolveVersions(await loadCatalogs(cluster.config), cluster.config, known);
    await readHostServers(cluster, (value) => context.emitter.addSecret(value));
    for (const message of cluster.versions.notes) context.emitter.emit({ type: 'log', level: 'info', message });
    // What was said while logging in and at the first look, and what the catalogs were read from.
    collectGarbageOf(cluster.members.length);
    return [];
  },
};

/** Undefined where the host cannot be used; why stands in cluster.unreachable. */
function memberOf(cluster: Cluster, config: HostConfig): Member | undefined {
  const host = cluster.hosts.get(config.name);
  const facts = cluster.facts.get(config.name);
  if (host === undefined || facts === undefined) return undefined;
  const refusal = withoutPlatform(cluster, config.name, facts.architecture);
  if (refusal !== undefined) {
    cluster.unreachable.push(refusal);
    return undefined;
  }
  const { virtualAddress } = cluster.config.spec.kubernetes;
  const own = facts.addresses.map(({ address }) => address).filter((address) => address !== virtualAddress?.address);
  return { config, host, facts, nodeAddress: config.internalAddress ?? addressOf(own, config) };
}

function withoutPlatform({ supply }: Cluster, host: string, architecture: string): InstallerError | undefined {
  if (supply === undefined || supply.platforms.includes(`linux/${architecture}`)) return undefined;
  return new InstallerError({
    code: 'BUNDLE_PLATFORM',
    host,
    message: `this host is linux/${architecture}, and ${supply.description} is for ${supply.platforms.join(' and ')}`,
    remedy: 'make a bundle with --platform for every kind of host, or merge one for this platform into it',
  });
}

/** Where the file gives a DNS name only, the first global address of the host; the check address-valid looks at it again. */
function addressOf(addresses: readonly string[], config: HostConfig): string {
  return (
    addresses.find(
      (address) => !address.startsWith('127.') && !address.startsWith('169.254.') && !address.includes(':'),
    ) ?? config.address
  );
}

/** CA files and registry credentials that the cluster file names. */
async function readLocalFiles(cluster: Cluster, addSecret: (value: string) => void): Promise<void> {
  for (const [registry, { ca, credentials }] of Object.entries(cluster.config.spec.runtime.registries)) {
    if (ca !== undefined) cluster.files.set(ca, await readNamedFile(ca, `CA of registry ${registry}`));
    if (credentials === undefined) continue;
    const password = await readSecret(credentials.password, `the password of registry ${registry}`);
    const header = basicHeader({ username: credentials.username, password });
    addSecret(password);
    addSecret(header);
    cluster.secrets.set(registrySecretName(registry), header);
  }
}

/** Public keys of package repositories. */
async function readRepositoryKeys(cluster: Cluster): Promise<void> {
  for (const { name, keyFile } of cluster.config.spec.hostSettings.packageRepositories.repositories)
    if (keyFile !== undefined)
      cluster.files.set(keyFile, await readNamedFile(keyFile, `key of package repository ${name}`));
}
