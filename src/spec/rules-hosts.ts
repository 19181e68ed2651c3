import { parseIp } from './cidr.ts';
import type { HostConfig } from './config.ts';
import type { Issue } from './problems.ts';
import type { Rule } from './rule.ts';

const someHost: Rule = {
  id: 'some-host',
  reads: ['hosts'],
  check: ({ hosts }) =>
    hosts.length > 0 ? [] : [{ path: ['spec', 'hosts'], reason: 'a cluster needs at least one host' }],
};

const oneControlPlane: Rule = {
  id: 'one-control-plane',
  reads: ['hosts'],
  check: ({ hosts }) => {
    const found = hosts.flatMap((host, index) => (host.roles.includes('control-plane') ? [index] : []));
    if (hosts.length === 0 || found.length === 1) return [];
    const [, second] = found;
    if (second === undefined) {
      return [
        { path: ['spec', 'hosts'], reason: 'a cluster needs a control plane; give one host the role control-plane' },
      ];
    }
    const reason = `this version creates clusters with one control plane; ${found.length} found`;
    return [{ path: ['spec', 'hosts', second, 'roles'], reason }];
  },
};

const oneLocalHost: Rule = {
  id: 'one-local-host',
  reads: ['hosts'],
  check: ({ hosts }) =>
    repeated(
      hosts,
      (host) => (host.local ? 'local' : undefined),
      (host, first, index) => ({
        path: ['spec', 'hosts', index, 'local'],
        reason: `only one host can be the machine that the installer runs on, and spec.hosts[${first}] already is`,
      }),
    ),
};

const uniqueNames: Rule = {
  id: 'unique-names',
  reads: ['hosts'],
  check: ({ hosts }) =>
    repeated(
      hosts,
      (host) => host.name,
      (host, first, index) => ({
        path: ['spec', 'hosts', index, 'name'],
        reason: `the name "${host.name}" is already that of spec.hosts[${first}]`,
      }),
    ),
};

/** Hosts behind one forwarding address differ by their SSH port. */
const uniqueAddresses: Rule = {
  id: 'unique-addresses',
  reads: ['hosts', 'ssh'],
  check: ({ hosts }) =>
    repeated(
      hosts,
      (host) => `${addressKey(host.address)} ${host.ssh.port}`,
      (host, first, index) => ({
        path: ['spec', 'hosts', index, 'address'],
        reason: `the address ${host.address} with SSH port ${host.ssh.port} is already that of spec.hosts[${first}]`,
      }),
    ),
};

const uniqueInternalAddresses: Rule = {
  id: 'unique-internal-addresses',
  reads: ['hosts', 'ssh'],
  check: ({ hosts }) =>
    repeated(
      hosts,
      (host) => (host.internalAddress === undefined ? undefined : addressKey(host.internalAddress)),
      (host, first, index) => {
        const other = hosts[first];
        const saidAlready = other?.address === host.address && other.ssh.port === host.ssh.port;
        if (saidAlready && host.internalAddress === host.address) return undefined;
        return {
          path: ['spec', 'hosts', index, 'internalAddress'],
          reason: `the internal address ${host.internalAddress ?? ''} is already that of spec.hosts[${first}]`,
        };
      },
    ),
};

const uniqueRoles: Rule = {
  id: 'unique-roles',
  reads: ['hosts'],
  check: ({ hosts }) =>
    hosts.flatMap((host, hostIndex) =>
      repeated(
        host.roles,
        (role) => role,
        (role, _first, index) => ({
          path: ['spec', 'hosts', hostIndex, 'roles', index],
          reason: `the role ${role} stands twice`,
        }),
      ),
    ),
};

/** Kubernetes allows one taint for each key and effect. */
const uniqueTaints: Rule = {
  id: 'unique-taints',
  reads: ['hosts'],
  check: ({ hosts }) =>
    hosts.flatMap((host, hostIndex) =>
      repeated(
        host.taints,
        (taint) => `${taint.key}:${taint.effect}`,
        (taint, _first, index) => ({
          path: ['spec', 'hosts', hostIndex, 'taints', index],
          reason: `a taint with key ${taint.key} and effect ${taint.effect} stands above`,
        }),
      ),
    ),
};

/** Every rule about hosts alone. */
export const hostRules: readonly Rule[] = [
  someHost,
  oneControlPlane,
  oneLocalHost,
  uniqueNames,
  uniqueAddresses,
  uniqueInternalAddresses,
  uniqueRoles,
  uniqueTaints,
];

/** One spelling for each address, so that `fd00::1` and `FD00:0::1` are the same. */
function addressKey(address: HostConfig['address']): string {
  const ip = parseIp(address);
  return ip === undefined ? address.toLowerCase() : `${ip.family} ${ip.value}`;
}

/** An issue for each item whose key an earlier item has; an undefined key is never repeated. */
function repeated<T>(
  items: readonly T[],
  keyOf: (item: T) => string | undefined,
  toIssue: (item: T, first: number, index: number) => Issue | undefined,
): Issue[] {
  const firstOf = new Map<string, number>();
  return items.flatMap((item, index) => {
    const key = keyOf(item);
    if (key === undefined) return [];
    const first = firstOf.get(key);
    if (first === undefined) {
      firstOf.set(key, index);
      return [];
    }
    const issue = toIssue(item, first, index);
    return issue === undefined ? [] : [issue];
  });
}
