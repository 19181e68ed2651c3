import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import type { Action } from '../ops/action.ts';
import { commandQuery, fileQuery, serviceQuery } from '../ops/query.ts';
import { isUfwEnabled } from '../hosts/facts-settings.ts';
import { toolsQuery } from '../ops/tools-query.ts';
import { customStep } from './edit-step.ts';
import { fileStep } from './file-step.ts';

export interface Port {
  /** `6443`, or a range `2379-2380`. */
  readonly port: string;
  readonly protocol: 'tcp' | 'udp';
  /** What listens there. */
  readonly purpose: string;
}

export interface OpenPortsInput {
  readonly id: string;
  readonly ports: readonly Port[];
  /** Networks of pods and services: whatever comes from them passes. */
  readonly networks: readonly string[];
  /** The interface that other hosts come in by: its zone of firewalld is opened. */
  readonly interface: string | undefined;
}

/** ufw is not among them: its rules stay when its unit, which `ufw enable` never starts, is stopped. */
export const firewallUnits = [
  ...['firewalld.service', 'nftables.service', 'iptables.service', 'ip6tables.service'],
] as const;

const ufwConfig = '/etc/ufw/ufw.conf';

/** Takes the rules of ufw out of the kernel, now and at each boot; they stay in its files. */
export function ufwOffStep(id: string): Step {
  const config = fileQuery(ufwConfig);
  const tool = toolsQuery(['ufw']);
  return customStep(id, [config, tool], (seen) => {
    const answer = seen(config);
    const toolSeen = seen(tool);
    // A package that was removed leaves its files of configuration.
    if (toolSeen.state === 'present' && toolSeen.value.stdout.trim() === '') return noChanges;
    if (answer.state === 'unknown')
      return blocked(
        'FIREWALL_UNKNOWN',
        `cannot read ${ufwConfig}: ${answer.reason}`,
        'see whether the file system is healthy, then run again',
      );
    if (answer.state === 'absent' || !isUfwEnabled(answer.value.content ?? '')) return noChanges;
    return changes({
      summary: 'turn ufw off',
      disruptive: true,
      actions: around([ufwConfig], [['ufw', 'reload']], [run(['ufw', 'disable'])]),
    });
  });
}

/** Opens exactly the ports that are needed, in the firewall that is on. What it was like is recorded. */
export function openPortsSteps(firewall: 'firewalld' | 'ufw' | undefined, input: OpenPortsInput): Step[] {
  if (firewall === 'firewalld') return firewalldSteps(input);
  return firewall === 'ufw' ? [ufwStep(input)] : [bareRulesStep(input)];
}

const service = 'installer-kubernetes';
/** Does nothing where it does not run. */
const reload = ['systemctl', 'try-reload-or-restart', 'firewalld.service'];

/** Prints the zone of an interface, which is the default one where nobody chose, its services and the sources that are trusted. */
const zoneQuery = `z=$(firewall-cmd --get-zone-of-interface="$1" 2>/dev/null) || z=$(firewall-cmd --get-default-zone) || exit 1
echo "$z"
firewall-cmd --permanent --zone="$z" --list-services && firewall-cmd --permanent --zone=trusted --list-sources`;

/** A service of firewalld of our own, let into the zone of the interface; pods and services are in the zone that trusts. */
function firewalldSteps(input: OpenPortsInput): Step[] {
  const query = commandQuery(['/bin/sh', '-c', zoneQuery, 'sh', input.interface ?? '']);
  const zones = customStep(`${input.id}-zones`, [query], (seen) => {
    const answer = seen(query);
    if (answer.state !== 'present' || answer.value.exitCode !== 0)
      return blocked(
        'FIREWALL_UNKNOWN',
        `firewalld does not answer: ${answer.state === 'present' ? answer.value.stderr.trim() : 'no firewall-cmd'}`,
        'see whether firewalld runs on the host, then run again',
      );
    const [zone = '', services = '', sources = ''] = answer.value.stdout.split('\n');
    const closed = !services.split(' ').includes(service);
    const untrusted = input.networks.filter((network) => !sources.split(' ').includes(network));
    if (!closed && untrusted.length === 0) return noChanges;
    const opening: Action[] = [
      ...(closed ? [run(['firewall-cmd', '--permanent', `--zone=${zone}`, `--add-service=${service}`])] : []),
      ...(untrusted.length === 0
        ? []
        : [run(['firewall-cmd', '--permanent', '--zone=trusted', ...untrusted.map((item) => `--add-source=${item}`)])]),
    ];
    const files = [...(closed ? [zone] : []), ...(untrusted.length > 0 ? ['trusted'] : [])].map(
      (name) => `/etc/firewalld/zones/${name}.xml`,
    );
    return changes({
      summary: `let Kubernetes through firewalld: zone ${zone}${untrusted.length > 0 ? `, and ${untrusted.join(', ')}` : ''}`,
      // It keeps the text of before its own last change beside each file.
      actions: [
        ...around(
          [...new Set(files)].flatMap((file) => [`${file}.old`, file]),
          [reload],
          opening,
        ),
        run(reload),
      ],
    });
  });
  return [
    fileStep({
      id: input.id,
      path: `/etc/firewalld/services/${service}.xml`,
      content: renderService(input.ports),
      mode: '644',
      record: { after: [reload] },
      then: [run(reload)],
    }),
    zones,
  ];
}

function renderService(ports: readonly Port[]): string {
  const lines = ports.map(({ port, protocol }) => `  <port protocol="${protocol}" port="${port}"/>\n`);
  return `<?xml version="1.0" encoding="utf-8"?>\n<!-- Written by the installer; installer reset and restore-host take it away. -->\n<service>\n  <short>Kubernetes</short>\n${lines.join('')}</service>\n`;
}

/** Rules of ufw, as its own commands write them. */
function ufwStep(input: OpenPortsInput): Step {
  const added = commandQuery(['ufw', 'show', 'added']);
  const rules = [
    ...input.ports.map(({ port, protocol }) => ['allow', `${port.replace('-', ':')}/${protocol}`]),
    ...input.networks.flatMap((network) => [
      ['allow', 'from', network],
      ['route', 'allow', 'from', network],
      ['route', 'allow', 'to', network],
    ]),
  ];
  return customStep(input.id, [added], (seen) => {
    const answer = seen(added);
    if (answer.state !== 'present' || answer.value.exitCode !== 0)
      return blocked('FIREWALL_UNKNOWN', 'ufw does not answer', 'see whether ufw works on the host, then run again');
    const lines = answer.value.stdout.split('\n').map((line) => line.trim());
    const isThere = (rule: readonly string[]): boolean => {
      const text = `ufw ${rule.join(' ')}`;
      return lines.some((line) => line === text || line.startsWith(`${text} comment `));
    };
    const missing = rules.filter((rule) => !isThere(rule));
    if (missing.length === 0) return noChanges;
    return changes({
      summary: `let Kubernetes through ufw: ${missing.map((rule) => rule.slice(1).join(' ')).join(', ')}`,
      actions: around(
        ['/etc/ufw/user.rules', '/etc/ufw/user6.rules'],
        [['ufw', 'reload']],
        missing.map((rule) => run(['ufw', ...rule])),
      ),
    });
  });
}

/** They load rules that somebody wrote into a file of their own. */
export const ruleServices = ['nftables.service', 'iptables.service'] as const;

/** Such rules are their author's: why they are not changed, and what to do. */
export function rulesByHand(unit: string, input: Omit<OpenPortsInput, 'id'>): { reason: string; remedy: string } {
  return {
    reason: `${unit} loads rules of your own, which the installer does not rewrite`,
    remedy: `let these pass in them and set firewall: leave, or set firewall: disable: ${input.ports.map(({ port, protocol }) => `${port}/${protocol}`).join(', ')}, and everything from ${input.networks.join(', ')}`,
  };
}

function bareRulesStep(input: OpenPortsInput): Step {
  const queries = ruleServices.map((unit) => serviceQuery(unit));
  return customStep(input.id, queries, (seen) => {
    const active = queries.find((query) => {
      const answer = seen(query);
      return answer.state === 'present' && answer.value.activeState === 'active';
    });
    if (active === undefined) return noChanges;
    const { reason, remedy } = rulesByHand(active.unit, input);
    return blocked('FIREWALL_BY_HAND', reason, remedy);
  });
}

/** Files that another program changes, recorded before and after. */
function around(paths: readonly string[], after: readonly (readonly string[])[], actions: readonly Action[]): Action[] {
  const record = (when: 'before' | 'after'): Action[] =>
    paths.map((path) => ({ kind: 'record', thing: { kind: 'file', path, when, record: { after } } }));
  return [...record('before'), ...actions, ...record('after')];
}

function run(argv: readonly string[]): Action {
  return { kind: 'run', argv, timeoutSeconds: 60 };
}
