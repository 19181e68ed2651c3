import { isIP } from 'node:net';
import type { Member } from '../../kubernetes/cluster.ts';
import type { HostsFileEntry } from '../../hosts/facts-settings.ts';
import type { Found, HostCheck } from '../check.ts';

/** Nodes are named by the cluster file, so a strange hostname is told and stops nothing. */
export const hostnameValid: HostCheck = {
  id: 'hostname-valid',
  scope: 'host',
  title: 'The hostname is not a valid DNS name',
  severity: 'warning',
  expected:
    'lower-case letters, digits, "-" and "." only, 63 characters at most, each part with a letter or digit at both ends; not localhost',
  remedy: 'set another one with hostnamectl set-hostname; the node has the name of the cluster file all the same',
  source: 'RFC 1123, section 2.1; Kubernetes, "Object Names and IDs"',
  reads: ['uname'],
  run({ facts: { hostname } }) {
    if (hostname === '') return [{ actual: 'the hostname could not be read' }];
    const isGood =
      hostname.length <= 63 &&
      hostname.split('.').every((part) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(part)) &&
      !/^localhost(\.|$)/.test(hostname);
    return isGood ? [] : [{ actual: hostname }];
  },
};

/** The block that prepare-hosts writes is among the lines, and agrees with the cluster file. */
export const hostsFile: HostCheck = {
  id: 'hosts-file',
  scope: 'host',
  title: '/etc/hosts contradicts itself or the cluster file',
  severity: 'warning',
  expected:
    'one address of each family for a name; localhost is 127.0.0.1; hosts of the cluster have their node addresses',
  remedy: 'correct the lines in /etc/hosts',
  source: 'host requirements: no duplicate names, localhost resolves to 127.0.0.1',
  reads: ['hostsFile'],
  run({ facts }, cluster) {
    const byName = addressesByName(facts.hostsFile);
    return [
      ...[...byName].flatMap(([name, addresses]) => contradictions(name, addresses)),
      ...cluster.members.flatMap((member) => strangers(member, byName)),
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

/** Debian gives a host's own name to 127.0.1.1: beside another address that is no contradiction. */
function contradictions(name: string, addresses: readonly string[]): Found[] {
  if (name === 'localhost') {
    const strange = addresses.filter((address) => isIP(address) === 4 && address !== '127.0.0.1');
    return strange.map((address) => ({ actual: `localhost is ${address}`, about: isLineOf(name) }));
  }
  const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';
  return [4, 6].flatMap((family) => {
    const different = addresses.filter((address) => isIP(address) === family && !isLoopback(address));
    return different.length < 2 ? [] : [{ actual: `${name} is ${different.join(' and ')}`, about: isLineOf(name) }];
  });
}

/** Names of the cluster's hosts that lead elsewhere; with two addresses they are told as contradictions already. */
function strangers(wanted: Member, byName: ReadonlyMap<string, readonly string[]>): Found[] {
  const { name } = wanted.config;
  const addresses = (byName.get(name) ?? []).filter((address) => !address.startsWith('127.') && address !== '::1');
  const [address] = addresses;
  if (address === undefined || addresses.length > 1) return [];
  const isRight = address === wanted.nodeAddress || address === wanted.config.address;
  const isOfFamily = isIP(address) === isIP(wanted.nodeAddress);
  if (isRight || !isOfFamily) return [];
  return [{ actual: `${name} is ${address}, its node address is ${wanted.nodeAddress}`, about: isLineOf(name) }];
}

function isLineOf(name: string): (line: string) => boolean {
  return (line) => line.split(' ').slice(1).includes(name);
}
