import { isIP } from 'node:net';
import { isTaken } from '../hosts/facts-network.ts';
import { listenTools, type ListenTool } from '../ops/listen.ts';
import type { PeerProbe, ProbeListener, ProbeTarget } from '../ops/peer-probe.ts';
import { belongsToCluster, interfaceOf, isControlPlane, type Cluster, type Member } from './cluster.ts';
import { endpointToTry } from './endpoint.ts';
import { isSentLarge, neededPorts, rendezvousPort, vxlanPort } from './peer-ports.ts';

export function listenToolOf({ facts }: Member): ListenTool | undefined {
  return listenTools.find((tool) => facts.tools.has(tool));
}

/**
 * Returns what tells the host of a place in the file what it does. Ports that something listens on already are probed, and not
 * listened on. What is the same for many hosts is found out once: every host names every other one.
 */
export function planProbes(cluster: Cluster, token: string): (index: number) => PeerProbe {
  const { members } = cluster;
  const endpoint = endpointToTry(cluster.config);
  const largeBytes = members.map(largeBytesOf);
  const families = members.map(({ nodeAddress }) => isIP(nodeAddress));
  const targetsOf = byRole((self) => members.map((member, peer) => targetOf(cluster, self, member, peer)));
  const portsOf = byRole((self) => listenedPorts(cluster, self));
  const sendsLarge = (from: number, to: number): boolean =>
    isSentLarge(from, to, members.length) && (largeBytes[from] ?? 0) > 0 && families[from] === families[to];
  return (index) => {
    const self = members[index];
    if (self === undefined) throw new RangeError(`there is no member ${index}`);
    const isOther = (peer: number): boolean => peer !== index;
    const peers = [...members.keys()].filter(isOther);
    const listenWith = listenToolOf(self);
    const wanted: ProbeListener[] = [
      ...[...portsOf(self)].map(
        ([port, callers]) => ({ protocol: 'tcp', port, peers: callers.filter(isOther) }) as const,
      ),
      { protocol: 'udp', port: vxlanPort, peers },
    ];
    const isHeard = ({ protocol, port, peers: callers }: ProbeListener): boolean =>
      listenWith !== undefined &&
      (protocol === 'udp' || callers.length > 0) &&
      !isTaken(self.facts.listeners, protocol, port);
    const listeners = wanted.filter(isHeard);
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
      largeBytes: largeBytes[index] ?? 0,
      largeFrom: hearsUdp ? peers.filter((peer) => sendsLarge(peer, index)) : [],
      largeTo: peers.filter((peer) => sendsLarge(index, peer)),
      listeners,
      targets: targetsOf(self).filter(({ peer }) => isOther(peer)),
    };
  };
}

/** What `self`, or another host of the same role, tries of a member. */
function targetOf(cluster: Cluster, self: Member, member: Member, peer: number): ProbeTarget {
  const ports = tcpPorts(self, member, cluster);
  // A port that a stranger holds is told by ports-free; to knock there would only keep it from being free again soon.
  const isOfStranger = (port: number): boolean =>
    isTaken(member.facts.listeners, 'tcp', port) && !belongsToCluster(member, cluster);
  return {
    peer,
    address: member.nodeAddress,
    tcpPorts: [rendezvousPort, ...ports.filter((port) => port !== rendezvousPort)].filter(
      (port) => !isOfStranger(port),
    ),
  };
}

/** Who calls on which TCP port of `self`, or of another host of the same role; itself included. */
function listenedPorts(cluster: Cluster, self: Member): ReadonlyMap<number, readonly number[]> {
  const rows = cluster.members.flatMap((member, peer) =>
    tcpPorts(member, self, cluster).map((port) => ({ port, peer })),
  );
  return new Map(
    [...Map.groupBy(rows, ({ port }) => port)].map(([port, group]) => [port, group.map(({ peer }) => peer)]),
  );
}

function tcpPorts(from: Member, to: Member, cluster: Cluster): number[] {
  return neededPorts(from, to, cluster).flatMap(({ protocol, port }) => (protocol === 'tcp' ? [port] : []));
}

/** What fits into one packet: the MTU without an IP header and one of UDP; 0 where the MTU is not known. */
function largeBytesOf(member: Member): number {
  const mtu = member.facts.mtus.get(interfaceOf(member) ?? '');
  return mtu === undefined ? 0 : mtu - (isIP(member.nodeAddress) === 6 ? 40 : 20) - 8;
}

/** Calls `make` once for control planes and once for workers; what it makes is right for all of the role. */
function byRole<Value>(make: (member: Member) => Value): (member: Member) => Value {
  const known = new Map<boolean, Value>();
  return (member) => {
    const value = known.get(isControlPlane(member)) ?? make(member);
    known.set(isControlPlane(member), value);
    return value;
  };
}
