import { clockErrors } from '../kubernetes/clock.ts';
import { distroOf } from '../kubernetes/host-distro.ts';
import { packageSourceOf } from '../kubernetes/package-source.ts';
import { installActions } from '../steps/packages-step.ts';
import { timeServersStep, timeZoneStep } from '../steps/time-steps.ts';
import { putBack, settingsOf, type Tuning } from './tuning.ts';

export const timeServers: Tuning = {
  id: 'time-servers',
  title: 'Time servers',
  setting: 'ntp',
  byDefault: 'left alone',
  change:
    'gives chrony the servers, in a configuration of its own; without chrony, systemd-timesyncd by /etc/systemd/timesyncd.conf.d/90-installer.conf; without either, chrony is installed. Where the clock of the host is off, the run waits up to 30 s until a server has set it',
  why: 'certificates and leases of etcd need clocks that agree',
  source: 'host requirements of the guides, clock-in-sync',
  undo: `${putBack}, the service is as it was, and a chrony that the installer brought is removed`,
  steps(member, cluster) {
    const servers = settingsOf(cluster).ntp?.servers;
    if (servers === undefined) return [];
    const source = packageSourceOf(member, cluster);
    const chrony = distroOf(member)?.chrony ?? {
      package: 'chrony',
      unit: 'chronyd.service',
      config: '/etc/chrony.conf',
    };
    const install = source && (() => installActions(source, cluster.clusterId, [chrony.package]));
    const off = Math.abs(clockErrors(cluster).get(member.config.name) ?? 0);
    const isClockOff = off > cluster.config.spec.checks.thresholds.clockSkewMs;
    return [timeServersStep({ id: 'time-servers', servers, chrony, install, isClockOff })];
  },
  becomes({ facts }, cluster) {
    const servers = settingsOf(cluster).ntp?.servers;
    // A clock that is off although it has these servers already is nothing that they mend.
    if (servers === undefined || servers.join() === facts.ownTimeServers.join()) return [];
    const { askedAtMs, roundTripMs = 0 } = facts;
    return askedAtMs === undefined ? [] : [{ setting: 'ntp', facts: { clockMs: askedAtMs + roundTripMs / 2 } }];
  },
};

export const timeZone: Tuning = {
  id: 'time-zone',
  title: 'Time zone',
  setting: 'timeZone',
  byDefault: 'left alone',
  change: 'links /etc/localtime to the zone, and names it in /etc/timezone where that is there',
  why: 'times in logs of different hosts can be compared',
  source: 'host requirements of the guides, timezone-consistent',
  undo: 'the link leads where it led before, and the file is put back',
  steps(_, cluster) {
    const zone = settingsOf(cluster).timeZone;
    return zone === undefined ? [] : [timeZoneStep('time-zone', zone)];
  },
  becomes({ facts }, cluster) {
    const name = settingsOf(cluster).timeZone;
    return name === undefined
      ? []
      : [{ setting: 'timeZone', facts: { timeZone: { name, offset: facts.timeZone?.offset ?? '' } } }];
  },
};
