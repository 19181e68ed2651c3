import { parseProfileCount } from '../ops/apparmor-query.ts';
import { swapEntriesOf } from '../ops/fstab.ts';
import type { Answers } from '../ops/query.ts';
import { parseSwapUnits, type SwapUnit } from '../ops/swap-query.ts';
import { factQueries as q, probedUnits } from './fact-queries.ts';
import { commandText, fileText } from './seen-text.ts';

export interface TimeZone {
  /** As in the zone database (`Europe/Berlin`); undefined where /etc/localtime is a copy and names none. */
  readonly name: string | undefined;
  /** At the moment of the look: `+0100`. */
  readonly offset: string;
}

export interface HostsFileEntry {
  readonly address: string;
  readonly names: readonly string[];
}

export interface Mount {
  readonly path: string;
  readonly options: readonly string[];
}

export interface Forwarding {
  readonly state: 'on' | 'off' | 'none';
  /** The account of this run may not change it: for root, /proc/sys is read-only. */
  readonly isFixed: boolean;
}

/** How a machine is set up: what its administrator may have changed. */
export interface SettingsFacts {
  /** False where the account of this run is not root and cannot become it: some facts are missing then. */
  readonly isRoot: boolean;
  /** By interface; those without one (loopback, tunnels) are left out. */
  readonly macAddresses: ReadonlyMap<string, string>;
  /** By interface, in bytes. */
  readonly mtus: ReadonlyMap<string, number>;
  readonly timeZone: TimeZone | undefined;
  /** Lines of /etc/fstab that turn swap on at boot, blanks single. */
  readonly swapEntries: readonly string[];
  /** Units that turn swap on at boot, but those of /etc/fstab. */
  readonly swapUnits: readonly SwapUnit[];
  /** Time servers that the installer gave the host; none where it did not. */
  readonly ownTimeServers: readonly string[];
  readonly hostsFile: readonly HostsFileEntry[];
  /** Nameservers that systemd-resolved asks itself; undefined where it does not run. */
  readonly upstreamNameservers: readonly string[] | undefined;
  readonly selinuxEnforcing: boolean;
  /** A policy of SELinux for containers is there (container-selinux). */
  readonly hasContainerPolicy: boolean;
  /** Whether packets are forwarded, by IP family; `none` where the kernel does not have the family, absent where nothing is known. */
  readonly forwarding: ReadonlyMap<4 | 6, Forwarding>;
  /** The packet filter that is on: firewalld or ufw. */
  readonly firewall: 'firewalld' | 'ufw' | undefined;
  /** The service that loads rules of a packet filter that somebody wrote by hand. */
  readonly ruleService: string | undefined;
  /** Lines `FILE:key = value` of the files with kernel parameters. */
  readonly sysctlFiles: string;
  /** What the package manager finds wrong with itself. */
  readonly packageTrouble: readonly string[];
  /** Of docker, containerd and runc, those that a package of the host brought, with its name. */
  readonly toolPackages: ReadonlyMap<string, string>;
  /** What installs upgrades by itself. */
  readonly automaticUpgrades: string | undefined;
  /** Kernel releases with a folder of modules. */
  readonly moduleTrees: readonly string[];
  /** True where the kernel has loaded modules, so it is not one with everything built in. */
  readonly hasLoadedModules: boolean;
  /** Those that hold /, /etc, /usr, /usr/local, /var, /var/lib, /var/lib/containerd and /tmp. */
  readonly mounts: readonly Mount[];
  /** Octal mode of /tmp; undefined where it is no folder. */
  readonly temporaryFolderMode: string | undefined;
  /** `UseDNS yes` stands in the configuration of sshd. */
  readonly sshdUsesDns: boolean;
  /** Files and folders with the configuration of sshd that the account may not read. */
  readonly sshdUnreadable: readonly string[];
  /** What a login may dump (ulimit -c): a number of blocks, or `unlimited`; empty where it is not known. */
  readonly coreLimit: string;
  /** Tasks that a service may have by default; Infinity for no limit, undefined where systemd does not say. */
  readonly defaultTasksMax: number | undefined;
  /** The word in brackets: always, madvise or never. */
  readonly transparentHugepages: string | undefined;
  readonly kernelCommandLine: readonly string[];
  readonly apparmorEnabled: boolean;
  /** Loaded by the kernel; undefined where there is no AppArmor, or the account may not read them. */
  readonly apparmorProfiles: number | undefined;
  /** Kernel features that are neither there nor can be loaded; some of them not every cluster or kernel needs. */
  readonly missingFeatures: readonly string[];
  /** XFS file systems under /var/lib whose directories hold no file types (ftype=0), by mount point. */
  readonly xfsWithoutFileTypes: readonly string[];
}

export function parseSettings(seen: Answers): SettingsFacts {
  const units = parseUnits(commandText(seen(q.units)));
  const resolved = seen(q.resolvedConf);
  const temporary = seen(q.temporaryFolder);
  const account = commandText(seen(q.account)).trim();
  return {
    isRoot: account === '' || account === '0',
    macAddresses: parseLinks(commandText(seen(q.links))),
    mtus: parseMtus(commandText(seen(q.links))),
    timeZone: parseTimeZone(commandText(seen(q.zoneOffset)), commandText(seen(q.zoneFile))),
    swapEntries: swapEntriesOf(fileText(seen(q.fstab))),
    swapUnits: parseSwapUnits(commandText(seen(q.swapUnits))),
    ownTimeServers: linesOf(commandText(seen(q.ownTimeServers))),
    hostsFile: parseHostsFile(fileText(seen(q.hostsFile))),
    upstreamNameservers: resolved.state === 'present' ? parseNameservers(fileText(resolved)) : undefined,
    selinuxEnforcing: fileText(seen(q.selinux)).trim() === '1',
    hasContainerPolicy: commandText(seen(q.containerPolicy)).trim() !== '',
    forwarding: parseForwarding(commandText(seen(q.ipForward))),
    firewall: firewallOf(units, fileText(seen(q.ufw)), seen(q.ufwAtBoot).state === 'present'),
    ruleService: ['nftables.service', 'iptables.service'].find((unit) => units.has(unit)),
    sysctlFiles: commandText(seen(q.sysctlFiles)),
    packageTrouble: linesOf(commandText(seen(q.packageTrouble))),
    toolPackages: parseToolPackages(commandText(seen(q.toolPackages))),
    automaticUpgrades: automaticUpgradesOf(units, {
      apt: commandText(seen(q.aptUpgrades)),
      hasUnattendedUpgrade: commandText(seen(q.tools)).includes('/unattended-upgrade'),
      dnf: fileText(seen(q.dnfAutomatic)),
    }),
    moduleTrees: linesOf(commandText(seen(q.moduleTrees))),
    hasLoadedModules: commandText(seen(q.loadedModules)).trim() !== '',
    mounts: parseMounts(commandText(seen(q.mounts))),
    temporaryFolderMode:
      temporary.state === 'present' && temporary.value.type === 'directory' ? temporary.value.mode : undefined,
    sshdUsesDns: /^\s*UseDNS\s+yes/im.test(commandText(seen(q.useDns))),
    sshdUnreadable: [...commandText(seen(q.useDns)).matchAll(/^unreadable (.*)$/gm)].map((match) => match[1] ?? ''),
    coreLimit: commandText(seen(q.coreLimit)).trim(),
    defaultTasksMax: parseTasksMax(commandText(seen(q.tasksMax))),
    transparentHugepages: /\[(\w+)\]/.exec(fileText(seen(q.hugepages)))?.[1],
    kernelCommandLine: fileText(seen(q.cmdline))
      .split(/\s+/)
      .filter((word) => word !== ''),
    apparmorEnabled: fileText(seen(q.apparmor)).trim() === 'Y',
    apparmorProfiles: parseProfileCount(commandText(seen(q.apparmorProfiles))),
    missingFeatures: linesOf(commandText(seen(q.missingFeatures))),
    xfsWithoutFileTypes: linesOf(commandText(seen(q.xfs)))
      .filter((line) => line.endsWith(' ftype=0'))
      .map((line) => line.replace(/ ftype=0$/, '')),
  };
}

export function parseNameservers(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '');
}

/** resolv.conf(5): of several lines `search` and `domain` the last one is in force. */
export function parseSearch(text: string): string[] {
  const last = [...text.matchAll(/^\s*(?:search|domain)\s+(.*)$/gm)].at(-1)?.[1] ?? '';
  return last.split(/\s+/).filter((word) => word !== '');
}

/** Lines of `ip -o link show`. */
export function parseLinks(text: string): Map<string, string> {
  const entries = linesOf(text).flatMap((line): [string, string][] => {
    const match = /^\d+:\s+([^:@\s]+).*\slink\/ether\s+([0-9a-f:]+)/.exec(line);
    return match?.[1] === undefined || match[2] === undefined ? [] : [[match[1], match[2]]];
  });
  return new Map(entries);
}

/** `DefaultTasksMax=4915`; older versions print no limit as the largest number of 64 bits. */
function parseTasksMax(text: string): number | undefined {
  const value = /^DefaultTasksMax=(\S+)/m.exec(text)?.[1];
  if (value === undefined) return undefined;
  return value === 'infinity' || value === '18446744073709551615' ? Number.POSITIVE_INFINITY : Number(value);
}

/** Lines of `ip -o link show`. */
export function parseMtus(text: string): Map<string, number> {
  const entries = linesOf(text).flatMap((line): [string, number][] => {
    const match = /^\d+:\s+([^:@\s]+).*\smtu (\d+)/.exec(line);
    return match?.[1] === undefined ? [] : [[match[1], Number(match[2])]];
  });
  return new Map(entries);
}

/** hosts(5): an address and its names on a line; what follows `#` is a comment. */
export function parseHostsFile(text: string): HostsFileEntry[] {
  return linesOf(text).flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*$/, '').trim().split(/\s+/);
    return names.length === 0 ? [] : [{ address, names }];
  });
}

/** One zone has several names in the zone database; those of UTC are met often enough to know them. */
function parseTimeZone(offsetText: string, file: string): TimeZone | undefined {
  const offset = offsetText.trim();
  if (offset === '') return undefined;
  const name = /\/zoneinfo\/(?:posix\/|right\/)?(\S+)/.exec(file)?.[1];
  const isUtc = name !== undefined && /^(Etc\/)?(UTC|UCT|Universal|Zulu)$/.test(name);
  return { name: isUtc ? 'UTC' : name, offset };
}

/** Lines `4 1`, `6 0 fixed`, `6 none`. */
export function parseForwarding(text: string): Map<4 | 6, Forwarding> {
  return new Map(
    linesOf(text).flatMap((line): [4 | 6, Forwarding][] => {
      const [, family, value, fixed] = /^([46]) (none|\d+)( fixed)?$/.exec(line) ?? [];
      if (family === undefined || value === undefined) return [];
      const state = value === 'none' ? 'none' : value === '0' ? 'off' : 'on';
      return [[family === '4' ? 4 : 6, { state, isFixed: fixed !== undefined }]];
    }),
  );
}

/** One state a line, in the order of the question; a unit that does not exist is inactive. */
function parseUnits(text: string): ReadonlySet<string> {
  const states = linesOf(text);
  return new Set(probedUnits.filter((_, index) => states[index] === 'active'));
}

/**
 * The unit of ufw is active on every Ubuntu; whether it filters stands in its file. Rules that `ufw enable` loaded are in force
 * although the unit was never started: then it starts at the next boot.
 */
function firewallOf(units: ReadonlySet<string>, ufwConf: string, startsUfw: boolean): SettingsFacts['firewall'] {
  if (units.has('firewalld.service')) return 'firewalld';
  return (startsUfw || units.has('ufw.service')) && isUfwEnabled(ufwConf) ? 'ufw' : undefined;
}

/** What /etc/ufw/ufw.conf says. */
export function isUfwEnabled(content: string): boolean {
  return /^\s*ENABLED\s*=\s*["']?yes/im.test(content);
}

function automaticUpgradesOf(
  units: ReadonlySet<string>,
  settings: { readonly apt: string; readonly hasUnattendedUpgrade: boolean; readonly dnf: string },
): string | undefined {
  const isAptOn = /^VALUE='(?!0?')/m.test(settings.apt) && settings.hasUnattendedUpgrade;
  if (units.has('apt-daily-upgrade.timer') && isAptOn) return 'unattended-upgrades';
  if (units.has('dnf-automatic-install.timer')) return 'dnf-automatic-install.timer';
  const appliesUpdates = /^\s*apply_updates\s*=\s*(yes|true|1)\s*$/im.test(settings.dnf);
  const dnf = ['dnf-automatic.timer', 'dnf5-automatic.timer'].find((unit) => units.has(unit));
  if (dnf !== undefined && appliesUpdates) return dnf;
  return ['yum-cron.service', 'transactional-update.timer', 'packagekit.service'].find((unit) => units.has(unit));
}

/** Lines `PACKAGE PATH`. */
function parseToolPackages(text: string): Map<string, string> {
  return new Map(
    linesOf(text).flatMap((line): [string, string][] => {
      const [, name, tool] = /^(\S+) \/(?:\S*\/)?([^/\s]+)$/.exec(line) ?? [];
      return name === undefined || tool === undefined ? [] : [[tool, name]];
    }),
  );
}

/** Lines of /proc/self/mounts; of several mounts on one path the last is in force. */
function parseMounts(text: string): Mount[] {
  const mounts = linesOf(text).flatMap((line): [string, Mount][] => {
    const [, path, , options] = line.split(' ');
    return path === undefined || options === undefined ? [] : [[path, { path, options: options.split(',') }]];
  });
  return [...new Map(mounts).values()];
}

/** The mount that a path lies on. */
export function mountOf<T extends Pick<Mount, 'path'>>(mounts: readonly T[], path: string): T | undefined {
  return mounts
    .filter((mount) => mount.path === '/' || path === mount.path || path.startsWith(`${mount.path}/`))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
