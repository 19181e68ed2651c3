import { expect, it } from 'vitest';
import { checks } from './index.ts';
import { notMade } from './not-made.ts';

/** The ids of the host requirements: each is a check, or it stands among those that are not made. */
const required = [
  ...['ssh-reachable', 'ssh-auth', 'privilege-escalation', 'sshd-usedns', 'os-supported', 'kernel-supported'],
  ...['arch-consistent', 'os-consistent', 'hostname-valid', 'hostname-unique', 'machine-id-unique'],
  ...['product-uuid-unique', 'mac-unique', 'address-unique', 'hosts-file', 'cpu', 'memory', 'disk-free'],
  ...['disk-filesystem', 'disk-speed', 'swap-disabled', 'selinux', 'firewall', 'apparmor-uos', 'clock-in-sync'],
  ...['timezone-consistent', 'ip-forward', 'kernel-modules', 'kernel-not-upgraded', 'cgroup-kmem'],
  ...['transparent-hugepage', 'core-dumps', 'default-tasks-max', 'resolv-conf', 'tools-present'],
  ...['conflicting-packages', 'tmp-usable', 'unattended-upgrades', 'default-route', 'interface-exists'],
  ...['address-valid', 'ports-free', 'ports-open', 'subnets-disjoint', 'docker-bridge-range', 'leftovers'],
  ...['registry-reachable', 'endpoint-reachable', 'vip-free', 'vip-in-subnet', 'latency', 'bandwidth'],
  ...['gpu-present', 'check-timeout'],
];

it('are those of the host requirements', () => {
  const known = [...checks.map(({ id }) => id), ...notMade.flatMap(({ ids }) => ids)];

  expect(required.filter((id) => !known.includes(id))).toEqual([]);
});
