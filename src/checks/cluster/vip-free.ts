import { belongsToCluster, isControlPlane, type Cluster } from '../../kubernetes/cluster.ts';
import type { ClusterCheck } from '../check.ts';
import { namesOf } from './blame.ts';

type Found = ReturnType<ClusterCheck['run']>[number];

/** Every host on the segment asked by ARP; that the control plane of this very cluster answers is no finding. */
export const vipFree: ClusterCheck = {
  id: 'vip-free',
  scope: 'cluster',
  title: 'The virtual address is in use',
  severity: 'error',
  expected: 'nobody holds the virtual address, but the control plane of this cluster',
  remedy: 'choose another spec.kubernetes.virtualAddress.address, or take it off the machine that has it',
  source: 'host requirements: VIP unused (ARP); RFC 5227, "IPv4 Address Conflict Detection"',
  reads: ['neighbourProbe'],
  run(cluster) {
    const virtual = cluster.config.spec.kubernetes.virtualAddress?.address;
    if (virtual === undefined) return [];
    return [...holders(cluster, virtual), ...strangers(cluster, virtual), ...notAsked(cluster)];
  },
};

/** Hosts of the file that have it and should not. */
function holders(cluster: Cluster, virtual: string): Found[] {
  return cluster.members.flatMap((member): Found[] => {
    const entry = member.facts.addresses.find(({ address }) => address === virtual);
    if (entry === undefined || (isControlPlane(member) && belongsToCluster(member, cluster))) return [];
    const about = (line: string): boolean => line.includes(` ${virtual}/`);
    const actual = `${virtual} is on ${entry.interface} of this host`;
    return [{ host: member.config.name, actual, reads: ['addresses'], about }];
  });
}

/** Machines beside those of the file; told at the control plane, which is to have the address. */
function strangers(cluster: Cluster, virtual: string): Found[] {
  const known = new Set(cluster.members.flatMap(({ facts }) => [...facts.macAddresses.values()]));
  const answers = cluster.members.flatMap(({ config: { name } }) => {
    const neighbour = cluster.probed.get(name)?.neighbour;
    const mac = neighbour?.mac;
    return mac === undefined || known.has(mac) ? [] : [{ name, mac, isSure: neighbour?.isSure === true }];
  });
  const host = cluster.members.find(isControlPlane)?.config.name;
  return [...Map.groupBy(answers, ({ mac }) => mac)].map(([mac, rows]): Found => {
    const from = namesOf(rows.map(({ name }) => name));
    const isSure = rows.some((row) => row.isSure);
    return {
      ...(host === undefined ? {} : { host }),
      actual: `${mac} ${isSure ? 'answers' : 'answered lately'} for ${virtual}, asked from ${from}`,
      severity: isSure ? 'error' : 'warning',
      seen: `${virtual} lladdr ${mac}, seen from ${from}`,
    };
  });
}

/** An address that is routed is told by vip-in-subnet. */
function notAsked(cluster: Cluster): Found[] {
  return cluster.members.flatMap(({ config: { name } }): Found[] => {
    if (cluster.probed.get(name)?.neighbour?.line !== 'unasked') return [];
    const why = 'the host has neither bash nor ping to send a packet by';
    return [
      {
        host: name,
        title: 'Not checked',
        severity: 'info',
        isUnchecked: true,
        actual: `not checked: ${why}`,
        seen: why,
        remedy: 'install one of them',
      },
    ];
  });
}
