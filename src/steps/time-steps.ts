import { blocked, changes, noChanges, type Change, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { commandQuery, fileQuery, serviceQuery, type FileSeen, type Seen, type ServiceSeen } from '../ops/query.ts';
import { timeServersFiles, timeServersHead } from '../ops/time-query.ts';
import { toolsQuery } from '../ops/tools-query.ts';
import { customStep } from './edit-step.ts';

const localTime = '/etc/localtime';

/** The time zone: the link /etc/localtime, and /etc/timezone where Debian has it. */
export function timeZoneStep(id: string, zone: string): Step {
  const file = `/usr/share/zoneinfo/${zone}`;
  const paths = commandQuery(['readlink', '-f', localTime, file]);
  const known = fileQuery(file, { content: false });
  const name = fileQuery('/etc/timezone');
  return customStep(id, [paths, known, name], (seen) => {
    const answer = seen(paths);
    if (seen(known).state !== 'present' || answer.state !== 'present')
      return blocked(
        'TIME_ZONE_UNKNOWN',
        `the host knows no time zone ${zone}`,
        `see whether ${file} is there; the package tzdata brings it`,
      );
    const [now, wanted] = answer.value.stdout.trim().split('\n');
    const nameSeen = seen(name);
    const list: Change[] = [];
    if (now !== wanted)
      list.push({
        summary: `set the time zone ${zone}`,
        actions: [{ kind: 'link', path: localTime, target: `..${file}`, record: {} }],
      });
    if (nameSeen.state === 'present' && nameSeen.value.content?.trim() !== zone)
      list.push({
        summary: `write ${zone} to /etc/timezone`,
        before: nameSeen.value.content,
        after: `${zone}\n`,
        actions: [{ kind: 'write-file', path: '/etc/timezone', content: `${zone}\n`, mode: '644', record: {} }],
      });
    return list.length === 0 ? noChanges : changes(...list);
  });
}

export interface TimeServersInput {
  readonly id: string;
  readonly servers: readonly string[];
  readonly chrony: { readonly unit: string; readonly config: string };
  /** Installs chrony; absent where nobody knows how. */
  readonly install: (() => readonly Action[]) | undefined;
  /** The clock is off: the step ends when a server has set it, or as an error. */
  readonly isClockOff: boolean;
}

const timesyncd = 'systemd-timesyncd.service';
const timesyncdDropIn = timeServersFiles.timesyncd;

/** Where the time comes from: chrony where it is there, else systemd-timesyncd, else a chrony that is installed. */
export function timeServersStep(input: TimeServersInput): Step {
  const tool = toolsQuery(['chronyd']);
  const chrony = serviceQuery(input.chrony.unit);
  const config = fileQuery(input.chrony.config);
  const simple = serviceQuery(timesyncd);
  const dropIn = fileQuery(timesyncdDropIn);
  return customStep(input.id, [tool, chrony, config, simple, dropIn], (seen) => {
    const answer = seen(tool);
    const simpleSeen = seen(simple);
    const hasChrony = answer.state === 'present' && answer.value.stdout.trim() !== '';
    if (!hasChrony && simpleSeen.state === 'present')
      return plan({
        unit: timesyncd,
        service: simpleSeen.value,
        path: timesyncdDropIn,
        content: `${head}[Time]\nNTP=${input.servers.join(' ')}\n`,
        before: textOf(seen(dropIn)),
        first: [],
        last: input.isClockOff ? [untilSet(setByTimesyncd, input.servers)] : [],
      });
    if (!hasChrony && input.install === undefined)
      return blocked(
        'NO_TIME_SERVICE',
        'the host has neither chrony nor systemd-timesyncd',
        'install chrony on the host, or take ntp out of the cluster file',
      );
    const service = seen(chrony);
    return plan({
      unit: input.chrony.unit,
      service: service.state === 'present' ? service.value : undefined,
      path: input.chrony.config,
      content: renderChrony(input.servers),
      before: textOf(seen(config)),
      first: hasChrony || input.install === undefined ? [] : input.install(),
      last: input.isClockOff ? [untilSet(setByChrony, input.servers)] : [],
    });
  });
}

const head = timeServersHead;

/** Less than a second is left to correct; both services step the clock once they have heard a server. */
const setByChrony = 'chronyc waitsync 1 1 >/dev/null';
const setByTimesyncd = 'timedatectl show-timesync -p NTPMessage | grep -q =';

/** A cluster that is made while a clock is off fails by certificates that are not valid yet. */
function untilSet(isSet: string, servers: readonly string[]): Action {
  const script = `i=0; while [ $i -lt 30 ]; do ! ${isSet} || exit 0; i=$((i + 1)); sleep 1; done
echo "the clock is off, and none of $* has set it within 30 s: see whether they answer (UDP 123)" >&2; exit 1`;
  return { kind: 'run', argv: ['/bin/sh', '-c', script, 'sh', ...servers], timeoutSeconds: 60 };
}

/** chrony.conf(5): steps the clock in the first three updates only, as the files of the distributions do. */
function renderChrony(servers: readonly string[]): string {
  const lines = [
    ...servers.map((server) => `server ${server} iburst`),
    'driftfile /var/lib/chrony/drift',
    'makestep 1.0 3',
    'rtcsync',
  ];
  return `${head}${lines.join('\n')}\n`;
}

interface TimePlan {
  readonly unit: string;
  readonly service: ServiceSeen | undefined;
  readonly path: string;
  readonly content: string;
  readonly before: string | undefined;
  readonly first: readonly Action[];
  readonly last: readonly Action[];
}

function plan({ unit, service, path, content, before, first, last }: TimePlan): ReturnType<Step['plan']> {
  const list: Change[] = [];
  if (first.length > 0 || before !== content)
    list.push({
      summary: `${first.length === 0 ? '' : 'install chrony and '}take the time from the servers of the cluster file (${path})`,
      before,
      after: content,
      actions: [
        ...first,
        { kind: 'write-file', path, content, mode: '644', record: { after: [['systemctl', 'try-restart', unit]] } },
        { kind: 'service', unit, do: 'restart' },
        ...last,
      ],
    });
  // A clock that nobody may set (a container) leaves the service inactive; that it starts at boot is what counts then. Not every
  // package enables its service.
  if (service?.unitFileState !== 'enabled')
    list.push({
      summary: `enable ${unit}`,
      actions: [
        { kind: 'record', thing: { kind: 'unit', unit, becomes: { enablement: 'enabled', activity: 'active' } } },
        { kind: 'service', unit, do: 'enable' },
      ],
    });
  return list.length === 0 ? noChanges : changes(...list);
}

function textOf(seen: Seen<FileSeen>): string | undefined {
  return seen.state === 'present' ? (seen.value.content ?? '') : undefined;
}
