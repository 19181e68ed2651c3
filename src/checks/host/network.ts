import { belongsToCluster, isControlPlane, type Cluster, type Member } from '../../kubernetes/cluster.ts';
import type { Listener } from '../../hosts/facts-network.ts';
import { vxlanPort } from '../../kubernetes/peer-ports.ts';
import { inSeconds } from '../../lib/size.ts';
import { cidrContains, parseCidr, parseIp, type IpAddress } from '../../spec/cidr.ts';
import { notChecked, type Found, type HostCheck } from '../check.ts';

/** Source: Kubernetes' documentation, "Ports and protocols". */
const nodePorts = [10248, 10249, 10250, 10256];
const controlPlanePorts = [2379, 2380, 6443, 10257, 10259];

/** Names as the kernel has them: fifteen characters at most. */
const kubernetesProcesses = new Set([
  'kubelet',
  'kube-proxy',
  'kube-apiserver',
  'kube-scheduler',
  'kube-controller',
  'etcd',
]);

/** `PORT/PROTOCOL` of what will listen on the host. */
function wantedPorts(member: Member, { config }: Cluster): ReadonlySet<string> {
  const tcp = isControlPlane(member) ? [...nodePorts, ...controlPlanePorts] : nodePorts;
  return new Set([
    ...tcp.map((port) => `${port}/tcp`),
    ...(config.spec.network.plugin === 'flannel' ? [`${vxlanPort}/udp`] : []),
  ]);
}

/** `10250`, `8472/udp`. */
function portOf({ protocol, port }: Listener): string {
  return protocol === 'udp' ? `${port}/udp` : String(port);
}

export const portsFree: HostCheck = {
  id: 'ports-free',
  scope: 'host',
  title: 'A port of Kubernetes is taken',
  severity: 'error',
  expected: 'no other process listens there',
  remedy: 'stop the process, or move it to another port',
  source: 'Kubernetes, "Ports and protocols"; kubeadm preflight: Port',
  reads: ['listeners'],
  run(member, cluster) {
    if (member.facts.listeners === undefined)
      return [{ actual: 'the listening ports could not be read', severity: 'warning' }];
    const wanted = wantedPorts(member, cluster);
    const taken = member.facts.listeners.filter(({ protocol, port }) => wanted.has(`${port}/${protocol}`));
    // A tunnel of the kernel has a port and no process.
    const isOurs = ({ process, protocol }: Listener): boolean =>
      belongsToCluster(member, cluster) &&
      (protocol === 'udp' ? process === undefined : kubernetesProcesses.has(process ?? ''));
    if (!member.facts.isRoot && taken.length > 0) {
      const ports = [...new Set(taken.map(portOf))].join(', ');
      return [{ ...notChecked, actual: `not checked: only root sees by whom ports ${ports} are taken` }];
    }
    const strangers = new Map(taken.filter((listener) => !isOurs(listener)).map((row) => [portOf(row), row]));
    return [...strangers].map(([name, { protocol, port, process }]) => ({
      actual: `port ${name} is held by ${process ?? (protocol === 'udp' ? 'the kernel, for a tunnel' : 'an unknown process')}`,
      about: (line: string) => line.startsWith(protocol) && line.includes(`:${port} `),
    }));
  },
};

export const addressValid: HostCheck = {
  id: 'address-valid',
  scope: 'host',
  title: 'The node address is not on the host',
  severity: 'error',
  expected:
    'internalAddress (or address, where none is given) is an address of one of the interfaces; with subnets of two IP families, the host has an address of each',
  remedy: 'set internalAddress in the cluster file to an address of the host',
  source: 'kubelet: --node-ip must be an address of the host; Kubernetes, "IPv4/IPv6 dual-stack": prerequisites',
  reads: ['addresses'],
  run(member, cluster) {
    const { facts, nodeAddress } = member;
    const found = facts.addresses.find(({ address }) => address === nodeAddress);
    const addresses = facts.addresses.map(({ address, interface: name }) => `${address} (${name})`).join(', ');
    const own: Found[] =
      found === undefined
        ? [{ actual: `${nodeAddress} is not among ${addresses}` }]
        : found.interface === 'lo'
          ? [{ actual: `${nodeAddress} is a loopback address`, about: (line) => line.includes(` ${nodeAddress}/`) }]
          : [];
    return [...own, ...familiesWithout(member, cluster)];
  },
};

/** Of the families of the pod subnets, those that the host has no address of which others could reach it by. */
function familiesWithout({ facts, nodeAddress }: Member, { config }: Cluster): Found[] {
  // The family of the node address is judged by the address itself.
  const own = parseIp(nodeAddress)?.family;
  const wanted = config.spec.network.podSubnets.flatMap((text) => parseCidr(text)?.family ?? []);
  return [...new Set(wanted)].flatMap((family): Found[] => {
    const isThere = facts.addresses.some(({ address, interface: name }) => {
      const ip = parseIp(address);
      return name !== 'lo' && ip?.family === family && !isLinkLocal(ip);
    });
    if (family === own || isThere) return [];
    return [
      {
        title: 'An IP family is missing on the host',
        actual: `no address of IPv${family} beside loopback and link-local ones`,
        remedy: `give the host an address of IPv${family}, or take the subnets of that family out of spec.network`,
      },
    ];
  });
}

const linkLocal = ['169.254.0.0/16', 'fe80::/10'].flatMap((text) => parseCidr(text) ?? []);

function isLinkLocal(ip: IpAddress): boolean {
  return linkLocal.some((cidr) => cidrContains(cidr, ip));
}

/** kubelet and containerd ask the resolver for every sandbox; one that never answers costs each pod about ten seconds. */
export const resolverAnswers: HostCheck = {
  id: 'resolver-answers',
  scope: 'host',
  title: 'The resolver does not answer at once',
  severity: 'error',
  expected: ({ resolverMs }) => `an answer, also "no such name", within ${inSeconds(resolverMs)}`,
  remedy: 'correct /etc/resolv.conf; on a site without DNS, name an address there that refuses at once',
  source: 'kubelet and containerd ask the resolver for every sandbox',
  reads: ['resolver', 'resolvConf'],
  run({ facts }, cluster) {
    const { resolverMs } = cluster.config.spec.checks.thresholds;
    if (facts.resolverMs === undefined)
      return [{ actual: `no answer within 6 s from ${facts.nameservers.join(', ') || 'no nameserver'}` }];
    return facts.resolverMs > resolverMs
      ? [
          {
            actual: `${(facts.resolverMs / 1000).toFixed(1)} s from ${facts.nameservers.join(', ')}`,
            severity: facts.resolverMs > 4000 ? 'error' : 'warning',
            seen: `${facts.resolverMs} ms`,
          },
        ]
      : [];
  },
};
