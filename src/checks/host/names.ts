import { isIP } from 'node:net';
import type { Cluster, Member } from '../../kubernetes/cluster.ts';
import type { HostsFileEntry } from '../../hosts/facts-settings.ts';
import { isLoopback } from '../../spec/cidr.ts';
import type { Found, HostCheck } from '../check.ts';
import { namesOf } from '../cluster/blame.ts';

/** Longer ones are valid in Kubernetes; platforms that make labels and host names out of them are what limits it. */
const longestNodeName = 36;

export const hostnameValid: HostCheck = {
  id: 'hostname-valid',
  scope: 'host',
  title: 'The hostname is not a valid DNS name',
  severity: 'error',
  expected: `lower-case letters, digits, "-" and "." only, 63 characters at most, each part with a letter or digit at both ends; not localhost; a warning where the name of the node has more than ${longestNodeName} characters`,
  remedy: 'set another one with hostnamectl set-hostname, or set spec.hostSettings.manageHostname: true',
  source:
    'RFC 1123, section 2.1; Kubernetes, "Object Names and IDs"; host requirements: 36 characters, which Kubernetes itself does not ask for',
  reads: ['uname'],
  run({ facts: { hostname }, config: { name } }) {
    const long: Found[] =
      name.length > longestNodeName
        ? [
            {
              title: 'The name of the node is long',
              actual: `${name} has ${name.length} characters`,
              severity: 'warning',
              remedy: 'give the host a shorter name in the cluster file',
              reads: ['uname'],
              seen: `${name} in the cluster file`,
            },
          ]
        : [];
    return [...judgeHostname(hostname), ...long];
  },
};

function judgeHostname(hostname: string): Found[] {
  if (hostname === '') return [{ actual: 'the hostname could not be read', severity: 'warning' }];
  const isGood =
    hostname.length <= 63 &&
    hostname.split('.').every((part) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(part)) &&
    !/^localhost(\.|$)/.test(hostname);
  return isGood ? [] : [{ actual: hostname }];
}

/** The block that prepare-hosts writes is among the lines, and agrees with the cluster file. */
export const hostsFile: HostCheck = {
  id: 'hosts-file',
  scope: 'host',
  title: '/etc/hosts contradicts itself or the cluster file',
  severity: 'warning',
  expected:
    'one address of each family for a name; localhost is 127.0.0.1; every host resolves the names of all hosts of the cluster to their addresses',
  remedy: 'correct the lines in /etc/hosts',
  source: 'host requirements: every host resolves every name, no duplicate names, localhost resolves to 127.0.0.1',
  reads: ['hostsFile', 'hostNames'],
  run(self, cluster) {
    const { facts } = self;
    const byName = addressesByName(facts.hostsFile);
    return [
      ...[...byName].flatMap(([name, addresses]) => contradictions(name, addresses)),
      ...cluster.members.flatMap((member) => strangers(member, byName)),
      ...unresolved(cluster, cluster.probed.get(self.config.name)?.hostNames),
    ];
  },
};

function addressesByName(entries: readonly HostsFileEntry[]): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (const { address, names } of entries) {
    for (const name of names) {
      const known = byName.get(name) ?? [];
      if (!known.includes(address)) byName.set(name, [...known, address]);
    }
  }
  return byName;
}

/** A loopback address beside another one is no contradiction. */
function contradictions(name: string, addresses: readonly string[]): Found[] {
  if (name === 'localhost') {
    const strange = addresses.filter((address) => isIP(address) === 4 && address !== '127.0.0.1');
    return strange.map((address) => ({ actual: `localhost is ${address}`, about: isLineOf(name) }));
  }
  return [4, 6].flatMap((family) => {
    const different = addresses.filter((address) => isIP(address) === family && !isLoopback(address));
    return different.length < 2 ? [] : [{ actual: `${name} is ${different.join(' and ')}`, about: isLineOf(name) }];
  });
}

/** Names of the cluster's hosts that lead elsewhere; with two addresses they are told as contradictions already. */
function strangers(wanted: Member, byName: ReadonlyMap<string, readonly string[]>): Found[] {
  const { name } = wanted.config;
  const addresses = (byName.get(name) ?? []).filter((address) => !isLoopback(address));
  const [address] = addresses;
  if (address === undefined || addresses.length > 1) return [];
  const isRight = address === wanted.nodeAddress || address === wanted.config.address;
  const isOfFamily = isIP(address) === isIP(wanted.nodeAddress);
  if (isRight || !isOfFamily) return [];
  return [{ actual: `${name} is ${address}, its node address is ${wanted.nodeAddress}`, about: isLineOf(name) }];
}

/** Where spec.hostSettings.hostsFile is leave, names that /etc/hosts does not have were looked up on the host. */
function unresolved({ members }: Cluster, answers: ReadonlyMap<string, readonly string[]> | undefined): Found[] {
  if (answers === undefined) return [];
  const rows = members.flatMap(({ config: { name, address }, nodeAddress }) => {
    const addresses = answers.get(name);
    const isRight = addresses?.some((one) => one === nodeAddress || one === address || isLoopback(one)) ?? true;
    return isRight ? [] : [{ name, addresses: addresses ?? [], nodeAddress }];
  });
  const [unknown, wrong] = [true, false].map((none) =>
    rows.filter(({ addresses }) => (addresses.length === 0) === none),
  );
  const names = (unknown ?? []).map(({ name }) => name);
  const remedy =
    'put the names into the DNS of the site or into /etc/hosts, or set spec.hostSettings.hostsFile: manage';
  return [
    ...(names.length === 0
      ? []
      : [
          {
            title: 'Names of hosts are not known',
            actual: `no address is known for ${namesOf(names)}`,
            remedy,
            reads: ['hostNames'],
            seen: `${namesOf(names)}: nothing`,
          } as const,
        ]),
    ...(wrong ?? []).map(({ name, addresses, nodeAddress }): Found => ({
      actual: `${name} is ${addresses.join(', ')}, its node address is ${nodeAddress}`,
      remedy,
      reads: ['hostNames'],
      seen: `${name}: ${addresses.join(', ')}`,
    })),
  ];
}

function isLineOf(name: string): (line: string) => boolean {
  return (line) => line.split(' ').slice(1).includes(name);
}
