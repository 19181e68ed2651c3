import { architectures, resolveVersions, type Architecture } from '../artifacts/catalog.ts';
import { loadCatalogs, readNamedFile } from '../artifacts/load-catalogs.ts';
import type { ClusterPhase } from '../engine/phase.ts';
import { toInstallerError } from '../engine/failures.ts';
import { InstallerError } from '../errors.ts';
import { factQueries } from '../hosts/fact-queries.ts';
import { parseFacts } from '../hosts/facts.ts';
import type { Cluster, Member } from '../kubernetes/cluster.ts';
import { registrySecretName } from '../kubernetes/containerd-config.ts';
import type { HostConfig } from '../spec/schema.ts';
import { readSecret } from '../spec/secrets.ts';

/** What the machines are, in one round trip each; and from that the exact versions of everything. */
export const gatherFacts: ClusterPhase<Cluster> = {
  scope: 'cluster',
  id: 'gather-facts',
  title: 'Gather facts',
  required: true,
  runsOnDryRun: true,
  async run(cluster, context) {
    await readLocalFiles(cluster, (value) => context.emitter.addSecret(value));
    await readRepositoryKeys(cluster);
    const gathered = await Promise.all(
      cluster.config.spec.hosts.map((config) => gatherMember(cluster, config, context.signal)),
    );
    cluster.members = gathered.filter((member) => member !== undefined);
    const found = new Set(cluster.members.map(({ facts }) => facts.architecture));
    const known = architectures.filter((architecture): architecture is Architecture => found.has(architecture));
    cluster.versions = resolveVersions(await loadCatalogs(cluster.config), cluster.config, known);
    for (const message of cluster.versions.notes) context.emitter.emit({ type: 'log', level: 'info', message });
    return [];
  },
};

/** Undefined where the host cannot be used; why stands in cluster.unreachable. */
async function gatherMember(cluster: Cluster, config: HostConfig, signal: AbortSignal): Promise<Member | undefined> {
  const host = cluster.hosts.get(config.name);
  if (host === undefined) return undefined;
  try {
    const seen = await host.observe(Object.values(factQueries), { timeoutMs: 60_000, signal });
    const facts = parseFacts(seen, host.askedAtMs(), host.tookMs());
    refuseWithoutPlatform(cluster, config.name, facts.architecture);
    const nodeAddress =
      config.internalAddress ??
      addressOf(
        facts.addresses
          .map(({ address }) => address)
          .filter((address) => address !== cluster.config.spec.kubernetes.virtualAddress?.address),
        config,
      );
    return { config, host, facts, nodeAddress };
  } catch (error) {
    cluster.unreachable.push(toInstallerError(error, config.name));
    return undefined;
  }
}

function refuseWithoutPlatform({ supply }: Cluster, host: string, architecture: string): void {
  if (supply === undefined || supply.platforms.includes(`linux/${architecture}`)) return;
  throw new InstallerError({
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
    const header = `Basic ${Buffer.from(`${credentials.username}:${password}`).toString('base64')}`;
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
