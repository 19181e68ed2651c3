import { isIP } from 'node:net';
import { isTaken } from '../hosts/facts-network.ts';
import { listenTools, type ListenTool } from '../ops/listen.ts';
import type { PeerProbe, ProbeListener, ProbeTarget } from '../ops/peer-probe.ts';
import { belongsToCluster, interfaceOf, type Cluster, type Member } from './cluster.ts';
import { endpointToTry } from './endpoint.ts';
import { isSentLarge, neededPorts, rendezvousPort, vxlanPort } from './peer-ports.ts';

export function listenToolOf({ facts }: Member): ListenTool | undefined {
  return listenTools.find((tool) => facts.tools.has(tool));
}

/** What the host of that place in the file does. Ports that something listens on already are probed, and not listened on. */
export function planProbe(cluster: Cluster, index: number, token: string): PeerProbe {
  const { members } = cluster;
  const self = members[index];
  if (self === undefined) throw new RangeError(`there is no member ${index}`);
  const others = members.flatMap((member, peer) => (peer === index ? [] : [{ member, peer }]));
  const listenWith = listenToolOf(self);
  const endpoint = endpointToTry(cluster.config);
  const listeners = listenWith === undefined ? [] : listenersOf(cluster, self, others);
  const hearsUdp = listeners.some(({ protocol }) => protocol === 'udp');
  return {
    self: index,
    address: self.nodeAddress,
    token,
    listenWith,
    ...(endpoint === undefined ? {} : { endpoint }),
    // Others begin a little sooner or later: the more hosts, the longer.
    windowMs: 3000 + members.length * 10,
    udpPort: vxlanPort,
    largeBytes: largeBytesOf(self),
    largeFrom: others.flatMap(({ peer }) => (hearsUdp && sendsLarge(cluster, peer, index) ? [peer] : [])),
    listeners,
    targets: others.map(({ member, peer }): ProbeTarget => {
      // A port that a stranger holds is told by ports-free; to knock there would only keep it from being free again soon.
      const isOfStranger = (port: number): boolean =>
        isTaken(member.facts.listeners, 'tcp', port) && !belongsToCluster(member, cluster);
      const ports = neededPorts(self, member, cluster).flatMap(({ protocol, port }) =>
        protocol === 'tcp' ? [port] : [],
      );
      return {
        peer,
        address: member.nodeAddress,
        tcpPorts: [rendezvousPort, ...ports.filter((port) => port !== rendezvousPort)].filter(
          (port) => !isOfStranger(port),
        ),
        isSentLarge: sendsLarge(cluster, index, peer),
      };
    }),
  };
}

function sendsLarge({ members }: Cluster, from: number, to: number): boolean {
  const [source, target] = [members[from], members[to]];
  if (source === undefined || target === undefined || !isSentLarge(from, to, members.length)) return false;
  return largeBytesOf(source) > 0 && isIP(source.nodeAddress) === isIP(target.nodeAddress);
}

/** What fits into one packet: the MTU without an IP header and one of UDP; 0 where the MTU is not known. */
function largeBytesOf(member: Member): number {
  const mtu = member.facts.mtus.get(interfaceOf(member) ?? '');
  return mtu === undefined ? 0 : mtu - (isIP(member.nodeAddress) === 6 ? 40 : 20) - 8;
}

type Peer = { readonly member: Member; readonly peer: number };

function listenersOf(cluster: Cluster, self: Member, others: readonly Peer[]): ProbeListener[] {
  const all = others.map(({ peer }) => peer);
  const byPort = Map.groupBy(
    others.flatMap(({ member, peer }) =>
      neededPorts(member, self, cluster).flatMap(({ protocol, port }) => (protocol === 'tcp' ? [{ port, peer }] : [])),
    ),
    ({ port }) => port,
  );
  const wanted: ProbeListener[] = [
    ...[...byPort].map(([port, rows]) => ({ protocol: 'tcp', port, peers: rows.map(({ peer }) => peer) }) as const),
    { protocol: 'udp', port: vxlanPort, peers: all },
  ];
  return wanted.filter(({ protocol, port }) => !isTaken(self.facts.listeners, protocol, port));
}
