import { type Undo } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import type { Lab } from '../lab/lab.ts';
import { broken, changed } from './precheck-faults.ts';
import { answering, program } from './precheck-machines.ts';

/**
 * Name, what is laid over the spec of the cluster file, what is wrong with node2 besides, exit code of a precheck, and a part of each
 * of its findings.
 */
export type VariantFault = [
  string,
  () => Record<string, object>,
  (host: LabHost) => Promise<Undo>,
  number,
  () => string[],
];

async function undoAll(undos: readonly Undo[]): Promise<void> {
  for (const undo of undos) await undo();
}

/** Hosts that do not fit what the cluster file says; `lab` is asked when a test runs. */
export function variantFaults(lab: () => Lab): VariantFault[] {
  /** Rules that a service loads at boot, without any that filters. */
  const rulesByHand = broken(
    'printf "[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n" >/run/systemd/system/nftables.service && systemctl daemon-reload && systemctl start nftables',
    'systemctl stop nftables; rm /run/systemd/system/nftables.service; systemctl daemon-reload',
  );
  const noFault = (): Promise<Undo> => Promise.resolve(() => Promise.resolve());
  /** An address in the network of the lab(). */
  const inLab = (last: number): string => lab().address.replace(/\d+$/, String(last));
  const dockerHost = ({ name, address }: LabHost, index: number): object => ({
    name,
    address,
    internalAddress: `172.20.0.${index + 1}`,
    roles: [index === 0 ? 'control-plane' : 'worker'],
  });
  const virtual = (address: string, name?: string): Record<string, object> => ({
    kubernetes: { virtualAddress: { address, ...(name === undefined ? {} : { interface: name }) } },
  });

  return [
    ['a virtual address that is free', () => virtual(inLab(50)), noFault, 0, () => []],
    [
      'one that another host of the file has',
      () => virtual(inLab(50)),
      (host) => broken(`ip address add ${inLab(50)}/32 dev host0`, `ip address del ${inLab(50)}/32 dev host0`)(host),
      3,
      () => [`node2 vip-free error: ${inLab(50)} is on host0 of this host`],
    ],
    [
      'one that a machine beside them has',
      () => virtual(lab().address),
      noFault,
      3,
      () => [` answers for ${lab().address}, asked from node1, node2, node3`],
    ],
    [
      'one of another subnet',
      () => virtual('10.77.0.50'),
      noFault,
      3,
      () => [`node1 vip-in-subnet error: 10.77.0.50 is not in ${inLab(0)}/24 of host0`],
    ],
    [
      'an interface that is not there',
      () => virtual(inLab(50), 'eth9'),
      noFault,
      3,
      () => ['node1 interface-exists error: no eth9 among lo, host0'],
    ],
    [
      'a load balancer that has nobody behind it yet',
      () => ({ kubernetes: { controlPlaneEndpoint: `${lab().address}:7443` } }),
      noFault,
      0,
      () => [],
    ],
    [
      'a load balancer that one host does not reach',
      () => ({ kubernetes: { controlPlaneEndpoint: `${lab().address}:7443` } }),
      broken(
        `nft 'add table inet fault; add chain inet fault out { type filter hook output priority 0; }; add rule inet fault out tcp dport 7443 drop'`,
        'nft delete table inet fault',
      ),
      3,
      () => [`node2 endpoint-reachable error: ${lab().address}:7443: timed out`],
    ],
    [
      'the name of a load balancer that one host does not know',
      () => ({ kubernetes: { controlPlaneEndpoint: 'api.example.com:7443' } }),
      async () => {
        const add = changed('/etc/hosts', `echo ${lab().address} api.example.com >>/etc/hosts`);
        const undo = [await add(lab().host('node1')), await add(lab().host('node3'))];
        return () => undoAll(undo);
      },
      3,
      () => ['node2 endpoint-reachable error: no address is known for api.example.com'],
    ],
    [
      'rules by hand where ports are to be opened',
      () => ({ hostSettings: { firewall: 'open' } }),
      rulesByHand,
      3,
      () => ['node2 firewall-openable error: nftables.service loads rules of your own'],
    ],
    [
      'names of hosts that one of them does not know',
      () => ({ hostSettings: { hostsFile: 'leave' } }),
      async (host) => changed('/etc/nsswitch.conf', "sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf")(host),
      0,
      () => ['node2 hosts-file warning: no address is known for node1, node3'],
    ],
    ['names of hosts that DNS knows', () => ({ hostSettings: { hostsFile: 'leave' } }), noFault, 0, () => []],
    [
      'hosts without IPv6 in a cluster of both families',
      () => ({
        network: {
          podSubnets: ['10.244.0.0/16', 'fd00:10:244::/56'],
          serviceSubnets: ['10.96.0.0/12', 'fd00:10:96::/112'],
        },
      }),
      (host) =>
        broken(
          'ip address add fd00:88::2/64 dev host0 nodad && ip -6 route add default via fd00:88::fe',
          'ip -6 route del default; ip address del fd00:88::2/64 dev host0',
        )(host),
      3,
      () =>
        ['node1', 'node3']
          .map((name) => `${name} address-valid error: no address of IPv6`)
          .concat(
            ['node1', 'node3'].map((name) => `${name} default-route error: none of IPv6 covers fd00:10:96::/112`),
          ),
    ],
    [
      'a kubelet of another version in this very cluster',
      () => ({}),
      (host) =>
        broken(
          `set -e; mkdir -p /var/lib/installer/artifacts/kubelet; echo '{"clusterId":"c1","clusterName":"pre"}' >/var/lib/installer/cluster.json; echo x v1.30.0 >/var/lib/installer/artifacts/kubelet/source; sysctl -qw net.ipv4.ip_forward=0`,
          'rm -r /var/lib/installer',
        )(host),
      3,
      () => [
        'node2 version-unchanged error: v1.30.0 is installed, the file says v1.36.',
        'node2 ip-forward warning: forwarding of IPv4 is off',
      ],
    ],
    [
      'cgroup version 1 where kubelet refuses it',
      () => ({ kubernetes: { kubelet: { failCgroupV1: true } } }),
      async (host) => {
        const undos: Undo[] = [];
        for (const each of lab().hosts) {
          const kind = each.name === host.name ? 'tmpfs' : 'cgroup2fs';
          undos.push(await answering('/usr/bin/stat', '"-f -c %T /sys/fs/cgroup"', `echo ${kind}`)(each));
        }
        return () => undoAll(undos);
      },
      3,
      () => ['node2 cgroup-version error: cgroup v1'],
    ],
    [
      'Docker where nodes have addresses of its bridges',
      () => ({ hosts: lab().hosts.map(dockerHost) }),
      async (host) => {
        const undos = [await program('/usr/bin/docker', 'exit 0')(host)];
        for (const [index, each] of lab().hosts.entries()) {
          const address = `172.20.0.${index + 1}/24`;
          undos.push(await broken(`ip address add ${address} dev host0`, `ip address del ${address} dev host0`)(each));
        }
        return () => undoAll(undos);
      },
      0,
      () => ['node2 docker-bridge-range warning: 172.20.0.2, and docker is installed'],
    ],
    [
      'no project quotas',
      () => ({ checks: { projectQuota: true } }),
      noFault,
      3,
      () => [
        'node1 disk-quota error: / is mounted without prjquota',
        'node2 disk-quota error: / is mounted without prjquota',
        'node3 disk-quota error: / is mounted without prjquota',
      ],
    ],
    [
      'a link that is narrow',
      () => ({ checks: { measure: ['bandwidth'], ignore: ['disk-speed'], thresholds: { bandwidthMbits: 200 } } }),
      broken('tc qdisc add dev host0 root tbf rate 50mbit burst 64kb latency 50ms', 'tc qdisc del dev host0 root'),
      0,
      () => ['node2 bandwidth warning: '],
    ],
  ];
}
