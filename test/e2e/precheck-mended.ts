import { simulateClockSkew, type Undo } from '../lab/faults/index.ts';
import type { LabHost } from '../lab/host.ts';
import { broken, changed } from './precheck-faults.ts';

/** Name, sections of the cluster file's spec, cause, exit code of a precheck, and how all of its findings begin. */
export type SpecFault = [
  string,
  () => Record<string, object>,
  (host: LabHost) => Promise<Undo>,
  number,
  () => string[],
];

const settings = (hostSettings: object) => (): Record<string, object> => ({ hostSettings });

/** Faults that prepare-hosts mends where the file asks for it: information then, and nothing that stops a run. */
export function mendedFaults(): readonly SpecFault[] {
  return [
    [
      'a time zone that will be set',
      settings({ timeZone: 'Etc/UTC' }),
      broken(
        'ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime',
        'ln -sf /usr/share/zoneinfo/Etc/UTC /etc/localtime',
      ),
      0,
      () => ['node2 timezone-consistent info: Asia/Tokyo'],
    ],
    [
      'a hostname that will be set',
      settings({ manageHostname: true }),
      broken('echo node1 >/proc/sys/kernel/hostname', 'echo node2 >/proc/sys/kernel/hostname'),
      0,
      () => ['node2 hostname-unique info: hostname node1 is that of node1 too'],
    ],
    [
      'a clock that will be set',
      settings({ ntp: { servers: ['10.0.0.1'] } }),
      (host) => simulateClockSkew(host, { seconds: 60 }),
      0,
      () => ['node2 clock-in-sync info: '],
    ],
    [
      'swap that the file leaves on',
      () => ({ hostSettings: { swap: 'leave' }, kubernetes: { kubelet: { failSwapOn: false, failCgroupV1: false } } }),
      changed('/etc/fstab', 'echo /old.img none swap sw 0 0 >>/etc/fstab'),
      0,
      () => ['node2 swap-disabled info: /old.img in /etc/fstab'],
    ],
    [
      'swap that the file weighs as an error',
      () => ({ checks: { severities: { 'swap-disabled': 'error' }, ignore: ['disk-speed'] } }),
      changed('/etc/fstab', 'echo /old.img none swap sw 0 0 >>/etc/fstab'),
      3,
      () => ['node2 swap-disabled error: /old.img in /etc/fstab'],
    ],
    [
      'a measurement of bandwidth that a host cannot take part in',
      () => ({ checks: { measure: ['bandwidth'], ignore: ['disk-speed'], thresholds: { bandwidthMbits: 1 } } }),
      broken(
        'mv /usr/bin/systemd-socket-activate /usr/bin/socat /root/',
        'mv /root/systemd-socket-activate /root/socat /usr/bin/',
      ),
      0,
      () => [
        'node2 tools-present ',
        'node2 ports-open info: not checked: ',
        'node2 bandwidth info: not measured: it has neither',
      ],
    ],
  ];
}
